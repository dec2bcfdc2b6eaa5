/**
 * POSIX message queues: <a
 * href="https://man7.org/linux/man-pages/man7/mq_overview.7.html">mq_overview(7)</a>.
 *
 * <p>Lock order: the monitor of {@link redoubt.sentry.ipc.mqueue.PosixQueues}, then a queue's, then
 * a wait queue's. Read {@link redoubt.sentry.ipc.mqueue.PosixQueue} first.
 */
@NullMarked
package redoubt.sentry.ipc.mqueue;

import org.jspecify.annotations.NullMarked;
