package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.EAFNOSUPPORT;
import static redoubt.abi.Errno.EAGAIN;
import static redoubt.abi.Errno.EALREADY;
import static redoubt.abi.Errno.EBADF;
import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.EINPROGRESS;
import static redoubt.abi.Errno.EINTR;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EMSGSIZE;
import static redoubt.abi.Errno.ENOTSOCK;
import static redoubt.abi.Errno.EOPNOTSUPP;
import static redoubt.abi.Errno.EPIPE;
import static redoubt.abi.Errno.ERESTARTSYS;
import static redoubt.abi.Errno.ETIMEDOUT;
import static redoubt.abi.Poll.POLLIN;
import static redoubt.abi.Poll.POLLOUT;
import static redoubt.abi.Poll.POLLRDHUP;
import static redoubt.abi.Socket.AF_MAX;
import static redoubt.abi.Socket.AF_UNIX;
import static redoubt.abi.Socket.MSGHDR_MSG_CONTROL;
import static redoubt.abi.Socket.MSGHDR_MSG_CONTROLLEN;
import static redoubt.abi.Socket.MSGHDR_MSG_IOV;
import static redoubt.abi.Socket.MSGHDR_MSG_IOVLEN;
import static redoubt.abi.Socket.MSGHDR_MSG_NAME;
import static redoubt.abi.Socket.MSGHDR_MSG_NAMELEN;
import static redoubt.abi.Socket.MSG_CMSG_CLOEXEC;
import static redoubt.abi.Socket.MSG_DONTWAIT;
import static redoubt.abi.Socket.MSG_ERRQUEUE;
import static redoubt.abi.Socket.MSG_NOSIGNAL;
import static redoubt.abi.Socket.MSG_PEEK;
import static redoubt.abi.Socket.MSG_WAITALL;
import static redoubt.abi.Socket.MSG_WAITFORONE;
import static redoubt.abi.Socket.SHUT_RDWR;
import static redoubt.abi.Socket.SIZEOF_MMSGHDR;
import static redoubt.abi.Socket.SIZEOF_MSGHDR;
import static redoubt.abi.Socket.SOCK_CLOEXEC;
import static redoubt.abi.Socket.SOCK_NONBLOCK;
import static redoubt.abi.Socket.SOCK_PACKET;
import static redoubt.abi.Socket.SOCK_TYPE_MASK;

import java.lang.foreign.MemorySegment;
import redoubt.host.Memory;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.IoBuffer;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.UserIo;
import redoubt.sentry.kernel.WaitQueue;
import redoubt.sentry.kernel.Waiter;
import redoubt.sentry.socket.Socket;
import redoubt.sentry.socket.SocketAddress;
import redoubt.sentry.socket.SocketCall;
import redoubt.sentry.socket.SocketFamily;
import redoubt.sentry.socket.Sockets;
import redoubt.sentry.vfs.FileDescription;

/** Making, naming and using sockets: net/socket.c. */
public final class SocketCalls {
  private static final int MAX_MESSAGES = 1024;

  private SocketCalls() {}

  // ---- making ----

