package redoubt.sentry.socket.netlink;

import static redoubt.abi.Errno.EADDRNOTAVAIL;
import static redoubt.abi.Errno.EEXIST;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ENETDOWN;
import static redoubt.abi.Errno.ENETUNREACH;
import static redoubt.abi.Errno.ENOBUFS;
import static redoubt.abi.Errno.ENODEV;
import static redoubt.abi.Errno.ENOENT;
import static redoubt.abi.Errno.EOPNOTSUPP;
import static redoubt.abi.Errno.ESRCH;
import static redoubt.abi.Socket.AF_INET;
import static redoubt.abi.Socket.AF_INET6;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Netlink;
import redoubt.host.Memory;
import redoubt.net.network.Ipv6;
import redoubt.net.network.NeighborTable;
import redoubt.net.stack.NetworkStack;
import redoubt.net.stack.Nic;
import redoubt.net.stack.Route;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.socket.NetDevice;

/**
 * What a guest changes of its network by <a
 * href="https://man7.org/linux/man-pages/man7/rtnetlink.7.html">rtnetlink(7)</a>: addresses, routes
 * and neighbours of the interfaces that the sandbox was given, whether they are up, their MTU. One
 * object is one request; the caller has asked for CAP_NET_ADMIN.
 *
 * <p>Differs from Linux: routes have no metric, there is one table, and secondary addresses outlive
 * the first one of their subnet.
 */
final class RouteChanges {
  private static final int MAX_ADDRESSES = 256;

  private final NetworkStack stack;
  private final MemorySegment bytes;
  private final int header;
  private final int end;
  private final int flags;
  private @Nullable Nic changed;
  private @Nullable Object subject;

  /**
   * @param at where the message begins in {@code bytes}
   * @param flags its NLM_F_*
   */
  RouteChanges(NetworkStack stack, MemorySegment bytes, int at, int length, int flags) {
    this.stack = stack;
    this.bytes = bytes;
    this.header = at + Netlink.SIZEOF_NLMSGHDR;
    this.end = at + length;
    this.flags = flags;
  }

  /**
   * Tells those who listen what was changed: the interface, or else what the request named.
   *
   * @param isGone whether it was a RTM_DEL*
   */
  void announce(Task t, NetlinkFamily family, int seq, int port, boolean isGone) {
    Nic nic = changed;
    NetDevice d = nic == null ? null : NetDevice.numbered(t, nic.index());
    if (nic == null || d == null) {
      return;
    }
    RouteMessages m = RouteMessages.notice(t, seq, port, isGone);
    int group;
    switch (subject) {
      case NetDevice.Address a -> {
        m.address4(d, a);
        group = Netlink.RTNLGRP_IPV4_IFADDR;
      }
      case NetDevice.Address6 a -> {
        m.address6(d, a);
        group = Netlink.RTNLGRP_IPV6_IFADDR;
      }
      case Route r -> {
        m.route4(r);
        group = Netlink.RTNLGRP_IPV4_ROUTE;
      }
      case Ipv6.Route6 r -> {
        m.route6(stack, r);
        group = Netlink.RTNLGRP_IPV6_ROUTE;
      }
      case NeighborTable.Neighbor n -> {
        m.neighbor(stack, nic, n);
        group = Netlink.RTNLGRP_NEIGH;
      }
      case null, default -> {
        m.link(d, 0);
        group = Netlink.RTNLGRP_LINK;
      }
    }
    family.announce(group, m.finished());
  }

  /** Carries out a request of {@code type}. {@return 0 or -errno} */
  long apply(int type) {
    stack.enter();
    try {
      return switch (type) {
        case Netlink.RTM_NEWLINK, Netlink.RTM_SETLINK -> setLink();
        case Netlink.RTM_DELLINK -> deleteLink();
        case Netlink.RTM_NEWADDR -> address(true);
        case Netlink.RTM_DELADDR -> address(false);
        case Netlink.RTM_NEWROUTE -> route(true);
        case Netlink.RTM_DELROUTE -> route(false);
        case Netlink.RTM_NEWNEIGH -> neighbor(true);
        case Netlink.RTM_DELNEIGH -> neighbor(false);
        default -> -EOPNOTSUPP;
      };
    } finally {
      stack.exit();
    }
  }

  private boolean isShorterThan(int familyHeader) {
    return end - header < familyHeader;
  }

