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
import static redoubt.abi.Socket.AF_NETLINK;
import static redoubt.abi.Socket.AF_UNSPEC;
import static redoubt.abi.Socket.MSG_OOB;
import static redoubt.abi.Socket.MSG_PEEK;
import static redoubt.abi.Socket.MSG_TRUNC;
import static redoubt.abi.Socket.SOL_NETLINK;

import java.lang.foreign.MemorySegment;
import redoubt.abi.Caps;
import redoubt.abi.Netlink;
import redoubt.host.Memory;
import redoubt.net.stack.NetworkStack;
import redoubt.sentry.ipc.mqueue.NoticeSocket;
import redoubt.sentry.kernel.IoBuffer;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.socket.NetDevice;
import redoubt.sentry.socket.Packet;
import redoubt.sentry.socket.PacketQueue;
import redoubt.sentry.socket.Socket;
import redoubt.sentry.socket.SocketCall;
import redoubt.sentry.socket.Sockets;

/** A netlink socket that talks to the kernel only: {@link RouteMessages} has what it says. */
final class NetlinkSocket extends Socket implements NoticeSocket {
  private static final int MAX_REQUEST = 4096;

  /** Linux rounds RTNLGRP_MAX up to bits of longs. */
  private static final int MAX_GROUP = 64;

  private final NetlinkFamily netlink;
  private final PacketQueue received = new PacketQueue(); // guarded by this
  private int port; // guarded by this
  private long groups; // guarded by this; bit 0 is group 1

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
      setGroups(c.name.bytes.get(Memory.INT, 8) & 0xffff_ffffL);
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

  /** Precondition: this is locked. */
  private void setGroups(long groups) {
    this.groups = groups;
    netlink.listen(this, groups != 0 && protocol() == Netlink.NETLINK_ROUTE);
  }

