/**
 * IPv4, ARP and ICMP: from a frame to a transport's payload and back. Read {@link
 * redoubt.net.network.Ipv4} first. All of it runs under the stack's lock.
 */
@NullMarked
package redoubt.net.network;

import org.jspecify.annotations.NullMarked;