  private Attributes attributes(int familyHeader) {
    return new Attributes(bytes, header + familyHeader, end);
  }

  private int byteAt(int offset) {
    return bytes.get(Memory.BYTE, header + offset) & 0xff;
  }

  private @Nullable Nic nic(int index) {
    for (Nic n : stack.nics()) {
      if (n.index() == index) {
        return n;
      }
    }
    return null;
  }

  private @Nullable Nic nic(String name) {
    for (Nic n : stack.nics()) {
      if (n.name().equals(name)) {
        return n;
      }
    }
    return null;
  }

  // ---- links ----

  private @Nullable Nic link(Attributes a) {
    int index = bytes.get(Memory.INT, header + Netlink.IFINFOMSG_IFI_INDEX);
    return index > 0 ? nic(index) : nic(a.string(Netlink.IFLA_IFNAME));
  }

  private long setLink() {
    if (isShorterThan(Netlink.SIZEOF_IFINFOMSG)) {
      return -EINVAL;
    }
    Attributes a = attributes(Netlink.SIZEOF_IFINFOMSG);
    Nic nic = link(a);
    if (nic == null) {
      boolean makes = (flags & Netlink.NLM_F_CREATE) != 0 && a.has(Netlink.IFLA_LINKINFO);
      return makes ? -EOPNOTSUPP : -ENODEV;
    }
    if ((flags & Netlink.NLM_F_EXCL) != 0) {
      return -EEXIST;
    }
    if (a.has(Netlink.IFLA_NET_NS_PID)
        || a.has(Netlink.IFLA_NET_NS_FD)
        || a.has(Netlink.IFLA_MASTER)
        || (a.has(Netlink.IFLA_IFNAME) && !a.string(Netlink.IFLA_IFNAME).equals(nic.name()))
        || (a.has(Netlink.IFLA_ADDRESS) && a.mac(Netlink.IFLA_ADDRESS) != nic.link().mac())) {
      return -EOPNOTSUPP;
    }
    changed = nic;
    int mtu = a.integer(Netlink.IFLA_MTU, nic.mtu());
    if (mtu < 68 || (mtu != nic.mtu() && mtu > nic.link().mtu())) {
      return -EINVAL;
    }
    return setFlags(nic, mtu);
  }

  private long setFlags(Nic nic, int mtu) {
    int wanted = bytes.get(Memory.INT, header + Netlink.IFINFOMSG_IFI_FLAGS);
    int mask = bytes.get(Memory.INT, header + Netlink.IFINFOMSG_IFI_CHANGE);
    boolean setsUp = ((mask == 0 && wanted != 0) || (mask & Netlink.IFF_UP) != 0);
    boolean up = (wanted & Netlink.IFF_UP) != 0;
    if (nic == stack.loopback()) {
      // Connections within the sandbox do not go through it.
      return (setsUp && !up) || mtu != nic.mtu() ? -EOPNOTSUPP : 0;
    }
    if (mtu != nic.mtu()) {
      nic.setMtu(mtu);
    }
    if (setsUp && up != nic.isUp()) {
      stack.setUp(nic, up);
    }
    return 0;
  }

  private long deleteLink() {
    if (isShorterThan(Netlink.SIZEOF_IFINFOMSG)) {
      return -EINVAL;
    }
    return link(attributes(Netlink.SIZEOF_IFINFOMSG)) == null ? -ENODEV : -EOPNOTSUPP;
  }

  // ---- addresses ----

  private long address(boolean adds) {
    if (isShorterThan(Netlink.SIZEOF_IFADDRMSG)) {
      return -EINVAL;
    }
    Attributes a = attributes(Netlink.SIZEOF_IFADDRMSG);
    int prefix = byteAt(Netlink.IFADDRMSG_IFA_PREFIXLEN);
    Nic nic = nic(bytes.get(Memory.INT, header + Netlink.IFADDRMSG_IFA_INDEX));
    return switch (byteAt(Netlink.IFADDRMSG_IFA_FAMILY)) {
      case AF_INET -> address4(a, nic, prefix, adds);
      case AF_INET6 -> address6(a, nic, prefix, adds);
      default -> -EOPNOTSUPP;
    };
  }

