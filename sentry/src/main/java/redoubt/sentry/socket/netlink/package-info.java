/**
 * AF_NETLINK: <a href="https://man7.org/linux/man-pages/man7/rtnetlink.7.html">rtnetlink(7)</a> as
 * far as getifaddrs(3) and ip(8) need it to see the loopback.
 */
@NullMarked
package redoubt.sentry.socket.netlink;

import org.jspecify.annotations.NullMarked;
