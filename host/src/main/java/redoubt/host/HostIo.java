package redoubt.host;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import redoubt.abi.Nr;

/** Reading, writing and polling inherited descriptors (standard input and output, terminals). */
public final class HostIo {
  // poll(2) and epoll(7), the same bits.
  public static final int POLLIN = 1;
  public static final int POLLPRI = 2;
  public static final int POLLOUT = 4;
  public static final int POLLERR = 8;
  public static final int POLLHUP = 0x10;
  public static final int POLLRDHUP = 0x2000;

  private static final int EPOLLET = 1 << 31;
  private static final int EPOLL_CTL_ADD = 1;
  private static final int EPOLL_CTL_DEL = 2;
  private static final int F_GETFL = 3;
  private static final int MSG_DONTWAIT = 0x40;
  private static final int MSG_NOSIGNAL = 0x4000;
  private static final int TIOCGWINSZ = 0x5413;
  private static final int EINTR = 4;

  /** struct stat: offsets and size on x86-64. */
  private static final int ST_INO = 8;

  private static final int ST_MODE = 24;
  private static final int ST_RDEV = 40;
  private static final int ST_SIZE = 48;
  private static final int ST_MTIM = 88;
  private static final int SIZEOF_STAT = 144;

  /** Room for two pollfds, a struct stat or an epoll_event; one for each thread that asks. */
  private static final ThreadLocal<MemorySegment> SCRATCH =
      ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(SIZEOF_STAT, 8));

  private HostIo() {}

  /** What fstat(2) says of a descriptor. */
  public record Status(int mode, long size, long ino, long rdev, long mtimeNs) {}

  /** {@return the status of {@code fd}}; HostException if it is not open */
  public static Status status(int fd) {
    MemorySegment s = SCRATCH.get();
    HostException.check("fstat " + fd, RawSyscall.syscall(Nr.FSTAT, fd, s.address()));
    return new Status(
        s.get(Memory.INT, ST_MODE),
        s.get(Memory.LONG, ST_SIZE),
        s.get(Memory.LONG, ST_INO),
        s.get(Memory.LONG, ST_RDEV),
        s.get(Memory.LONG, ST_MTIM) * 1_000_000_000L + s.get(Memory.LONG, ST_MTIM + 8));
  }

  /** {@return the O_* flags of the open description} */
  public static int flags(int fd) {
    return (int) HostException.check("fcntl " + fd, RawSyscall.syscall(Nr.FCNTL, fd, F_GETFL));
  }

  /** {@return the POLL* bits of {@code events} (and POLLERR, POLLHUP) that are true now} */
  public static int poll(int fd, int events) {
    MemorySegment s = SCRATCH.get();
    s.set(Memory.INT, 0, fd);
    s.set(Memory.INT, 4, events & 0xffff);
    long r = RawSyscall.syscall(Nr.POLL, s.address(), 1, 0);
    return r <= 0 ? 0 : s.get(Memory.SHORT, 6) & 0xffff;
  }

  /** Waits until one of two descriptors is readable. Returns whether the first is. */
  public static boolean awaitReadable(int first, int second) {
    MemorySegment s = SCRATCH.get();
    for (; ; ) {
      s.set(Memory.INT, 0, first);
      s.set(Memory.INT, 4, POLLIN);
      s.set(Memory.INT, 8, second);
      s.set(Memory.INT, 12, POLLIN);
      long r = RawSyscall.syscall(Nr.POLL, s.address(), 2, -1);
      if (r != -EINTR) {
        return r < 0 || s.get(Memory.SHORT, 6) != 0;
      }
    }
  }

  /** Waits until {@code fd} is writable or broken. */
  public static void awaitWritable(int fd) {
    MemorySegment s = SCRATCH.get();
    s.set(Memory.INT, 0, fd);
    s.set(Memory.INT, 4, POLLOUT);
    RawSyscall.syscall(Nr.POLL, s.address(), 1, -1);
  }

  public static long read(int fd, MemorySegment buffer, long offset, long bytes) {
    return RawSyscall.syscall(Nr.READ, fd, buffer.asSlice(offset, bytes).address(), bytes);
  }

  public static long write(int fd, MemorySegment buffer, long offset, long bytes) {
    return RawSyscall.syscall(Nr.WRITE, fd, buffer.asSlice(offset, bytes).address(), bytes);
  }

  public static long pread(int fd, MemorySegment buffer, long bytes, long position) {
    return RawSyscall.syscall(Nr.PREAD64, fd, buffer.asSlice(0, bytes).address(), bytes, position);
  }

  public static long pwrite(int fd, MemorySegment buffer, long bytes, long position) {
    return RawSyscall.syscall(Nr.PWRITE64, fd, buffer.asSlice(0, bytes).address(), bytes, position);
  }

  /** Receives from a socket without waiting. */
  public static long receive(int fd, MemorySegment buffer, long bytes) {
    return RawSyscall.syscall(
        Nr.RECVFROM, fd, buffer.asSlice(0, bytes).address(), bytes, MSG_DONTWAIT, 0, 0);
  }

  /** Sends to a socket without waiting. */
  public static long send(int fd, MemorySegment buffer, long bytes) {
    return RawSyscall.syscall(
        Nr.SENDTO,
        fd,
        buffer.asSlice(0, bytes).address(),
        bytes,
        MSG_DONTWAIT | MSG_NOSIGNAL,
        0,
        0);
  }

  public static long seek(int fd, long offset, int whence) {
    return RawSyscall.syscall(Nr.LSEEK, fd, offset, whence);
  }

  public static long truncate(int fd, long length) {
    return RawSyscall.syscall(Nr.FTRUNCATE, fd, length);
  }

  public static long sync(int fd, boolean dataOnly) {
    return RawSyscall.syscall(dataOnly ? Nr.FDATASYNC : Nr.FSYNC, fd);
  }

  /** {@return struct winsize of a terminal as one little-endian long, or 0 if it is none} */
  public static long windowSize(int fd) {
    MemorySegment s = SCRATCH.get();
    return RawSyscall.syscall(Nr.IOCTL, fd, TIOCGWINSZ, s.address()) < 0
        ? 0
        : s.get(Memory.LONG, 0);
  }

  /** {@return a new eventfd that never blocks its writer} */
  public static Fd newEvent() {
    int nonblockCloexec = 04000 | 02000000;
    return new Fd(
        (int) HostException.check("eventfd2", RawSyscall.syscall(Nr.EVENTFD2, 0, nonblockCloexec)));
  }

  /** Makes an event readable, for good or until {@link #drain}. */
  public static void signal(Fd event) {
    MemorySegment s = SCRATCH.get();
    s.set(Memory.LONG, 0, 1);
    RawSyscall.syscall(Nr.WRITE, event.number(), s.address(), 8);
  }

  /** Makes an event unreadable again, until the next {@link #signal}. */
  public static void drain(Fd event) {
    MemorySegment s = SCRATCH.get();
    RawSyscall.syscall(Nr.READ, event.number(), s.address(), 8);
  }

  // epoll

  public static Fd newEpoll() {
    return new Fd(
        (int) HostException.check("epoll_create1", RawSyscall.syscall(Nr.EPOLL_CREATE1, 02000000)));
  }

  /**
   * Watches {@code fd} for every change (edge-triggered). Returns 0, or -EPERM for files that never
   * block.
   */
  public static long watch(Fd epoll, int fd, long key) {
    MemorySegment s = SCRATCH.get();
    s.set(Memory.INT, 0, POLLIN | POLLOUT | POLLPRI | POLLRDHUP | EPOLLET);
    s.set(Memory.LONG, 4, key);
    return RawSyscall.syscall(Nr.EPOLL_CTL, epoll.number(), EPOLL_CTL_ADD, fd, s.address());
  }

  public static void unwatch(Fd epoll, int fd) {
    RawSyscall.syscall(Nr.EPOLL_CTL, epoll.number(), EPOLL_CTL_DEL, fd, SCRATCH.get().address());
  }

  /**
   * Waits for events: {@code events} holds up to {@code limit} entries of 12 bytes, bits then key.
   */
  public static long await(Fd epoll, MemorySegment events, int limit) {
    return RawSyscall.syscall(Nr.EPOLL_WAIT, epoll.number(), events.address(), limit, -1);
  }
}
