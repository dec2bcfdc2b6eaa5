package redoubt.sentry.socket.inet;

import static redoubt.abi.Errno.EACCES;
import static redoubt.abi.Errno.EADDRNOTAVAIL;
import static redoubt.abi.Errno.EAGAIN;
import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EMSGSIZE;
import static redoubt.abi.Errno.ENODEV;
import static redoubt.abi.Errno.ENOPROTOOPT;
import static redoubt.abi.Errno.ENOTCONN;
import static redoubt.abi.Errno.EPERM;
import static redoubt.abi.Errno.EPROTO;
import static redoubt.abi.Socket.AF_INET;
import static redoubt.abi.Socket.AF_INET6;
import static redoubt.abi.Socket.AF_UNSPEC;
import static redoubt.abi.Socket.MSG_ERRQUEUE;
import static redoubt.abi.Socket.MSG_TRUNC;
import static redoubt.abi.Socket.SOCK_RAW;
import static redoubt.abi.Socket.SOCK_STREAM;
import static redoubt.abi.Socket.SOL_IP;
import static redoubt.abi.Socket.SOL_IPV6;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Caps;
import redoubt.abi.Ip;
import redoubt.abi.Ipv6;
import redoubt.abi.Tcp;
import redoubt.host.Memory;
import redoubt.net.stack.NetworkStack;
import redoubt.net.transport.IpError;
import redoubt.sentry.kernel.Clocks;
import redoubt.sentry.kernel.IoBuffer;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.socket.Socket;
import redoubt.sentry.socket.SocketAddress;
import redoubt.sentry.socket.SocketCall;
import redoubt.sentry.socket.SocketDiag;

/** What TCP and UDP sockets have in common: addresses, ports, the options of IP. */
abstract class InetSocket extends Socket {
  private static final int TTL_DEFAULT = 64;
  private static final int UNSET = Integer.MIN_VALUE;

  final InetFamily inet;
  private final PortTable ports;

  // Written under this; read by lookups without it.
  volatile long localHigh;
  volatile long localLow;
  volatile int localPort;
  volatile long remoteHigh;
  volatile long remoteLow;
  volatile int remotePort;
  private volatile boolean v6Only;
  private volatile @Nullable GroupList groups; // made under this

  /** Values of SOL_IP and SOL_IPV6 options by number; guarded by itself. */
  private final int[] ipOptions = filled(64);

  private final int[] ipv6Options = filled(80);

  InetSocket(
      Task t, InetFamily inet, PortTable ports, int family, int type, int protocol, int flags) {
    super(t, family, type, protocol, flags);
    this.inet = inet;
    this.ports = ports;
    this.localLow = family == AF_INET ? InetAddresses.ANY4 : 0;
    this.remoteLow = localLow;
  }

  private static int[] filled(int n) {
    int[] a = new int[n];
    Arrays.fill(a, UNSET);
    return a;
  }

  @Override
  public boolean isFedByLink() {
    return inet.stack() != null;
  }

  boolean isV6() {
    return family() == AF_INET6;
  }

  /** {@return whether what is bound to :: also gets IPv4} */
  boolean takesV4() {
    return !isV6() || !v6Only;
  }

  /** {@return whether this socket's wildcard address means IPv4's} */
  final boolean isAny4() {
    return !isV6() || localLow == InetAddresses.ANY4 || isAny6() && takesV4();
  }

  /** {@return whether this socket is bound to ::, or to nothing} */
  final boolean isAny6() {
    return isV6() && localHigh == 0 && localLow == 0;
  }

  /** {@return whether no other socket may bind the same address with SO_REUSEADDR}: it listens */
  boolean holdsPortAlone() {
    return false;
  }

  /** {@return how well this socket fits a destination, 0 for not at all} */
  int score(long high, long low, long fromHigh, long fromLow, int fromPort) {
    return addressScore(high, low);
  }

  final int addressScore(long high, long low) {
    if (localHigh == high && localLow == low) {
      return 4;
    }
    if (!InetAddresses.isAny(localHigh, localLow)) {
      return 0;
    }
    boolean v4 = InetAddresses.isV4(high, low);
    if (InetAddresses.isV4(localHigh, localLow)) {
      return v4 ? 2 : 0;
    }
    return v4 ? (takesV4() ? 1 : 0) : 2;
  }

