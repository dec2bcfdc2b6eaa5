package redoubt.sentry.socket.netlink;

import static redoubt.abi.Socket.AF_INET;
import static redoubt.abi.Socket.AF_INET6;
import static redoubt.abi.Socket.AF_UNSPEC;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Netlink;
import redoubt.host.Memory;
import redoubt.net.network.AddressTable;
import redoubt.net.network.Ipv6;
import redoubt.net.network.NeighborTable;
import redoubt.net.stack.NetworkStack;
import redoubt.net.stack.Nic;
import redoubt.net.stack.Route;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.socket.NetDevice;

/**
 * What the kernel says of its interfaces, addresses, routes and neighbours: the messages of <a
 * href="https://man7.org/linux/man-pages/man7/rtnetlink.7.html">rtnetlink(7)</a>. Long answers are
 * several datagrams, as Linux's.
 */
final class RouteMessages extends Datagrams {
  private static final int LO = 1;

  // IP6_RT_PRIO_*: the metrics of routes for which none was asked.
  private static final int PRIORITY_ADDRCONF = 256;
  private static final int PRIORITY_USER = 1024;
  private static final int RULES_TABLE_DEFAULT = 253;

  private final Task reader;
  private final int itemFlags;

  /** RTM_DEL* is one more than RTM_NEW*. */
  private final int typeShift;

  /** The answer to a question. */
  RouteMessages(Task reader, int seq, int port) {
    this(reader, seq, port, Netlink.NLM_F_MULTI, 0);
  }

  private RouteMessages(Task reader, int seq, int port, int itemFlags, int typeShift) {
    super(seq, port);
    this.reader = reader;
    this.itemFlags = itemFlags;
    this.typeShift = typeShift;
  }

  /** What those are told who listen, about what {@code t}'s request changed. */
  static RouteMessages notice(Task t, int seq, int port, boolean isGone) {
    return new RouteMessages(t, seq, port, 0, isGone ? 1 : 0);
  }

  private @Nullable NetworkStack stack() {
    return NetDevice.stack(reader);
  }

  // ---- links ----

  void links() {
    for (NetDevice d : NetDevice.all(reader)) {
      link(d, Netlink.NLM_F_MULTI);
    }
  }

  void link(NetDevice d, int flags) {
    boolean lo = d.isLoopback();
    int h = m.begin(Netlink.RTM_NEWLINK, flags, seq, port, Netlink.SIZEOF_IFINFOMSG);
    m.bytes.set(Memory.SHORT, h + Netlink.IFINFOMSG_IFI_TYPE, (short) d.type());
    m.bytes.set(Memory.INT, h + Netlink.IFINFOMSG_IFI_INDEX, d.index());
    m.bytes.set(Memory.INT, h + Netlink.IFINFOMSG_IFI_FLAGS, d.flags());
    m.attributeString(Netlink.IFLA_IFNAME, d.name());
    m.attributeInt(Netlink.IFLA_TXQLEN, 1000);
    boolean up = (d.flags() & Netlink.IFF_UP) != 0;
    int state = lo ? Netlink.IF_OPER_UNKNOWN : up ? Netlink.IF_OPER_UP : Netlink.IF_OPER_DOWN;
    m.attributeByte(Netlink.IFLA_OPERSTATE, state);
    m.attributeByte(Netlink.IFLA_LINKMODE, 0);
    m.attributeInt(Netlink.IFLA_MTU, d.mtu());
    m.attributeInt(Netlink.IFLA_GROUP, 0);
    m.attributeInt(Netlink.IFLA_PROMISCUITY, 0);
    m.attributeInt(Netlink.IFLA_NUM_TX_QUEUES, 1);
    m.attributeInt(Netlink.IFLA_NUM_RX_QUEUES, 1);
    m.attributeByte(Netlink.IFLA_CARRIER, up ? 1 : 0);
    m.attributeString(Netlink.IFLA_QDISC, "noqueue");
    mac(Netlink.IFLA_ADDRESS, d.mac());
    mac(Netlink.IFLA_BROADCAST, lo ? 0 : -1);
    Nic.Traffic c = d.traffic();
    int wide = m.attribute(Netlink.IFLA_STATS64, 192);
    int narrow = m.attribute(Netlink.IFLA_STATS, 96);
    long[] counts = {c.packetsIn(), c.packetsOut(), c.bytesIn(), c.bytesOut()};
    for (int i = 0; i < counts.length; i++) {
      m.bytes.set(Memory.LONG, wide + 8L * i, counts[i]);
      m.bytes.set(Memory.INT, narrow + 4L * i, (int) counts[i]);
    }
    end();
  }

  private void mac(int type, long mac) {
    int at = m.attribute(type, 6);
    for (int i = 0; i < 6; i++) {
      m.bytes.set(Memory.BYTE, at + i, (byte) (mac >> (40 - 8 * i)));
    }
  }

