package redoubt.sentry.socket.netlink;

import static redoubt.abi.Errno.EADDRINUSE;
import static redoubt.abi.Errno.EAGAIN;
import static redoubt.abi.Errno.ECONNREFUSED;
import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EMSGSIZE;
import static redoubt.abi.Errno.ENODEV;
import static redoubt.abi.Errno.ENOPROTOOPT;
import static redoubt.abi.Errno.EOPNOTSUPP;
import static redoubt.abi.Errno.EPERM;
import static redoubt.abi.Poll.POLLIN;
import static redoubt.abi.Poll.POLLOUT;
import static redoubt.abi.Poll.POLLRDNORM;
import static redoubt.abi.Poll.POLLWRBAND;
import static redoubt.abi.Poll.POLLWRNORM;
import static redoubt.abi.Socket.AF_INET;
import static redoubt.abi.Socket.AF_INET6;
import static redoubt.abi.Socket.AF_NETLINK;
import static redoubt.abi.Socket.AF_UNSPEC;
import static redoubt.abi.Socket.MSG_OOB;
import static redoubt.abi.Socket.MSG_PEEK;
import static redoubt.abi.Socket.MSG_TRUNC;
import static redoubt.abi.Socket.SOL_NETLINK;

import java.lang.foreign.MemorySegment;
import redoubt.abi.Netlink;
import redoubt.host.Memory;
import redoubt.sentry.kernel.IoBuffer;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.socket.Packet;
import redoubt.sentry.socket.PacketQueue;
import redoubt.sentry.socket.Socket;
import redoubt.sentry.socket.SocketCall;

/** A netlink socket that talks to the kernel only, which knows one interface: lo. */
final class NetlinkSocket extends Socket {
  private static final int MAX_REQUEST = 4096;
  private static final int LO = 1;
  private static final int MTU = 65536;

  private final NetlinkFamily netlink;
  private final PacketQueue received = new PacketQueue(); // guarded by this
  private int port; // guarded by this
  private int groups; // guarded by this

  NetlinkSocket(Task t, NetlinkFamily netlink, int type, int protocol, int flags) {
    super(t, AF_NETLINK, type, protocol, flags);
    this.netlink = netlink;
  }

  @Override
  public long bind(Task t, SocketCall c) {
    if (c.name.length < ADDRESS_BYTES || c.name.family() != AF_NETLINK) {
      return -EINVAL;
    }
    int wanted = c.name.bytes.get(Memory.INT, 4);
    synchronized (this) {
      groups = c.name.bytes.get(Memory.INT, 8);
      if (port != 0) {
        return wanted == port || wanted == 0 ? 0 : -EINVAL;
      }
      if (wanted != 0) {
        if (!netlink.ports.add(wanted)) {
          return -EADDRINUSE;
        }
        port = wanted;
      } else {
        autobind(t);
      }
    }
    return 0;
  }

  private static final int ADDRESS_BYTES = redoubt.abi.Socket.SIZEOF_SOCKADDR_NL;

  private synchronized void autobind(Task t) {
    if (port == 0) {
      int wanted = t.tgid();
      while (!netlink.ports.add(wanted)) {
        wanted = netlink.nextPort.getAndDecrement();
      }
      port = wanted;
    }
  }

  @Override
  public long connect(Task t, SocketCall c, boolean first) {
    if (c.name.length >= 2 && c.name.family() == AF_UNSPEC) {
      return 0;
    }
    if (c.name.length < ADDRESS_BYTES || c.name.family() != AF_NETLINK) {
      return -EINVAL;
    }
    autobind(t);
    return c.name.bytes.get(Memory.INT, 4) == 0 ? 0 : -ECONNREFUSED;
  }

  @Override
  public long localName(SocketCall c) {
    int p;
    int g;
    synchronized (this) {
      p = port;
      g = groups;
    }
    writeName(c, p, g);
    return 0;
  }

  @Override
  public long peerName(SocketCall c) {
    writeName(c, 0, 0);
    return 0;
  }

  private static void writeName(SocketCall c, int port, int groups) {
    MemorySegment s = c.name.bytes;
    s.set(Memory.INT, 0, AF_NETLINK);
    s.set(Memory.INT, 4, port);
    s.set(Memory.INT, 8, groups);
    c.name.length = ADDRESS_BYTES;
  }

  @Override
  public long shutdown(int how) {
    return -EOPNOTSUPP;
  }

  @Override
  protected void release() {
    synchronized (this) {
      if (port != 0) {
        netlink.ports.remove(port);
      }
      for (Packet p = received.poll(); p != null; p = received.poll()) {
        received.recycle(p);
      }
    }
  }

  // ---- messages ----