  // ---- names ----

  @Override
  public long bind(Task t, SocketCall c) {
    SocketAddress a = c.name;
    long r = InetAddresses.check(a, family());
    // net/ipv4/af_inet.c: AF_UNSPEC is let through for 0.0.0.0, for old programs.
    if (r < 0
        && !(family() == AF_INET
            && a.length >= 16
            && a.family() == AF_UNSPEC
            && a.bytes.get(Memory.INT, 4) == 0)) {
      return r;
    }
    int port = InetAddresses.port(a);
    long high = r < 0 ? 0 : InetAddresses.high(a);
    long low = r < 0 ? InetAddresses.ANY4 : InetAddresses.low(a);
    if (isV6() && v6Only && InetAddresses.isV4(high, low)) {
      return -EINVAL;
    }
    if (!InetAddresses.isAny(high, low)
        && !inet.isLocal(high, low)
        && !mayBindTo(high, low)
        && !isFreeBind()) {
      return -EADDRNOTAVAIL;
    }
    if (port != 0
        && port < inet.unprivilegedPort()
        && !t.hasCapability(Caps.CAP_NET_BIND_SERVICE)) {
      return -EACCES;
    }
    return bindTo(high, low, port);
  }

  private boolean isFreeBind() {
    synchronized (ipOptions) {
      return ipOptions[Ip.IP_FREEBIND] == 1 || ipOptions[Ip.IP_TRANSPARENT] == 1;
    }
  }

  final synchronized long bindTo(long high, long low, int port) {
    if (localPort != 0 || !mayBind()) {
      return -EINVAL;
    }
    long oldHigh = localHigh;
    long oldLow = localLow;
    localHigh = high;
    localLow = low;
    long r = ports.bind(this, high, low, port);
    if (r < 0) {
      localHigh = oldHigh;
      localLow = oldLow;
      return r;
    }
    localPort = (int) r;
    bound();
    return 0;
  }

  /** Under this: the socket has got a port. */
  void bound() {}

  /** The port is given up. */
  void unbound() {}

  /** Whether an address that no interface has may be bound: a group's. */
  boolean mayBindTo(long high, long low) {
    return false;
  }

  /** Under this: whether the protocol's state allows bind(2). */
  boolean mayBind() {
    return true;
  }

  /** Gives the socket a port if it has none. */
  final synchronized long autobind() {
    return localPort != 0 ? 0 : bindTo(localHigh, localLow, 0);
  }

  final void unbind() {
    int port = localPort;
    if (port != 0) {
      ports.unbind(this, port);
      localPort = 0;
      unbound();
    }
  }

  @Override
  public long localName(SocketCall c) {
    InetAddresses.write(family(), localHigh, localLow, localPort, c.name);
    return 0;
  }

  @Override
  public long peerName(SocketCall c) {
    if (remotePort == 0) {
      return -ENOTCONN;
    }
    InetAddresses.write(family(), remoteHigh, remoteLow, remotePort, c.name);
    return 0;
  }

  /** {@return the low half of the address meant by {@code low}}: "any" means this machine */
  static long destinationLow(long high, long low) {
    return InetAddresses.isAny(high, low)
        ? (InetAddresses.isV4(high, low) ? InetAddresses.LOOPBACK4 : 1)
        : low;
  }

  /**
   * {@return the low half of the source address for {@code toLow} when the socket is bound to none}
   */
  final long sourceLow(long toHigh, long toLow) {
    if (!InetAddresses.isAny(localHigh, localLow)) {
      return localLow;
    }
    if (InetAddresses.isLoopback(toHigh, toLow)) {
      return InetAddresses.isV4(toHigh, toLow) ? InetAddresses.LOOPBACK4 : toLow;
    }
    NetworkStack s = inet.stack();
    int source = inet.sourceFor(toHigh, toLow);
    return s == null || source == 0 ? toLow : InetFamily.low(s, source);
  }

