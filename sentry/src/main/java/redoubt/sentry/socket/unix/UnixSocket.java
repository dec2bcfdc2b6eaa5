package redoubt.sentry.socket.unix;

import static redoubt.abi.Errno.EADDRINUSE;
import static redoubt.abi.Errno.EAGAIN;
import static redoubt.abi.Errno.ECONNREFUSED;
import static redoubt.abi.Errno.ECONNRESET;
import static redoubt.abi.Errno.EEXIST;
import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EISCONN;
import static redoubt.abi.Errno.EMSGSIZE;
import static redoubt.abi.Errno.ENOBUFS;
import static redoubt.abi.Errno.ENOTCONN;
import static redoubt.abi.Errno.EOPNOTSUPP;
import static redoubt.abi.Errno.EPERM;
import static redoubt.abi.Errno.EPIPE;
import static redoubt.abi.Errno.EPROTOTYPE;
import static redoubt.abi.Errno.ETOOMANYREFS;
import static redoubt.abi.Poll.POLLERR;
import static redoubt.abi.Poll.POLLHUP;
import static redoubt.abi.Poll.POLLIN;
import static redoubt.abi.Poll.POLLOUT;
import static redoubt.abi.Poll.POLLRDHUP;
import static redoubt.abi.Poll.POLLRDNORM;
import static redoubt.abi.Poll.POLLWRBAND;
import static redoubt.abi.Poll.POLLWRNORM;
import static redoubt.abi.Socket.AF_UNIX;
import static redoubt.abi.Socket.MSG_OOB;
import static redoubt.abi.Socket.MSG_PEEK;
import static redoubt.abi.Socket.MSG_TRUNC;
import static redoubt.abi.Socket.SHUT_RD;
import static redoubt.abi.Socket.SHUT_WR;
import static redoubt.abi.Socket.SOCK_DGRAM;
import static redoubt.abi.Socket.SOCK_SEQPACKET;
import static redoubt.abi.Socket.SOCK_STREAM;
import static redoubt.abi.Socket.SOMAXCONN;
import static redoubt.abi.Socket.SO_PEERCRED;
import static redoubt.abi.Socket.SO_PEERGROUPS;

import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Errno;
import redoubt.abi.Resource;
import redoubt.abi.Tcp;
import redoubt.host.Memory;
import redoubt.sentry.ipc.PagePool;
import redoubt.sentry.kernel.Credentials;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.IoBuffer;
import redoubt.sentry.kernel.Latin1;
import redoubt.sentry.kernel.Pid;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.socket.Packet;
import redoubt.sentry.socket.PacketQueue;
import redoubt.sentry.socket.Socket;
import redoubt.sentry.socket.SocketCall;
import redoubt.sentry.socket.SocketDiag;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.Inode;
import redoubt.sentry.vfs.PathWalk;
import redoubt.sentry.vfs.Vfs;
import redoubt.sentry.vfs.VfsPath;

/**
 * A unix socket of any type. A socket's monitor guards what others put into it: its receive queue,
 * its accept queue and its state; a sender takes its peer's monitor, never two at once.
 */
public final class UnixSocket extends Socket {
  private static final FileDescription[] NO_FILES = {};

  private static final int RCV_SHUTDOWN = 1;
  private static final int SEND_SHUTDOWN = 2;

  /** net.unix.max_dgram_qlen. */
  private static final int DATAGRAMS = 10;

  private static final int UNCONNECTED = 0;
  private static final int LISTENING = 1;
  private static final int CONNECTED = 2;

  private final UnixFamily unix;
  private final PacketQueue received = new PacketQueue(); // guarded by this
  private volatile @Nullable UnixAddress address;
  private volatile @Nullable Inode boundInode;
  private boolean binding; // guarded by this

  // Written under this; read by polls without it.
  private volatile int state;
  private volatile @Nullable UnixSocket peer;
  private volatile boolean receiveShut;
  private volatile boolean sendShut;
  private volatile boolean dead;

  /** A sender found this queue full: tell it when there is room. Guarded by this. */
  private boolean roomWanted;