  @Override
  public long send(Task t, IoBuffer src, SocketCall c) {
    if ((c.flags & MSG_OOB) != 0) {
      return -EOPNOTSUPP;
    }
    if (c.name.length > 0) {
      if (c.name.length < ADDRESS_BYTES || c.name.family() != AF_NETLINK) {
        return -EINVAL;
      }
      if (c.name.bytes.get(Memory.INT, 8) != 0) {
        return -EPERM;
      }
      if (c.name.bytes.get(Memory.INT, 4) != 0) {
        return -ECONNREFUSED;
      }
    }
    autobind(t);
    long total = src.remaining();
    if (total > MAX_REQUEST) {
      return -EMSGSIZE;
    }
    MemorySegment s = t.scratch();
    if (total > 0 && src.get(s, 0, total) != total) {
      return -EFAULT;
    }
    int at = 0;
    while (total - at >= Netlink.SIZEOF_NLMSGHDR) {
      int length = s.get(Memory.INT, at);
      if (length < Netlink.SIZEOF_NLMSGHDR || length > total - at) {
        break;
      }
      answer(s, at, length);
      at += (length + 3) & ~3;
    }
    return total;
  }

  private void answer(MemorySegment s, int at, int length) {
    int type = s.get(Memory.SHORT, at + 4) & 0xffff;
    int flags = s.get(Memory.SHORT, at + 6) & 0xffff;
    int seq = s.get(Memory.INT, at + 8);
    if ((flags & Netlink.NLM_F_REQUEST) == 0 || type < Netlink.NLMSG_MIN_TYPE) {
      if ((flags & Netlink.NLM_F_ACK) != 0) {
        error(s, at, 0, seq);
      }
      return;
    }
    int family = length > Netlink.SIZEOF_NLMSGHDR ? s.get(Memory.BYTE, at + 16) & 0xff : 0;
    boolean dump = (flags & Netlink.NLM_F_DUMP) == Netlink.NLM_F_DUMP;
    if (protocol() != Netlink.NETLINK_ROUTE) {
      error(s, at, -EOPNOTSUPP, seq);
    } else if (dump) {
      dump(s, at, type, family, seq);
    } else if (type == Netlink.RTM_GETLINK) {
      getLink(s, at, length, seq, flags);
    } else {
      boolean reads = (type & 3) == 2;
      error(s, at, reads ? -EOPNOTSUPP : -EPERM, seq);
    }
  }

  private void dump(MemorySegment s, int at, int type, int family, int seq) {
    MessageBuilder m = new MessageBuilder();
    switch (type) {
      case Netlink.RTM_GETLINK -> link(m, Netlink.NLM_F_MULTI, seq);
      case Netlink.RTM_GETADDR -> {
        if (family == AF_UNSPEC || family == AF_INET) {
          address4(m, seq);
        }
        if (family == AF_UNSPEC || family == AF_INET6) {
          address6(m, seq);
        }
      }
      case Netlink.RTM_GETROUTE -> {
        if (family == AF_UNSPEC || family == AF_INET) {
          routes4(m, seq);
        }
        if (family == AF_UNSPEC || family == AF_INET6) {
          routes6(m, seq);
        }
      }
      case Netlink.RTM_GETNEIGH,
          Netlink.RTM_GETRULE,
          Netlink.RTM_GETQDISC,
          Netlink.RTM_GETNSID -> {}
      default -> {
        error(s, at, -EOPNOTSUPP, seq);
        return;
      }
    }
    if (m.length() > 0) {
      enqueue(m);
    }
    MessageBuilder done = new MessageBuilder();
    done.begin(Netlink.NLMSG_DONE, Netlink.NLM_F_MULTI, seq, port(), 4);
    done.end();
    enqueue(done);
  }

  private void getLink(MemorySegment s, int at, int length, int seq, int flags) {
    int index = length >= 32 ? s.get(Memory.INT, at + 20) : 0;
    String name = "";
    int a = at + 32;
    while (a + 4 <= at + length) {
      int size = s.get(Memory.SHORT, a) & 0xffff;
      if (size < 4 || a + size > at + length) {
        break;
      }
      if ((s.get(Memory.SHORT, a + 2) & 0x3fff) == Netlink.IFLA_IFNAME) {
        int n = 0;
        while (n < size - 4 && s.get(Memory.BYTE, a + 4 + n) != 0) {
          n++;
        }
        name = redoubt.sentry.kernel.Latin1.string(s, a + 4, n);
      }
      a += (size + 3) & ~3;
    }
    if (index != LO && !(index == 0 && name.equals("lo"))) {
      error(s, at, index == 0 && name.isEmpty() ? -EINVAL : -ENODEV, seq);
      return;
    }
    MessageBuilder m = new MessageBuilder();
    link(m, 0, seq);
    enqueue(m);
    if ((flags & Netlink.NLM_F_ACK) != 0) {
      error(s, at, 0, seq);
    }
  }