  /** {@return the high half of that address} */
  final long sourceHigh(long toHigh, long toLow) {
    if (!InetAddresses.isAny(localHigh, localLow)) {
      return localHigh;
    }
    NetworkStack s = inet.stack();
    int source = InetAddresses.isLoopback(toHigh, toLow) ? 0 : inet.sourceFor(toHigh, toLow);
    return s == null || source == 0 ? toHigh : InetFamily.high(s, source);
  }

  @Override
  protected boolean hasDevice(String name) {
    return inet.hasDevice(name);
  }

  /** {@return what IP_MTU and IPV6_MTU give for the way to the peer} */
  private int pathMtu() {
    NetworkStack s = inet.stack();
    if (s == null || inet.isLocal(remoteHigh, remoteLow)) {
      return 65536;
    }
    s.enter();
    try {
      return s.ipv4().mtu(InetFamily.number(s, remoteHigh, remoteLow));
    } finally {
      s.exit();
    }
  }

  /** {@return an option of SOL_IP that was set, or {@code otherwise}} */
  final int ipv6Option(int name, int otherwise) {
    int v = kept(ipv6Options, name);
    return v == UNSET ? otherwise : v;
  }

  /** An option of SOL_IPV6 has a new value. */
  void ipv6OptionSet(int name) {}

  final int ipOption(int name, int otherwise) {
    int v = kept(ipOptions, name);
    return v == UNSET ? otherwise : v;
  }

  /** An option of SOL_IP has been set. */
  void ipOptionSet(int name) {}

  // ---- errors ----

  private final ErrorQueue errors = new ErrorQueue();

  final ErrorQueue errors() {
    return errors;
  }

  /** A datagram of this host's own is too long for the way: as ip_local_error. */
  final void tooLong(long high, long low, int port, int mtu) {
    errors.add(
        new ErrorQueue.Entry(
            EMSGSIZE,
            Ip.SO_EE_ORIGIN_LOCAL,
            0,
            0,
            mtu,
            0,
            0,
            high,
            low,
            port,
            0,
            0,
            0,
            0,
            0,
            MemorySegment.NULL));
  }

  /** {@return whether IP_RECVERR, or for IPv6 IPV6_RECVERR, is on} */
  final boolean keepsErrors(boolean v4) {
    return v4
        ? kept(ipOptions, Ip.IP_RECVERR) > 0
        : isV6() && kept(ipv6Options, Ipv6.IPV6_RECVERR) > 0;
  }

  /** Keeps an error that the network brought. Called with the stack's lock held. */
  final void keepError(NetworkStack stack, IpError e, boolean hasPorts) {
    errors.add(stack, e, hasPorts);
    setError(e.errno);
  }

  /** recv(2) with MSG_ERRQUEUE: as ip_recv_error. */
  final long receiveError(IoBuffer dst, SocketCall c) {
    ErrorQueue.Entry e = errors.poll();
    if (e == null) {
      return -EAGAIN;
    }
    int length = (int) e.payload().byteSize();
    int n = (int) Math.min(length, dst.remaining());
    if (n > 0) {
      MemorySegment buffer = c.data(n);
      MemorySegment.copy(e.payload(), 0, buffer, 0, n);
      if (dst.put(buffer, 0, n) < n) {
        return -EFAULT;
      }
    }
    if (n < length) {
      c.outFlags |= MSG_TRUNC;
    }
    c.outFlags |= MSG_ERRQUEUE;
    InetAddresses.write(family(), e.high(), e.low(), e.port(), c.name);
    if (e.isIcmp()) {
      attachHeaderData(c, e.isV4(), e.ttl(), e.tos());
      if (wantsPacketInfo()) {
        c.hasPacketInfo = true;
        c.packetInfoHigh = e.usHigh();
        c.packetInfoLow = e.usLow();
        c.packetInfoIndex = e.interfaceIndex();
      }
    }
    attachError(e, c);
    ErrorQueue.Entry next = errors.peek();
    if (next != null && next.isIcmp()) {
      setError(next.errno());
    } else if (e.isIcmp()) {
      setError(0);
    }
    return n;
  }

