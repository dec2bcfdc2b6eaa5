package redoubt.sentry.socket.inet;

import static redoubt.abi.Errno.EADDRINUSE;
import static redoubt.abi.Errno.EADDRNOTAVAIL;
import static redoubt.abi.Errno.EAGAIN;
import static redoubt.abi.Errno.EDESTADDRREQ;
import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EMSGSIZE;
import static redoubt.abi.Errno.ENETUNREACH;
import static redoubt.abi.Errno.ENOPROTOOPT;
import static redoubt.abi.Errno.EOPNOTSUPP;
import static redoubt.abi.Poll.POLLERR;
import static redoubt.abi.Poll.POLLOUT;
import static redoubt.abi.Poll.POLLWRBAND;
import static redoubt.abi.Poll.POLLWRNORM;
import static redoubt.abi.Socket.AF_UNSPEC;
import static redoubt.abi.Socket.MSG_ERRQUEUE;
import static redoubt.abi.Socket.MSG_OOB;
import static redoubt.abi.Socket.MSG_PEEK;
import static redoubt.abi.Socket.MSG_TRUNC;
import static redoubt.abi.Socket.SOCK_DGRAM;
import static redoubt.abi.Socket.SOCK_RAW;
import static redoubt.abi.Socket.SO_RCVBUF;
import static redoubt.abi.Socket.SO_RCVBUFFORCE;
import static redoubt.abi.Socket.SO_TIMESTAMP;
import static redoubt.abi.Socket.SO_TIMESTAMPNS;

import java.lang.foreign.MemorySegment;
import redoubt.abi.Ip;
import redoubt.abi.Ipv6;
import redoubt.abi.Tcp;
import redoubt.host.Memory;
import redoubt.net.stack.NetworkStack;
import redoubt.net.transport.RawEndpoint;
import redoubt.net.transport.RawTable;
import redoubt.net.transport.UdpEndpoint;
import redoubt.sentry.kernel.IoBuffer;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.socket.SocketAddress;
import redoubt.sentry.socket.SocketCall;

/**
 * Raw and ping sockets: <a href="https://man7.org/linux/man-pages/man7/raw.7.html">raw(7)</a>, <a
 * href="https://man7.org/linux/man-pages/man7/icmp.7.html">icmp(7)</a>. All goes through the stack,
 * also to the sandbox itself.
 *
 * <p>What differs from Linux: IPv6 has no IPPROTO_RAW and IPV6_HDRINCL.
 */
final class RawSocket extends InetSocket {
  private static final int LONGEST = 65536;
  private static final int SOL_RAW = 255;
  private static final int ICMP_FILTER = 1;
  private static final int ICMP6_FILTER = 1;
  static final int IPPROTO_ICMPV6 = 58;

  private final RawTable table;
  private final RawEndpoint endpoint;
  private final UdpEndpoint.Info info = new UdpEndpoint.Info(); // guarded by this
  private final UdpEndpoint.Once once = new UdpEndpoint.Once(); // guarded by the stack's lock
  private final boolean isPing;

  RawSocket(
      Task t,
      InetFamily inet,
      RawTable table,
      RawEndpoint endpoint,
      int family,
      int protocol,
      int flags) {
    super(
        t, inet, inet.rawPorts, family, endpoint.isPing() ? SOCK_DGRAM : SOCK_RAW, protocol, flags);
    this.table = table;
    this.endpoint = endpoint;
    this.isPing = endpoint.isPing();
    endpoint.readiness().listen(this::tell);
    if (protocol == Ip.IPPROTO_RAW) {
      includeHeader();
    }
  }

  private void tell(int events) {
    int e = (events & POLLERR) != 0 ? endpoint.takeError() : 0;
    if (e != 0) {
      setError(e);
    }
    queue.notify(events);
  }

  // ---- names ----

  @Override
  public synchronized long bind(Task t, SocketCall c) {
    long r = InetAddresses.check(c.name, family());
    if (r < 0) {
      return r;
    }
    long high = InetAddresses.high(c.name);
    long low = InetAddresses.low(c.name);
    boolean isAny = InetAddresses.isAny(high, low);
    if (!isAny && (isForeign(high, low) || !inet.isLocal(high, low))) {
      return -EADDRNOTAVAIL;
    }
    if (isPing) {
      if (localPort != 0) {
        return -EINVAL;
      }
      if (!table.identify(endpoint, InetAddresses.port(c.name))) {
        return -EADDRINUSE;
      }
      localPort = endpoint.identifier();
    }
    localHigh = high;
    localLow = low;
    setAddress(high, low, true);
    return 0;
  }