  // ---- addresses ----

  void addresses(int family) {
    for (NetDevice d : NetDevice.all(reader)) {
      for (NetDevice.Address a : d.addresses()) {
        if (family == AF_UNSPEC || family == AF_INET) {
          address4(d, a);
        }
      }
      for (NetDevice.Address6 a : d.addresses6()) {
        if (family == AF_UNSPEC || family == AF_INET6) {
          address6(d, a);
        }
      }
    }
  }

  void address6(NetDevice d, NetDevice.Address6 a) {
    int scope =
        d.isLoopback()
            ? Netlink.RT_SCOPE_HOST
            : a.isLinkLocal() ? Netlink.RT_SCOPE_LINK : Netlink.RT_SCOPE_UNIVERSE;
    int h = addressHeader(d, AF_INET6, a.prefixLength(), scope);
    put6(Netlink.IFA_ADDRESS, a.high(), a.low());
    finishAddress(h);
  }

  private void put6(int type, long high, long low) {
    int at = m.attribute(type, 16);
    for (int i = 0; i < 8; i++) {
      m.bytes.set(Memory.BYTE, at + i, (byte) (high >> (56 - 8 * i)));
      m.bytes.set(Memory.BYTE, at + 8 + i, (byte) (low >> (56 - 8 * i)));
    }
  }

  void address4(NetDevice d, NetDevice.Address a) {
    int scope = d.isLoopback() ? Netlink.RT_SCOPE_HOST : Netlink.RT_SCOPE_UNIVERSE;
    int h = addressHeader(d, AF_INET, a.prefixLength(), scope);
    m.attributeInt(Netlink.IFA_ADDRESS, Integer.reverseBytes(a.address()));
    m.attributeInt(Netlink.IFA_LOCAL, Integer.reverseBytes(a.address()));
    if (!d.isLoopback() && a.prefixLength() < 31) {
      m.attributeInt(Netlink.IFA_BROADCAST, Integer.reverseBytes(a.broadcast()));
    }
    m.attributeString(Netlink.IFA_LABEL, d.name());
    finishAddress(h);
  }

  private int addressHeader(NetDevice d, int family, int prefix, int scope) {
    int type = Netlink.RTM_NEWADDR + typeShift;
    int h = m.begin(type, itemFlags, seq, port, Netlink.SIZEOF_IFADDRMSG);
    m.bytes.set(Memory.BYTE, h, (byte) family);
    m.bytes.set(Memory.BYTE, h + Netlink.IFADDRMSG_IFA_PREFIXLEN, (byte) prefix);
    m.bytes.set(Memory.BYTE, h + Netlink.IFADDRMSG_IFA_FLAGS, (byte) Netlink.IFA_F_PERMANENT);
    m.bytes.set(Memory.BYTE, h + Netlink.IFADDRMSG_IFA_SCOPE, (byte) scope);
    m.bytes.set(Memory.INT, h + Netlink.IFADDRMSG_IFA_INDEX, d.index());
    return h;
  }

  private void finishAddress(int header) {
    int flags = m.bytes.get(Memory.BYTE, header + Netlink.IFADDRMSG_IFA_FLAGS) & 0xff;
    m.attributeInt(Netlink.IFA_FLAGS, flags);
    int c = m.attribute(Netlink.IFA_CACHEINFO, 16);
    m.bytes.set(Memory.LONG, c, -1L); // valid and preferred for ever
    end();
  }

  // ---- routes ----

  void routes(int family) {
    if (family == AF_UNSPEC || family == AF_INET) {
      mainRoutes4();
      localRoutes4();
    }
    if (family == AF_UNSPEC || family == AF_INET6) {
      mainRoutes6();
      localRoutes6();
    }
  }

  private void mainRoutes4() {
    NetworkStack stack = stack();
    if (stack == null) {
      return;
    }
    List<Route> all = new ArrayList<>(stack.routes().all());
    all.sort((a, b) -> Integer.compareUnsigned(a.prefix(), b.prefix()));
    for (Route r : all) {
      if (r.nic() != stack.loopback()) {
        route4(r);
      }
    }
  }

  void route4(Route r) {
    boolean onLink = r.gateway() == 0;
    boolean isKernels = onLink && isSubnet(r);
    header4(
        itemFlags,
        r.prefixLength(),
        Netlink.RT_TABLE_MAIN,
        isKernels ? Netlink.RTPROT_KERNEL : Netlink.RTPROT_BOOT,
        onLink ? Netlink.RT_SCOPE_LINK : Netlink.RT_SCOPE_UNIVERSE,
        Netlink.RTN_UNICAST);
    if (r.prefixLength() > 0) {
      m.attributeInt(Netlink.RTA_DST, Integer.reverseBytes(r.prefix()));
    }
    if (isKernels) {
      m.attributeInt(Netlink.RTA_PREFSRC, Integer.reverseBytes(r.source()));
    } else if (!onLink) {
      m.attributeInt(Netlink.RTA_GATEWAY, Integer.reverseBytes(r.gateway()));
    }
    m.attributeInt(Netlink.RTA_OIF, r.nic().index());
    end();
  }

