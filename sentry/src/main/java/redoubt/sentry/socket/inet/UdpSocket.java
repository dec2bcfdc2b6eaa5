package redoubt.sentry.socket.inet;

import static redoubt.abi.Errno.EAFNOSUPPORT;
import static redoubt.abi.Errno.EAGAIN;
import static redoubt.abi.Errno.ECONNREFUSED;
import static redoubt.abi.Errno.EDESTADDRREQ;
import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EMSGSIZE;
import static redoubt.abi.Errno.ENETUNREACH;
import static redoubt.abi.Errno.ENOBUFS;
import static redoubt.abi.Errno.ENOPROTOOPT;
import static redoubt.abi.Errno.ENOTCONN;
import static redoubt.abi.Errno.EOPNOTSUPP;
import static redoubt.abi.Errno.EPIPE;
import static redoubt.abi.Poll.POLLERR;
import static redoubt.abi.Poll.POLLHUP;
import static redoubt.abi.Poll.POLLIN;
import static redoubt.abi.Poll.POLLOUT;
import static redoubt.abi.Poll.POLLRDHUP;
import static redoubt.abi.Poll.POLLRDNORM;
import static redoubt.abi.Poll.POLLWRBAND;
import static redoubt.abi.Poll.POLLWRNORM;
import static redoubt.abi.Socket.AF_INET;
import static redoubt.abi.Socket.AF_UNSPEC;
import static redoubt.abi.Socket.MSG_ERRQUEUE;
import static redoubt.abi.Socket.MSG_OOB;
import static redoubt.abi.Socket.MSG_PEEK;
import static redoubt.abi.Socket.MSG_TRUNC;
import static redoubt.abi.Socket.SHUT_RD;
import static redoubt.abi.Socket.SHUT_WR;
import static redoubt.abi.Socket.SOCK_DGRAM;
import static redoubt.abi.Socket.SOL_UDP;
import static redoubt.abi.Socket.SO_BROADCAST;
import static redoubt.abi.Socket.SO_RCVBUF;
import static redoubt.abi.Socket.SO_RCVBUFFORCE;
import static redoubt.abi.Socket.SO_TIMESTAMP;
import static redoubt.abi.Socket.SO_TIMESTAMPNS;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Ip;
import redoubt.abi.Ipv6;
import redoubt.abi.Tcp;
import redoubt.abi.Udp;
import redoubt.host.Memory;
import redoubt.net.stack.NetworkStack;
import redoubt.sentry.kernel.Clocks;
import redoubt.sentry.kernel.IoBuffer;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.socket.Packet;
import redoubt.sentry.socket.PacketQueue;
import redoubt.sentry.socket.SocketAddress;
import redoubt.sentry.socket.SocketCall;

/**
 * UDP: <a href="https://man7.org/linux/man-pages/man7/udp.7.html">udp(7)</a>. Between sockets of
 * the same sandbox without packets, to others through {@link WireDatagrams}.
 */
final class UdpSocket extends InetSocket {
  private static final int MAX_PAYLOAD = 65507;
  private static final int HEADER = 8;

  /** What an ICMP error and an ICMPv6 error of this host quote of a datagram's payload. */
  private static final int QUOTED4 = 576 - 20 - 8 - 20 - HEADER;

  private static final int QUOTED6 = 1280 - 40 - 8 - 40 - HEADER;
  private static final int UDPLITE_SEND_CSCOV = 10;
  private static final int UDPLITE_RECV_CSCOV = 11;

  /** What a datagram counts besides its bytes (sk_buff and shared info). */
  private static final int OVERHEAD = 768;

  private static final int[] IPV6_OPTIONS = {
    Ipv6.IPV6_UNICAST_HOPS,
    Ipv6.IPV6_MULTICAST_HOPS,
    Ipv6.IPV6_MULTICAST_LOOP,
    Ipv6.IPV6_TCLASS,
    Ipv6.IPV6_MTU_DISCOVER,
    Ipv6.IPV6_RECVERR
  };

