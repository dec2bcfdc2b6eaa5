package redoubt.host;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import redoubt.abi.Nr;

/**
 * Host paths and descriptors as the command line needs them: what {@code java.nio} cannot do
 * (descriptors, modes, locks) or does slowly at start. Cold paths only.
 */
public final class HostFiles {
  public static final int O_RDONLY = 0;
  public static final int O_WRONLY = 1;
  public static final int O_RDWR = 2;
  public static final int O_CREAT = 0x40;
  public static final int O_EXCL = 0x80;
  public static final int O_NOCTTY = 0x100;
  public static final int O_TRUNC = 0x200;
  public static final int O_APPEND = 0x400;
  public static final int O_DIRECTORY = 0x10000;
  public static final int O_NOFOLLOW = 0x20000;
  public static final int O_CLOEXEC = 0x80000;
  public static final int O_PATH = 0x200000;

  private static final int AT_FDCWD = -100;
  private static final int F_GETFD = 1;
  private static final int F_SETFD = 2;
  private static final int FD_CLOEXEC = 1;
  private static final int F_DUPFD_CLOEXEC = 1030;

  // struct stat
  private static final long ST_MODE = 24;
  private static final long STAT_BYTES = 144;

  private HostFiles() {}

  /**
   * Opens a file, close-on-exec.
   *
   * @throws HostException if the host refuses
   */
  public static Fd open(String path, int flags, int mode) {
    return new Fd((int) HostException.check("open " + path, tryOpen(path, flags, mode)));
  }

  /** {@return a descriptor number or a negative errno} */
  public static long tryOpen(String path, int flags, int mode) {
    try (Arena arena = Arena.ofConfined()) {
      return RawSyscall.syscall(Nr.OPENAT, AT_FDCWD, utf8(arena, path), flags | O_CLOEXEC, mode);
    }
  }

  /** {@return 0 or a negative errno} */
  public static long mkdir(String path, int mode) {
    try (Arena arena = Arena.ofConfined()) {
      return RawSyscall.syscall(Nr.MKDIRAT, AT_FDCWD, utf8(arena, path), mode);
    }
  }

  /** {@return 0 or a negative errno} */
  public static long rmdir(String path) {
    try (Arena arena = Arena.ofConfined()) {
      return RawSyscall.syscall(Nr.RMDIR, utf8(arena, path));
    }
  }

  /** {@return 0 or a negative errno} */
  public static long unlink(String path) {
    try (Arena arena = Arena.ofConfined()) {
      return RawSyscall.syscall(Nr.UNLINK, utf8(arena, path));
    }
  }

  /** {@return 0 or a negative errno} */
  public static long rename(String from, String to) {
    try (Arena arena = Arena.ofConfined()) {
      return RawSyscall.syscall(Nr.RENAME, utf8(arena, from), utf8(arena, to));
    }
  }