  /** struct sock_extended_err and the address of who said so. */
  private void attachError(ErrorQueue.Entry e, SocketCall c) {
    boolean v6 = isV6();
    int address = v6 ? 28 : 16;
    int at =
        c.attach(
            v6 ? SOL_IPV6 : SOL_IP,
            v6 ? Ipv6.IPV6_RECVERR : Ip.IP_RECVERR,
            Ip.SIZEOF_SOCK_EXTENDED_ERR + address);
    MemorySegment s = c.attached();
    s.asSlice(at, Ip.SIZEOF_SOCK_EXTENDED_ERR + address).fill((byte) 0);
    s.set(Memory.INT, at + Ip.SOCK_EXTENDED_ERR_EE_ERRNO, e.errno());
    s.set(Memory.BYTE, at + Ip.SOCK_EXTENDED_ERR_EE_ORIGIN, (byte) e.origin());
    s.set(Memory.BYTE, at + Ip.SOCK_EXTENDED_ERR_EE_TYPE, (byte) e.type());
    s.set(Memory.BYTE, at + Ip.SOCK_EXTENDED_ERR_EE_CODE, (byte) e.code());
    s.set(Memory.INT, at + Ip.SOCK_EXTENDED_ERR_EE_INFO, e.info());
    if (!e.isIcmp()) {
      return;
    }
    var who = new redoubt.sentry.socket.SocketAddress();
    InetAddresses.write(family(), e.offenderHigh(), e.offenderLow(), 0, who);
    MemorySegment.copy(who.bytes, 0, s, (long) at + Ip.SIZEOF_SOCK_EXTENDED_ERR, address);
  }

  /** {@return SO_TIMESTAMP's time for what the stack says about arrival, or 0 if not wanted} */
  final long timestamp(long arrivedNs) {
    if (!wantsTimestamp() && !wantsTimestampNs()) {
      return 0;
    }
    long agoNs = arrivedNs == 0 ? 0 : Clocks.monotonicNs() - arrivedNs;
    return Clocks.realtimeNs() - agoNs;
  }

  /** What IP_RECVTTL, IP_RECVTOS, IPV6_RECVHOPLIMIT and IPV6_RECVTCLASS tell of a packet. */
  final void attachHeaderData(SocketCall c, boolean isV4, int ttl, int tos) {
    if (isV4) {
      // Also on sockets of IPv6, which get packets of both.
      if (kept(ipOptions, Ip.IP_RECVTTL) > 0) {
        c.attached(SOL_IP, Ip.IP_TTL, ttl);
      }
      if (kept(ipOptions, Ip.IP_RECVTOS) > 0) {
        int at = c.attach(SOL_IP, Ip.IP_TOS, 1);
        c.attached().set(Memory.BYTE, at, (byte) tos);
      }
      return;
    }
    if (kept(ipv6Options, Ipv6.IPV6_RECVHOPLIMIT) > 0) {
      c.attached(SOL_IPV6, Ipv6.IPV6_HOPLIMIT, ttl);
    }
    if (kept(ipv6Options, Ipv6.IPV6_RECVTCLASS) > 0) {
      c.attached(SOL_IPV6, Ipv6.IPV6_TCLASS, tos);
    }
    if (kept(ipv6Options, Ipv6.IPV6_2292HOPLIMIT) > 0) {
      c.attached(SOL_IPV6, Ipv6.IPV6_2292HOPLIMIT, ttl);
    }
  }

