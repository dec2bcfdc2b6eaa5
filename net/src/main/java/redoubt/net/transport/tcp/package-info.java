/**
 * TCP (RFC 9293). Read {@link redoubt.net.transport.tcp.TcpConnection} first.
 *
 * <p>Sequence numbers are 64 bits inside: 0 is the SYN, 1 the first byte. {@link
 * redoubt.net.transport.tcp.Sequence} translates at the wire, so that no comparison here can wrap.
 */
@NullMarked
package redoubt.net.transport.tcp;

import org.jspecify.annotations.NullMarked;
