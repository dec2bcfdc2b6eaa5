/**
 * UDP, and what both transports share: ports and readiness. Read {@link
 * redoubt.net.transport.UdpEndpoint} first.
 */
@NullMarked
package redoubt.net.transport;

import org.jspecify.annotations.NullMarked;