  /** A notification. What there is no room for is lost: ENOBUFS tells. */
  void hear(int group, MessageBuilder m) {
    synchronized (this) {
      if ((groups >>> (group - 1) & 1) == 0) {
        return;
      }
    }
    enqueue(m);
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
      g = (int) groups;
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
      setGroups(0);
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
      answer(t, s, at, length);
      at += (length + 3) & ~3;
    }
    return total;
  }

  private void answer(Task t, MemorySegment s, int at, int length) {
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
    if (protocol() == Netlink.NETLINK_SOCK_DIAG) {
      diagnose(t, s, at, length, type, dump, seq);
    } else if (protocol() != Netlink.NETLINK_ROUTE) {
      error(s, at, -EOPNOTSUPP, seq);
    } else if (dump) {
      dump(t, s, at, type, family, seq);
    } else if (type == Netlink.RTM_GETLINK) {
      getLink(t, s, at, length, seq, flags);
    } else if (type == Netlink.RTM_GETROUTE) {
      getRoute(t, s, at, length, seq);
    } else if (type == Netlink.RTM_GETNSID) {
      noNamespaceId(seq);
    } else if (isAboutLoopbackAsItIs(s, at, type, length)) {
      if ((flags & Netlink.NLM_F_ACK) != 0) {
        error(s, at, 0, seq);
      }
    } else if ((type & 3) == 2) {
      error(s, at, -EOPNOTSUPP, seq);
    } else {
      change(t, s, at, length, type, flags, seq);
    }
  }

  private void change(Task t, MemorySegment s, int at, int length, int type, int flags, int seq) {
    NetworkStack stack = NetDevice.stack(t);
    long r;
    if (!t.hasCapability(t.namespaces().net.owner(), Caps.CAP_NET_ADMIN)) {
      r = -EPERM;
    } else if (stack == null) {
      r = -EOPNOTSUPP; // nothing but the loopback, as it is
    } else {
      RouteChanges changes = new RouteChanges(stack, s, at, length, flags);
      r = changes.apply(type);
      if (r == 0) {
        changes.announce(t, netlink, seq, port(), (type & 3) == 1);
      }
    }
    if (r != 0 || (flags & Netlink.NLM_F_ACK) != 0) {
      error(s, at, (int) r, seq);
    }
  }

  /**
   * {@return whether this asks for what is so already}: the loopback up, with 127.0.0.1 or ::1, as
   * who made a network namespace does first
   */
  private static boolean isAboutLoopbackAsItIs(MemorySegment s, int at, int type, int length) {
    if (type == Netlink.RTM_NEWLINK && length == 32) {
      return s.get(Memory.INT, at + 20) == 1 && (s.get(Memory.INT, at + 24) & 1) != 0;
    }
    if (type != Netlink.RTM_NEWADDR || length < 24 || s.get(Memory.INT, at + 20) != 1) {
      return false;
    }
    boolean any = false;
    for (int a = at + 24; a + 8 <= at + length; ) {
      int size = s.get(Memory.SHORT, a) & 0xffff;
      if (size < 4 || a + size > at + length) {
        return false;
      }
      int what = s.get(Memory.SHORT, a + 2) & 0xffff;
      if (what == Netlink.IFA_LOCAL || what == Netlink.IFA_ADDRESS) {
        any = size == 8 && s.get(Memory.INT, a + 4) == 0x0100007f;
        if (!any) {
          return false;
        }
      }
      a += (size + 3) & ~3;
    }
    return any;
  }

  private void dump(Task t, MemorySegment s, int at, int type, int family, int seq) {
    RouteMessages m = new RouteMessages(t, seq, port());
    switch (type) {
      case Netlink.RTM_GETLINK -> m.links();
      case Netlink.RTM_GETADDR -> m.addresses(family);
      case Netlink.RTM_GETROUTE -> m.routes(family);
      case Netlink.RTM_GETNEIGH -> m.neighbors(family);
      case Netlink.RTM_GETRULE -> m.rules(family);
      case Netlink.RTM_GETQDISC, Netlink.RTM_GETNSID -> {}
      default -> {
        error(s, at, -EOPNOTSUPP, seq);
        return;
      }
    }
    enqueueAll(m);
    done(seq);
  }

  private void enqueueAll(Datagrams answer) {
    for (MessageBuilder full : answer.finished()) {
      enqueue(full);
    }
  }

  private void done(int seq) {
    MessageBuilder done = new MessageBuilder();
    done.begin(Netlink.NLMSG_DONE, Netlink.NLM_F_MULTI, seq, port(), 4);
    done.end();
    enqueue(done);
  }

  private void diagnose(
      Task t, MemorySegment s, int at, int length, int type, boolean dump, int seq) {
    DiagMessages m = new DiagMessages(Sockets.of(t), seq, port(), dump);
    long r = m.answer(type, s, at + Netlink.SIZEOF_NLMSGHDR, length - Netlink.SIZEOF_NLMSGHDR);
    if (r != 0) {
      error(s, at, (int) r, seq);
      return;
    }
    enqueueAll(m);
    if (dump) {
      done(seq);
    }
  }

  private void getRoute(Task t, MemorySegment s, int at, int length, int seq) {
    int family = length >= 28 ? s.get(Memory.BYTE, at + 16) & 0xff : 0;
    int destination = 0;
    boolean found = false;
    for (int a = at + 28; a + 8 <= at + length; ) {
      int size = s.get(Memory.SHORT, a) & 0xffff;
      if (size < 4 || a + size > at + length) {
        break;
      }
      if ((s.get(Memory.SHORT, a + 2) & 0x3fff) == Netlink.RTA_DST && size == 8) {
        destination = Integer.reverseBytes(s.get(Memory.INT, a + 4));
        found = true;
      }
      a += (size + 3) & ~3;
    }
    if (family != AF_INET || !found) {
      error(s, at, -EOPNOTSUPP, seq);
      return;
    }
    RouteMessages m = new RouteMessages(t, seq, port());
    if (!m.wayTo(destination)) {
      error(s, at, -redoubt.abi.Errno.ENETUNREACH, seq);
      return;
    }
    enqueueAll(m);
  }

  /** No other namespace has an id here: none has an interface with an end in this one. */
  private void noNamespaceId(int seq) {
    MessageBuilder m = new MessageBuilder();
    m.begin(Netlink.RTM_NEWNSID, 0, seq, port(), Netlink.SIZEOF_RTGENMSG);
    m.attributeInt(Netlink.NETNSA_NSID, -1);
    m.end();
    enqueue(m);
  }

  private void getLink(Task t, MemorySegment s, int at, int length, int seq, int flags) {
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
    NetDevice device = index != 0 ? NetDevice.numbered(t, index) : NetDevice.named(t, name);
    if (device == null) {
      error(s, at, index == 0 && name.isEmpty() ? -EINVAL : -ENODEV, seq);
      return;
    }
    RouteMessages m = new RouteMessages(t, seq, port());
    m.link(device, 0);
    enqueueAll(m);
    if ((flags & Netlink.NLM_F_ACK) != 0) {
      error(s, at, 0, seq);
    }
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

  @Override
  public void deliver(byte[] message) {
    enqueue(MemorySegment.ofArray(message), message.length);
  }

  private void enqueue(MessageBuilder m) {
    enqueue(m.bytes, m.length());
  }

  private void enqueue(MemorySegment message, int length) {
    synchronized (this) {
      if (received.bytes() + length > receiveBuffer()) {
        setError(redoubt.abi.Errno.ENOBUFS);
        return;
      }
      Packet p = received.newPacket();
      if (!PacketQueue.fill(p, message, 0, length)) {
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
        c.pid = null;
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
      case Netlink.NETLINK_ADD_MEMBERSHIP -> join(s, length, true);
      case Netlink.NETLINK_DROP_MEMBERSHIP -> join(s, length, false);
      case Netlink.NETLINK_PKTINFO,
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

  private long join(MemorySegment s, int length, boolean joins) {
    int group = length < 4 ? 0 : s.get(Memory.INT, 0);
    if (group < 1 || group > MAX_GROUP) {
      return -EINVAL;
    }
    synchronized (this) {
      long bit = 1L << (group - 1);
      setGroups(joins ? groups | bit : groups & ~bit);
    }
    return 0;
  }

  @Override
  protected long protocolOption(Task t, int level, int name, MemorySegment s, int limit) {
    return -ENOPROTOOPT;
  }
}
