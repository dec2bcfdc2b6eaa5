package redoubt.host;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import redoubt.abi.Nr;

/** System calls on the calling process itself: limits, umask, prctl(2). */
public final class ProcessCalls {
  private static final int RLIMIT_NOFILE = 7;
  private static final int PR_SET_DUMPABLE = 4;
  private static final int PR_SET_NO_NEW_PRIVS = 38;

  /** Processors that {@link #pinThread} knows: the numbers below this. */
  public static final int CPUS_MAX = 1024;

  private ProcessCalls() {}

  /** Raises the limit on open descriptors to its hard value and {@return that value} */
  public static long raiseFileLimit() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment limit = arena.allocate(16, 8);
      HostException.check(
          "prlimit RLIMIT_NOFILE",
          RawSyscall.syscall(Nr.PRLIMIT64, 0, RLIMIT_NOFILE, 0, limit.address()));
      long hard = limit.get(Memory.LONG, 8);
      if (limit.get(Memory.LONG, 0) != hard) {
        limit.set(Memory.LONG, 0, hard);
        HostException.check(
            "prlimit RLIMIT_NOFILE to " + hard,
            RawSyscall.syscall(Nr.PRLIMIT64, 0, RLIMIT_NOFILE, limit.address(), 0));
      }
      return hard;
    }
  }

  /** Keeps the calling thread on one processor; returns 0 or -errno. */
  public static long pinThread(int cpu) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment mask = arena.allocate(CPUS_MAX / 8, 8);
      mask.set(Memory.LONG, cpu / 64 * 8L, 1L << (cpu % 64));
      return RawSyscall.syscall(Nr.SCHED_SETAFFINITY, 0, CPUS_MAX / 8, mask.address());
    }
  }

  /** Sets the file mode creation mask of the process. */
  public static void umask(int mask) {
    RawSyscall.syscall(Nr.UMASK, mask);
  }

  /** Keeps other processes of the same user from reading this one's memory. */
  public static void setNotDumpable() {
    HostException.check(
        "prctl PR_SET_DUMPABLE", RawSyscall.syscall(Nr.PRCTL, PR_SET_DUMPABLE, 0, 0, 0, 0));
  }

  /** Gives up, for the calling thread and its future ones, all rights that execve(2) could add. */
  public static void setNoNewPrivileges() {
    HostException.check(
        "prctl PR_SET_NO_NEW_PRIVS", RawSyscall.syscall(Nr.PRCTL, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  }
}
