package redoubt.sentry.socket;

import static redoubt.abi.Errno.EDOM;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ENOPROTOOPT;
import static redoubt.abi.Errno.ENOTTY;
import static redoubt.abi.Errno.EOPNOTSUPP;
import static redoubt.abi.Errno.EPERM;
import static redoubt.abi.Socket.SOL_SOCKET;
import static redoubt.abi.Socket.SO_ACCEPTCONN;
import static redoubt.abi.Socket.SO_BINDTODEVICE;
import static redoubt.abi.Socket.SO_BROADCAST;
import static redoubt.abi.Socket.SO_BSDCOMPAT;
import static redoubt.abi.Socket.SO_COOKIE;
import static redoubt.abi.Socket.SO_DEBUG;
import static redoubt.abi.Socket.SO_DOMAIN;
import static redoubt.abi.Socket.SO_DONTROUTE;
import static redoubt.abi.Socket.SO_ERROR;
import static redoubt.abi.Socket.SO_INCOMING_CPU;
import static redoubt.abi.Socket.SO_KEEPALIVE;
import static redoubt.abi.Socket.SO_LINGER;
import static redoubt.abi.Socket.SO_MARK;
import static redoubt.abi.Socket.SO_MEMINFO;
import static redoubt.abi.Socket.SO_NO_CHECK;
import static redoubt.abi.Socket.SO_OOBINLINE;
import static redoubt.abi.Socket.SO_PASSCRED;
import static redoubt.abi.Socket.SO_PASSSEC;
import static redoubt.abi.Socket.SO_PEEK_OFF;
import static redoubt.abi.Socket.SO_PRIORITY;
import static redoubt.abi.Socket.SO_PROTOCOL;
import static redoubt.abi.Socket.SO_RCVBUF;
import static redoubt.abi.Socket.SO_RCVBUFFORCE;
import static redoubt.abi.Socket.SO_RCVLOWAT;
import static redoubt.abi.Socket.SO_RCVTIMEO_NEW;
import static redoubt.abi.Socket.SO_RCVTIMEO_OLD;
import static redoubt.abi.Socket.SO_REUSEADDR;
import static redoubt.abi.Socket.SO_REUSEPORT;
import static redoubt.abi.Socket.SO_RXQ_OVFL;
import static redoubt.abi.Socket.SO_SNDBUF;
import static redoubt.abi.Socket.SO_SNDBUFFORCE;
import static redoubt.abi.Socket.SO_SNDLOWAT;
import static redoubt.abi.Socket.SO_SNDTIMEO_NEW;
import static redoubt.abi.Socket.SO_SNDTIMEO_OLD;
import static redoubt.abi.Socket.SO_TIMESTAMP;
import static redoubt.abi.Socket.SO_TIMESTAMPNS;
import static redoubt.abi.Socket.SO_TYPE;
import static redoubt.abi.Socket.SO_ZEROCOPY;

import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicLong;
import redoubt.abi.Caps;
import redoubt.abi.Ioctls;
import redoubt.host.Memory;
import redoubt.sentry.ipc.AnonymousFiles;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.IoBuffer;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.WaitQueue;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.FileOwner;

/**
 * A socket: <a href="https://man7.org/linux/man-pages/man7/socket.7.html">socket(7)</a>. What a
 * protocol must do is in the abstract methods; as with all files none of them blocks: they return
 * {@code -EAGAIN}, and the system call layer waits on {@link #waitQueue}.
 */
public abstract class Socket extends FileDescription {
  /** Buffer sizes before anybody sets them (net.core.wmem_default). */
  public static final int DEFAULT_BUFFER = 212992;

  private static final int BUFFER_MAX = 212992;
  private static final int SNDBUF_MIN = 4608;
  private static final int RCVBUF_MIN = 2304;
  private static final long SECOND_NS = 1_000_000_000L;
  private static final AtomicLong COOKIES = new AtomicLong(1);

  protected final WaitQueue queue = new WaitQueue();
  private final int family;
  private final int type;
  private final int protocol;
  private final long cookie = COOKIES.getAndIncrement();

  /** Pending error of SO_ERROR, positive. */
  private volatile int error;

  // Options of SOL_SOCKET.
  private volatile int sendBuffer = DEFAULT_BUFFER;
  private volatile int receiveBuffer = DEFAULT_BUFFER;
  private volatile long receiveTimeoutNs = Long.MAX_VALUE;
  private volatile long sendTimeoutNs = Long.MAX_VALUE;
  private volatile boolean reuseAddress;
  private volatile boolean reusePort;
  private volatile boolean passCredentials;
  private volatile boolean timestamps;
  private volatile boolean timestampsNs;
  private volatile boolean lingers;
  private volatile int lingerSeconds;
  private volatile int receiveLowWater = 1;
  private volatile int priority;
  private volatile int mark;