  /**
   * One control message of a sender at level SOL_IP or SOL_IPV6: as ip_cmsg_send and
   * ip6_datagram_send_ctl. {@return 0 or -errno}
   */
  @Override
  public final long parseControl(
      Task t, int level, int type, MemorySegment m, int at, int size, SocketCall c) {
    if (type() == SOCK_STREAM || (level == SOL_IPV6 && !isV6())) {
      return 0;
    }
    if (level == SOL_IP) {
      return parseControl4(type, m, at, size, c);
    }
    switch (type) {
      case Ipv6.IPV6_PKTINFO, Ipv6.IPV6_2292PKTINFO -> {
        if (size < Ipv6.SIZEOF_IN6_PKTINFO) {
          return -EINVAL;
        }
        long high = Long.reverseBytes(m.get(ValueLayout.JAVA_LONG_UNALIGNED, at));
        long low = Long.reverseBytes(m.get(ValueLayout.JAVA_LONG_UNALIGNED, at + 8L));
        return parseSource(high, low, m.get(Memory.INT, at + 16L), -ENODEV, c);
      }
      case Ipv6.IPV6_HOPLIMIT, Ipv6.IPV6_2292HOPLIMIT, Ipv6.IPV6_TCLASS -> {
        int v = size == 4 ? m.get(Memory.INT, at) : UNSET;
        if (v < -1 || v > 255) {
          return -EINVAL;
        }
        if (type == Ipv6.IPV6_TCLASS) {
          c.sendTos = v;
        } else {
          c.sendTtl = v;
        }
        return 0;
      }
      case Ipv6.IPV6_DONTFRAG -> {
        int v = size == 4 ? m.get(Memory.INT, at) : UNSET;
        return v == 0 || v == 1 ? 0 : -EINVAL;
      }
      case Ipv6.IPV6_HOPOPTS, Ipv6.IPV6_DSTOPTS, Ipv6.IPV6_RTHDRDSTOPTS -> {
        return parseOptions(t, type, m, at, size, c);
      }
      default -> {
        return -EINVAL;
      }
    }
  }

  private long parseControl4(int type, MemorySegment m, int at, int size, SocketCall c) {
    switch (type) {
      case Ip.IP_TTL -> {
        int v = size == 4 ? m.get(Memory.INT, at) : UNSET;
        if (v < 1 || v > 255) {
          return -EINVAL;
        }
        c.sendTtl = v;
      }
      case Ip.IP_TOS -> {
        int v =
            size == 4 ? m.get(Memory.INT, at) : size == 1 ? m.get(Memory.BYTE, at) & 0xff : UNSET;
        if (v < 0 || v > 255) {
          return -EINVAL;
        }
        c.sendTos = v;
      }
      case Ip.IP_PKTINFO -> {
        if (size != Ip.SIZEOF_IN_PKTINFO) {
          return -EINVAL;
        }
        long low = InetAddresses.mapped(Integer.reverseBytes(m.get(Memory.INT, at + 4L)));
        return parseSource(0, low, m.get(Memory.INT, at), 0, c);
      }
      case Ip.IP_RETOPTS -> {
        return size <= 40 ? 0 : -EINVAL;
      }
      default -> {
        return -EINVAL;
      }
    }
    return 0;
  }

  /** The address to send from; which must be ours where Linux looks at once, as with IPv6. */
  private long parseSource(long high, long low, int index, long unknownIndex, SocketCall c) {
    if (index != 0 && unknownIndex != 0 && !inet.hasDevice(index)) {
      return unknownIndex;
    }
    if (InetAddresses.isAny(high, low)) {
      return 0;
    }
    if (isV6() && unknownIndex != 0 && !inet.isLocal(high, low)) {
      return -EINVAL;
    }
    c.hasSource = true;
    c.sourceHigh = high;
    c.sourceLow = low;
    return 0;
  }

  /** A header of options, hop-by-hop or for the destination: who may use raw sockets may. */
  private static long parseOptions(
      Task t, int type, MemorySegment m, int at, int size, SocketCall c) {
    if (size < 8 || size < (m.get(Memory.BYTE, at + 1L) & 0xff) * 8 + 8) {
      return -EINVAL;
    }
    if (!t.hasCapability(Caps.CAP_NET_RAW)) {
      return -EPERM;
    }
    return -redoubt.abi.Errno.EOPNOTSUPP;
  }

  // ---- options ----

  @Override
  protected long setProtocolOption(Task t, int level, int name, MemorySegment s, int length) {
    if (level == SOL_IP) {
      return setIp(t, name, s, length);
    }
    if (level == SOL_IPV6) {
      return isV6() ? setIpv6(name, s, length) : -ENOPROTOOPT;
    }
    return -ENOPROTOOPT;
  }