  private long address4(Attributes a, @Nullable Nic nic, int prefix, boolean adds) {
    if (adds && (prefix > 32 || a.size(Netlink.IFA_LOCAL) < 4)) {
      return -EINVAL;
    }
    if (nic == null) {
      return -ENODEV;
    }
    changed = nic;
    int local = a.address(Netlink.IFA_LOCAL, a.address(Netlink.IFA_ADDRESS, 0));
    subject = new NetDevice.Address(local, prefix);
    if (!adds) {
      return stack.removeAddress(nic, local, prefix) ? 0 : -EADDRNOTAVAIL;
    }
    if (a.address(Netlink.IFA_ADDRESS, local) != local) {
      return -EOPNOTSUPP; // a peer's address
    }
    int[] all = nic.addresses();
    for (int i = 0; i < all.length; i++) {
      if (all[i] == local && nic.prefixLength(i) == prefix) {
        return isReplaced() ? 0 : -EEXIST;
      }
    }
    if (all.length >= MAX_ADDRESSES) {
      return -ENOBUFS;
    }
    stack.addAddress(nic, local, prefix);
    return 0;
  }

  private boolean isReplaced() {
    return (flags & Netlink.NLM_F_REPLACE) != 0 && (flags & Netlink.NLM_F_EXCL) == 0;
  }

  private long address6(Attributes a, @Nullable Nic nic, int prefix, boolean adds) {
    int what = a.has(Netlink.IFA_LOCAL) ? Netlink.IFA_LOCAL : Netlink.IFA_ADDRESS;
    if (a.size(what) < 16 || prefix > 128) {
      return -EINVAL;
    }
    if (nic == null) {
      return -ENODEV;
    }
    changed = nic;
    long high = a.half(what, 0);
    long low = a.half(what, 8);
    subject = new NetDevice.Address6(high, low, prefix);
    if (!adds) {
      return stack.removeAddress6(nic, high, low, prefix) ? 0 : -EADDRNOTAVAIL;
    }
    if (high >>> 56 == 0xff || (high == 0 && low == 0)) {
      return -EADDRNOTAVAIL;
    }
    int number = stack.addresses().lookup(high, low);
    if (number != 0 && nic.hasAddress(number)) {
      return isReplaced() ? 0 : -EEXIST;
    }
    if (nic.addresses6().length >= MAX_ADDRESSES) {
      return -ENOBUFS;
    }
    stack.addAddress6(nic, high, low, prefix);
    return 0;
  }

  // ---- routes ----

  private long route(boolean adds) {
    if (isShorterThan(Netlink.SIZEOF_RTMSG)) {
      return -EINVAL;
    }
    Attributes a = attributes(Netlink.SIZEOF_RTMSG);
    int table = a.integer(Netlink.RTA_TABLE, byteAt(Netlink.RTMSG_RTM_TABLE));
    int kind = byteAt(Netlink.RTMSG_RTM_TYPE);
    boolean isPlain =
        (table == Netlink.RT_TABLE_MAIN || table == Netlink.RT_TABLE_UNSPEC)
            && (kind == Netlink.RTN_UNICAST || (!adds && kind == Netlink.RTN_UNSPEC))
            && byteAt(Netlink.RTMSG_RTM_TOS) == 0
            && !a.has(Netlink.RTA_MULTIPATH)
            && isDefault(a.integer(Netlink.RTA_PRIORITY, 0));
    Nic nic = null;
    if (a.has(Netlink.RTA_OIF)) {
      nic = nic(a.integer(Netlink.RTA_OIF, 0));
      if (nic == null) {
        return adds ? -ENODEV : -ESRCH;
      }
    }
    int prefix = byteAt(Netlink.RTMSG_RTM_DST_LEN);
    return switch (byteAt(Netlink.RTMSG_RTM_FAMILY)) {
      case AF_INET -> prefix > 32 ? -EINVAL : !isPlain ? refuse(adds) : route4(a, nic, adds);
      case AF_INET6 -> prefix > 128 ? -EINVAL : !isPlain ? refuse(adds) : route6(a, nic, adds);
      default -> -EOPNOTSUPP;
    };
  }

  /** {@return whether a metric is one that routes have which were made without} */
  private boolean isDefault(int metric) {
    boolean isV6 = byteAt(Netlink.RTMSG_RTM_FAMILY) == AF_INET6;
    return metric == 0 || (isV6 && (metric == 256 || metric == 1024));
  }

  /** There are no such routes, and none can be made. */
  private static long refuse(boolean adds) {
    return adds ? -EOPNOTSUPP : -ESRCH;
  }