  private static final int[] IP_OPTIONS = {
    Ip.IP_TTL,
    Ip.IP_MULTICAST_TTL,
    Ip.IP_MULTICAST_LOOP,
    Ip.IP_TOS,
    Ip.IP_MTU_DISCOVER,
    Ip.IP_RECVERR
  };

  private final PacketQueue received = new PacketQueue(); // guarded by this

  /** The way to the outside, once there is a port and an address that can be reached. */
  private volatile @Nullable WireDatagrams wire;

  /** Whether bind(2) itself named the address, and the port: these outlive a disconnect. */
  private volatile boolean boundAddress;

  private volatile boolean boundPort;

  private volatile boolean receiveShut;
  private volatile boolean sendShut;
  private volatile boolean dead;
  private volatile int corked;

  /** Whether it is UDP-Lite's (RFC 3828): ports of its own, and inside the sandbox only. */
  private final boolean lite;

  /** Bytes that UDP-Lite's checksum covers when sent, and at least when received; 0 is all. */
  private volatile int sendCoverage;

  private volatile int receiveCoverage;

  /**
   * @param lite for IPPROTO_UDPLITE
   */
  UdpSocket(Task t, InetFamily inet, int family, boolean lite, int flags) {
    super(
        t,
        inet,
        lite ? inet.udpLitePorts : inet.udpPorts,
        family,
        SOCK_DGRAM,
        lite ? Ip.IPPROTO_UDPLITE : Ip.IPPROTO_UDP,
        flags);
    this.lite = lite;
  }

  @Override
  int score(long high, long low, long fromHigh, long fromLow, int fromPort) {
    int score = addressScore(high, low);
    if (score == 0 || remotePort == 0) {
      return score;
    }
    // A connected socket hears its peer only, and before others.
    return fromPort == remotePort && fromLow == remoteLow && fromHigh == remoteHigh ? score + 8 : 0;
  }

  @Override
  boolean mayBindTo(long high, long low) {
    return InetAddresses.isGroup(high, low) && inet.stack() != null;
  }

  @Override
  void bound() {
    NetworkStack stack = inet.stack();
    boolean any = InetAddresses.isAny(localHigh, localLow);
    if (stack == null || lite || InetAddresses.isLoopback(localHigh, localLow)) {
      return;
    }
    WireDatagrams w = new WireDatagrams(stack);
    wire = w;
    for (int name : new int[] {SO_BROADCAST, SO_RCVBUF, SO_TIMESTAMP}) {
      apply(w, name);
    }
    for (int name : IP_OPTIONS) {
      applyIp(w, name);
    }
    if (isV6() && !isAny4()) {
      for (int name : IPV6_OPTIONS) {
        applyIpv6(w, name);
      }
    }
    w.setFamilies(isAny4(), isAny6());
    w.attach(this, localHigh, any ? 0 : localLow, localPort);
  }

  @Override
  void unbound() {
    WireDatagrams w = wire;
    wire = null;
    if (w != null) {
      w.close();
    }
  }

  /** The network says that a datagram was not taken. */
  void fail(int errno) {
    setError(errno);
  }

  @Override
  protected void socketOptionSet(int name) {
    WireDatagrams w = wire;
    if (w != null) {
      apply(w, name);
    }
  }

  private void apply(WireDatagrams w, int name) {
    switch (name) {
      case SO_BROADCAST -> w.setBroadcastAllowed(isKept(SO_BROADCAST));
      case SO_TIMESTAMP, SO_TIMESTAMPNS -> w.setStamped(wantsTimestamp() || wantsTimestampNs());
      case SO_RCVBUF, SO_RCVBUFFORCE -> w.setReceiveLimit(receiveBuffer());
      default -> {}
    }
  }

  @Override
  void ipOptionSet(int name) {
    WireDatagrams w = wire;
    if (w != null) {
      applyIp(w, name);
    }
  }

  @Override
  void ipv6OptionSet(int name) {
    WireDatagrams w = wire;
    if (w != null && isV6()) {
      applyIpv6(w, name);
    }
  }