  private long setIp(Task t, int name, MemorySegment s, int length) {
    switch (name) {
      case Ip.IP_TOS,
          Ip.IP_TTL,
          Ip.IP_RECVTTL,
          Ip.IP_RECVTOS,
          Ip.IP_RECVERR,
          Ip.IP_PKTINFO,
          Ip.IP_MTU_DISCOVER,
          Ip.IP_FREEBIND,
          Ip.IP_BIND_ADDRESS_NO_PORT,
          Ip.IP_MULTICAST_TTL,
          Ip.IP_MULTICAST_LOOP,
          Ip.IP_MULTICAST_ALL,
          Ip.IP_RECVOPTS,
          Ip.IP_RETOPTS,
          Ip.IP_RECVORIGDSTADDR,
          Ip.IP_MINTTL,
          Ip.IP_CHECKSUM,
          Ip.IP_NODEFRAG,
          Ip.IP_UNICAST_IF -> {
        int v =
            length >= 4 ? s.get(Memory.INT, 0) : length >= 1 ? s.get(Memory.BYTE, 0) & 0xff : UNSET;
        if (v == UNSET || (name == Ip.IP_TTL && v != -1 && (v < 1 || v > 255))) {
          return -EINVAL;
        }
        keep(ipOptions, name, v);
        ipOptionSet(name);
        return 0;
      }
      case Ip.IP_HDRINCL -> {
        int v =
            length >= 4 ? s.get(Memory.INT, 0) : length >= 1 ? s.get(Memory.BYTE, 0) & 0xff : UNSET;
        if (v == UNSET || type() != SOCK_RAW) {
          return v == UNSET ? -EINVAL : -ENOPROTOOPT;
        }
        keep(ipOptions, name, v != 0 ? 1 : 0);
        ipOptionSet(name);
        return 0;
      }
      case Ip.IP_TRANSPARENT -> {
        if (!t.hasCapability(Caps.CAP_NET_ADMIN)) {
          return -EPERM;
        }
        keep(ipOptions, name, s.get(Memory.INT, 0));
        return 0;
      }
      case Ip.IP_OPTIONS, Ip.IP_MULTICAST_IF -> {
        return 0;
      }
      case Ip.IP_ADD_MEMBERSHIP, Ip.IP_DROP_MEMBERSHIP -> {
        boolean join = name == Ip.IP_ADD_MEMBERSHIP;
        return mayJoin() ? groups().changeV4(inet.stack(), join, s, length) : -EPROTO;
      }
      case Ip.MCAST_JOIN_GROUP, Ip.MCAST_LEAVE_GROUP -> {
        boolean join = name == Ip.MCAST_JOIN_GROUP;
        return mayJoin() ? groups().change(inet.stack(), false, join, s, length) : -EPROTO;
      }
      default -> {
        return -ENOPROTOOPT;
      }
    }
  }

  private long setIpv6(int name, MemorySegment s, int length) {
    if (length < 4) {
      return -EINVAL;
    }
    int v = s.get(Memory.INT, 0);
    switch (name) {
      case Ipv6.IPV6_V6ONLY -> {
        if (localPort != 0) {
          return -EINVAL;
        }
        v6Only = v != 0;
      }
      case Ipv6.IPV6_UNICAST_HOPS, Ipv6.IPV6_MULTICAST_HOPS -> {
        if (v < -1 || v > 255) {
          return -EINVAL;
        }
        keep(ipv6Options, name, v);
        ipv6OptionSet(name);
      }
      case Ipv6.IPV6_MULTICAST_LOOP,
          Ipv6.IPV6_MTU_DISCOVER,
          Ipv6.IPV6_RECVERR,
          Ipv6.IPV6_RECVPKTINFO,
          Ipv6.IPV6_RECVHOPLIMIT,
          Ipv6.IPV6_2292HOPLIMIT,
          Ipv6.IPV6_RECVTCLASS,
          Ipv6.IPV6_TCLASS,
          Ipv6.IPV6_DONTFRAG,
          Ipv6.IPV6_AUTOFLOWLABEL,
          Ipv6.IPV6_ADDR_PREFERENCES,
          Ipv6.IPV6_FREEBIND,
          Ipv6.IPV6_MULTICAST_ALL,
          Ipv6.IPV6_RECVRTHDR,
          Ipv6.IPV6_RECVHOPOPTS,
          Ipv6.IPV6_RECVDSTOPTS,
          Ipv6.IPV6_UNICAST_IF,
          Ipv6.IPV6_MULTICAST_IF,
          Ipv6.IPV6_FLOWINFO_SEND,
          Ipv6.IPV6_MINHOPCOUNT -> {
        keep(ipv6Options, name, v);
        ipv6OptionSet(name);
      }
      case Ipv6.IPV6_ADD_MEMBERSHIP, Ipv6.IPV6_DROP_MEMBERSHIP -> {
        boolean join = name == Ipv6.IPV6_ADD_MEMBERSHIP;
        return mayJoin() ? groups().changeV6(inet.stack(), join, s, length) : -EPROTO;
      }
      case Ip.MCAST_JOIN_GROUP, Ip.MCAST_LEAVE_GROUP -> {
        boolean join = name == Ip.MCAST_JOIN_GROUP;
        return mayJoin() ? groups().change(inet.stack(), true, join, s, length) : -EPROTO;
      }
      default -> {
        return -ENOPROTOOPT;
      }
    }
    return 0;
  }