  private void link(MessageBuilder m, int flags, int seq) {
    int h = m.begin(Netlink.RTM_NEWLINK, flags, seq, port(), Netlink.SIZEOF_IFINFOMSG);
    m.bytes.set(Memory.SHORT, h + Netlink.IFINFOMSG_IFI_TYPE, (short) Netlink.ARPHRD_LOOPBACK);
    m.bytes.set(Memory.INT, h + Netlink.IFINFOMSG_IFI_INDEX, LO);
    m.bytes.set(
        Memory.INT,
        h + Netlink.IFINFOMSG_IFI_FLAGS,
        Netlink.IFF_UP | Netlink.IFF_LOOPBACK | Netlink.IFF_RUNNING | Netlink.IFF_LOWER_UP);
    m.attributeString(Netlink.IFLA_IFNAME, "lo");
    m.attributeInt(Netlink.IFLA_TXQLEN, 1000);
    m.attributeByte(Netlink.IFLA_OPERSTATE, Netlink.IF_OPER_UNKNOWN);
    m.attributeByte(Netlink.IFLA_LINKMODE, 0);
    m.attributeInt(Netlink.IFLA_MTU, MTU);
    m.attributeInt(Netlink.IFLA_GROUP, 0);
    m.attributeInt(Netlink.IFLA_PROMISCUITY, 0);
    m.attributeInt(Netlink.IFLA_NUM_TX_QUEUES, 1);
    m.attributeInt(Netlink.IFLA_NUM_RX_QUEUES, 1);
    m.attributeByte(Netlink.IFLA_CARRIER, 1);
    m.attributeString(Netlink.IFLA_QDISC, "noqueue");
    m.attribute(Netlink.IFLA_ADDRESS, 6);
    m.attribute(Netlink.IFLA_BROADCAST, 6);
    m.attribute(Netlink.IFLA_STATS64, 192);
    m.attribute(Netlink.IFLA_STATS, 96);
    m.end();
  }

  private void address4(MessageBuilder m, int seq) {
    int h = addressHeader(m, seq, AF_INET, 8);
    int loopback = Integer.reverseBytes(0x7f000001);
    m.attributeInt(Netlink.IFA_ADDRESS, loopback);
    m.attributeInt(Netlink.IFA_LOCAL, loopback);
    m.attributeString(Netlink.IFA_LABEL, "lo");
    finishAddress(m, h);
  }

  private void address6(MessageBuilder m, int seq) {
    int h = addressHeader(m, seq, AF_INET6, 128);
    m.bytes.set(Memory.BYTE, m.attribute(Netlink.IFA_ADDRESS, 16) + 15, (byte) 1);
    finishAddress(m, h);
  }

  private int addressHeader(MessageBuilder m, int seq, int family, int prefix) {
    int h =
        m.begin(Netlink.RTM_NEWADDR, Netlink.NLM_F_MULTI, seq, port(), Netlink.SIZEOF_IFADDRMSG);
    m.bytes.set(Memory.BYTE, h, (byte) family);
    m.bytes.set(Memory.BYTE, h + Netlink.IFADDRMSG_IFA_PREFIXLEN, (byte) prefix);
    m.bytes.set(Memory.BYTE, h + Netlink.IFADDRMSG_IFA_FLAGS, (byte) Netlink.IFA_F_PERMANENT);
    m.bytes.set(Memory.BYTE, h + Netlink.IFADDRMSG_IFA_SCOPE, (byte) Netlink.RT_SCOPE_HOST);
    m.bytes.set(Memory.INT, h + Netlink.IFADDRMSG_IFA_INDEX, LO);
    return h;
  }

  private static void finishAddress(MessageBuilder m, int header) {
    int flags = m.bytes.get(Memory.BYTE, header + Netlink.IFADDRMSG_IFA_FLAGS) & 0xff;
    m.attributeInt(Netlink.IFA_FLAGS, flags);
    int c = m.attribute(Netlink.IFA_CACHEINFO, 16);
    m.bytes.set(Memory.LONG, c, -1L); // valid and preferred for ever
    m.end();
  }

  private void routes4(MessageBuilder m, int seq) {
    route(m, seq, AF_INET, 8, 4, 0x7f, Netlink.RTN_LOCAL);
    route(m, seq, AF_INET, 32, 4, 0x0100007f, Netlink.RTN_LOCAL);
  }

  private void routes6(MessageBuilder m, int seq) {
    route(m, seq, AF_INET6, 128, 16, 0, Netlink.RTN_LOCAL);
  }

