package redoubt.host;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import redoubt.abi.Errno;
import redoubt.abi.Nr;

/**
 * One end of a Unix {@code SOCK_SEQPACKET} connection: whole messages, with descriptors and the
 * sender's attested process id beside them (<a
 * href="https://man7.org/linux/man-pages/man7/unix.7.html">unix(7)</a>).
 *
 * <p>Any thread may send. One thread at a time receives.
 */
public final class SeqPacket implements AutoCloseable {
  /** Most descriptors that one message carries here. */
  public static final int MAX_FDS = 8;

  private static final int AF_UNIX = 1;
  private static final int SOCK_SEQPACKET = 5;
  private static final int SOCK_CLOEXEC = 0x80000;
  private static final int SOL_SOCKET = 1;
  private static final int SO_PASSCRED = 16;
  private static final int SCM_RIGHTS = 1;
  private static final int SCM_CREDENTIALS = 2;
  private static final int MSG_NOSIGNAL = 0x4000;
  private static final int MSG_DONTWAIT = 0x40;
  private static final int MSG_CMSG_CLOEXEC = 0x40000000;
  private static final int CONTROL = 128;
  private static final int CONTROL_BYTES = 128;

  private final Fd fd;
  private final Arena arena = Arena.ofShared();
  private final Object sendMu = new Object();
  // Each: struct msghdr at 0, struct iovec at 64, control data at 128.
  private final MemorySegment out = arena.allocate(CONTROL + CONTROL_BYTES, 16);
  private final MemorySegment in = arena.allocate(CONTROL + CONTROL_BYTES, 16);
  private int senderPid;

  /** Takes ownership of {@code fd}. */
  public SeqPacket(Fd fd) {
    this.fd = fd;
  }

  /** {@return both ends of a new connection, close-on-exec} */
  public static Fd[] pair() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment two = arena.allocate(8, 4);
      HostException.check(
          "socketpair",
          RawSyscall.syscall(
              Nr.SOCKETPAIR, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, two.address()));
      return new Fd[] {new Fd(two.get(Memory.INT, 0)), new Fd(two.get(Memory.INT, 4))};
    }
  }

  /**
   * Connects to the socket at {@code path}.
   *
   * @throws HostException if nobody listens there
   */
  public static Fd connect(String path) {
    try (Arena arena = Arena.ofConfined()) {
      Fd fd =
          new Fd(
              (int)
                  HostException.check(
                      "socket",
                      RawSyscall.syscall(Nr.SOCKET, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)));
      MemorySegment address = arena.allocate(110, 2);
      address.set(Memory.SHORT, 0, (short) AF_UNIX);
      address.asSlice(2, 108).setString(0, path);
      long r =
          RawSyscall.syscall(Nr.CONNECT, fd.number(), address.address(), 2 + path.length() + 1);
      if (r < 0) {
        fd.close();
        throw new HostException("connect " + path, r);
      }
      return fd;
    }
  }

  /** Asks the host to attest the sender of each message: {@link #senderPid}. */
  public void passCredentials() {
    try (Arena confined = Arena.ofConfined()) {
      MemorySegment one = confined.allocate(4, 4);
      one.set(Memory.INT, 0, 1);
      HostException.check(
          "setsockopt SO_PASSCRED",
          RawSyscall.syscall(
              Nr.SETSOCKOPT, fd.number(), SOL_SOCKET, SO_PASSCRED, one.address(), 4));
    }
  }

  public Fd fd() {
    return fd;
  }

  /**
   * Sends one message with {@code fds}, which stay the caller's.
   *
   * @return bytes sent or -errno
   */
  public long send(MemorySegment message, long length, Fd... fds) {
    if (fds.length > MAX_FDS) {
      throw new IllegalArgumentException("too many descriptors: " + fds.length);
    }
    synchronized (sendMu) {
      prepare(out, message, length);
      if (fds.length == 0) {
        out.set(Memory.LONG, 32, 0);
        out.set(Memory.LONG, 40, 0);
      } else {
        out.set(Memory.LONG, 40, 16 + (fds.length * 4L + 7 & ~7L));
        out.set(Memory.LONG, CONTROL, 16 + fds.length * 4L);
        out.set(Memory.INT, CONTROL + 8, SOL_SOCKET);
        out.set(Memory.INT, CONTROL + 12, SCM_RIGHTS);
        for (int i = 0; i < fds.length; i++) {
          out.set(Memory.INT, CONTROL + 16 + i * 4L, fds[i].number());
        }
      }
      long r;
      do {
        r = RawSyscall.syscall(Nr.SENDMSG, fd.number(), out.address(), MSG_NOSIGNAL);
      } while (r == -Errno.EINTR);
      return r;
    }
  }

  /**
   * Receives one message.
   *
   * @param wait false to return -EAGAIN when there is none
   * @return bytes received, 0 when the peer is gone, or -errno
   */
  public long receive(MemorySegment message, long length, boolean wait) {
    long r;
    do {
      prepare(in, message, length);
      in.set(Memory.LONG, 40, CONTROL_BYTES);
      r =
          RawSyscall.syscall(
              Nr.RECVMSG, fd.number(), in.address(), MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
    } while (r == -Errno.EINTR);
    senderPid = 0;
    if (r <= 0) {
      return r;
    }
    long left = Math.min(in.get(Memory.LONG, 40), CONTROL_BYTES);
    long at = CONTROL;
    while (left >= 16) {
      long size = in.get(Memory.LONG, at);
      if (size < 16 || size > left) {
        break;
      }
      if (in.get(Memory.INT, at + 8) == SOL_SOCKET) {
        int type = in.get(Memory.INT, at + 12);
        if (type == SCM_CREDENTIALS) {
          senderPid = in.get(Memory.INT, at + 16);
        } else if (type == SCM_RIGHTS) {
          // Nobody who talks here may send descriptors to us: they would only fill our table.
          for (long i = 16; i + 4 <= size; i += 4) {
            RawSyscall.syscall(Nr.CLOSE, in.get(Memory.INT, at + i));
          }
        }
      }
      long step = size + 7 & ~7L;
      at += step;
      left -= step;
    }
    return r;
  }

  /** {@return the process that sent the last message received}, 0 when the host did not say */
  public int senderPid() {
    return senderPid;
  }

  private void prepare(MemorySegment header, MemorySegment message, long length) {
    if (length > message.byteSize()) {
      throw new IllegalArgumentException("message of " + length + " bytes");
    }
    header.asSlice(0, CONTROL).fill((byte) 0);
    header.set(Memory.LONG, 16, header.address() + 64);
    header.set(Memory.LONG, 24, 1);
    header.set(Memory.LONG, 32, header.address() + CONTROL);
    header.set(Memory.LONG, 64, message.address());
    header.set(Memory.LONG, 72, length);
  }

  @Override
  public void close() {
    fd.close();
  }
}
