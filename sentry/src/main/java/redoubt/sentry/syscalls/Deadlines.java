package redoubt.sentry.syscalls;

import redoubt.sentry.kernel.Clocks;
import redoubt.sentry.kernel.Waiter;

/** Timespecs as points in time for {@link Waiter}. */
final class Deadlines {
  private static final long NS = 1_000_000_000L;

  private Deadlines() {}

  /**
   * {@return the deadline of a relative timeout}, {@link Waiter#FOREVER} when it is out of range
   */
  static long after(long sec, long nsec) {
    if (sec >= Long.MAX_VALUE / NS / 2) {
      return Waiter.FOREVER;
    }
    long d = System.nanoTime() + sec * NS + nsec;
    return d < 0 ? Waiter.FOREVER : d;
  }

  /** {@return the deadline of an absolute time of CLOCK_REALTIME (0) or CLOCK_MONOTONIC} */
  static long at(int clock, long sec, long nsec) {
    if (sec >= Long.MAX_VALUE / NS / 2) {
      return Waiter.FOREVER;
    }
    long t = sec * NS + nsec;
    if (clock == Clocks.CLOCK_REALTIME) {
      return System.nanoTime() + (t - Clocks.realtimeNs());
    }
    return t;
  }
}