  private void applyIpv6(WireDatagrams w, int name) {
    int v = ipv6Option(name, -1);
    switch (name) {
      case Ipv6.IPV6_RECVERR -> w.keepErrors(this);
      case Ipv6.IPV6_MTU_DISCOVER -> w.setMtuDiscover(v);
      case Ipv6.IPV6_UNICAST_HOPS -> w.setTtl(v < 0 ? 64 : v);
      case Ipv6.IPV6_MULTICAST_HOPS -> w.setMulticastTtl(v < 0 ? 1 : v);
      case Ipv6.IPV6_MULTICAST_LOOP -> w.setMulticastLooped(v != 0);
      case Ipv6.IPV6_TCLASS -> w.setTos(Math.max(v, 0));
      default -> {}
    }
  }

  private void applyIp(WireDatagrams w, int name) {
    int v = ipOption(name, -1);
    switch (name) {
      case Ip.IP_RECVERR -> w.keepErrors(this);
      case Ip.IP_MTU_DISCOVER -> w.setMtuDiscover(v);
      case Ip.IP_TTL -> w.setTtl(v < 0 ? 64 : v);
      case Ip.IP_MULTICAST_TTL -> w.setMulticastTtl(v < 0 ? 1 : v);
      case Ip.IP_MULTICAST_LOOP -> w.setMulticastLooped(v != 0);
      case Ip.IP_TOS -> w.setTos(Math.max(v, 0));
      default -> {}
    }
  }

  @Override
  public long connect(Task t, SocketCall c, boolean first) {
    SocketAddress a = c.name;
    if (a.length < 2) {
      return -EINVAL;
    }
    if (a.family() == AF_UNSPEC) {
      return disconnect();
    }
    long r = InetAddresses.check(a, family());
    if (r < 0 && !(isV6() && a.family() == AF_INET && a.length >= 16)) {
      return r;
    }
    long high = InetAddresses.high(a);
    long low = destinationLow(high, InetAddresses.low(a));
    if (InetAddresses.isV4(high, low) && !takesV4()) {
      return -ENETUNREACH;
    }
    r = routeTo(high, low);
    if (r == 0) {
      r = autobind();
    }
    if (r < 0) {
      return r;
    }
    WireDatagrams w = wire;
    if (w != null) {
      w.connect(high, low, InetAddresses.port(a));
    }
    synchronized (this) {
      long sourceHigh = sourceHigh(high, low);
      localLow = sourceLow(high, low);
      localHigh = sourceHigh;
      remoteHigh = high;
      remoteLow = low;
      remotePort = InetAddresses.port(a);
    }
    return 0;
  }

  @Override
  public long bind(Task t, SocketCall c) {
    long r = super.bind(t, c);
    if (r == 0) {
      boundAddress = !InetAddresses.isAny(localHigh, localLow);
      boundPort = InetAddresses.port(c.name) != 0;
    }
    return r;
  }

  /** Gives up the peer, and the address and port that only connect(2) chose: __udp_disconnect. */
  private long disconnect() {
    remotePort = 0;
    WireDatagrams w = wire;
    if (w != null) {
      w.connect(0, 0, 0);
    }
    if (!boundPort) {
      unbind();
    }
    if (!boundAddress) {
      synchronized (this) {
        localHigh = 0;
        localLow = isV6() ? 0 : InetAddresses.ANY4;
      }
    }
    return 0;
  }

  @Override
  public long shutdown(int how) {
    if (remotePort == 0) {
      return -ENOTCONN;
    }
    receiveShut |= how != SHUT_WR;
    sendShut |= how != SHUT_RD;
    queue.notify(POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM | POLLRDHUP | POLLHUP);
    return 0;
  }

  @Override
  protected void release() {
    leaveGroups();
    unbind();
    synchronized (this) {
      dead = true;
      for (Packet p = received.poll(); p != null; p = received.poll()) {
        received.recycle(p);
      }
    }
  }

  // ---- data ----