  private long route4(Attributes a, @Nullable Nic nic, boolean adds) {
    int length = byteAt(Netlink.RTMSG_RTM_DST_LEN);
    int prefix = a.address(Netlink.RTA_DST, 0);
    if ((prefix & ~Route.mask(length)) != 0) {
      return -EINVAL;
    }
    int gateway = a.address(Netlink.RTA_GATEWAY, 0);
    int source = a.address(Netlink.RTA_PREFSRC, 0);
    if (!adds) {
      return delete4(prefix, length, gateway, source, nic);
    }
    Nic out = nic;
    if (gateway != 0) {
      Route way = onLinkTo(gateway, nic);
      if (way == null || stack.isLocal(gateway)) {
        return -(stack.isLocal(gateway) ? EINVAL : ENETUNREACH);
      }
      out = way.nic();
      source = source == 0 ? way.source() : source;
    }
    if (out == null) {
      return -ENODEV;
    }
    if (!out.isUp()) {
      return -ENETDOWN;
    }
    if (source != 0 && !stack.isLocal(source)) {
      return -EINVAL;
    }
    return add4(new Route(prefix, length, gateway, source == 0 ? first(out) : source, out));
  }

  private static int first(Nic nic) {
    return nic.primaryAddress();
  }

  /** {@return the route to a subnet in which {@code gateway} is, on {@code nic} if there is one} */
  private @Nullable Route onLinkTo(int gateway, @Nullable Nic nic) {
    for (Route r : stack.routes().all()) {
      if (r.gateway() == 0
          && (gateway & Route.mask(r.prefixLength())) == r.prefix()
          && (nic == null || r.nic() == nic)
          && r.nic().isUp()) {
        return r;
      }
    }
    return null;
  }

  private long add4(Route made) {
    Route old = null;
    for (Route r : stack.routes().all()) {
      if (r.prefix() == made.prefix() && r.prefixLength() == made.prefixLength()) {
        old = r;
        break;
      }
    }
    if (old != null && (flags & Netlink.NLM_F_EXCL) != 0) {
      return -EEXIST;
    }
    if (old == null && (flags & Netlink.NLM_F_CREATE) == 0) {
      return -ENOENT;
    }
    changed = made.nic();
    subject = made;
    if (old != null && (flags & Netlink.NLM_F_REPLACE) != 0) {
      stack.routes().remove(old);
    } else if (made.equals(old)) {
      return -EEXIST;
    }
    return stack.routes().add(made) ? 0 : -ENOBUFS;
  }

  private long delete4(int prefix, int length, int gateway, int source, @Nullable Nic nic) {
    for (Route r : stack.routes().all()) {
      if (r.prefix() == prefix
          && r.prefixLength() == length
          && r.nic() != stack.loopback()
          && (gateway == 0 || r.gateway() == gateway)
          && (source == 0 || r.source() == source)
          && (nic == null || r.nic() == nic)) {
        changed = r.nic();
        subject = r;
        stack.routes().remove(r);
        return 0;
      }
    }
    return -ESRCH;
  }

  private long route6(Attributes a, @Nullable Nic nic, boolean adds) {
    int length = byteAt(Netlink.RTMSG_RTM_DST_LEN);
    Ipv6.Route6 wanted =
        Ipv6.Route6.onLink(
            a.half(Netlink.RTA_DST, 0),
            a.half(Netlink.RTA_DST, 8),
            length,
            nic == null ? stack.loopback() : nic);
    long high = a.half(Netlink.RTA_GATEWAY, 0);
    long low = a.half(Netlink.RTA_GATEWAY, 8);
    boolean hasGateway = high != 0 || low != 0;
    int gateway = hasGateway ? stack.addresses().number(high, low) : 0;
    if (hasGateway && gateway == 0) {
      return -ENOBUFS;
    }
    return adds ? add6(wanted, gateway, nic) : delete6(wanted, gateway, nic);
  }