  /** Connections go to one peer. */
  private boolean mayJoin() {
    return type() != SOCK_STREAM;
  }

  private synchronized GroupList groups() {
    GroupList g = groups;
    if (g == null) {
      g = new GroupList();
      groups = g;
    }
    return g;
  }

  /** The socket is being closed. */
  final void leaveGroups() {
    GroupList g = groups;
    NetworkStack stack = inet.stack();
    if (g != null && stack != null) {
      g.leaveAll(stack);
    }
  }

  /** A socket of IPPROTO_RAW has IP_HDRINCL from the start. */
  final void includeHeader() {
    keep(ipOptions, Ip.IP_HDRINCL, 1);
    ipOptionSet(Ip.IP_HDRINCL);
  }

  private static void keep(int[] options, int name, int value) {
    synchronized (options) {
      options[name] = value;
    }
  }

  @Override
  protected long protocolOption(Task t, int level, int name, MemorySegment s, int limit) {
    int value;
    if (level == SOL_IP) {
      if (name == Ip.IP_OPTIONS) {
        return 0;
      }
      if (name == Ip.IP_MTU) {
        if (remotePort == 0) {
          return -ENOTCONN;
        }
        value = pathMtu();
      } else {
        value = kept(ipOptions, name);
        if (value == UNSET) {
          value = ipDefault(name);
        }
      }
    } else if (level == SOL_IPV6 && isV6()) {
      value =
          name == Ipv6.IPV6_V6ONLY
              ? (v6Only ? 1 : 0)
              : name == Ipv6.IPV6_MTU ? pathMtu() : kept(ipv6Options, name);
      if (value == UNSET || (value == -1 && name == Ipv6.IPV6_UNICAST_HOPS)) {
        value = ipv6Default(name);
      }
    } else {
      return isV6() ? -ENOPROTOOPT : -redoubt.abi.Errno.EOPNOTSUPP;
    }
    if (value == UNSET) {
      return -ENOPROTOOPT;
    }
    s.set(Memory.INT, 0, value);
    // One byte is enough for who gives only that (net/ipv4/ip_sockglue.c).
    return limit < 4 && limit > 0 && value >= 0 && value < 256 ? 1 : Math.min(limit, 4);
  }

  private static int kept(int[] options, int name) {
    synchronized (options) {
      return name >= 0 && name < options.length ? options[name] : UNSET;
    }
  }

  private static int ipDefault(int name) {
    return switch (name) {
      case Ip.IP_TTL -> TTL_DEFAULT;
      case Ip.IP_MULTICAST_TTL, Ip.IP_MULTICAST_LOOP, Ip.IP_MULTICAST_ALL -> 1;
      case Ip.IP_MTU_DISCOVER -> Ip.IP_PMTUDISC_WANT;
      case Ip.IP_TOS,
          Ip.IP_RECVTTL,
          Ip.IP_RECVTOS,
          Ip.IP_RECVERR,
          Ip.IP_PKTINFO,
          Ip.IP_HDRINCL,
          Ip.IP_FREEBIND,
          Ip.IP_BIND_ADDRESS_NO_PORT,
          Ip.IP_TRANSPARENT,
          Ip.IP_RECVOPTS,
          Ip.IP_RETOPTS,
          Ip.IP_RECVORIGDSTADDR,
          Ip.IP_MINTTL,
          Ip.IP_MULTICAST_IF,
          Ip.IP_NODEFRAG ->
          0;
      default -> UNSET;
    };
  }