  @Override
  public long send(Task t, IoBuffer src, SocketCall c) {
    if ((c.flags & MSG_OOB) != 0) {
      return -EOPNOTSUPP;
    }
    long total = src.remaining();
    if (total > 0xffff && !isV6()) {
      return -EMSGSIZE;
    }
    long high;
    long low;
    int port;
    if (c.name.length > 0 && !(isV6() && c.name.family() == AF_UNSPEC)) {
      SocketAddress a = c.name;
      long r = InetAddresses.check(a, family());
      if (r < 0
          && !(a.length >= 16 && (isV6() ? a.family() == AF_INET : a.family() == AF_UNSPEC))) {
        return a.length >= 16 ? -EAFNOSUPPORT : r;
      }
      port = InetAddresses.port(a);
      if (port == 0) {
        return -EINVAL;
      }
      boolean four = !isV6() || a.family() == AF_INET;
      high = four ? 0 : InetAddresses.high(a);
      low =
          four
              ? 0xffff_0000_0000L | (Integer.reverseBytes(a.bytes.get(Memory.INT, 4)) & 0xffffffffL)
              : InetAddresses.low(a);
      low = destinationLow(high, low);
    } else {
      high = remoteHigh;
      low = remoteLow;
      port = remotePort;
      if (port == 0) {
        return -EDESTADDRREQ;
      }
    }
    if (hasError()) {
      long e = takeError();
      if (e != 0) {
        return e;
      }
    }
    if (sendShut) {
      return -EPIPE;
    }
    if (InetAddresses.isV4(high, low) && !takesV4()) {
      return -ENETUNREACH;
    }
    long r = routeTo(high, low);
    if (r == 0) {
      r = autobind();
    }
    if (r < 0) {
      return r;
    }
    if (total > MAX_PAYLOAD) {
      refuseLength(high, low, port);
      return -EMSGSIZE;
    }
    if (inet.isLocal(high, low) && !inet.isRelayed(high, low, port)) {
      return sendTo(src, c, total, high, low, port);
    }
    WireDatagrams w = wire;
    r = w == null ? -EINVAL : w.send(src, c, total, high, low, port);
    if (r == -EMSGSIZE) {
      refuseLength(high, low, port);
    }
    return r;
  }

  private void refuseLength(long high, long low, int port) {
    WireDatagrams w = wire;
    boolean v4 = InetAddresses.isV4(high, low);
    if (keepsErrors(v4)) {
      int mtu = w == null || inet.isLocal(high, low) ? 65536 : w.mtu(high, low);
      // net/ipv4/ip_output.c: the port is the connected peer's, and no packet is of 65,536 bytes.
      tooLong(high, low, v4 ? remotePort : port, v4 ? Math.min(mtu, 0xffff) : mtu);
    }
  }

  /** As the family's route; a group or broadcast can be reached wherever there is a network. */
  private long routeTo(long high, long low) {
    if (lite && !inet.isLocal(high, low)) {
      return -ENETUNREACH;
    }
    return InetAddresses.isGroup(high, low) && inet.stack() != null ? 0 : inet.route(high, low);
  }

  private int ownTtl(boolean v4) {
    int v = v4 ? ipOption(Ip.IP_TTL, -1) : ipv6Option(Ipv6.IPV6_UNICAST_HOPS, -1);
    return v < 0 ? 64 : v;
  }

  private int ownTos(boolean v4) {
    return Math.max(0, v4 ? ipOption(Ip.IP_TOS, 0) : ipv6Option(Ipv6.IPV6_TCLASS, 0));
  }