  private long add6(Ipv6.Route6 wanted, int gateway, @Nullable Nic nic) {
    Nic out = nic;
    if (out == null && gateway != 0) {
      out = onLinkTo6(gateway);
      if (out == null) {
        return -redoubt.abi.Errno.EHOSTUNREACH;
      }
    }
    if (out == null) {
      return -ENODEV;
    }
    if (!out.isUp()) {
      return -ENETDOWN;
    }
    Ipv6.Route6 old = null;
    for (Ipv6.Route6 r : stack.ipv6().routes()) {
      if (isSameSubnet(r, wanted)) {
        old = r;
        break;
      }
    }
    if (old != null && (flags & Netlink.NLM_F_EXCL) != 0) {
      return -EEXIST;
    }
    if (old == null && (flags & Netlink.NLM_F_CREATE) == 0) {
      return -ENOENT;
    }
    if (old != null && (flags & Netlink.NLM_F_REPLACE) != 0) {
      stack.ipv6().removeRoute(old);
    }
    changed = out;
    Ipv6.Route6 made =
        new Ipv6.Route6(
            wanted.prefixHigh(), wanted.prefixLow(), wanted.prefixLength(), gateway, 0, out);
    subject = made;
    return stack.ipv6().addRoute(made) ? 0 : -ENOBUFS;
  }

  private @Nullable Nic onLinkTo6(int gateway) {
    long high = stack.addresses().high(gateway);
    long low = stack.addresses().low(gateway);
    for (Ipv6.Route6 r : stack.ipv6().routes()) {
      if (r.gateway() == 0
          && isSameSubnet(r, Ipv6.Route6.onLink(high, low, r.prefixLength(), r.nic()))) {
        return r.nic();
      }
    }
    return null;
  }

  private static boolean isSameSubnet(Ipv6.Route6 a, Ipv6.Route6 b) {
    return a.prefixLength() == b.prefixLength()
        && a.prefixHigh() == b.prefixHigh()
        && a.prefixLow() == b.prefixLow();
  }

  private long delete6(Ipv6.Route6 wanted, int gateway, @Nullable Nic nic) {
    for (Ipv6.Route6 r : stack.ipv6().routes()) {
      if (isSameSubnet(r, wanted)
          && (gateway == 0 || r.gateway() == gateway)
          && (nic == null || r.nic() == nic)) {
        changed = r.nic();
        subject = r;
        stack.ipv6().removeRoute(r);
        return 0;
      }
    }
    return -ESRCH;
  }

  // ---- neighbours ----

  private long neighbor(boolean adds) {
    if (isShorterThan(Netlink.SIZEOF_NDMSG)) {
      return -EINVAL;
    }
    Attributes a = attributes(Netlink.SIZEOF_NDMSG);
    int family = byteAt(Netlink.NDMSG_NDM_FAMILY);
    int size = family == AF_INET6 ? 16 : 4;
    if (a.size(Netlink.NDA_DST) < size) {
      return -EINVAL;
    }
    Nic nic = nic(bytes.get(Memory.INT, header + Netlink.NDMSG_NDM_IFINDEX));
    if (nic == null) {
      return -ENODEV;
    }
    if (family != AF_INET && family != AF_INET6) {
      return -EOPNOTSUPP;
    }
    int address =
        family == AF_INET
            ? a.address(Netlink.NDA_DST, 0)
            : stack.addresses().number(a.half(Netlink.NDA_DST, 0), a.half(Netlink.NDA_DST, 8));
    changed = nic;
    subject = new NeighborTable.Neighbor(address, nic.neighbors().lookup(address), false, true);
    if (!adds) {
      return nic.neighbors().forget(address) ? 0 : -ENOENT;
    }
    return addNeighbor(a, nic, address);
  }

  private long addNeighbor(Attributes a, Nic nic, int address) {
    long mac = a.mac(Netlink.NDA_LLADDR);
    int state = bytes.get(Memory.SHORT, header + Netlink.NDMSG_NDM_STATE) & 0xffff;
    if (mac < 0 || address == 0) {
      return a.has(Netlink.NDA_LLADDR) ? -EINVAL : -EOPNOTSUPP;
    }
    boolean isKnown = nic.neighbors().lookup(address) != 0;
    if (isKnown && (flags & Netlink.NLM_F_EXCL) != 0) {
      return -EEXIST;
    }
    if (!isKnown && (flags & Netlink.NLM_F_CREATE) == 0) {
      return -ENOENT;
    }
    boolean isPermanent = (state & Netlink.NUD_PERMANENT) != 0;
    subject = new NeighborTable.Neighbor(address, mac, isPermanent, true);
    nic.neighbors().forget(address);
    nic.neighbors().add(address, mac, isPermanent);
    return 0;
  }
}