  /** {@return whether it is IPv4's, which these sockets of IPv6 do not have to do with} */
  private boolean isForeign(long high, long low) {
    return isV6() && InetAddresses.isV4(high, low);
  }

  private void setAddress(long high, long low, boolean isLocal) {
    NetworkStack stack = table.stack();
    stack.enter();
    try {
      int number = InetAddresses.isAny(high, low) ? 0 : InetFamily.number(stack, high, low);
      if (isLocal) {
        endpoint.setLocal(number);
      } else {
        endpoint.setRemote(number);
      }
    } finally {
      stack.exit();
    }
  }

  private synchronized long identify() {
    if (isPing && localPort == 0) {
      if (!table.identify(endpoint, 0)) {
        return -EAGAIN;
      }
      localPort = endpoint.identifier();
    }
    return 0;
  }

  @Override
  public long connect(Task t, SocketCall c, boolean first) {
    SocketAddress a = c.name;
    if (a.length >= 2 && a.family() == AF_UNSPEC) {
      endpoint.setRemote(0);
      remotePort = 0;
      return 0;
    }
    long r = InetAddresses.check(a, family());
    if (r == 0) {
      r = identify();
    }
    if (r < 0) {
      return r;
    }
    long high = InetAddresses.high(a);
    long low = destinationLow(high, InetAddresses.low(a));
    r = isForeign(high, low) ? -ENETUNREACH : inet.route(high, low);
    if (r < 0) {
      return r;
    }
    synchronized (this) {
      long sourceHigh = sourceHigh(high, low);
      localLow = sourceLow(high, low);
      localHigh = sourceHigh;
      remoteHigh = high;
      remoteLow = low;
      remotePort = 1; // connected; raw(7) has no ports
      setAddress(high, low, false);
    }
    return 0;
  }

  @Override
  public long shutdown(int how) {
    return remotePort == 0 ? -redoubt.abi.Errno.ENOTCONN : 0;
  }

  @Override
  protected void release() {
    leaveGroups();
    endpoint.close();
  }

  // ---- data ----

  @Override
  public long send(Task t, IoBuffer src, SocketCall c) {
    if ((c.flags & MSG_OOB) != 0) {
      return -EOPNOTSUPP;
    }
    long total = src.remaining();
    if (total > LONGEST - 21) {
      return -EMSGSIZE;
    }
    long high = remoteHigh;
    long low = remoteLow;
    if (c.name.length > 0) {
      long r = InetAddresses.check(c.name, family());
      if (r < 0) {
        return r;
      }
      high = InetAddresses.high(c.name);
      low = destinationLow(high, InetAddresses.low(c.name));
    } else if (remotePort == 0) {
      return -EDESTADDRREQ;
    }
    long r = identify();
    // Packets whose header the kernel writes are allocated without a look at sk_err.
    boolean looks = isPing || ipOption(Ip.IP_HDRINCL, 0) == 1;
    r = r == 0 && looks ? takeError() : r;
    if (r < 0) {
      return r;
    }
    MemorySegment buffer = c.data(LONGEST);
    if (total > 0 && src.get(buffer, 0, total) < total) {
      return -EFAULT;
    }
    if (isForeign(high, low)) {
      return -ENETUNREACH;
    }
    NetworkStack stack = table.stack();
    stack.enter();
    try {
      int to = InetFamily.number(stack, high, low);
      if (to == 0 && isV6()) {
        return -ENETUNREACH;
      }
      once.ttl = c.sendTtl;
      once.tos = c.sendTos;
      once.source = c.hasSource ? InetFamily.number(stack, c.sourceHigh, c.sourceLow) : 0;
      r = endpoint.sendTo(buffer, 0, (int) total, to, once);
      if (r == -EMSGSIZE && keepsErrors(!isV6())) {
        tooLong(high, low, 0, stack.ipv4().mtu(to));
      }
      return r;
    } finally {
      stack.exit();
    }
  }