  private static int ipv6Default(int name) {
    return switch (name) {
      case Ipv6.IPV6_UNICAST_HOPS -> TTL_DEFAULT;
      case Ipv6.IPV6_MULTICAST_HOPS,
          Ipv6.IPV6_MULTICAST_LOOP,
          Ipv6.IPV6_MTU_DISCOVER,
          Ipv6.IPV6_AUTOFLOWLABEL,
          Ipv6.IPV6_MULTICAST_ALL ->
          1;
      case Ipv6.IPV6_RECVERR,
          Ipv6.IPV6_RECVPKTINFO,
          Ipv6.IPV6_RECVHOPLIMIT,
          Ipv6.IPV6_RECVTCLASS,
          Ipv6.IPV6_RECVHOPOPTS,
          Ipv6.IPV6_RECVDSTOPTS,
          Ipv6.IPV6_RECVRTHDR,
          Ipv6.IPV6_2292HOPLIMIT,
          Ipv6.IPV6_TCLASS,
          Ipv6.IPV6_DONTFRAG,
          Ipv6.IPV6_FREEBIND,
          Ipv6.IPV6_MULTICAST_IF ->
          0;
      default -> UNSET;
    };
  }

  final boolean wantsPacketInfo() {
    return isV6()
        ? kept(ipv6Options, Ipv6.IPV6_RECVPKTINFO) == 1
        : kept(ipOptions, Ip.IP_PKTINFO) == 1;
  }

  // ---- /proc/net ----

  /** {@return the state column of /proc/net/tcp} */
  abstract int procState();

  /** {@return a struct tcp_info, or nothing} */
  MemorySegment tcpInfo() {
    return MemorySegment.NULL;
  }

  final SocketDiag.Inet diagnose() {
    MemorySegment info = tcpInfo();
    int state = procState();
    int readable = (int) unread();
    int unsent = (int) unsent();
    if (state == Tcp.TCP_LISTEN && info.byteSize() > 0) {
      // A listener's queue and its limit, as Linux gives them in both places.
      readable = info.get(Memory.INT, Tcp.TCP_INFO_TCPI_UNACKED);
      unsent = info.get(Memory.INT, Tcp.TCP_INFO_TCPI_SACKED);
    }
    SocketDiag socket =
        new SocketDiag(
            family(),
            type(),
            state,
            inode().ino(),
            inode().uid(),
            readable,
            unsent,
            receiveBuffer(),
            sendBuffer(),
            0);
    return new SocketDiag.Inet(
        socket,
        localHigh,
        localLow,
        localPort,
        remoteHigh,
        remoteLow,
        remotePort,
        v6Only,
        info.byteSize() > 0 ? "cubic" : "",
        info);
  }

  /** Appends this socket's line of /proc/net/tcp and kin. */
  final void describe(StringBuilder b, int number, boolean tcp) {
    String n = Integer.toString(number);
    StringBuilder line = new StringBuilder();
    line.append(" ".repeat(Math.max(0, (tcp ? 4 : 5) - n.length()))).append(n).append(": ");
    line.append(InetAddresses.procForm(isV6(), localHigh, localLow)).append(':');
    line.append(InetAddresses.hex(localPort, 4)).append(' ');
    line.append(InetAddresses.procForm(isV6(), remoteHigh, remoteLow)).append(':');
    line.append(InetAddresses.hex(remotePort, 4)).append(' ');
    line.append(InetAddresses.hex(procState(), 2)).append(' ');
    line.append(InetAddresses.hex((int) unsent(), 8))
        .append(':')
        .append(InetAddresses.hex((int) unread(), 8));
    line.append(" 00:00000000 00000000 ");
    String uid = Integer.toUnsignedString(inode().uid());
    line.append(" ".repeat(Math.max(0, 5 - uid.length()))).append(uid).append("        0 ");
    line.append(inode().ino());
    line.append(tcp ? " 1 0000000000000000 100 0 0 10 0" : " 2 0000000000000000 0");
    b.append(InetFamily.pad(line.toString(), isV6() ? 0 : tcp ? 149 : 127));
  }
}