  /** {@return whether {@code r} is there because an address is} */
  private static boolean isSubnet(Route r) {
    int[] all = r.nic().addresses();
    for (int i = 0; i < all.length; i++) {
      int length = r.nic().prefixLength(i);
      if (length == r.prefixLength() && (all[i] & Route.mask(length)) == r.prefix()) {
        return true;
      }
    }
    return false;
  }

  private void localRoutes4() {
    for (NetDevice d : NetDevice.all(reader)) {
      for (NetDevice.Address a : d.addresses()) {
        if (d.isLoopback()) {
          local4(d, a, a.address() & a.mask(), a.prefixLength(), Netlink.RTN_LOCAL);
        }
        local4(d, a, a.address(), 32, Netlink.RTN_LOCAL);
        if (!d.isLoopback() && a.prefixLength() < 31) {
          local4(d, a, a.broadcast(), 32, Netlink.RTN_BROADCAST);
        }
      }
    }
  }

  private void local4(NetDevice d, NetDevice.Address a, int destination, int prefix, int kind) {
    int scope = kind == Netlink.RTN_LOCAL ? Netlink.RT_SCOPE_HOST : Netlink.RT_SCOPE_LINK;
    header4(
        Netlink.NLM_F_MULTI, prefix, Netlink.RT_TABLE_LOCAL, Netlink.RTPROT_KERNEL, scope, kind);
    m.attributeInt(Netlink.RTA_DST, Integer.reverseBytes(destination));
    m.attributeInt(Netlink.RTA_PREFSRC, Integer.reverseBytes(a.address()));
    m.attributeInt(Netlink.RTA_OIF, d.index());
    end();
  }

  private void header4(int flags, int prefix, int table, int protocol, int scope, int kind) {
    header(AF_INET, flags, prefix, table, protocol, scope, kind);
  }

  private void header(
      int family, int flags, int prefix, int table, int protocol, int scope, int kind) {
    int h = m.begin(Netlink.RTM_NEWROUTE + typeShift, flags, seq, port, Netlink.SIZEOF_RTMSG);
    m.bytes.set(Memory.BYTE, h + Netlink.RTMSG_RTM_FAMILY, (byte) family);
    m.bytes.set(Memory.BYTE, h + Netlink.RTMSG_RTM_DST_LEN, (byte) prefix);
    m.bytes.set(Memory.BYTE, h + Netlink.RTMSG_RTM_TABLE, (byte) table);
    m.bytes.set(Memory.BYTE, h + Netlink.RTMSG_RTM_PROTOCOL, (byte) protocol);
    m.bytes.set(Memory.BYTE, h + Netlink.RTMSG_RTM_SCOPE, (byte) scope);
    m.bytes.set(Memory.BYTE, h + Netlink.RTMSG_RTM_TYPE, (byte) kind);
    m.attributeInt(Netlink.RTA_TABLE, table);
  }

  private void mainRoutes6() {
    NetworkStack stack = stack();
    if (stack == null) {
      return;
    }
    for (Ipv6.Route6 r : stack.ipv6().routes().reversed()) {
      route6(stack, r);
    }
  }

  void route6(NetworkStack stack, Ipv6.Route6 r) {
    boolean isKernels = stack.isSubnet(r);
    header(
        AF_INET6,
        itemFlags,
        r.prefixLength(),
        Netlink.RT_TABLE_MAIN,
        isKernels ? Netlink.RTPROT_KERNEL : Netlink.RTPROT_BOOT,
        Netlink.RT_SCOPE_UNIVERSE,
        Netlink.RTN_UNICAST);
    if (r.prefixLength() > 0) {
      put6(Netlink.RTA_DST, r.prefixHigh(), r.prefixLow());
    }
    if (r.gateway() != 0) {
      AddressTable names = stack.addresses();
      put6(Netlink.RTA_GATEWAY, names.high(r.gateway()), names.low(r.gateway()));
    }
    m.attributeInt(Netlink.RTA_OIF, r.nic().index());
    m.attributeInt(Netlink.RTA_PRIORITY, isKernels ? PRIORITY_ADDRCONF : PRIORITY_USER);
    m.attributeByte(Netlink.RTA_PREF, 0);
    end();
  }

