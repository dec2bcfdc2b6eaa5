package redoubt.host;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import redoubt.abi.Errno;
import redoubt.abi.Nr;

/**
 * Whole messages over a Unix {@code SOCK_SEQPACKET} pair, each with at most one descriptor in it
 * ({@code SCM_RIGHTS}): <a href="https://man7.org/linux/man-pages/man7/unix.7.html">unix(7)</a>.
 *
 * <p>Several threads may send and receive on one socket at once: the kernel hands each message to
 * one of them, whole. What a thread needs for that is a {@link Channel} of its own.
 */
public final class SeqpacketSocket {
  private static final int AF_UNIX = 1;
  private static final int SOCK_SEQPACKET = 5;
  private static final int SOCK_CLOEXEC = 0x80000;
  private static final int SOL_SOCKET = 1;
  private static final int SO_SNDBUF = 7;
  private static final int SO_TYPE = 3;
  private static final int SCM_RIGHTS = 1;
  private static final int MSG_CTRUNC = 8;
  private static final int MSG_TRUNC = 0x20;
  private static final int MSG_DONTWAIT = 0x40;
  private static final int MSG_NOSIGNAL = 0x4000;
  private static final int MSG_CMSG_CLOEXEC = 0x40000000;
  private static final int SHUT_RDWR = 2;
  private static final int POLLHUP = 0x10;

  private SeqpacketSocket() {}

