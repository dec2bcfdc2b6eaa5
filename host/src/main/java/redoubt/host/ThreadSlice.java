package redoubt.host;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import redoubt.abi.Nr;

/**
 * How long a thread may run at a time: <a
 * href="https://man7.org/linux/man-pages/man2/sched_setattr.2.html">sched_setattr(2)</a>. Since
 * Linux 6.12 a thread of the usual policy that asks for short slices is let on soon when it wakes
 * up; older kernels do not mind.
 */
public final class ThreadSlice {
  /** The shortest that the host grants. */
  private static final long SHORTEST_NS = 100_000;

  private static final int SIZEOF_SCHED_ATTR = 48;

  private ThreadSlice() {}

  /** The calling thread works little and waits much: its wake-ups should be prompt. */
  public static void makeShortest() {
    makeShortest(0, 0);
  }

  /**
   * A thread of this process works in slices that are soon over.
   *
   * @param tid its number, or 0 for the caller
   * @param nice its new nice value, 0 to 19
   * @return 0 or -errno
   */
  static long makeShortest(int tid, int nice) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment attr = arena.allocate(SIZEOF_SCHED_ATTR, 8);
      attr.set(Memory.INT, 0, SIZEOF_SCHED_ATTR);
      attr.set(Memory.INT, 16, nice);
      attr.set(Memory.LONG, 24, SHORTEST_NS);
      return RawSyscall.syscall(Nr.SCHED_SETATTR, tid, attr.address(), 0);
    }
  }
}