  private void route(
      MessageBuilder m, int seq, int family, int prefix, int bytes, int destination, int kind) {
    int h = m.begin(Netlink.RTM_NEWROUTE, Netlink.NLM_F_MULTI, seq, port(), Netlink.SIZEOF_RTMSG);
    m.bytes.set(Memory.BYTE, h + Netlink.RTMSG_RTM_FAMILY, (byte) family);
    m.bytes.set(Memory.BYTE, h + Netlink.RTMSG_RTM_DST_LEN, (byte) prefix);
    m.bytes.set(Memory.BYTE, h + Netlink.RTMSG_RTM_TABLE, (byte) Netlink.RT_TABLE_LOCAL);
    m.bytes.set(Memory.BYTE, h + Netlink.RTMSG_RTM_PROTOCOL, (byte) Netlink.RTPROT_KERNEL);
    m.bytes.set(
        Memory.BYTE,
        h + Netlink.RTMSG_RTM_SCOPE,
        (byte) (family == AF_INET ? Netlink.RT_SCOPE_HOST : Netlink.RT_SCOPE_UNIVERSE));
    m.bytes.set(Memory.BYTE, h + Netlink.RTMSG_RTM_TYPE, (byte) kind);
    m.attributeInt(Netlink.RTA_TABLE, Netlink.RT_TABLE_LOCAL);
    int d = m.attribute(Netlink.RTA_DST, bytes);
    if (family == AF_INET) {
      m.bytes.set(Memory.INT, d, destination);
      m.attributeInt(Netlink.RTA_PREFSRC, Integer.reverseBytes(0x7f000001));
    } else {
      m.bytes.set(Memory.BYTE, d + 15, (byte) 1);
    }
    m.attributeInt(Netlink.RTA_OIF, LO);
    m.end();
  }

  /** NLMSG_ERROR with the request's header; {@code errno} 0 acknowledges. */
  private void error(MemorySegment s, int at, int errno, int seq) {
    MessageBuilder m = new MessageBuilder();
    int h = m.begin(Netlink.NLMSG_ERROR, 0, seq, port(), Netlink.SIZEOF_NLMSGERR);
    m.bytes.set(Memory.INT, h, errno);
    MemorySegment.copy(s, at, m.bytes, h + 4, Netlink.SIZEOF_NLMSGHDR);
    m.end();
    enqueue(m);
  }

  private synchronized int port() {
    return port;
  }

  private void enqueue(MessageBuilder m) {
    synchronized (this) {
      if (received.bytes() + m.length() > receiveBuffer()) {
        setError(redoubt.abi.Errno.ENOBUFS);
        return;
      }
      Packet p = received.newPacket();
      if (!PacketQueue.fill(p, m.bytes, 0, m.length())) {
        received.recycle(p);
        setError(redoubt.abi.Errno.ENOBUFS);
        return;
      }
      received.add(p);
    }
    queue.notify(POLLIN | POLLRDNORM);
  }

  @Override
  public long receive(Task t, IoBuffer dst, SocketCall c) {
    if ((c.flags & MSG_OOB) != 0) {
      return -EOPNOTSUPP;
    }
    synchronized (this) {
      long e = takeError();
      if (e != 0) {
        return e;
      }
      Packet p = received.first();
      if (p == null) {
        return -EAGAIN;
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
      if (passesCredentials()) {
        c.hasCredentials = true; // the kernel's: pid, uid and gid 0
        c.pid = 0;
        c.uid = 0;
        c.gid = 0;
      }
      writeName(c, 0, 0);
      if ((c.flags & MSG_PEEK) == 0) {
        received.poll();
        received.recycle(p);
      }
      return r;
    }
  }

  @Override
  protected synchronized long unread() {
    Packet p = received.first();
    return p == null ? 0 : p.length();
  }

  @Override
  public int poll() {
    int mask = hasError() ? redoubt.abi.Poll.POLLERR : 0;
    synchronized (this) {
      if (!received.isEmpty()) {
        mask |= POLLIN | POLLRDNORM;
      }
    }
    return mask | POLLOUT | POLLWRNORM | POLLWRBAND;
  }

  @Override
  protected long setProtocolOption(Task t, int level, int name, MemorySegment s, int length) {
    if (level != SOL_NETLINK) {
      return -ENOPROTOOPT;
    }
    return switch (name) {
      case Netlink.NETLINK_ADD_MEMBERSHIP,
          Netlink.NETLINK_DROP_MEMBERSHIP,
          Netlink.NETLINK_PKTINFO,
          Netlink.NETLINK_BROADCAST_ERROR,
          Netlink.NETLINK_NO_ENOBUFS,
          Netlink.NETLINK_CAP_ACK,
          Netlink.NETLINK_EXT_ACK ->
          0;
      case Netlink.NETLINK_GET_STRICT_CHK ->
          -ENOPROTOOPT; // as Linux before 4.20: dumps are never filtered here
      default -> -ENOPROTOOPT;
    };
  }

  @Override
  protected long protocolOption(Task t, int level, int name, MemorySegment s, int limit) {
    return -ENOPROTOOPT;
  }
}