  /**
   * {@return the two ends of a new pair}
   *
   * @throws HostException if the host refuses
   */
  public static Fd[] pair() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment fds = arena.allocate(8, 4);
      HostException.check(
          "socketpair",
          RawSyscall.syscall(
              Nr.SOCKETPAIR, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds.address()));
      return new Fd[] {new Fd(fds.get(Memory.INT, 0)), new Fd(fds.get(Memory.INT, 4))};
    }
  }

  /** {@return whether {@code fd} is a socket that keeps message boundaries and order} */
  public static boolean isSeqpacket(int fd) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment value = arena.allocate(8, 4);
      value.set(Memory.INT, 4, 4);
      long r =
          RawSyscall.syscall(
              Nr.GETSOCKOPT, fd, SOL_SOCKET, SO_TYPE, value.address(), value.address() + 4);
      return r == 0 && value.get(Memory.INT, 0) == SOCK_SEQPACKET;
    }
  }

  /** Asks for room for messages of {@code bytes}; the kernel grants what its limit allows. */
  public static long setSendBuffer(int fd, int bytes) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment value = arena.allocate(4, 4);
      value.set(Memory.INT, 0, bytes);
      return RawSyscall.syscall(Nr.SETSOCKOPT, fd, SOL_SOCKET, SO_SNDBUF, value.address(), 4);
    }
  }

  /** Ends both directions: every thread that waits on either end returns. */
  public static void shutdown(int fd) {
    RawSyscall.syscall(Nr.SHUTDOWN, fd, SHUT_RDWR);
  }

  /** Waits until the other end is gone, without reading; returns false on an error. */
  public static boolean awaitHangup(int fd) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment pollfd = arena.allocate(8, 4);
      long r;
      do {
        pollfd.set(Memory.INT, 0, fd);
        pollfd.set(Memory.INT, 4, 0);
        r = RawSyscall.syscall(Nr.POLL, pollfd.address(), 1, -1);
      } while (r == -Errno.EINTR);
      return r == 1 && (pollfd.get(Memory.SHORT, 6) & POLLHUP) != 0;
    }
  }

  /**
   * Sends one message without a descriptor.
   *
   * @return 0 or -errno; {@code -EPIPE} when the other end is gone, never a signal
   */
  public static long send(int fd, long haddr, long length) {
    long r;
    do {
      r = RawSyscall.syscall(Nr.SENDTO, fd, haddr, length, MSG_NOSIGNAL, 0, 0);
    } while (r == -Errno.EINTR);
    return r < 0 ? r : r == length ? 0 : -Errno.EIO;
  }

  /**
   * What one thread needs to send and receive: headers and a control buffer, off-heap, for the life
   * of the process. Not thread-safe.
   *
   * <pre>
   *   0  struct msghdr (56): name 0, namelen 8, iov 16, iovlen 24, control 32, controllen 40, flags 48
   *  56  struct iovec (16)
   *  72  struct cmsghdr (16) and one int, padded to 24
   * </pre>
   */
  public static final class Channel {
    private static final long IOVEC = 56;
    private static final long CONTROL = 72;
    private static final long CONTROL_BYTES = 24;
    private static final long BYTES = CONTROL + CONTROL_BYTES;
    private static final long CMSG_LEN_ONE_FD = 20;

    private final Region header = Region.of(Memory.allocateGlobal(BYTES));
    private int receivedFd = -1;
    private boolean lostFd;

    /** Makes a channel; its memory is never given back. */
    public Channel() {}

    /**
     * Sends one message with one descriptor, which stays open here too.
     *
     * @return 0 or -errno
     */
    public long sendWithFd(int fd, long haddr, long length, int donated) {
      fill(haddr, length);
      Region h = header;
      h.putLong(CONTROL, CMSG_LEN_ONE_FD);
      h.putInt(CONTROL + 8, SOL_SOCKET);
      h.putInt(CONTROL + 12, SCM_RIGHTS);
      h.putInt(CONTROL + 16, donated);
      h.putInt(CONTROL + 20, 0);
      long r;
      do {
        r = RawSyscall.syscall(Nr.SENDMSG, fd, h.address(), MSG_NOSIGNAL);
      } while (r == -Errno.EINTR);
      return r < 0 ? r : r == length ? 0 : -Errno.EIO;
    }

    /**
     * Receives one message and the descriptor in it, if any, for {@link #takeFd()}.
     *
     * @return bytes received, 0 at the end, or -errno; {@code -EMSGSIZE} if the message or its
     *     descriptors were more than fit (what came of them is closed). If this process has no room
     *     for a descriptor, the message comes without it: {@link #lostFd}
     */
    public long receive(int fd, long haddr, long capacity, boolean wait) {
      fill(haddr, capacity);
      Region h = header;
      int flags = MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT);
      long r;
      do {
        r = RawSyscall.syscall(Nr.RECVMSG, fd, h.address(), flags);
      } while (r == -Errno.EINTR);
      receivedFd = -1;
      lostFd = false;
      if (r < 0) {
        return r;
      }
      if (h.getLong(40) >= CMSG_LEN_ONE_FD
          && h.getInt(CONTROL + 8) == SOL_SOCKET
          && h.getInt(CONTROL + 12) == SCM_RIGHTS) {
        receivedFd = h.getInt(CONTROL + 16);
        if (h.getLong(CONTROL) > CMSG_LEN_ONE_FD) {
          // The padding of one int has room for a second descriptor.
          FileSystemCalls.close(h.getInt(CONTROL + 20));
          closeReceived();
          return -Errno.EMSGSIZE;
        }
      }
      int got = h.getInt(48);
      if ((got & (MSG_CTRUNC | MSG_TRUNC)) == MSG_CTRUNC && h.getLong(40) == 0) {
        lostFd = true;
      } else if ((got & (MSG_CTRUNC | MSG_TRUNC)) != 0) {
        closeReceived();
        return -Errno.EMSGSIZE;
      }
      return r;
    }

    /** {@return the descriptor of the last message, owned by the caller from now on, or -1} */
    public int takeFd() {
      int fd = receivedFd;
      receivedFd = -1;
      return fd;
    }

    /** {@return whether the last message had a descriptor for which there was no room (EMFILE)} */
    public boolean lostFd() {
      return lostFd;
    }

    private void closeReceived() {
      int fd = takeFd();
      if (fd >= 0) {
        FileSystemCalls.close(fd);
      }
    }

    private void fill(long haddr, long length) {
      Region h = header;
      h.putLong(0, 0);
      h.putInt(8, 0);
      h.putLong(16, h.address() + IOVEC);
      h.putLong(24, 1);
      h.putLong(32, h.address() + CONTROL);
      h.putLong(40, CONTROL_BYTES);
      h.putInt(48, 0);
      h.putLong(IOVEC, haddr);
      h.putLong(IOVEC + 8, length);
    }
  }
}