  /** Senders of datagrams and connecters that found this socket full; guarded by this. */
  private final List<UnixSocket> waitingForRoom = new ArrayList<>(0);

  private final ArrayDeque<UnixSocket> pending = new ArrayDeque<>(0); // guarded by this
  private int backlog; // guarded by this

  // Who is at the other end (SO_PEERCRED).
  private volatile @Nullable Pid peerPid;
  private volatile int peerUid = -1;
  private volatile int peerGid = -1;
  private volatile int[] peerGroups = {};

  UnixSocket(Task t, UnixFamily unix, int type, int flags) {
    super(t, AF_UNIX, type, 0, flags);
    this.unix = unix;
  }

  private boolean isConnectionless() {
    return type() == SOCK_DGRAM;
  }

  // ---- names ----

  @Override
  public long bind(Task t, SocketCall c) {
    MemorySegment s = c.name.bytes;
    int length = c.name.length;
    if (length < 2
        || length > redoubt.abi.Socket.SIZEOF_SOCKADDR_UN
        || c.name.family() != AF_UNIX) {
      return -EINVAL;
    }
    synchronized (this) {
      if (address != null || binding) {
        return length == 2 && !binding ? 0 : -EINVAL; // autobind of a bound socket is no error
      }
      binding = true;
    }
    UnixAddress bound = null;
    try {
      if (length == 2) {
        bound = unix.autobind(this);
      } else if (s.get(Memory.BYTE, 2) == 0) {
        String name = Latin1.string(s, 2, length - 2);
        if (!unix.bindAbstract(name, this)) {
          return -EADDRINUSE;
        }
        bound = new UnixAddress(name);
      } else {
        bound = bindPath(t, pathOf(s, length));
      }
    } finally {
      synchronized (this) {
        binding = false;
        address = bound;
      }
    }
    return 0;
  }

  private static String pathOf(MemorySegment s, int length) {
    int n = 0;
    while (n < length - 2 && s.get(Memory.BYTE, 2 + n) != 0) {
      n++;
    }
    return Latin1.string(s, 2, n);
  }

  private UnixAddress bindPath(Task t, String path) {
    VfsPath made;
    try {
      made = Vfs.bindSocket(t, t.startAt(redoubt.abi.Fcntl.AT_FDCWD, path), path, 0777);
    } catch (ErrnoException e) {
      throw e.errno() == EEXIST ? ErrnoException.of(EADDRINUSE) : e;
    }
    Inode inode = made.inode();
    inode.boundSocket = this;
    boundInode = inode;
    return new UnixAddress(path);
  }

  @Override
  public long localName(SocketCall c) {
    UnixAddress.write(address, c.name);
    return 0;
  }

  @Override
  public long peerName(SocketCall c) {
    UnixSocket p = peer;
    if (p == null) {
      return -ENOTCONN;
    }
    UnixAddress.write(p.address, c.name);
    return 0;
  }

  /**
   * {@return the socket that {@code c.name} names} Throws ErrnoException as connect(2) and
   * sendto(2) do.
   */
  private UnixSocket find(Task t, SocketCall c) {
    MemorySegment s = c.name.bytes;
    int length = c.name.length;
    if (length <= 2
        || length > redoubt.abi.Socket.SIZEOF_SOCKADDR_UN
        || c.name.family() != AF_UNIX) {
      throw ErrnoException.of(EINVAL);
    }
    UnixSocket found;
    if (s.get(Memory.BYTE, 2) == 0) {
      found = unix.findAbstract(Latin1.string(s, 2, length - 2), type());
    } else {
      String path = pathOf(s, length);
      VfsPath p =
          new PathWalk(t, t.startAt(redoubt.abi.Fcntl.AT_FDCWD, path)).to(path, PathWalk.FOLLOW);
      p.inode().checkPermission(t.creds(), Inode.MAY_WRITE);
      found =
          p.inode().type() == Inode.S_IFSOCK && p.inode().boundSocket instanceof UnixSocket u
              ? u
              : null;
    }
    if (found == null) {
      throw ErrnoException.of(ECONNREFUSED);
    }
    if (found.type() != type()) {
      throw ErrnoException.of(EPROTOTYPE);
    }
    return found;
  }