  /** SO_BINDTODEVICE, which is kept: routes alone say which way packets go. */
  private volatile String device = "";

  /** Options that are only kept: bit SO_* (all below 64) says on. */
  private volatile long keptOptions;

  protected Socket(Task t, int family, int type, int protocol, int flags) {
    super(AnonymousFiles.of(t.kernel()).newSocket(t.creds()), O_RDWR | flags, t.creds());
    this.family = family;
    this.type = type;
    this.protocol = protocol;
  }

  /** {@return AF_*} */
  public final int family() {
    return family;
  }

  /** {@return SOCK_*} */
  public final int type() {
    return type;
  }

  public final int protocol() {
    return protocol;
  }

  // ---- what a protocol does ----

  /** bind(2) to {@code c.name}. */
  public long bind(Task t, SocketCall c) {
    return -EOPNOTSUPP;
  }

  /**
   * connect(2) to {@code c.name}.
   *
   * @param first false when a blocked call tries again
   * @return 0, -EINPROGRESS once it is under way (then {@link #connectResult} says how it went),
   *     -EAGAIN when it must be tried again
   */
  public long connect(Task t, SocketCall c, boolean first) {
    return -EOPNOTSUPP;
  }

  /** {@return 0 when a connect under way has succeeded, its error, or -EAGAIN} */
  public long connectResult() {
    return 0;
  }

  public long listen(Task t, int backlog) {
    return -EOPNOTSUPP;
  }

  /**
   * accept(2): {@return 0 with the socket in {@code c.accepted} and the peer in {@code c.name}, or
   * -errno}
   */
  public long accept(Task t, SocketCall c, int flags) {
    return -EOPNOTSUPP;
  }

  /** getsockname(2) into {@code c.name}. */
  public abstract long localName(SocketCall c);

  /** getpeername(2) into {@code c.name}. */
  public abstract long peerName(SocketCall c);

  /** shutdown(2) with a checked {@code how}: SHUT_RD, SHUT_WR, SHUT_RDWR. */
  public abstract long shutdown(int how);

  /**
   * Sends from {@code src} with flags, destination, rights and credentials of {@code c}. References
   * in {@code c.rights} are the socket's when it returns 0 or more, and {@code c.rights} is then
   * empty.
   *
   * @return bytes, possibly fewer than there are for a stream; -EPIPE (the caller raises SIGPIPE)
   */
  public abstract long send(Task t, IoBuffer src, SocketCall c);

  /** Receives into {@code dst} and {@code c}, as {@code c.flags} say. */
  public abstract long receive(Task t, IoBuffer dst, SocketCall c);

  /** {@return whether a send goes on until all bytes are taken, and a receive may be joined} */
  public boolean isStream() {
    return type == redoubt.abi.Socket.SOCK_STREAM;
  }

  /** Whether it listens, for SO_ACCEPTCONN. */
  protected boolean isListening() {
    return false;
  }

  /** An option that is not SOL_SOCKET's. {@code s} holds {@code length} bytes of value. */
  protected long setProtocolOption(Task t, int level, int name, MemorySegment s, int length) {
    return -EOPNOTSUPP;
  }

  /** Writes an option's value to {@code s}; {@return its length or -errno} */
  protected long protocolOption(Task t, int level, int name, MemorySegment s, int limit) {
    return -EOPNOTSUPP;
  }

  /** {@return bytes that wait to be read} (FIONREAD, SIOCINQ) */
  protected long unread() {
    return 0;
  }

  /** {@return bytes that the peer has not taken} (SIOCOUTQ) */
  protected long unsent() {
    return 0;
  }

  // ---- files ----

  @Override
  public final WaitQueue waitQueue() {
    return queue;
  }

  @Override
  public boolean writesWhole() {
    return isStream();
  }

  @Override
  public long read(Task t, IoBuffer dst, long offset) {
    SocketCall c = SocketCall.of(t).reset(0);
    long r = receive(t, dst, c);
    c.dropRights();
    return r;
  }

  @Override
  public long write(Task t, IoBuffer src, long offset) {
    return send(t, src, SocketCall.of(t).reset(0));
  }

  @Override
  public final long readTimeoutNs() {
    return receiveTimeoutNs;
  }

  @Override
  public final long writeTimeoutNs() {
    return sendTimeoutNs;
  }

