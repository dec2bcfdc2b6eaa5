package redoubt.sentry.socket.inet;

import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Poll.POLLERR;
import static redoubt.abi.Socket.MSG_PEEK;
import static redoubt.abi.Socket.MSG_TRUNC;

import java.lang.foreign.MemorySegment;
import redoubt.net.stack.NetworkStack;
import redoubt.net.transport.UdpEndpoint;
import redoubt.sentry.kernel.Clocks;
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
    s.waitQueue().notify(e != 0 ? events : events & ~POLLERR);
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
    long r = sendTo(buffer, (int) total, high, low, port);
    if (r < 0) {
      src.rewind(total);
    }
    return r;
  }

  private int sendTo(MemorySegment buffer, int total, long high, long low, int port) {
    stack.enter();
    try {
      int to = InetFamily.number(stack, high, low);
      return to == 0 ? -redoubt.abi.Errno.ENETUNREACH : endpoint.sendTo(buffer, 0, total, to, port);
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
    c.timestampNs = s.wantsTimestamp() || s.wantsTimestampNs() ? Clocks.realtimeNs() : 0;
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