  private void localRoutes6() {
    for (NetDevice d : NetDevice.all(reader)) {
      for (NetDevice.Address6 a : d.addresses6()) {
        header6(128, Netlink.RT_TABLE_LOCAL, Netlink.RTN_LOCAL);
        put6(Netlink.RTA_DST, a.high(), a.low());
        m.attributeInt(Netlink.RTA_OIF, d.index());
        end();
      }
    }
  }

  private void header6(int prefix, int table, int kind) {
    header(
        AF_INET6, itemFlags, prefix, table, Netlink.RTPROT_KERNEL, Netlink.RT_SCOPE_UNIVERSE, kind);
  }

  /** Says which way a packet to {@code destination} goes; {@return whether there is one} */
  boolean wayTo(int destination) {
    NetworkStack stack = stack();
    boolean isLocal = destination >>> 24 == 127 || (stack != null && stack.isLocal(destination));
    Route r = isLocal || stack == null ? null : stack.routes().lookup(destination);
    if (!isLocal && r == null) {
      return false;
    }
    header4(
        0,
        32,
        isLocal ? Netlink.RT_TABLE_LOCAL : Netlink.RT_TABLE_MAIN,
        Netlink.RTPROT_UNSPEC,
        Netlink.RT_SCOPE_UNIVERSE,
        isLocal ? Netlink.RTN_LOCAL : Netlink.RTN_UNICAST);
    m.attributeInt(Netlink.RTA_DST, Integer.reverseBytes(destination));
    if (r != null && r.gateway() != 0) {
      m.attributeInt(Netlink.RTA_GATEWAY, Integer.reverseBytes(r.gateway()));
    }
    m.attributeInt(Netlink.RTA_OIF, r == null ? LO : r.nic().index());
    int source = r == null ? destination : r.source();
    m.attributeInt(Netlink.RTA_PREFSRC, Integer.reverseBytes(source));
    end();
    return true;
  }

  // ---- neighbours and rules ----

  void neighbors(int family) {
    NetworkStack stack = stack();
    if (stack == null) {
      return;
    }
    for (Nic nic : stack.nics()) {
      for (NeighborTable.Neighbor n : stack.neighbors(nic)) {
        int its = AddressTable.isV6(n.address()) ? AF_INET6 : AF_INET;
        if (family == AF_UNSPEC || family == its) {
          neighbor(stack, nic, n);
        }
      }
    }
  }

  void neighbor(NetworkStack stack, Nic nic, NeighborTable.Neighbor n) {
    boolean isV6 = AddressTable.isV6(n.address());
    int type = Netlink.RTM_NEWNEIGH + typeShift;
    int h = m.begin(type, itemFlags, seq, port, Netlink.SIZEOF_NDMSG);
    m.bytes.set(Memory.BYTE, h + Netlink.NDMSG_NDM_FAMILY, (byte) (isV6 ? AF_INET6 : AF_INET));
    m.bytes.set(Memory.INT, h + Netlink.NDMSG_NDM_IFINDEX, nic.index());
    int state =
        n.isPermanent()
            ? Netlink.NUD_PERMANENT
            : n.isComplete() ? Netlink.NUD_REACHABLE : Netlink.NUD_INCOMPLETE;
    m.bytes.set(Memory.SHORT, h + Netlink.NDMSG_NDM_STATE, (short) state);
    m.bytes.set(Memory.BYTE, h + Netlink.NDMSG_NDM_TYPE, (byte) Netlink.RTN_UNICAST);
    if (isV6) {
      AddressTable names = stack.addresses();
      put6(Netlink.NDA_DST, names.high(n.address()), names.low(n.address()));
    } else {
      m.attributeInt(Netlink.NDA_DST, Integer.reverseBytes(n.address()));
    }
    if (n.isComplete()) {
      mac(Netlink.NDA_LLADDR, n.mac());
    }
    end();
  }

  /** The three rules that there always are: local, main, default. */
  void rules(int family) {
    if (family != AF_UNSPEC && family != AF_INET) {
      return;
    }
    int[][] rules = {
      {0, Netlink.RT_TABLE_LOCAL}, {32766, Netlink.RT_TABLE_MAIN}, {32767, RULES_TABLE_DEFAULT}
    };
    for (int[] rule : rules) {
      int h = m.begin(Netlink.RTM_NEWRULE, Netlink.NLM_F_MULTI, seq, port, Netlink.SIZEOF_RTMSG);
      m.bytes.set(Memory.BYTE, h, (byte) AF_INET);
      m.bytes.set(Memory.BYTE, h + 4, (byte) rule[1]);
      m.bytes.set(Memory.BYTE, h + 7, (byte) 1); // FR_ACT_TO_TBL
      m.attributeInt(Netlink.RTA_TABLE, rule[1]); // FRA_TABLE has the same number
      if (rule[0] != 0) {
        m.attributeInt(6, rule[0]); // FRA_PRIORITY
      }
      end();
    }
  }
}