  /** {@return the st_mode of a file, following symbolic links, or a negative errno} */
  public static long mode(String path) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment stat = arena.allocate(STAT_BYTES, 8);
      long r = RawSyscall.syscall(Nr.NEWFSTATAT, AT_FDCWD, utf8(arena, path), stat.address(), 0);
      return r < 0 ? r : Integer.toUnsignedLong(stat.get(Memory.INT, ST_MODE));
    }
  }

  public static boolean isDirectory(String path) {
    long mode = mode(path);
    return mode >= 0 && (mode & 0xf000) == 0x4000;
  }

  public static boolean isFile(String path) {
    long mode = mode(path);
    return mode >= 0 && (mode & 0xf000) == 0x8000;
  }

  public static boolean exists(String path) {
    return mode(path) >= 0;
  }

  /**
   * Writes all bytes.
   *
   * @return 0 or a negative errno, as -ENOSPC
   */
  public static long write(Fd fd, byte[] bytes) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment data = arena.allocate(Math.max(1, bytes.length));
      MemorySegment.copy(bytes, 0, data, Memory.BYTE, 0, bytes.length);
      long done = 0;
      while (done < bytes.length) {
        long n =
            RawSyscall.syscall(Nr.WRITE, fd.number(), data.address() + done, bytes.length - done);
        if (n == -redoubt.abi.Errno.EINTR) {
          continue;
        }
        if (n <= 0) {
          return n == 0 ? -redoubt.abi.Errno.EIO : n;
        }
        done += n;
      }
      return 0;
    }
  }

  /** Reads up to {@code limit} bytes, to the end of the file. */
  public static byte[] readAll(Fd fd, int limit) {
    var out = new java.io.ByteArrayOutputStream();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment data = arena.allocate(8192);
      byte[] chunk = new byte[8192];
      while (out.size() < limit) {
        long n =
            RawSyscall.syscall(
                Nr.READ, fd.number(), data.address(), Math.min(8192, limit - out.size()));
        if (n == -redoubt.abi.Errno.EINTR) {
          continue;
        }
        if (n <= 0) {
          break;
        }
        MemorySegment.copy(data, Memory.BYTE, 0, chunk, 0, (int) n);
        out.write(chunk, 0, (int) n);
      }
    }
    return out.toByteArray();
  }

  /** {@return whether {@code path} can be opened} */
  public static boolean isReadable(String path) {
    long n = tryOpen(path, O_RDONLY, 0);
    if (n >= 0) {
      new Fd((int) n).close();
    }
    return n >= 0;
  }

  /** {@return the text of a small file, or null if it cannot be opened} */
  public static @org.jspecify.annotations.Nullable String readText(String path, int limit) {
    long n = tryOpen(path, O_RDONLY, 0);
    if (n < 0) {
      return null;
    }
    try (Fd fd = new Fd((int) n)) {
      return new String(readAll(fd, limit), StandardCharsets.UTF_8);
    }
  }

  /** {@return an anonymous file with this content, positioned at its start} */
  public static Fd memoryFile(String name, byte[] content) {
    try (Arena arena = Arena.ofConfined()) {
      var fd =
          new Fd(
              (int)
                  HostException.check(
                      "memfd_create", RawSyscall.syscall(Nr.MEMFD_CREATE, utf8(arena, name), 1)));
      HostException.check("write " + name, write(fd, content));
      RawSyscall.syscall(Nr.LSEEK, fd.number(), 0, 0);
      return fd;
    }
  }

  /** {@return the reading and the writing end of a pipe, close-on-exec} */
  public static Fd[] pipe() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment two = arena.allocate(8, 4);
      HostException.check("pipe", RawSyscall.syscall(Nr.PIPE2, two.address(), O_CLOEXEC));
      return new Fd[] {new Fd(two.get(Memory.INT, 0)), new Fd(two.get(Memory.INT, 4))};
    }
  }

  /** {@return a close-on-exec copy of descriptor {@code number}} */
  public static Fd duplicate(int number) {
    return new Fd(
        (int)
            HostException.check(
                "duplicate descriptor " + number,
                RawSyscall.syscall(Nr.FCNTL, number, F_DUPFD_CLOEXEC, 3)));
  }

  /** As the other, with the lowest free number from {@code least} on. */
  public static Fd duplicate(int number, int least) {
    return new Fd(
        (int)
            HostException.check(
                "duplicate descriptor " + number,
                RawSyscall.syscall(Nr.FCNTL, number, F_DUPFD_CLOEXEC, least)));
  }

  /** {@return whether {@code number} is a descriptor that this program was started with} */
  public static boolean isInherited(int number) {
    long flags = RawSyscall.syscall(Nr.FCNTL, number, F_GETFD);
    return flags >= 0 && (flags & FD_CLOEXEC) == 0;
  }

  /** Lets {@code fd} stay open in the program that replaces this one. */
  public static void keepOverExec(Fd fd) {
    RawSyscall.syscall(Nr.FCNTL, fd.number(), F_SETFD, 0);
  }

  /** Takes the exclusive lock of a file, waiting for it: flock(2). It ends with the descriptor. */
  public static void lock(Fd fd) {
    long r;
    do {
      r = RawSyscall.syscall(Nr.FLOCK, fd.number(), 2);
    } while (r == -redoubt.abi.Errno.EINTR);
    HostException.check("flock", r);
  }

  /** Sends a signal to a host process; 0 or a negative errno. */
  public static long kill(int pid, int signal) {
    return RawSyscall.syscall(Nr.KILL, pid, signal);
  }

  /** {@return a descriptor that becomes readable when process {@code pid} has ended} */
  public static Fd pidfd(int pid) {
    return new Fd(
        (int) HostException.check("pidfd of " + pid, RawSyscall.syscall(Nr.PIDFD_OPEN, pid, 0)));
  }

  public static int effectiveUid() {
    return (int) RawSyscall.syscall(Nr.GETEUID);
  }

  public static int processId() {
    return (int) RawSyscall.syscall(Nr.GETPID);
  }

  private static long utf8(Arena arena, String text) {
    return arena.allocateFrom(text, StandardCharsets.UTF_8).address();
  }
}
