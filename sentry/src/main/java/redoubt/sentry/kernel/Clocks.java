package redoubt.sentry.kernel;

import java.lang.foreign.MemorySegment;
import redoubt.abi.Nr;
import redoubt.host.Memory;
import redoubt.host.RawSyscall;

/** The sandbox's clocks, which are the host's: the guest's vDSO and the kernel must agree. */
public final class Clocks {
  public static final int CLOCK_REALTIME = 0;
  public static final int CLOCK_MONOTONIC = 1;
  public static final int CLOCK_BOOTTIME = 7;

  private static final long REFRESH_NS = 50_000_000;

  /** What the difference of the two clocks may fall without our clock going back. */
  private static final long STEP_NS = 50_000;

  private static volatile long offsetNs = Long.MIN_VALUE;
  private static volatile long refreshedNs;

  private Clocks() {}

  /** {@return CLOCK_MONOTONIC in ns}; {@link System#nanoTime} is the same clock on Linux */
  public static long monotonicNs() {
    return System.nanoTime();
  }

  /**
   * {@return CLOCK_REALTIME in ns for stamps}, at most 50 ms behind a change of the host's clock
   * and some microseconds off it; clock_gettime(2) asks the host, whose clock the vDSO shows
   */
  public static long realtimeNs() {
    long now = System.nanoTime();
    long offset = offsetNs;
    if (offset == Long.MIN_VALUE || now - refreshedNs > REFRESH_NS) {
      // The host's clock first: a delay between the two readings makes the difference too small, so
      // the
      // largest of three is the best.
      long best = Long.MIN_VALUE;
      for (int i = 0; i < 3; i++) {
        long host = hostClockNs(CLOCK_REALTIME);
        best = Math.max(best, host - System.nanoTime());
      }
      if (best > offset || offset - best > STEP_NS) {
        offsetNs = best;
        offset = best;
      }
      refreshedNs = now;
    }
    return now + offset;
  }

  /** {@return clock {@code id} of the host in ns, or -errno} */
  public static long hostClockNs(int id) {
    MemorySegment buffer = SCRATCH.get();
    long r = RawSyscall.syscall(Nr.CLOCK_GETTIME, id, buffer.address());
    return r < 0 ? r : buffer.get(Memory.LONG, 0) * 1_000_000_000L + buffer.get(Memory.LONG, 8);
  }

  private static final ThreadLocal<MemorySegment> SCRATCH =
      ThreadLocal.withInitial(() -> java.lang.foreign.Arena.ofAuto().allocate(16, 8));
}