  @Override
  public long ioctl(Task t, Args a) {
    return switch (a.int1()) {
      case Ioctls.FIONREAD -> t.copyOutInt(a.long2(), (int) Math.min(unread(), Integer.MAX_VALUE));
      case 0x5411 ->
          t.copyOutInt(a.long2(), (int) Math.min(unsent(), Integer.MAX_VALUE)); // SIOCOUTQ
      case Ioctls.SIOCATMARK -> isStream() ? t.copyOutInt(a.long2(), 0) : -ENOTTY;
      case Ioctls.SIOCGPGRP, Ioctls.FIOGETOWN ->
          t.copyOutInt(a.long2(), owner == null ? 0 : owner.number(t.pidNamespace()));
      case Ioctls.SIOCSPGRP, Ioctls.FIOSETOWN -> setOwner(t, a.long2());
      default -> {
        long r = InterfaceIoctls.ioctl(t, a.int1(), a.long2());
        yield r == InterfaceIoctls.NOT_MINE ? -ENOTTY : r;
      }
    };
  }

  private long setOwner(Task t, long uaddr) {
    long word = t.copyInInt(uaddr);
    if (word < 0) {
      return word;
    }
    int who = (int) word;
    int type = who < 0 ? FileOwner.GROUP : FileOwner.PROCESS;
    return FileOwner.set(t, this, type, Math.abs(who));
  }

  @Override
  public String linkText() {
    return "socket:[" + inode().ino() + "]";
  }

  // ---- errors ----

  /** Sets the error that the next call or SO_ERROR reports. */
  protected final void setError(int errno) {
    error = errno;
  }

  protected final boolean hasError() {
    return error != 0;
  }

  /** {@return the pending error as -errno and forgets it}, 0 if there is none */
  protected final long takeError() {
    int e = error;
    if (e != 0) {
      error = 0;
    }
    return -e;
  }

  // ---- options ----

  protected final int sendBuffer() {
    return sendBuffer;
  }

  protected final int receiveBuffer() {
    return receiveBuffer;
  }

  /** Sets the sizes that a protocol begins with. */
  protected final void startWithBuffers(int send, int receive) {
    sendBuffer = send;
    receiveBuffer = receive;
  }

  public final boolean reusesAddress() {
    return reuseAddress;
  }

  public final boolean reusesPort() {
    return reusePort;
  }

  public final boolean passesCredentials() {
    return passCredentials;
  }

  public final boolean wantsTimestamp() {
    return timestamps;
  }

  public final boolean wantsTimestampNs() {
    return timestampsNs;
  }

  /** {@return SO_LINGER in seconds, or -1 when off} */
  protected final int linger() {
    return lingers ? lingerSeconds : -1;
  }

  protected final boolean isKept(int option) {
    return (keptOptions >>> option & 1) != 0;
  }

  /** Takes over what accept(2) inherits from the listening socket. */
  protected final void inherit(Socket listener) {
    sendBuffer = listener.sendBuffer;
    receiveBuffer = listener.receiveBuffer;
    receiveTimeoutNs = listener.receiveTimeoutNs;
    sendTimeoutNs = listener.sendTimeoutNs;
    reuseAddress = listener.reuseAddress;
    reusePort = listener.reusePort;
    passCredentials = listener.passCredentials;
    lingers = listener.lingers;
    lingerSeconds = listener.lingerSeconds;
    receiveLowWater = listener.receiveLowWater;
    keptOptions = listener.keptOptions;
  }

  /** setsockopt(2) with the value in {@code s}. */
  public final long setOption(Task t, int level, int name, MemorySegment s, int length) {
    if (level != SOL_SOCKET) {
      return setProtocolOption(t, level, name, s, length);
    }
    long r = setSocketOption(t, name, s, length);
    if (r >= 0) {
      socketOptionSet(name);
    }
    return r;
  }

  /** An option of SOL_SOCKET has been set. */
  protected void socketOptionSet(int name) {}