  private long sendTo(IoBuffer src, SocketCall c, long total, long high, long low, int port) {
    long fromLow = c.hasSource ? c.sourceLow : sourceLow(high, low);
    long fromHigh = c.hasSource ? c.sourceHigh : sourceHigh(high, low);
    int seed = localPort * 31 + port;
    PortTable ports = lite ? inet.udpLitePorts : inet.udpPorts;
    if (!(ports.find(high, low, port, fromHigh, fromLow, localPort, seed)
        instanceof UdpSocket to)) {
      return unreachable(src, c, total, high, low, port);
    }
    boolean queued = false;
    NetworkStack watched = inet.watched();
    MemorySegment shown = null;
    synchronized (to) {
      if (to.dead) {
        return unreachable(src, c, total, high, low, port);
      }
      long weight = to.received.bytes() + (long) to.received.count() * OVERHEAD;
      if (weight + total + OVERHEAD <= to.receiveBuffer() && !to.receiveShut) {
        Packet p = to.received.newPacket();
        long r = total == 0 ? 0 : PacketQueue.fill(p, src, total);
        if (r < total) {
          to.received.recycle(p);
          return r == -ENOBUFS ? -ENOBUFS : -EFAULT;
        }
        p.fromHigh = fromHigh;
        p.fromLow = fromLow;
        p.fromPort = localPort;
        p.toHigh = high;
        p.toLow = low;
        boolean isV4 = InetAddresses.isV4(high, low);
        p.ttl = c.sendTtl >= 0 ? c.sendTtl : ownTtl(isV4);
        p.tos = c.sendTos >= 0 ? c.sendTos : ownTos(isV4);
        p.timestampNs = to.wantsTimestamp() || to.wantsTimestampNs() ? Clocks.realtimeNs() : 0;
        if (watched != null) {
          shown = MemorySegment.ofArray(new byte[p.length()]);
          p.copyTo(shown, 0, 0, p.length());
        }
        to.received.add(p);
        queued = true;
      }
    }
    if (watched != null && shown != null) {
      show(watched, shown, fromHigh, fromLow, high, low, port);
    }
    if (queued) {
      to.queue.notify(POLLIN | POLLRDNORM);
    }
    return total; // a full receiver drops it unseen
  }

  /** Packet sockets see what goes over the loopback. */
  private void show(
      NetworkStack s,
      MemorySegment payload,
      long fromHigh,
      long fromLow,
      long high,
      long low,
      int port) {
    s.enter();
    try {
      int from = InetFamily.number(s, fromHigh, fromLow);
      s.addresses().pin(from);
      int to = InetFamily.number(s, high, low);
      if (from != 0 && to != 0 && !lite) {
        s.frames().showDatagram(from, localPort, to, port, payload);
      }
      s.addresses().unpin(from);
    } finally {
      s.exit();
    }
  }

  /** Nobody has the port: an ICMP error comes back, which only a connected socket hears of. */
  private long unreachable(IoBuffer src, SocketCall c, long total, long high, long low, int port) {
    boolean v4 = InetAddresses.isV4(high, low);
    if (keepsErrors(v4)) {
      int n = (int) Math.min(total, v4 ? QUOTED4 : QUOTED6);
      byte[] quoted = new byte[n];
      if (n > 0 && src.get(c.data(n), 0, n) < n) {
        return -EFAULT;
      }
      MemorySegment.copy(c.data(n), ValueLayout.JAVA_BYTE, 0, quoted, 0, n);
      errors()
          .add(
              new ErrorQueue.Entry(
                  ECONNREFUSED,
                  v4 ? Ip.SO_EE_ORIGIN_ICMP : Ip.SO_EE_ORIGIN_ICMP6,
                  v4 ? 3 : 1,
                  v4 ? 3 : 4,
                  0,
                  high,
                  low,
                  high,
                  low,
                  port,
                  64,
                  v4 ? 0xc0 : 0,
                  sourceHigh(high, low),
                  sourceLow(high, low),
                  1,
                  MemorySegment.ofArray(quoted)));
      setError(ECONNREFUSED);
      queue.notify(POLLERR | POLLIN | POLLOUT);
    } else if (remotePort == port && remoteLow == low && remoteHigh == high) {
      setError(ECONNREFUSED);
      queue.notify(POLLERR | POLLIN | POLLOUT);
    }
    return total;
  }

