/**
 * AF_INET and AF_INET6 over the loopback interface of one sandbox: TCP and UDP between its own
 * sockets, without packets. A send puts its bytes straight into the receiver's queue.
 *
 * <p>This is what there is until a real stack is plugged in; it shares with it the {@link
 * redoubt.sentry.socket.Socket} interface only. Addresses are 128 bits in two longs, IPv4 in its
 * mapped form (::ffff:a.b.c.d), so that both families meet in one table. Read {@link
 * redoubt.sentry.socket.inet.InetSocket} first.
 *
 * <p>Lock order: one socket's monitor, then {@code PortTable}, which only reads fields of sockets.
 */
@NullMarked
package redoubt.sentry.socket.inet;

import org.jspecify.annotations.NullMarked;