  // ---- connections ----

  /** Connects two new sockets to each other: socketpair(2). */
  void pairWith(Task t, UnixSocket other) {
    peer = other;
    other.peer = this;
    setPeerCredentials(t.threadGroup().pid(), t.creds());
    other.setPeerCredentials(t.threadGroup().pid(), t.creds());
    if (!isConnectionless()) {
      state = CONNECTED;
      other.state = CONNECTED;
    }
  }

  private void setPeerCredentials(Pid pid, Credentials c) {
    peerPid = pid;
    peerUid = c.euid;
    peerGid = c.egid;
    peerGroups = c.groups;
  }

  @Override
  public long connect(Task t, SocketCall c, boolean first) {
    if (c.name.length < 2) {
      return -EINVAL;
    }
    if (isConnectionless()) {
      return connectDatagrams(t, c);
    }
    if (c.name.family() != AF_UNIX) {
      return -EINVAL;
    }
    UnixSocket listener = find(t, c);
    if (state == CONNECTED) {
      return -EISCONN;
    }
    if (state == LISTENING) {
      return -EINVAL;
    }
    if (passesCredentials() && address == null) {
      autobind();
    }
    UnixSocket served = unix.make(t, type(), 0);
    long r = listener.enqueue(t, this, served);
    if (r < 0) {
      served.decRef();
    }
    return r;
  }

  private synchronized void autobind() {
    if (address == null && !binding) {
      address = unix.autobind(this);
    }
  }

  /** Puts {@code served}, the listening side's end of a new connection, into the accept queue. */
  private long enqueue(Task t, UnixSocket client, UnixSocket served) {
    synchronized (this) {
      if (dead || state != LISTENING || receiveShut) {
        return -ECONNREFUSED;
      }
      if (pending.size() > backlog) {
        if (!waitingForRoom.contains(client)) {
          waitingForRoom.add(client);
        }
        return -EAGAIN;
      }
      served.inherit(this);
      served.address = address;
      served.peer = client;
      served.state = CONNECTED;
      served.setPeerCredentials(t.threadGroup().pid(), t.creds());
      client.copyPeerCredentials(this);
      client.peer = served;
      client.state = CONNECTED;
      pending.add(served);
    }
    queue.notify(POLLIN | POLLRDNORM);
    return 0;
  }

  private void copyPeerCredentials(UnixSocket listener) {
    peerPid = listener.peerPid;
    peerUid = listener.peerUid;
    peerGid = listener.peerGid;
    peerGroups = listener.peerGroups;
  }

  private long connectDatagrams(Task t, SocketCall c) {
    if (c.name.family() == redoubt.abi.Socket.AF_UNSPEC) {
      peer = null;
      state = UNCONNECTED;
      return 0;
    }
    UnixSocket other = find(t, c);
    UnixSocket theirs = other.peer;
    if (theirs != null && theirs != this) {
      return -EPERM;
    }
    if (passesCredentials() && address == null) {
      autobind();
    }
    peer = other;
    return 0;
  }

  @Override
  public long listen(Task t, int wanted) {
    if (isConnectionless()) {
      return -EOPNOTSUPP;
    }
    boolean more;
    synchronized (this) {
      if (address == null || state == CONNECTED) {
        return -EINVAL;
      }
      int newBacklog = Integer.compareUnsigned(wanted, SOMAXCONN) > 0 ? SOMAXCONN : wanted;
      more = newBacklog > backlog;
      backlog = newBacklog;
      state = LISTENING;
      setPeerCredentials(t.threadGroup().pid(), t.creds());
    }
    if (more) {
      tellWaiters();
    }
    return 0;
  }

  @Override
  protected boolean isListening() {
    return state == LISTENING;
  }