  @Override
  public long receive(Task t, IoBuffer dst, SocketCall c) {
    if ((c.flags & MSG_ERRQUEUE) != 0) {
      return receiveError(dst, c);
    }
    if ((c.flags & MSG_OOB) != 0) {
      return -EOPNOTSUPP;
    }
    boolean keep = (c.flags & MSG_PEEK) != 0;
    synchronized (this) {
      long e = takeError();
      if (e != 0) {
        return e;
      }
      Packet p = received.first();
      if (p == null) {
        WireDatagrams w = wire;
        long r = w == null ? -EAGAIN : w.receive(dst, c, this);
        return r == -EAGAIN && receiveShut ? 0 : r;
      }
      int length = p.length();
      long r = PacketQueue.putPacket(p, dst, length);
      if (r < 0) {
        return r;
      }
      if (r < length) {
        c.outFlags |= MSG_TRUNC;
        if ((c.flags & MSG_TRUNC) != 0) {
          r = length;
        }
      }
      InetAddresses.write(family(), p.fromHigh, p.fromLow, p.fromPort, c.name);
      c.timestampNs = p.timestampNs;
      attachHeaderData(c, InetAddresses.isV4(p.toHigh, p.toLow), p.ttl, p.tos);
      if (wantsPacketInfo()) {
        c.hasPacketInfo = true;
        c.packetInfoHigh = p.toHigh;
        c.packetInfoLow = p.toLow;
      }
      if (!keep) {
        received.poll();
        received.recycle(p);
      }
      return r;
    }
  }

  @Override
  protected synchronized long unread() {
    Packet p = received.first();
    WireDatagrams w = wire;
    return p != null ? p.length() : w == null ? 0 : w.nextLength();
  }

  @Override
  public int poll() {
    int mask = hasError() || !errors().isEmpty() ? POLLERR : 0;
    WireDatagrams w = wire;
    if (w != null) {
      mask |= w.poll();
    }
    if (receiveShut && sendShut) {
      mask |= POLLHUP;
    }
    if (receiveShut) {
      mask |= POLLIN | POLLRDNORM | POLLRDHUP;
    }
    synchronized (this) {
      if (!received.isEmpty()) {
        mask |= POLLIN | POLLRDNORM;
      }
    }
    return mask | POLLOUT | POLLWRNORM | POLLWRBAND;
  }

  // ---- options ----

  @Override
  protected long setProtocolOption(Task t, int level, int name, MemorySegment s, int length) {
    if (level != (lite ? Ip.IPPROTO_UDPLITE : SOL_UDP)) {
      return super.setProtocolOption(t, level, name, s, length);
    }
    if (length < 4) {
      return -EINVAL;
    }
    if (lite && (name == UDPLITE_SEND_CSCOV || name == UDPLITE_RECV_CSCOV)) {
      setCoverage(name, s.get(Memory.INT, 0));
      return 0;
    }
    if (name == Udp.UDP_CORK || name == Udp.UDP_GRO) {
      corked = name == Udp.UDP_CORK ? s.get(Memory.INT, 0) : corked;
      return 0;
    }
    return -ENOPROTOOPT;
  }

  @Override
  protected long protocolOption(Task t, int level, int name, MemorySegment s, int limit) {
    if (level != (lite ? Ip.IPPROTO_UDPLITE : SOL_UDP)) {
      return super.protocolOption(t, level, name, s, limit);
    }
    if (lite && (name == UDPLITE_SEND_CSCOV || name == UDPLITE_RECV_CSCOV)) {
      s.set(Memory.INT, 0, name == UDPLITE_SEND_CSCOV ? sendCoverage : receiveCoverage);
      return Math.min(limit, 4);
    }
    if (name != Udp.UDP_CORK && name != Udp.UDP_GRO) {
      return -ENOPROTOOPT;
    }
    s.set(Memory.INT, 0, name == Udp.UDP_CORK ? corked : 0);
    return Math.min(limit, 4);
  }

  /** net/ipv4/udp.c udp_lib_setsockopt: at least the header, 16 bits. Nothing is summed here. */
  private void setCoverage(int name, int value) {
    int v = value != 0 && value < HEADER ? HEADER : Math.min(value, 0xffff);
    if (name == UDPLITE_SEND_CSCOV) {
      sendCoverage = v;
    } else {
      receiveCoverage = v;
    }
  }

  @Override
  int procState() {
    return remotePort != 0 ? Tcp.TCP_ESTABLISHED : Tcp.TCP_CLOSE;
  }
}