  @Override
  public synchronized long receive(Task t, IoBuffer dst, SocketCall c) {
    if ((c.flags & MSG_ERRQUEUE) != 0) {
      return receiveError(dst, c);
    }
    long e = takeError();
    if (e != 0) {
      return e;
    }
    if ((c.flags & MSG_OOB) != 0) {
      return -EOPNOTSUPP;
    }
    MemorySegment buffer = c.data(LONGEST);
    int room = (int) Math.min(dst.remaining(), LONGEST);
    int length = endpoint.peek(buffer, 0, room, info);
    if (length < 0) {
      return length;
    }
    int n = Math.min(length, room);
    if (n > 0 && dst.put(buffer, 0, n) < n) {
      return -EFAULT;
    }
    long r = n;
    if (n < length) {
      c.outFlags |= MSG_TRUNC;
      r = (c.flags & MSG_TRUNC) != 0 ? length : n;
    }
    NetworkStack stack = table.stack();
    InetAddresses.write(
        family(),
        InetFamily.high(stack, info.source),
        InetFamily.low(stack, info.source),
        0,
        c.name);
    if (wantsPacketInfo()) {
      c.hasPacketInfo = true;
      c.packetInfoHigh = InetFamily.high(stack, info.destination);
      c.packetInfoLow = InetFamily.low(stack, info.destination);
      c.packetInfoIndex = info.interfaceIndex;
    }
    attachHeaderData(c, !isV6(), info.ttl, info.tos);
    c.timestampNs = timestamp(info.arrivedNs);
    if ((c.flags & MSG_PEEK) == 0) {
      endpoint.drop();
    }
    return r;
  }

  @Override
  protected long unread() {
    return endpoint.nextLength();
  }

  @Override
  public int poll() {
    return endpoint.poll()
        | (hasError() || !errors().isEmpty() ? POLLERR : 0)
        | POLLOUT
        | POLLWRNORM
        | POLLWRBAND;
  }

  // ---- options ----

  @Override
  protected long setProtocolOption(Task t, int level, int name, MemorySegment s, int length) {
    if (level == SOL_RAW && name == ICMP_FILTER && !isPing && protocol() == Ip.IPPROTO_ICMP) {
      if (length < 4) {
        return -EINVAL;
      }
      endpoint.setIcmpFilter(s.get(Memory.INT, 0));
      return 0;
    }
    if (level == IPPROTO_ICMPV6 && name == ICMP6_FILTER && !isPing) {
      if (protocol() != IPPROTO_ICMPV6 || length < 32) {
        return protocol() != IPPROTO_ICMPV6 ? -ENOPROTOOPT : -EINVAL;
      }
      int[] words = new int[8];
      MemorySegment.copy(s, Memory.INT, 0, words, 0, 8);
      endpoint.setIcmp6Filter(words);
      return 0;
    }
    if (isV6() && level == SOL_RAW && name == Ipv6.IPV6_CHECKSUM && !isPing) {
      // ICMPv6 has its checksum where RFC 3542 says, asked for or not.
      return length < 4 ? -EINVAL : protocol() == IPPROTO_ICMPV6 ? 0 : -ENOPROTOOPT;
    }
    return level == SOL_RAW ? -ENOPROTOOPT : super.setProtocolOption(t, level, name, s, length);
  }

  private void setMtuDiscover(int v) {
    boolean isProbing = v == Ip.IP_PMTUDISC_PROBE;
    endpoint.setDontFragment(isProbing || v == Ip.IP_PMTUDISC_DO, isProbing);
  }

  private void keepErrors() {
    NetworkStack stack = table.stack();
    endpoint.setErrorReceiver(keepsErrors(!isV6()) ? e -> keepError(stack, e, false) : null);
  }

  @Override
  void ipOptionSet(int name) {
    int v = ipOption(name, -1);
    switch (name) {
      case Ip.IP_HDRINCL -> endpoint.setHeaderIncluded(v != 0);
      case Ip.IP_MTU_DISCOVER -> setMtuDiscover(v);
      case Ip.IP_RECVERR -> keepErrors();
      case Ip.IP_TTL -> endpoint.setTtl(v < 0 ? 64 : v);
      case Ip.IP_TOS -> endpoint.setTos(Math.max(v, 0));
      default -> {}
    }
  }

  @Override
  void ipv6OptionSet(int name) {
    int v = ipv6Option(name, -1);
    switch (name) {
      case Ipv6.IPV6_MTU_DISCOVER -> setMtuDiscover(v);
      case Ipv6.IPV6_RECVERR -> keepErrors();
      case Ipv6.IPV6_UNICAST_HOPS -> endpoint.setTtl(v < 0 ? 64 : v);
      case Ipv6.IPV6_TCLASS -> endpoint.setTos(Math.max(v, 0));
      default -> {}
    }
  }

  @Override
  protected void socketOptionSet(int name) {
    if (name == SO_TIMESTAMP || name == SO_TIMESTAMPNS) {
      endpoint.setStamped(wantsTimestamp() || wantsTimestampNs());
    }
    if (name == SO_RCVBUF || name == SO_RCVBUFFORCE) {
      endpoint.setReceiveLimit(receiveBuffer());
    }
  }

  @Override
  int procState() {
    return Tcp.TCP_CLOSE;
  }
}