  @Override
  public long accept(Task t, SocketCall c, int flags) {
    if (isConnectionless()) {
      return -EOPNOTSUPP;
    }
    UnixSocket s;
    synchronized (this) {
      if (state != LISTENING) {
        return -EINVAL;
      }
      s = pending.poll();
      if (s == null) {
        return receiveShut ? -EINVAL : -EAGAIN;
      }
    }
    tellWaiters();
    if (flags != 0) {
      s.setFlags(s.flags() | flags);
    }
    UnixSocket p = s.peer;
    UnixAddress.write(p == null ? null : p.address, c.name);
    c.accepted = s;
    return 0;
  }

  /** There is room again in this socket's queue. */
  private void tellWaiters() {
    UnixSocket[] all;
    synchronized (this) {
      if (waitingForRoom.isEmpty()) {
        return;
      }
      all = waitingForRoom.toArray(new UnixSocket[0]);
      waitingForRoom.clear();
    }
    for (UnixSocket s : all) {
      s.queue.notify(POLLOUT | POLLWRNORM | POLLWRBAND);
    }
  }

  @Override
  public long shutdown(int how) {
    UnixSocket p = peer;
    boolean in = how != SHUT_WR;
    boolean out = how != SHUT_RD;
    receiveShut |= in;
    sendShut |= out;
    queue.notify(POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM | POLLRDHUP | POLLHUP);
    if (p != null && !isConnectionless()) {
      p.sendShut |= in;
      p.receiveShut |= out;
      p.queue.notify(POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM | POLLRDHUP | POLLHUP);
    }
    return 0;
  }

  @Override
  protected void release() {
    UnixAddress a = address;
    if (a != null && a.isAbstract()) {
      unix.unbindAbstract(a.name(), this);
    }
    Inode inode = boundInode;
    if (inode != null && inode.boundSocket == this) {
      inode.boundSocket = null;
    }
    unix.forget(this);
    List<UnixSocket> orphans;
    boolean unreadData;
    synchronized (this) {
      dead = true;
      unreadData = !received.isEmpty();
      orphans = new ArrayList<>(pending);
      pending.clear();
      receiveShut = true;
      sendShut = true;
    }
    discardQueue();
    for (UnixSocket s : orphans) {
      UnixSocket client = s.peer;
      if (client != null) {
        client.setError(ECONNRESET);
      }
      s.decRef();
    }
    UnixSocket p = peer;
    if (p != null && !isConnectionless() && state == CONNECTED) {
      if (unreadData) {
        p.setError(ECONNRESET);
      }
      p.receiveShut = true;
      p.sendShut = true;
      p.queue.notify(POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM | POLLRDHUP | POLLHUP | POLLERR);
    } else if (p != null && p.peer == this) {
      p.queue.notify(POLLOUT | POLLERR);
    }
    tellWaiters();
    if (unix.inFlight.hasSockets()) {
      unix.inFlight.collect();
    }
  }

  // ---- sending ----

  @Override
  public long send(Task t, IoBuffer src, SocketCall c) {
    if ((c.flags & MSG_OOB) != 0) {
      return -EOPNOTSUPP;
    }
    if (isConnectionless()) {
      return sendDatagram(t, src, c);
    }
    if (c.name.length > 0) {
      return state == CONNECTED ? -EISCONN : -EOPNOTSUPP;
    }
    UnixSocket p = peer;
    if (state != CONNECTED || p == null) {
      return -ENOTCONN;
    }
    if (sendShut) {
      return -EPIPE;
    }
    if (type() == SOCK_SEQPACKET) {
      return sendPacket(t, src, c, p);
    }
    return sendStream(t, src, c, p);
  }

  private long sendStream(Task t, IoBuffer src, SocketCall c, UnixSocket to) {
    long total = src.remaining();
    if (total == 0 && c.rights.length == 0) {
      return 0;
    }
    if (c.rights.length > 0 && !mayPass(t, c.rights.length)) {
      return -ETOOMANYREFS;
    }
    long r;
    synchronized (to) {
      if (to.dead || to.receiveShut) {
        return -EPIPE;
      }
      long room = sendLimit(to, total) - to.received.bytes();
      if (room <= 0) {
        to.roomWanted = true;
        return -EAGAIN;
      }
      long n = Math.min(total, room);
      r = c.rights.length > 0 ? appendWithRights(t, src, c, to, n) : appendPlain(t, src, c, to, n);
    }
    if (r >= 0) {
      to.queue.notify(POLLIN | POLLRDNORM);
    }
    return r;
  }

