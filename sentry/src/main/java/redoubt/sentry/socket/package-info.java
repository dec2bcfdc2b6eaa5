/**
 * Sockets: what the system calls see ({@link redoubt.sentry.socket.Socket}), who makes them ({@link
 * redoubt.sentry.socket.SocketFamily}), and the queues of packets that the families share.
 *
 * <p>Read {@link redoubt.sentry.socket.Socket} first. A network stack plugs in as one more family,
 * registered in {@link redoubt.sentry.socket.Sockets}; nothing above this package knows which stack
 * it is.
 *
 * <p>Lock order, outermost first: a family's tables, one socket's monitor, {@code PagePool}. No
 * thread holds two sockets' monitors. File references are dropped and wait queues notified without
 * any of them.
 */
@NullMarked
package redoubt.sentry.socket;

import org.jspecify.annotations.NullMarked;
