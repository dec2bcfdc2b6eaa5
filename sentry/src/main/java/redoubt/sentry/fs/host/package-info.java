/**
 * The few host descriptors that a container is given: its standard input and output when it has no
 * terminal, and the host terminal behind its own when it has one.
 *
 * <p>Read {@link redoubt.sentry.fs.host.HostFile} first. Locks: none but a {@code HostFile}'s
 * monitor around its place in a host file. The poller's thread and the bridges' threads take only
 * wait queues' monitors.
 */
@NullMarked
package redoubt.sentry.fs.host;

import org.jspecify.annotations.NullMarked;