  /**
   * Makes a socket: <a href="https://man7.org/linux/man-pages/man2/socket.2.html">socket(2)</a>.
   */
  public static long socket(Task t, Args a) {
    int flags = a.int1() & ~SOCK_TYPE_MASK;
    if ((flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK)) != 0) {
      return -EINVAL;
    }
    int type = a.int1() & SOCK_TYPE_MASK;
    long r = checkKind(a.int0(), type);
    if (r < 0) {
      return r;
    }
    SocketFamily family = Sockets.of(t).family(a.int0());
    if (family == null) {
      return -EAFNOSUPPORT;
    }
    Socket s = family.create(t, type, a.int2(), flags & SOCK_NONBLOCK);
    return t.installFd(s, (flags & SOCK_CLOEXEC) != 0);
  }

  private static long checkKind(int family, int type) {
    if (family < 0 || family >= AF_MAX) {
      return -EAFNOSUPPORT;
    }
    return type > SOCK_PACKET ? -EINVAL : 0;
  }

  /**
   * Makes two connected ones: <a
   * href="https://man7.org/linux/man-pages/man2/socketpair.2.html">socketpair(2)</a>.
   */
  public static long socketpair(Task t, Args a) {
    int flags = a.int1() & ~SOCK_TYPE_MASK;
    if ((flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK)) != 0) {
      return -EINVAL;
    }
    int type = a.int1() & SOCK_TYPE_MASK;
    long r = checkKind(a.int0(), type);
    if (r < 0) {
      return r;
    }
    SocketFamily family = Sockets.of(t).family(a.int0());
    if (family == null) {
      return -EAFNOSUPPORT;
    }
    Socket[] pair = family.createPair(t, type, a.int2(), flags & SOCK_NONBLOCK);
    if (pair == null) {
      // net/socket.c makes the sockets before it asks for a pair: a wrong protocol comes first
      family.create(t, type, a.int2(), 0).decRef();
      return -EOPNOTSUPP;
    }
    return Pipes.installPair(t, a.long3(), pair[0], pair[1], (flags & SOCK_CLOEXEC) != 0);
  }

  // ---- naming and connecting ----

  /** Gives it a name: <a href="https://man7.org/linux/man-pages/man2/bind.2.html">bind(2)</a>. */
  public static long bind(Task t, Args a) {
    Socket s = find(t, a.int0());
    if (s == null) {
      return notSocket(t, a.int0());
    }
    try {
      SocketCall c = SocketCall.of(t).reset(0);
      long r = copyInName(t, a.long1(), a.int2(), c.name);
      return r < 0 ? r : s.bind(t, c);
    } finally {
      s.decRef();
    }
  }

  /** Connects it: <a href="https://man7.org/linux/man-pages/man2/connect.2.html">connect(2)</a>. */
  public static long connect(Task t, Args a) {
    Socket s = find(t, a.int0());
    if (s == null) {
      return notSocket(t, a.int0());
    }
    try {
      SocketCall c = SocketCall.of(t).reset(0);
      long r = copyInName(t, a.long1(), a.int2(), c.name);
      if (r < 0) {
        return r;
      }
      r = s.connect(t, c, true);
      boolean waits = r == -EAGAIN || r == -EINPROGRESS || r == -EALREADY;
      return waits && !s.isNonblocking() ? awaitConnection(t, s, c, r) : r;
    } finally {
      s.decRef();
    }
  }

  private static long awaitConnection(Task t, Socket s, SocketCall c, long first) {
    long deadline = Blocking.deadline(s.writeTimeoutNs());
    boolean underWay = first != -EAGAIN;
    Waiter.Entry e = t.waitEntry();
    WaitQueue q = s.waitQueue();
    q.add(e, POLLOUT);
    try {
      for (; ; ) {
        long r = underWay ? s.connectResult() : s.connect(t, c, false);
        if (r == -EINPROGRESS) {
          underWay = true;
          continue;
        }
        if (r != -EAGAIN) {
          return r;
        }
        long w = t.block(deadline, s.isFedByLink());
        if (w == -ETIMEDOUT) {
          return underWay ? -EINPROGRESS : -EAGAIN;
        }
        if (w < 0) {
          return interrupted(w, s.writeTimeoutNs());
        }
      }
    } finally {
      q.remove(e);
    }
  }

  /**
   * Makes it take connections: <a
   * href="https://man7.org/linux/man-pages/man2/listen.2.html">listen(2)</a>.
   */
  public static long listen(Task t, Args a) {
    Socket s = find(t, a.int0());
    if (s == null) {
      return notSocket(t, a.int0());
    }
    try {
      return s.listen(t, a.int1());
    } finally {
      s.decRef();
    }
  }

  /** accept4 without flags. */
  public static long accept(Task t, Args a) {
    return accept(t, a.int0(), a.long1(), a.long2(), 0);
  }

  /**
   * Takes a connection: <a
   * href="https://man7.org/linux/man-pages/man2/accept.2.html">accept4(2)</a>.
   */
  public static long accept4(Task t, Args a) {
    return accept(t, a.int0(), a.long1(), a.long2(), a.int3());
  }

  private static long accept(Task t, int fd, long uname, long ulength, int flags) {
    if ((flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK)) != 0) {
      return -EINVAL;
    }
    Socket s = find(t, fd);
    if (s == null) {
      return notSocket(t, fd);
    }
    try {
      SocketCall c = SocketCall.of(t).reset(0);
      long r = acceptOne(t, s, c, flags & SOCK_NONBLOCK);
      if (r < 0) {
        return r;
      }
      Socket made = c.accepted;
      c.accepted = null;
      if (made == null) {
        return -EINVAL;
      }
      if (uname != 0) {
        r = copyOutName(t, c.name, uname, ulength);
        if (r < 0) {
          made.decRef();
          return r;
        }
      }
      return t.installFd(made, (flags & SOCK_CLOEXEC) != 0);
    } finally {
      s.decRef();
    }
  }

  private static long acceptOne(Task t, Socket s, SocketCall c, int flags) {
    long r = s.accept(t, c, flags);
    if (r != -EAGAIN || s.isNonblocking()) {
      return r;
    }
    long timeoutNs = s.readTimeoutNs();
    long deadline = Blocking.deadline(timeoutNs);
    Waiter.Entry e = t.waitEntry();
    WaitQueue q = s.waitQueue();
    q.add(e, POLLIN);
    try {
      for (; ; ) {
        r = s.accept(t, c, flags);
        if (r != -EAGAIN) {
          return r;
        }
        long w = t.block(deadline, s.isFedByLink());
        if (w < 0) {
          return interrupted(w, timeoutNs);
        }
      }
    } finally {
      q.remove(e);
    }
  }

  /**
   * Its own name: <a
   * href="https://man7.org/linux/man-pages/man2/getsockname.2.html">getsockname(2)</a>.
   */
  public static long getsockname(Task t, Args a) {
    return name(t, a, false);
  }

  /**
   * Its peer's name: <a
   * href="https://man7.org/linux/man-pages/man2/getpeername.2.html">getpeername(2)</a>.
   */
  public static long getpeername(Task t, Args a) {
    return name(t, a, true);
  }

  private static long name(Task t, Args a, boolean peer) {
    Socket s = find(t, a.int0());
    if (s == null) {
      return notSocket(t, a.int0());
    }
    try {
      SocketCall c = SocketCall.of(t).reset(0);
      long r = peer ? s.peerName(c) : s.localName(c);
      return r < 0 ? r : copyOutName(t, c.name, a.long1(), a.long2());
    } finally {
      s.decRef();
    }
  }

  /**
   * Ends one or both directions: <a
   * href="https://man7.org/linux/man-pages/man2/shutdown.2.html">shutdown(2)</a>.
   */
  public static long shutdown(Task t, Args a) {
    Socket s = find(t, a.int0());
    if (s == null) {
      return notSocket(t, a.int0());
    }
    try {
      int how = a.int1();
      return how < 0 || how > SHUT_RDWR ? -EINVAL : s.shutdown(how);
    } finally {
      s.decRef();
    }
  }

  // ---- options ----

  /**
   * Sets an option: <a
   * href="https://man7.org/linux/man-pages/man2/getsockopt.2.html">setsockopt(2)</a>.
   */
  public static long setsockopt(Task t, Args a) {
    int length = a.int4();
    if (length < 0) {
      return -EINVAL;
    }
    Socket s = find(t, a.int0());
    if (s == null) {
      return notSocket(t, a.int0());
    }
    try {
      int n = Math.min(length, Task.PATH_MAX);
      if (t.copyInScratch(a.long3(), n) < 0) {
        return -EFAULT;
      }
      return s.setOption(t, a.int1(), a.int2(), t.scratch(), n);
    } finally {
      s.decRef();
    }
  }

  /**
   * Reads an option: <a
   * href="https://man7.org/linux/man-pages/man2/getsockopt.2.html">getsockopt(2)</a>.
   */
  public static long getsockopt(Task t, Args a) {
    Socket s = find(t, a.int0());
    if (s == null) {
      return notSocket(t, a.int0());
    }
    try {
      long asked = t.copyInInt(a.long4());
      if (asked < 0) {
        return asked;
      }
      if ((int) asked < 0) {
        return -EINVAL;
      }
      int limit = (int) Math.min(asked, Task.PATH_MAX);
      if (s.readsOption(a.int1(), a.int2()) && t.copyInScratch(a.long3(), limit) < 0) {
        return -EFAULT;
      }
      long n = s.option(t, a.int1(), a.int2(), t.scratch(), limit);
      if (n < 0) {
        return n;
      }
      if (t.copyOut(a.long3(), t.scratch(), 0, n) < 0) {
        return -EFAULT;
      }
      return t.copyOutInt(a.long4(), (int) n);
    } finally {
      s.decRef();
    }
  }

  // ---- sending ----

  /** Sends: <a href="https://man7.org/linux/man-pages/man2/send.2.html">sendto(2)</a>. */
  public static long sendto(Task t, Args a) {
    if (!UserIo.accessOk(a.long1(), limited(a.long2()))) {
      return -EFAULT;
    }
    Socket s = find(t, a.int0());
    if (s == null) {
      return notSocket(t, a.int0());
    }
    try {
      SocketCall c = SocketCall.of(t).reset(a.int3());
      if (a.long4() != 0) {
        long r = copyInName(t, a.long4(), a.int5(), c.name);
        if (r < 0) {
          return r;
        }
      }
      return send(t, s, t.userBuffer(a.long1(), limited(a.long2())), c);
    } finally {
      s.decRef();
    }
  }

  /**
   * Sends a message: <a href="https://man7.org/linux/man-pages/man2/send.2.html">sendmsg(2)</a>.
   */
  public static long sendmsg(Task t, Args a) {
    Socket s = find(t, a.int0());
    if (s == null) {
      return notSocket(t, a.int0());
    }
    try {
      return sendMessage(t, s, a.long1(), a.int2());
    } finally {
      s.decRef();
    }
  }

  /**
   * Sends several: <a href="https://man7.org/linux/man-pages/man2/sendmmsg.2.html">sendmmsg(2)</a>.
   */
  public static long sendmmsg(Task t, Args a) {
    Socket s = find(t, a.int0());
    if (s == null) {
      return notSocket(t, a.int0());
    }
    int count = (int) Math.min(a.int2() & 0xffffffffL, MAX_MESSAGES);
    int done = 0;
    long r = 0;
    try {
      while (done < count) {
        long at = a.long1() + (long) done * SIZEOF_MMSGHDR;
        r = sendMessage(t, s, at, a.int3());
        if (r < 0) {
          break;
        }
        r = t.copyOutInt(at + SIZEOF_MSGHDR, (int) r);
        if (r < 0) {
          break;
        }
        done++;
      }
    } finally {
      s.decRef();
    }
    return done > 0 ? done : r;
  }

  private static long sendMessage(Task t, Socket s, long umsg, int flags) {
    MemorySegment m = t.scratch();
    if (t.copyInScratch(umsg, SIZEOF_MSGHDR) < 0) {
      return -EFAULT;
    }
    long uname = m.get(Memory.LONG, MSGHDR_MSG_NAME);
    int nameLength = m.get(Memory.INT, MSGHDR_MSG_NAMELEN);
    long uiov = m.get(Memory.LONG, MSGHDR_MSG_IOV);
    long iovLength = m.get(Memory.LONG, MSGHDR_MSG_IOVLEN);
    long ucontrol = m.get(Memory.LONG, MSGHDR_MSG_CONTROL);
    long controlLength = m.get(Memory.LONG, MSGHDR_MSG_CONTROLLEN);
    SocketCall c = SocketCall.of(t).reset(flags);
    if (nameLength < 0) {
      return -EINVAL;
    }
    if (uname != 0 && nameLength > 0) {
      long r = copyInName(t, uname, Math.min(nameLength, SocketAddress.LIMIT), c.name);
      if (r < 0) {
        return r;
      }
    }
    if (Long.compareUnsigned(iovLength, UserIo.MAX_IOVECS) > 0) {
      return -EMSGSIZE;
    }
    long r = t.userVectors(uiov, (int) iovLength);
    if (r < 0) {
      return r;
    }
    if (ucontrol != 0 && controlLength != 0) {
      r = ControlMessages.parse(t, s, ucontrol, controlLength, c);
      if (r < 0) {
        return r;
      }
    }
    try {
      return send(t, s, t.userIo(), c);
    } finally {
      c.dropRights();
    }
  }

  /** Sends all of {@code src} on a stream, one message otherwise, waiting if it may. */
  private static long send(Task t, Socket s, IoBuffer src, SocketCall c) {
    long r = s.send(t, src, c);
    boolean waits = !s.isNonblocking() && (c.flags & MSG_DONTWAIT) == 0;
    boolean more = r == -EAGAIN || (r > 0 && s.isStream() && src.remaining() > 0);
    if (more && waits) {
      r = awaitSend(t, s, src, c, Math.max(r, 0));
    }
    if (r == -EPIPE && (c.flags & MSG_NOSIGNAL) == 0 && raisesSigpipe(s)) {
      Blocking.sigpipe(t);
    }
    return r;
  }

  private static boolean raisesSigpipe(Socket s) {
    return s.type() != redoubt.abi.Socket.SOCK_DGRAM;
  }

  private static long awaitSend(Task t, Socket s, IoBuffer src, SocketCall c, long before) {
    long timeoutNs = s.writeTimeoutNs();
    long deadline = Blocking.deadline(timeoutNs);
    long done = before;
    Waiter.Entry e = t.waitEntry();
    WaitQueue q = s.waitQueue();
    q.add(e, POLLOUT);
    try {
      for (; ; ) {
        long r = s.send(t, src, c);
        if (r >= 0) {
          done += r;
          if (r == 0 || src.remaining() == 0 || !s.isStream()) {
            return done;
          }
        } else if (r != -EAGAIN) {
          return done > 0 ? done : r;
        }
        long w =
            r > 0 ? (t.isInterrupted() ? -ERESTARTSYS : 0) : t.block(deadline, s.isFedByLink());
        if (w < 0) {
          return done > 0 ? done : interrupted(w, timeoutNs);
        }
      }
    } finally {
      q.remove(e);
    }
  }

  // ---- receiving ----

  /** Receives: <a href="https://man7.org/linux/man-pages/man2/recv.2.html">recvfrom(2)</a>. */
  public static long recvfrom(Task t, Args a) {
    if (!UserIo.accessOk(a.long1(), limited(a.long2()))) {
      return -EFAULT;
    }
    Socket s = find(t, a.int0());
    if (s == null) {
      return notSocket(t, a.int0());
    }
    try {
      SocketCall c = SocketCall.of(t).reset(a.int3());
      long r = receive(t, s, t.userBuffer(a.long1(), limited(a.long2())), c);
      c.dropRights();
      if (r >= 0 && a.long4() != 0) {
        long w = copyOutName(t, c.name, a.long4(), a.long5());
        return w < 0 ? w : r;
      }
      return r;
    } finally {
      s.decRef();
    }
  }

  /**
   * Receives a message: <a href="https://man7.org/linux/man-pages/man2/recv.2.html">recvmsg(2)</a>.
   */
  public static long recvmsg(Task t, Args a) {
    Socket s = find(t, a.int0());
    if (s == null) {
      return notSocket(t, a.int0());
    }
    try {
      return receiveMessage(t, s, a.long1(), a.int2(), false);
    } finally {
      s.decRef();
    }
  }

  /**
   * Receives several: <a
   * href="https://man7.org/linux/man-pages/man2/recvmmsg.2.html">recvmmsg(2)</a>.
   */
  public static long recvmmsg(Task t, Args a) {
    long utimeout = a.long4();
    long deadline = Waiter.FOREVER;
    if (utimeout != 0) {
      deadline = Poll.deadlineIn(t, utimeout, false);
      if (deadline < 0) {
        return deadline;
      }
    }
    Socket s = find(t, a.int0());
    if (s == null) {
      return notSocket(t, a.int0());
    }
    int count = (int) Math.min(a.int2() & 0xffffffffL, MAX_MESSAGES);
    int flags = a.int3() & ~MSG_WAITFORONE;
    int done = 0;
    long r = 0;
    try {
      while (done < count) {
        long at = a.long1() + (long) done * SIZEOF_MMSGHDR;
        r = receiveMessage(t, s, at, flags, true);
        if (r < 0) {
          break;
        }
        r = t.copyOutInt(at + SIZEOF_MSGHDR, (int) r);
        if (r < 0) {
          break;
        }
        done++;
        if ((a.int3() & MSG_WAITFORONE) != 0) {
          flags |= MSG_DONTWAIT;
        }
        // The timeout is looked at after each message only: man 2 recvmmsg, BUGS.
        if (deadline != Waiter.FOREVER && System.nanoTime() >= deadline) {
          break;
        }
      }
    } finally {
      s.decRef();
    }
    return done > 0 ? done : r;
  }

  private static long receiveMessage(Task t, Socket s, long umsg, int flags, boolean oneOfMany) {
    MemorySegment m = t.scratch();
    if (t.copyInScratch(umsg, SIZEOF_MSGHDR) < 0) {
      return -EFAULT;
    }
    long uname = m.get(Memory.LONG, MSGHDR_MSG_NAME);
    int nameLength = m.get(Memory.INT, MSGHDR_MSG_NAMELEN);
    long uiov = m.get(Memory.LONG, MSGHDR_MSG_IOV);
    long iovLength = m.get(Memory.LONG, MSGHDR_MSG_IOVLEN);
    long ucontrol = m.get(Memory.LONG, MSGHDR_MSG_CONTROL);
    long controlLength = m.get(Memory.LONG, MSGHDR_MSG_CONTROLLEN);
    if (nameLength < 0) {
      return -EINVAL;
    }
    if (Long.compareUnsigned(iovLength, UserIo.MAX_IOVECS) > 0) {
      return -EMSGSIZE;
    }
    long r = t.userVectors(uiov, (int) iovLength);
    if (r < 0) {
      return r;
    }
    SocketCall c = SocketCall.of(t).reset(flags);
    UserIo dst = t.userIo();
    if (oneOfMany) {
      dst.expectMore();
    }
    r = receive(t, s, dst, c);
    if (r < 0) {
      c.dropRights();
      return r;
    }
    long used = ControlMessages.deliver(t, s, ucontrol, controlLength, c);
    if (used < 0) {
      return used;
    }
    if (uname != 0) {
      int n = Math.min(nameLength, c.name.length);
      if (t.copyOut(uname, c.name.bytes, 0, n) < 0) {
        return -EFAULT;
      }
      if (t.copyOutInt(umsg + MSGHDR_MSG_NAMELEN, c.name.length) < 0) {
        return -EFAULT;
      }
    }
    m.set(Memory.LONG, 0, used);
    m.set(Memory.INT, 8, c.outFlags | (flags & MSG_CMSG_CLOEXEC));
    // msg_controllen and msg_flags lie side by side.
    return t.copyOut(umsg + MSGHDR_MSG_CONTROLLEN, m, 0, 12) < 0 ? -EFAULT : r;
  }

  private static long receive(Task t, Socket s, IoBuffer dst, SocketCall c) {
    boolean all = s.isStream() && (c.flags & (MSG_WAITALL | MSG_PEEK)) == MSG_WAITALL;
    if (all) {
      dst.expectMore();
    }
    long r = s.receive(t, dst, c);
    // Nobody waits for the error queue; AF_UNIX does not know the flag.
    int now = s.family() == AF_UNIX ? MSG_DONTWAIT : MSG_DONTWAIT | MSG_ERRQUEUE;
    boolean waits = !s.isNonblocking() && (c.flags & now) == 0;
    boolean more = r == -EAGAIN || (all && r > 0 && dst.remaining() > 0 && c.rights.length == 0);
    return more && waits ? awaitReceive(t, s, dst, c, Math.max(r, 0), all) : r;
  }

  private static long awaitReceive(
      Task t, Socket s, IoBuffer dst, SocketCall c, long before, boolean all) {
    long timeoutNs = s.readTimeoutNs();
    long deadline = Blocking.deadline(timeoutNs);
    long done = before;
    Waiter.Entry e = t.waitEntry();
    WaitQueue q = s.waitQueue();
    q.add(e, POLLIN | POLLRDHUP);
    try {
      for (; ; ) {
        long r = s.receive(t, dst, c);
        if (r >= 0) {
          done += r;
          if (!all || r == 0 || dst.remaining() == 0 || c.rights.length > 0) {
            return done;
          }
          continue;
        }
        if (r != -EAGAIN) {
          return done > 0 ? done : r;
        }
        long w = t.block(deadline, s.isFedByLink());
        if (w < 0) {
          return done > 0 ? done : interrupted(w, timeoutNs);
        }
      }
    } finally {
      q.remove(e);
    }
  }

  // ---- common ----

  private static long interrupted(long w, long timeoutNs) {
    if (w == -ETIMEDOUT) {
      return -EAGAIN;
    }
    return w == -ERESTARTSYS && timeoutNs != Long.MAX_VALUE ? -EINTR : w;
  }

  private static long limited(long length) {
    return Long.compareUnsigned(length, UserIo.MAX_RW_COUNT) > 0 ? UserIo.MAX_RW_COUNT : length;
  }

  /** {@return the socket at {@code fd} with a reference, or null}; {@link #notSocket} says why. */
  private static @org.jspecify.annotations.Nullable Socket find(Task t, int fd) {
    FileDescription f = t.file(fd);
    if (f instanceof Socket s) {
      return s;
    }
    if (f != null) {
      f.decRef();
    }
    return null;
  }

  private static long notSocket(Task t, int fd) {
    FileDescription f = fd == Task.FIXED_FD ? t.fixedFile : t.fds().peek(fd);
    return f == null || f.checkNotPath() < 0 ? -EBADF : -ENOTSOCK;
  }

  private static long copyInName(Task t, long uaddr, int length, SocketAddress name) {
    if (length < 0 || length > SocketAddress.LIMIT) {
      return -EINVAL;
    }
    if (t.copyIn(uaddr, name.bytes, 0, length) < 0) {
      return -EFAULT;
    }
    name.bytes.set(Memory.BYTE, length, (byte) 0);
    name.length = length;
    return 0;
  }

  private static long copyOutName(Task t, SocketAddress name, long uaddr, long ulength) {
    long room = t.copyInInt(ulength);
    if (room < 0) {
      return room;
    }
    if ((int) room < 0) {
      return -EINVAL;
    }
    if (t.copyOut(uaddr, name.bytes, 0, Math.min(room, name.length)) < 0) {
      return -EFAULT;
    }
    return t.copyOutInt(ulength, name.length);
  }
}
