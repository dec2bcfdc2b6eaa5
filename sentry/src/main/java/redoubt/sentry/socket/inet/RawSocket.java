package redoubt.sentry.socket.inet;

import static redoubt.abi.Errno.EADDRINUSE;
import static redoubt.abi.Errno.EADDRNOTAVAIL;
import static redoubt.abi.Errno.EAGAIN;
import static redoubt.abi.Errno.EDESTADDRREQ;
import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EMSGSIZE;
import static redoubt.abi.Errno.ENOPROTOOPT;
import static redoubt.abi.Errno.EOPNOTSUPP;
import static redoubt.abi.Poll.POLLOUT;
import static redoubt.abi.Poll.POLLWRBAND;
import static redoubt.abi.Poll.POLLWRNORM;
import static redoubt.abi.Socket.AF_INET;
import static redoubt.abi.Socket.AF_UNSPEC;
import static redoubt.abi.Socket.MSG_ERRQUEUE;
import static redoubt.abi.Socket.MSG_OOB;
import static redoubt.abi.Socket.MSG_PEEK;
import static redoubt.abi.Socket.MSG_TRUNC;
import static redoubt.abi.Socket.SOCK_DGRAM;
import static redoubt.abi.Socket.SOCK_RAW;
import static redoubt.abi.Socket.SO_RCVBUF;
import static redoubt.abi.Socket.SO_RCVBUFFORCE;

import java.lang.foreign.MemorySegment;
import redoubt.abi.Ip;
import redoubt.abi.Tcp;
import redoubt.host.Memory;
import redoubt.net.transport.RawEndpoint;
import redoubt.net.transport.RawTable;
import redoubt.net.transport.UdpEndpoint;
import redoubt.sentry.kernel.Clocks;
import redoubt.sentry.kernel.IoBuffer;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.socket.SocketAddress;
import redoubt.sentry.socket.SocketCall;

/**
 * Raw sockets of IPv4 and ping sockets: <a
 * href="https://man7.org/linux/man-pages/man7/raw.7.html">raw(7)</a>, <a
 * href="https://man7.org/linux/man-pages/man7/icmp.7.html">icmp(7)</a>. All goes through the stack,
 * also to the sandbox itself.
 *
 * <p>What differs from Linux: IP_HDRINCL is refused, and so is IPPROTO_RAW with it.
 */
final class RawSocket extends InetSocket {
  private static final int LONGEST = 65536;
  private static final int SOL_RAW = 255;
  private static final int ICMP_FILTER = 1;

  private final RawTable table;
  private final RawEndpoint endpoint;
  private final UdpEndpoint.Info info = new UdpEndpoint.Info(); // guarded by this
  private final boolean isPing;

  RawSocket(
      Task t, InetFamily inet, RawTable table, RawEndpoint endpoint, int protocol, int flags) {
    super(
        t,
        inet,
        inet.rawPorts,
        AF_INET,
        endpoint.isPing() ? SOCK_DGRAM : SOCK_RAW,
        protocol,
        flags);
    this.table = table;
    this.endpoint = endpoint;
    this.isPing = endpoint.isPing();
    endpoint.readiness().listen(queue::notify);
  }

  // ---- names ----

  @Override
  public synchronized long bind(Task t, SocketCall c) {
    long r = InetAddresses.check(c.name, AF_INET);
    if (r < 0) {
      return r;
    }
    long low = InetAddresses.low(c.name);
    if (!InetAddresses.isAny(0, low) && !inet.isLocal(0, low)) {
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
    localLow = low;
    endpoint.setLocal((int) low);
    return 0;
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
    long r = InetAddresses.check(a, AF_INET);
    if (r == 0) {
      r = identify();
    }
    if (r < 0) {
      return r;
    }
    long low = destinationLow(0, InetAddresses.low(a));
    r = inet.route(0, low);
    if (r < 0) {
      return r;
    }
    synchronized (this) {
      localLow = sourceLow(0, low);
      remoteLow = low;
      remotePort = 1; // connected; raw(7) has no ports
      endpoint.setRemote((int) low);
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
    long low = remoteLow;
    if (c.name.length > 0) {
      long r = InetAddresses.check(c.name, AF_INET);
      if (r < 0) {
        return r;
      }
      low = destinationLow(0, InetAddresses.low(c.name));
    } else if (remotePort == 0) {
      return -EDESTADDRREQ;
    }
    long r = identify();
    if (r < 0) {
      return r;
    }
    MemorySegment buffer = c.data(LONGEST);
    if (total > 0 && src.get(buffer, 0, total) < total) {
      return -EFAULT;
    }
    return endpoint.sendTo(buffer, 0, (int) total, (int) low);
  }

  @Override
  public synchronized long receive(Task t, IoBuffer dst, SocketCall c) {
    if ((c.flags & MSG_ERRQUEUE) != 0) {
      return -EAGAIN;
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
    InetAddresses.write(AF_INET, 0, InetAddresses.mapped(info.source), 0, c.name);
    if (wantsPacketInfo()) {
      c.hasPacketInfo = true;
      c.packetInfoHigh = 0;
      c.packetInfoLow = InetAddresses.mapped(info.destination);
      c.packetInfoIndex = info.interfaceIndex;
    }
    c.ttl = ipOption(Ip.IP_RECVTTL, 0) != 0 ? info.ttl : -1;
    c.timestampNs = wantsTimestamp() || wantsTimestampNs() ? Clocks.realtimeNs() : 0;
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
    return endpoint.poll() | POLLOUT | POLLWRNORM | POLLWRBAND;
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
    return level == SOL_RAW ? -ENOPROTOOPT : super.setProtocolOption(t, level, name, s, length);
  }

  @Override
  void ipOptionSet(int name) {
    int v = ipOption(name, -1);
    switch (name) {
      case Ip.IP_TTL -> endpoint.setTtl(v < 0 ? 64 : v);
      case Ip.IP_TOS -> endpoint.setTos(Math.max(v, 0));
      default -> {}
    }
  }

  @Override
  protected void socketOptionSet(int name) {
    if (name == SO_RCVBUF || name == SO_RCVBUFFORCE) {
      endpoint.setReceiveLimit(receiveBuffer());
    }
  }

  @Override
  int procState() {
    return Tcp.TCP_CLOSE;
  }
}