  private long setSocketOption(Task t, int name, MemorySegment s, int length) {
    if (name == SO_BINDTODEVICE) {
      return bindToDevice(t, s, length);
    }
    if (length < 4) {
      return -EINVAL;
    }
    int value = s.get(Memory.INT, 0);
    boolean on = value != 0;
    switch (name) {
      case SO_SNDBUF -> sendBuffer = Math.max(SNDBUF_MIN, 2 * Math.clamp(value, 0, BUFFER_MAX));
      case SO_RCVBUF -> receiveBuffer = Math.max(RCVBUF_MIN, 2 * Math.clamp(value, 0, BUFFER_MAX));
      case SO_SNDBUFFORCE, SO_RCVBUFFORCE -> {
        return forceBuffer(t, name, value);
      }
      case SO_REUSEADDR -> reuseAddress = on;
      case SO_REUSEPORT -> reusePort = on;
      case SO_PASSCRED -> passCredentials = on;
      case SO_TIMESTAMP -> {
        timestamps = on;
        timestampsNs = false;
      }
      case SO_TIMESTAMPNS -> {
        timestampsNs = on;
        timestamps = false;
      }
      case SO_RCVLOWAT -> receiveLowWater = value < 0 ? Integer.MAX_VALUE : Math.max(1, value);
      case SO_PRIORITY -> {
        if ((value < 0 || value > 6) && !t.hasCapability(Caps.CAP_NET_ADMIN)) {
          return -EPERM;
        }
        priority = value;
      }
      case SO_MARK -> {
        if (!t.hasCapability(Caps.CAP_NET_ADMIN)) {
          return -EPERM;
        }
        mark = value;
      }
      case SO_LINGER -> {
        if (length < 8) {
          return -EINVAL;
        }
        lingerSeconds = s.get(Memory.INT, 4);
        lingers = on;
      }
      case SO_RCVTIMEO_OLD, SO_RCVTIMEO_NEW, SO_SNDTIMEO_OLD, SO_SNDTIMEO_NEW -> {
        return setTimeout(name, s, length);
      }
      case SO_DEBUG,
          SO_DONTROUTE,
          SO_BROADCAST,
          SO_KEEPALIVE,
          SO_OOBINLINE,
          SO_NO_CHECK,
          SO_BSDCOMPAT,
          SO_PASSSEC,
          SO_RXQ_OVFL,
          SO_ZEROCOPY,
          SO_INCOMING_CPU ->
          keep(name, on);
      case SO_TYPE, SO_PROTOCOL, SO_DOMAIN, SO_ERROR, SO_ACCEPTCONN, SO_SNDLOWAT, SO_PEEK_OFF -> {
        return name == SO_PEEK_OFF ? -EOPNOTSUPP : -ENOPROTOOPT;
      }
      default -> {
        return setOwnSocketOption(t, name, s, length);
      }
    }
    return 0;
  }

  /** An option of SOL_SOCKET that only some families have (SO_ATTACH_FILTER). */
  protected long setOwnSocketOption(Task t, int name, MemorySegment s, int length) {
    return -ENOPROTOOPT;
  }

  /**
   * A control message of a sender at another level than SOL_SOCKET, of {@code size} bytes at {@code
   * at}. {@return 0 or -errno} Levels that a protocol does not know are passed over.
   */
  public long parseControl(
      Task t, int level, int type, MemorySegment m, int at, int size, SocketCall c) {
    return 0;
  }

  /** {@return whether an option's old value is looked at when it is asked for} */
  public boolean readsOption(int level, int name) {
    return false;
  }

  private synchronized void keep(int name, boolean on) {
    keptOptions = on ? keptOptions | 1L << name : keptOptions & ~(1L << name);
  }

  private long forceBuffer(Task t, int name, int value) {
    if (!t.hasCapability(Caps.CAP_NET_ADMIN)) {
      return -EPERM;
    }
    int doubled = (int) Math.min(Integer.MAX_VALUE, 2L * Math.max(0, value));
    if (name == SO_SNDBUFFORCE) {
      sendBuffer = Math.max(SNDBUF_MIN, doubled);
    } else {
      receiveBuffer = Math.max(RCVBUF_MIN, doubled);
    }
    return 0;
  }

  private long bindToDevice(Task t, MemorySegment s, int length) {
    StringBuilder name = new StringBuilder();
    for (int i = 0; i < Math.min(length, 15) && s.get(Memory.BYTE, i) != 0; i++) {
      name.append((char) s.get(Memory.BYTE, i));
    }
    if (!name.isEmpty() && !hasDevice(name.toString())) {
      return -redoubt.abi.Errno.ENODEV;
    }
    device = name.toString();
    return 0;
  }

  /** {@return whether there is an interface of this name} */
  protected boolean hasDevice(String name) {
    return name.equals("lo");
  }

  private long setTimeout(int name, MemorySegment s, int length) {
    if (length < 16) {
      return -EINVAL;
    }
    long seconds = s.get(Memory.LONG, 0);
    long micros = s.get(Memory.LONG, 8);
    if (micros < 0 || micros >= 1_000_000) {
      return -EDOM;
    }
    long ns;
    if (seconds < 0) {
      ns = 0; // net/core/sock.c: a negative time means do not wait
    } else if (seconds == 0 && micros == 0) {
      ns = Long.MAX_VALUE;
    } else {
      ns =
          seconds >= Long.MAX_VALUE / SECOND_NS - 1
              ? Long.MAX_VALUE
              : seconds * SECOND_NS + micros * 1000;
    }
    if (name == SO_RCVTIMEO_OLD || name == SO_RCVTIMEO_NEW) {
      receiveTimeoutNs = ns;
    } else {
      sendTimeoutNs = ns;
    }
    return 0;
  }