  private long appendPlain(Task t, IoBuffer src, SocketCall c, UnixSocket to, long n) {
    PacketQueue q = to.received;
    Pid pid = c.hasCredentials ? c.pid : t.threadGroup().pid();
    int uid = c.hasCredentials ? c.uid : t.creds().ruid;
    int gid = c.hasCredentials ? c.gid : t.creds().rgid;
    Packet last = q.last();
    boolean joins =
        last != null
            && last.rights == null
            && last.pid == pid
            && last.uid == uid
            && last.gid == gid;
    long r = q.appendStream(src, n, joins);
    // New packets are those after the old last one.
    Packet p = last == null ? q.first() : q.after(last);
    while (p != null) {
      stamp(p, pid, uid, gid, true);
      p = q.after(p);
    }
    return r;
  }

  private long appendWithRights(Task t, IoBuffer src, SocketCall c, UnixSocket to, long n) {
    Packet p = to.received.newPacket();
    long r = n == 0 ? 0 : PacketQueue.fill(p, src, Math.min(n, 64 * 1024));
    if (r < 0) {
      to.received.recycle(p);
      return r;
    }
    if (r == 0) {
      to.received.recycle(p);
      return 0; // no byte to travel with: the rights go nowhere, as in Linux
    }
    stampFrom(t, c, p);
    attachRights(t, c, p);
    to.received.add(p);
    return r;
  }

  private static void stamp(Packet p, @Nullable Pid pid, int uid, int gid, boolean has) {
    p.pid = pid;
    p.uid = uid;
    p.gid = gid;
    p.hasCredentials = has;
  }

  private static void stampFrom(Task t, SocketCall c, Packet p) {
    if (c.hasCredentials) {
      stamp(p, c.pid, c.uid, c.gid, true);
    } else {
      stamp(p, t.threadGroup().pid(), t.creds().ruid, t.creds().rgid, true);
    }
  }

  private void attachRights(Task t, SocketCall c, Packet p) {
    if (c.rights.length > 0) {
      p.rights = c.rights;
      p.fromPort = t.creds().ruid; // whose account they are on while in flight
      unix.inFlight.add(p.fromPort, c.rights);
      c.rights = NO_FILES;
    }
  }

  private boolean mayPass(Task t, int n) {
    if (unix.inFlight.isCrowded()) {
      unix.inFlight.collect();
    }
    long limit = t.threadGroup().limits.bound(Resource.RLIMIT_NOFILE);
    return unix.inFlight.admits(t.creds(), n, limit);
  }

  private long sendDatagram(Task t, IoBuffer src, SocketCall c) {
    UnixSocket to;
    boolean named = c.name.length > 0;
    if (passesCredentials() && address == null) {
      autobind();
    }
    if (src.remaining() > sendBuffer() - 32) {
      return -EMSGSIZE;
    }
    if (named) {
      to = find(t, c);
    } else {
      UnixSocket p = peer;
      if (p == null) {
        return -ENOTCONN;
      }
      to = p;
    }
    UnixSocket theirs = to.peer;
    if (theirs != null && theirs != this) {
      return -EPERM;
    }
    if (sendShut) {
      return -EPIPE;
    }
    if (to.dead) {
      if (!named && peer == to) {
        peer = null;
      }
      return -ECONNREFUSED;
    }
    return sendPacket(t, src, c, to);
  }

