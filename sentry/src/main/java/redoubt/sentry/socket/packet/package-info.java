/**
 * Packet sockets: <a href="https://man7.org/linux/man-pages/man7/packet.7.html">packet(7)</a>. Read
 * {@link redoubt.sentry.socket.packet.PacketSocket} first.
 *
 * <p>Lock order: the network stack's lock, then one socket's {@code mu}. Frames come in under the
 * stack's lock, so nobody calls the stack while he holds a {@code mu}.
 */
@NullMarked
package redoubt.sentry.socket.packet;

import org.jspecify.annotations.NullMarked;
