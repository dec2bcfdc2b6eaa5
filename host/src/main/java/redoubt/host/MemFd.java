package redoubt.host;

import java.lang.foreign.Arena;
import redoubt.abi.Nr;

/**
 * Memory files: <a
 * href="https://man7.org/linux/man-pages/man2/memfd_create.2.html">memfd_create(2)</a>.
 */
public final class MemFd {
  private static final long MFD_CLOEXEC = 1;
  private static final long MFD_ALLOW_SEALING = 2;
  private static final long F_ADD_SEALS = 1033;
  private static final long F_SEAL_SEAL = 1;
  private static final long F_SEAL_SHRINK = 2;
  private static final long F_SEAL_GROW = 4;
  private static final long FALLOC_FL_KEEP_SIZE = 1;
  private static final long FALLOC_FL_PUNCH_HOLE = 2;

  private MemFd() {}

  /**
   * Creates a sparse memory file of fixed size: nobody who gets the descriptor can resize it.
   *
   * @throws HostException if the host refuses
   */
  public static Fd create(String name, long bytes) {
    try (Arena arena = Arena.ofConfined()) {
      Fd fd =
          new Fd(
              (int)
                  HostException.check(
                      "memfd_create " + name,
                      RawSyscall.syscall(
                          Nr.MEMFD_CREATE,
                          Memory.cString(arena, name).address(),
                          MFD_CLOEXEC | MFD_ALLOW_SEALING)));
      HostException.check(
          "ftruncate " + name + " to " + bytes,
          RawSyscall.syscall(Nr.FTRUNCATE, fd.number(), bytes));
      HostException.check(
          "seal " + name,
          RawSyscall.syscall(
              Nr.FCNTL, fd.number(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL));
      return fd;
    }
  }

  /** Gives the pages of a range back to the host; they read as zero afterwards. */
  public static long punchHole(Fd fd, long offset, long length) {
    return RawSyscall.syscall(
        Nr.FALLOCATE, fd.number(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length);
  }
}