  private long sendPacket(Task t, IoBuffer src, SocketCall c, UnixSocket to) {
    long total = src.remaining();
    if (total > sendBuffer() - 32) {
      return -EMSGSIZE;
    }
    if (c.rights.length > 0 && !mayPass(t, c.rights.length)) {
      return -ETOOMANYREFS;
    }
    synchronized (to) {
      if (to.dead) {
        return isConnectionless() ? -ECONNREFUSED : -EPIPE;
      }
      if (to.receiveShut) {
        return -EPIPE;
      }
      if (to.isFullFor(this)) {
        if (!to.waitingForRoom.contains(this)) {
          to.waitingForRoom.add(this);
        }
        return -EAGAIN;
      }
      Packet p = to.received.newPacket();
      long r = total == 0 ? 0 : PacketQueue.fill(p, src, total);
      if (r < total) {
        to.received.recycle(p);
        return r < 0 ? r : r == -EFAULT ? -EFAULT : -ENOBUFS;
      }
      stampFrom(t, c, p);
      attachRights(t, c, p);
      p.from = address;
      p.timestampNs =
          to.wantsTimestamp() || to.wantsTimestampNs()
              ? redoubt.sentry.kernel.Clocks.realtimeNs()
              : 0;
      to.received.add(p);
    }
    to.queue.notify(POLLIN | POLLRDNORM);
    return total;
  }

  /** Under this: whether a message from {@code sender} must wait. */
  private boolean isFullFor(UnixSocket sender) {
    if (isConnectionless()) {
      return received.count() > DATAGRAMS && !(sender.peer == this && peer == sender)
          || received.bytes() > sender.sendLimit(this, 0);
    }
    return received.bytes() > 0 && received.bytes() + 1 > sender.sendLimit(this, 0);
  }

  /**
   * Under {@code to}: bytes of ours that may wait there. Linux has the sender's buffer alone; here
   * the memory of all sockets has a bound, and a queue that waits for its reader may not take the
   * last of it.
   */
  private long sendLimit(UnixSocket to, long more) {
    long buffer = sendBuffer();
    return to.received.bytes() + more <= PagePool.PAGE
        ? buffer
        : Math.min(buffer, Math.max(PagePool.PAGE, PagePool.SHARED.share()));
  }

  // ---- receiving ----

  @Override
  public long receive(Task t, IoBuffer dst, SocketCall c) {
    if ((c.flags & MSG_OOB) != 0) {
      return -EOPNOTSUPP;
    }
    if (type() == SOCK_STREAM) {
      return state == CONNECTED ? receiveStream(dst, c) : -EINVAL;
    }
    if (type() == SOCK_SEQPACKET && state != CONNECTED) {
      return -ENOTCONN;
    }
    return receivePacket(dst, c);
  }

  private long receiveStream(IoBuffer dst, SocketCall c) {
    boolean keep = (c.flags & MSG_PEEK) != 0;
    boolean creds = passesCredentials();
    FileDescription[] taken = null;
    int account = 0;
    long done = 0;
    boolean room = false;
    synchronized (this) {
      Packet p = received.first();
      if (p == null) {
        long e = takeError();
        return e != 0 ? e : receiveShut ? 0 : -EAGAIN;
      }
      long want = dst.remaining();
      if (c.hasCredentials && creds && !sameWriter(p, c)) {
        return 0; // a joined receive stops before another writer's bytes
      }
      if (creds && !c.hasCredentials) {
        copyCredentials(p, c);
      }
      // How far this receive may go: to the end of a packet with rights, or before another writer.
      long limit = 0;
      Packet at = p;
      while (at != null && limit < want) {
        if (creds && !sameWriter(at, c)) {
          break;
        }
        limit += at.length();
        if (at.rights != null) {
          taken = keep ? dup(at.rights) : at.rights;
          account = at.fromPort;
          if (!keep) {
            at.rights = null;
          }
          break;
        }
        at = received.after(at);
      }
      done = received.readStream(dst, Math.min(want, limit), 0, keep);
      if (!keep && done > 0 && roomWanted && received.bytes() <= DEFAULT_BUFFER / 2) {
        roomWanted = false;
        room = true;
      }
    }
    if (taken != null) {
      if (!keep) {
        unix.inFlight.remove(account, taken);
      }
      c.rights = taken;
    }
    UnixSocket from = peer;
    if (from != null && from.address != null) {
      UnixAddress.write(from.address, c.name);
    }
    if (room && from != null) {
      from.queue.notify(POLLOUT | POLLWRNORM | POLLWRBAND);
    }
    return done;
  }

