package redoubt.sentry.socket.inet;

import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Poll.POLLERR;
import static redoubt.abi.Socket.MSG_PEEK;
import static redoubt.abi.Socket.MSG_TRUNC;

import java.lang.foreign.MemorySegment;
import redoubt.abi.Ip;
import redoubt.net.stack.NetworkStack;
import redoubt.net.transport.UdpEndpoint;
import redoubt.sentry.kernel.IoBuffer;
import redoubt.sentry.socket.SocketCall;

/**
 * The way from one UDP socket to peers outside of the sandbox: an endpoint of the network stack,
 * with the guest's buffers on this side. Receiving is guarded by the socket's monitor.
 */
final class WireDatagrams {
  private static final int LONGEST = 65536;

  private final NetworkStack stack;
  private final UdpEndpoint endpoint;
  private final UdpEndpoint.Info info = new UdpEndpoint.Info();
  private final UdpEndpoint.Once once = new UdpEndpoint.Once(); // guarded by the stack's lock

  WireDatagrams(NetworkStack stack) {
    this.stack = stack;
    this.endpoint = stack.udp().open();
  }

  /** Hears datagrams to a port that {@code s} has got. */
  void attach(UdpSocket s, long high, long low, int port) {
    stack.enter();
    try {
      endpoint.bindReserved(InetFamily.number(stack, high, low), port);
    } finally {
      stack.exit();
    }
    endpoint.readiness().listen(events -> tell(s, events));
  }

  private void tell(UdpSocket s, int events) {
    int e = (events & POLLERR) != 0 ? endpoint.takeError() : 0;
    if (e != 0) {
      s.fail(e);
    }
    boolean hasError = e != 0 || !s.errors().isEmpty();
    s.waitQueue().notify(hasError ? events : events & ~POLLERR);
  }

  /** IP_RECVERR or IPV6_RECVERR has changed. */
  void keepErrors(UdpSocket s) {
    endpoint.setErrorReceivers(
        s.keepsErrors(true) ? e -> s.keepError(stack, e, true) : null,
        s.keepsErrors(false) ? e -> s.keepError(stack, e, true) : null);
  }

  /** IP_MTU_DISCOVER or IPV6_MTU_DISCOVER. */
  void setMtuDiscover(int v) {
    boolean isProbing = v == Ip.IP_PMTUDISC_PROBE;
    endpoint.setDontFragment(isProbing || v == Ip.IP_PMTUDISC_DO, isProbing);
  }

  /** Port 0 undoes it. */
  void connect(long high, long low, int port) {
    stack.enter();
    try {
      endpoint.connect(InetFamily.number(stack, high, low), port);
    } finally {
      stack.exit();
    }
  }

  void setFamilies(boolean v4, boolean v6) {
    endpoint.setFamilies(v4, v6);
  }

  long send(IoBuffer src, SocketCall c, long total, long high, long low, int port) {
    MemorySegment buffer;
    long got = 0;
    if (total == 0) {
      buffer = src.window();
    } else if (src.windowLimit() == total) {
      buffer = src.window();
      got = src.fetch(total);
    } else {
      buffer = c.data(LONGEST);
      got = src.get(buffer, 0, total);
    }
    if (got < total) {
      return -EFAULT;
    }
    long r = sendTo(buffer, c, (int) total, high, low, port);
    if (r < 0) {
      src.rewind(total);
    }
    return r;
  }

  private int sendTo(MemorySegment buffer, SocketCall c, int total, long high, long low, int port) {
    stack.enter();
    try {
      int to = InetFamily.number(stack, high, low);
      if (to == 0) {
        return -redoubt.abi.Errno.ENETUNREACH;
      }
      once.ttl = c.sendTtl;
      once.tos = c.sendTos;
      once.source = c.hasSource ? InetFamily.number(stack, c.sourceHigh, c.sourceLow) : 0;
      return endpoint.sendTo(buffer, 0, total, to, port, once);
    } finally {
      stack.exit();
    }
  }

  /** {@return how long packets to an address may be} */
  int mtu(long high, long low) {
    stack.enter();
    try {
      return stack.ipv4().mtu(InetFamily.number(stack, high, low));
    } finally {
      stack.exit();
    }
  }

  /** Receives the next datagram and says where it came from. Returns as the socket's method. */
  long receive(IoBuffer dst, SocketCall c, UdpSocket s) {
    long room = dst.remaining();
    boolean inWindow = room == 0 || dst.windowLimit() == Math.min(room, LONGEST);
    MemorySegment buffer = inWindow ? dst.window() : c.data(LONGEST);
    int length = endpoint.peek(buffer, 0, (int) Math.min(room, LONGEST), info);
    if (length < 0) {
      return length;
    }
    long n = Math.min(length, room);
    long r = n == 0 ? 0 : inWindow ? dst.commit(n) : dst.put(buffer, 0, n);
    if (r < n) {
      return -EFAULT;
    }
    if (n < length) {
      c.outFlags |= MSG_TRUNC;
      r = (c.flags & MSG_TRUNC) != 0 ? length : n;
    }
    // The datagram is still in the queue, which holds on to the numbers.
    InetAddresses.write(
        s.family(),
        InetFamily.high(stack, info.source),
        InetFamily.low(stack, info.source),
        info.sourcePort,
        c.name);
    if (s.wantsPacketInfo()) {
      c.hasPacketInfo = true;
      c.packetInfoHigh = InetFamily.high(stack, info.destination);
      c.packetInfoLow = InetFamily.low(stack, info.destination);
      c.packetInfoIndex = info.interfaceIndex;
    }
    boolean isV4 = !redoubt.net.network.AddressTable.isV6(info.destination);
    s.attachHeaderData(c, isV4, info.ttl, info.tos);
    c.timestampNs = s.timestamp(info.arrivedNs);
    if ((c.flags & MSG_PEEK) == 0) {
      endpoint.drop();
    }
    return r;
  }

  int poll() {
    return endpoint.poll();
  }

  int nextLength() {
    return endpoint.nextLength();
  }

  void close() {
    endpoint.readiness().listen(null);
    endpoint.close();
  }

  // ---- options ----

  void setBroadcastAllowed(boolean on) {
    endpoint.setBroadcastAllowed(on);
  }

  void setReceiveLimit(int bytes) {
    endpoint.setReceiveLimit(bytes);
  }

  void setStamped(boolean on) {
    endpoint.setStamped(on);
  }

  void setTtl(int ttl) {
    endpoint.setTtl(ttl);
  }

  void setMulticastTtl(int ttl) {
    endpoint.setMulticastTtl(ttl);
  }

  void setMulticastLooped(boolean on) {
    endpoint.setMulticastLooped(on);
  }

  void setTos(int tos) {
    endpoint.setTos(tos);
  }
}