  /**
   * getsockopt(2): writes at most {@code limit} bytes to {@code s}; {@return the value's length or
   * -errno}
   */
  public final long option(Task t, int level, int name, MemorySegment s, int limit) {
    return level == SOL_SOCKET
        ? socketOption(t, name, s, limit)
        : protocolOption(t, level, name, s, limit);
  }

  private long socketOption(Task t, int name, MemorySegment s, int limit) {
    int value;
    switch (name) {
      case SO_TYPE -> value = type;
      case SO_DOMAIN -> value = family;
      case SO_PROTOCOL -> value = protocol;
      case SO_ERROR -> value = (int) -takeError();
      case SO_ACCEPTCONN -> value = isListening() ? 1 : 0;
      case SO_SNDBUF -> value = sendBuffer;
      case SO_RCVBUF -> value = receiveBuffer;
      case SO_REUSEADDR -> value = reuseAddress ? 1 : 0;
      case SO_REUSEPORT -> value = reusePort ? 1 : 0;
      case SO_PASSCRED -> value = passCredentials ? 1 : 0;
      case SO_TIMESTAMP -> value = timestamps ? 1 : 0;
      case SO_TIMESTAMPNS -> value = timestampsNs ? 1 : 0;
      case SO_RCVLOWAT -> value = receiveLowWater;
      case SO_SNDLOWAT -> value = 1;
      case SO_PRIORITY -> value = priority;
      case SO_MARK -> value = mark;
      case SO_PEEK_OFF -> value = -1;
      case SO_DEBUG,
          SO_DONTROUTE,
          SO_BROADCAST,
          SO_KEEPALIVE,
          SO_OOBINLINE,
          SO_NO_CHECK,
          SO_BSDCOMPAT,
          SO_PASSSEC,
          SO_RXQ_OVFL,
          SO_ZEROCOPY ->
          value = isKept(name) ? 1 : 0;
      case SO_INCOMING_CPU -> value = 0;
      case SO_BINDTODEVICE -> {
        return device(s, limit);
      }
      case SO_LINGER -> {
        s.set(Memory.INT, 0, lingers ? 1 : 0);
        s.set(Memory.INT, 4, lingerSeconds);
        return Math.min(limit, 8);
      }
      case SO_RCVTIMEO_OLD, SO_RCVTIMEO_NEW -> {
        return timeout(receiveTimeoutNs, s, limit);
      }
      case SO_SNDTIMEO_OLD, SO_SNDTIMEO_NEW -> {
        return timeout(sendTimeoutNs, s, limit);
      }
      case SO_COOKIE -> {
        if (limit < 8) {
          return -EINVAL;
        }
        s.set(Memory.LONG, 0, cookie);
        return 8;
      }
      case SO_MEMINFO -> {
        return memoryInfo(s, limit);
      }
      default -> {
        return ownSocketOption(t, name, s, limit);
      }
    }
    s.set(Memory.INT, 0, value);
    return Math.min(limit, 4);
  }

  /** An option of SOL_SOCKET that only some families have (SO_PEERCRED). */
  protected long ownSocketOption(Task t, int name, MemorySegment s, int limit) {
    return -ENOPROTOOPT;
  }

  /** net/core/sock.c: nothing at all, or a whole name with its NUL in room for any. */
  private long device(MemorySegment s, int limit) {
    String name = device;
    if (name.isEmpty()) {
      return 0;
    }
    return limit < 16 ? -EINVAL : redoubt.sentry.kernel.Latin1.writeZ(s, 0, name);
  }

  private static long timeout(long ns, MemorySegment s, int limit) {
    boolean none = ns == Long.MAX_VALUE;
    s.set(Memory.LONG, 0, none ? 0 : ns / SECOND_NS);
    s.set(Memory.LONG, 8, none ? 0 : ns % SECOND_NS / 1000);
    return Math.min(limit, 16);
  }

  private long memoryInfo(MemorySegment s, int limit) {
    s.asSlice(0, 36).fill((byte) 0);
    s.set(Memory.INT, 0, (int) unread());
    s.set(Memory.INT, 4, receiveBuffer);
    s.set(Memory.INT, 12, sendBuffer);
    return Math.min(limit, 36);
  }
}