  private static boolean sameWriter(Packet p, SocketCall c) {
    return p.pid == c.pid && p.uid == c.uid && p.gid == c.gid;
  }

  private static void copyCredentials(Packet p, SocketCall c) {
    c.hasCredentials = true;
    c.pid = p.pid;
    c.uid = p.uid;
    c.gid = p.gid;
  }

  private static FileDescription[] dup(FileDescription[] files) {
    FileDescription[] copy = files.clone();
    for (FileDescription f : copy) {
      f.incRef();
    }
    return copy;
  }

  private long receivePacket(IoBuffer dst, SocketCall c) {
    boolean keep = (c.flags & MSG_PEEK) != 0;
    FileDescription[] taken;
    int account;
    long r;
    UnixAddress from;
    synchronized (this) {
      Packet p = received.first();
      if (p == null) {
        long e = takeError();
        return e != 0 ? e : receiveShut ? 0 : -EAGAIN;
      }
      int length = p.length();
      r = PacketQueue.putPacket(p, dst, length);
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
        copyCredentials(p, c);
      }
      c.timestampNs = p.timestampNs;
      from = (UnixAddress) p.from;
      account = p.fromPort;
      taken = p.rights;
      if (keep) {
        taken = taken == null ? null : dup(taken);
      } else {
        p.rights = null;
        received.poll();
        received.recycle(p);
      }
    }
    if (taken != null) {
      if (!keep) {
        unix.inFlight.remove(account, taken);
      }
      c.rights = taken;
    }
    if (from != null) {
      UnixAddress.write(from, c.name);
    }
    if (!keep) {
      tellWaiters();
    }
    return r;
  }

  @Override
  protected long unread() {
    synchronized (this) {
      if (isConnectionless() || type() == SOCK_SEQPACKET) {
        Packet p = received.first();
        return p == null ? 0 : p.length();
      }
      return received.bytes();
    }
  }

  @Override
  protected long unsent() {
    UnixSocket p = peer;
    if (p == null) {
      return 0;
    }
    synchronized (p) {
      return p.received.bytes();
    }
  }

  // ---- garbage ----

  int references() {
    return refCount();
  }

  /** {@return the unix sockets in messages queued here} and in connections not yet accepted */
  List<UnixSocket> queuedSockets() {
    List<UnixSocket> out = new ArrayList<>();
    List<UnixSocket> unaccepted;
    synchronized (this) {
      collectQueued(out);
      unaccepted = new ArrayList<>(pending);
    }
    for (UnixSocket s : unaccepted) {
      synchronized (s) {
        s.collectQueued(out);
      }
    }
    return out;
  }

  private void collectQueued(List<UnixSocket> out) {
    for (Packet p = received.first(); p != null; p = received.after(p)) {
      FileDescription[] rights = p.rights;
      if (rights != null) {
        for (FileDescription f : rights) {
          if (f instanceof UnixSocket s) {
            out.add(s);
          }
        }
      }
    }
  }

  /** Drops everything queued; what it held is closed. */
  void discardQueue() {
    for (; ; ) {
      FileDescription[] rights;
      int account;
      synchronized (this) {
        Packet p = received.poll();
        if (p == null) {
          return;
        }
        rights = p.rights;
        account = p.fromPort;
        p.rights = null;
        received.recycle(p);
      }
      if (rights != null) {
        unix.inFlight.remove(account, rights);
        for (FileDescription f : rights) {
          f.decRef();
        }
      }
    }
  }

  // ---- state ----

  @Override
  public int poll() {
    int mask = 0;
    if (hasError()) {
      mask |= POLLERR;
    }
    boolean in = receiveShut;
    boolean out = sendShut;
    if (in && out) {
      mask |= POLLHUP;
    }
    if (in) {
      mask |= POLLRDHUP | POLLIN | POLLRDNORM;
    }
    synchronized (this) {
      if (!received.isEmpty() || !pending.isEmpty()) {
        mask |= POLLIN | POLLRDNORM;
      }
    }
    if (!isConnectionless() && state == UNCONNECTED) {
      mask |= POLLHUP;
    }
    if (state != LISTENING && isWritableNow()) {
      mask |= POLLOUT | POLLWRNORM | POLLWRBAND;
    }
    return mask;
  }

  private boolean isWritableNow() {
    UnixSocket p = peer;
    if (p == null) {
      return true;
    }
    synchronized (p) {
      if (type() == SOCK_STREAM) {
        // net/unix/af_unix.c unix_writable leaves room for what is worth a wake-up.
        if (p.received.bytes() * 4 <= sendLimit(p, 0) || p.dead) {
          return true;
        }
        p.roomWanted = true;
        return false;
      }
      if (p.dead || !p.isFullFor(this)) {
        return true;
      }
      if (!p.waitingForRoom.contains(this)) {
        p.waitingForRoom.add(this);
      }
      return false;
    }
  }

  @Override
  protected long ownSocketOption(Task t, int name, MemorySegment s, int limit) {
    switch (name) {
      case SO_PEERCRED -> {
        Pid pid = peerPid;
        s.set(Memory.INT, 0, pid == null ? 0 : pid.in(t.pidNamespace()));
        s.set(Memory.INT, 4, peerUid == -1 ? -1 : t.userNamespace().uidShown(peerUid));
        s.set(Memory.INT, 8, peerUid == -1 ? -1 : t.userNamespace().gidShown(peerGid));
        return Math.min(limit, 12);
      }
      case SO_PEERGROUPS -> {
        int[] g = peerGroups;
        if (peerUid == -1) {
          return -Errno.ENODATA;
        }
        if (limit < 4 * g.length) {
          return -Errno.ERANGE;
        }
        for (int i = 0; i < g.length && 4L * i + 4 <= s.byteSize(); i++) {
          s.set(Memory.INT, 4L * i, t.userNamespace().gidShown(g[i]));
        }
        return 4L * g.length;
      }
      default -> {
        return -Errno.ENOPROTOOPT;
      }
    }
  }

  /** Appends this socket's line of /proc/net/unix. */
  SocketDiag.Unix diagnose() {
    UnixAddress a = address;
    UnixSocket p = peer;
    Inode bound = boundInode;
    boolean isConnected = state == CONNECTED || (isConnectionless() && p != null);
    int shut = (receiveShut ? RCV_SHUTDOWN : 0) | (sendShut ? SEND_SHUTDOWN : 0);
    int queued;
    int limit;
    synchronized (this) {
      queued = state == LISTENING ? pending.size() : (int) unread();
      limit = state == LISTENING ? backlog : 0;
    }
    if (state != LISTENING) {
      limit = (int) unsent();
    }
    SocketDiag socket =
        new SocketDiag(
            AF_UNIX,
            type(),
            state == LISTENING ? Tcp.TCP_LISTEN : isConnected ? Tcp.TCP_ESTABLISHED : Tcp.TCP_CLOSE,
            inode().ino(),
            inode().uid(),
            queued,
            limit,
            receiveBuffer(),
            sendBuffer(),
            shut);
    return new SocketDiag.Unix(
        socket,
        a == null ? null : a.name(),
        p == null ? 0 : p.inode().ino(),
        bound == null ? 0 : bound.ino(),
        0);
  }

  void describe(StringBuilder b) {
    boolean listening = state == LISTENING;
    // St is the socket's state: 1 unconnected, 3 connected; flags has __SO_ACCEPTCON.
    b.append("0000000000000000: ").append(hex(refCount(), 8)).append(" 00000000 ");
    b.append(listening ? "00010000 " : "00000000 ").append(hex(type(), 4)).append(' ');
    b.append(state == CONNECTED || (isConnectionless() && peer != null) ? "03 " : "01 ");
    String ino = Long.toString(inode().ino());
    b.append(" ".repeat(Math.max(0, 5 - ino.length()))).append(ino);
    UnixAddress a = address;
    if (a != null) {
      b.append(' ').append(a.shown());
    }
    b.append('\n');
  }

  private static String hex(int v, int width) {
    String s = Integer.toHexString(v);
    return "0".repeat(Math.max(0, width - s.length())) + s;
  }
}
