package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EOPNOTSUPP;
import static redoubt.abi.Errno.EPERM;
import static redoubt.abi.Errno.ERESTARTNOHAND;
import static redoubt.abi.Errno.ERESTARTSYS;
import static redoubt.abi.Errno.ERESTART_RESTARTBLOCK;
import static redoubt.abi.Errno.ETIMEDOUT;
import static redoubt.abi.Time.CLOCK_BOOTTIME;
import static redoubt.abi.Time.CLOCK_BOOTTIME_ALARM;
import static redoubt.abi.Time.CLOCK_MONOTONIC;
import static redoubt.abi.Time.CLOCK_MONOTONIC_COARSE;
import static redoubt.abi.Time.CLOCK_PROCESS_CPUTIME_ID;
import static redoubt.abi.Time.CLOCK_REALTIME;
import static redoubt.abi.Time.CLOCK_REALTIME_ALARM;
import static redoubt.abi.Time.CLOCK_REALTIME_COARSE;
import static redoubt.abi.Time.CLOCK_TAI;
import static redoubt.abi.Time.SIZEOF_TIMEX;
import static redoubt.abi.Time.TIMER_ABSTIME;
import static redoubt.abi.Time.TIMEX_MODES;
import static redoubt.abi.Time.TIMEX_STATUS;
import static redoubt.abi.Time.TIMEX_TICK;
import static redoubt.abi.Time.TIMEX_TIME;
import static redoubt.abi.Time.TIME_ERROR;
import static redoubt.abi.Time.USER_HZ;

import java.lang.foreign.MemorySegment;
import redoubt.abi.Time;
import redoubt.host.Memory;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.Clocks;
import redoubt.sentry.kernel.CpuClock;
import redoubt.sentry.kernel.ResourceUsage;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.Waiter;

/** Clocks and sleeping: <a href="https://man7.org/linux/man-pages/man7/time.7.html">time(7)</a>. */
public final class Clock {
  /** TIME_SETTOD_SEC_MAX: what leaves 30 years before times overflow. */
  private static final long MOST_SECONDS = Long.MAX_VALUE / 1_000_000_000L - 30L * 365 * 24 * 3600;

  static final long SECOND_NS = 1_000_000_000L;

  /** Resolution of the coarse clocks: a tick of 250 Hz. */
  private static final long COARSE_NS = 4_000_000;

  /** What a sleep on CPU time looks again after at the latest. */
  private static final long CPU_LOOK_NS = 10_000_000;

  /** Seconds from which on a time is "for ever": KTIME_SEC_MAX. */
  private static final long SECONDS_MAX = Long.MAX_VALUE / SECOND_NS;

  private Clock() {}

  /**
   * Reads a clock: <a
   * href="https://man7.org/linux/man-pages/man2/clock_gettime.2.html">clock_gettime(2)</a>.
   */
  public static long clockGettime(Task t, Args a) {
    long ns = CpuClock.now(t, a.int0());
    return ns == -EINVAL ? ns : copyOutTimespec(t, a.long1(), ns);
  }

  /**
   * A clock's resolution: <a
   * href="https://man7.org/linux/man-pages/man2/clock_getres.2.html">clock_getres(2)</a>.
   */
  public static long clockGetres(Task t, Args a) {
    int clock = a.int0();
    if (CpuClock.now(t, clock) == -EINVAL) {
      return -EINVAL;
    }
    if (a.long1() == 0) {
      return 0;
    }
    boolean coarse = clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC_COARSE;
    return copyOutTimespec(t, a.long1(), coarse ? COARSE_NS : 1);
  }

  /**
   * The time of day: <a
   * href="https://man7.org/linux/man-pages/man2/gettimeofday.2.html">gettimeofday(2)</a>.
   */
  public static long gettimeofday(Task t, Args a) {
    MemorySegment s = t.scratch();
    if (a.long0() != 0) {
      long ns = Clocks.hostClockNs(Clocks.CLOCK_REALTIME);
      s.set(Memory.LONG, 0, ns / SECOND_NS);
      s.set(Memory.LONG, 8, ns % SECOND_NS / 1000);
      if (t.copyOutScratch(a.long0(), 16) < 0) {
        return -EFAULT;
      }
    }
    if (a.long1() != 0) {
      s.set(Memory.LONG, 0, 0); // UTC
      return t.copyOutScratch(a.long1(), 8);
    }
    return 0;
  }

  /**
   * Seconds since the epoch: <a
   * href="https://man7.org/linux/man-pages/man2/time.2.html">time(2)</a>.
   */
  public static long time(Task t, Args a) {
    long seconds = Clocks.hostClockNs(Clocks.CLOCK_REALTIME) / SECOND_NS;
    if (a.long0() != 0 && t.copyOutLong(a.long0(), seconds) < 0) {
      return -EFAULT;
    }
    return seconds;
  }

  /**
   * CPU times in ticks: <a href="https://man7.org/linux/man-pages/man2/times.2.html">times(2)</a>.
   */
  public static long times(Task t, Args a) {
    if (a.long0() != 0) {
      MemorySegment s = t.scratch();
      ResourceUsage own = t.threadGroup().usage();
      ResourceUsage children = t.threadGroup().childrenUsage();
      s.set(Memory.LONG, 0, ticks(own.userNs));
      s.set(Memory.LONG, 8, ticks(own.systemNs));
      s.set(Memory.LONG, 16, ticks(children.userNs));
      s.set(Memory.LONG, 24, ticks(children.systemNs));
      if (t.copyOutScratch(a.long0(), 32) < 0) {
        return -EFAULT;
      }
    }
    return ticks(Clocks.monotonicNs());
  }

  private static long ticks(long ns) {
    return ns / (SECOND_NS / USER_HZ);
  }

  /**
   * Reads the state of the clock; it is the host's to set: <a
   * href="https://man7.org/linux/man-pages/man2/adjtimex.2.html">adjtimex(2)</a>.
   */
  public static long adjtimex(Task t, Args a) {
    return adjust(t, a.long0());
  }

  /**
   * As adjtimex, for one clock: <a
   * href="https://man7.org/linux/man-pages/man2/clock_adjtime.2.html">clock_adjtime(2)</a>.
   */
  public static long clockAdjtime(Task t, Args a) {
    int clock = a.int0();
    if (CpuClock.now(t, clock) == -EINVAL) {
      return -EINVAL;
    }
    return clock == CLOCK_REALTIME ? adjust(t, a.long1()) : -EOPNOTSUPP;
  }

  /**
   * <a href="https://man7.org/linux/man-pages/man2/settimeofday.2.html">settimeofday(2)</a>: the
   * clock is the host's.
   */
  static long settimeofday(Task t, Args a) {
    if (a.long0() != 0) {
      if (t.copyInScratch(a.long0(), 16) < 0) {
        return -EFAULT;
      }
      long usec = t.scratch().get(Memory.LONG, 8);
      if (usec < 0 || usec > 1_000_000 || !isSettable(t, 1000)) {
        return -EINVAL;
      }
    }
    return -EPERM;
  }

  /**
   * <a href="https://man7.org/linux/man-pages/man2/clock_settime.2.html">clock_settime(2)</a>: the
   * clock is the host's, the others cannot be set at all.
   */
  static long clockSettime(Task t, Args a) {
    if (a.int0() != CLOCK_REALTIME) {
      return -EINVAL;
    }
    if (t.copyInScratch(a.long1(), 16) < 0) {
      return -EFAULT;
    }
    return isSettable(t, 1) ? -EPERM : -EINVAL;
  }

  /** timespec64_valid_settod: the time in scratch, whose fraction is in {@code unitNs}. */
  private static boolean isSettable(Task t, long unitNs) {
    long seconds = t.scratch().get(Memory.LONG, 0);
    long fraction = t.scratch().get(Memory.LONG, 8);
    return seconds >= 0
        && seconds < MOST_SECONDS
        && fraction >= 0
        && fraction * unitNs < 1_000_000_000L;
  }

  private static long adjust(Task t, long uaddr) {
    if (t.copyInScratch(uaddr, SIZEOF_TIMEX) < 0) {
      return -EFAULT;
    }
    MemorySegment s = t.scratch();
    int modes = s.get(Memory.INT, TIMEX_MODES);
    if ((modes & Time.ADJ_ADJTIME) != 0 && (modes & Time.ADJ_OFFSET) == 0) {
      return -EINVAL; // timekeeping_validate_timex asks this before rights
    }
    if (modes != 0 && modes != Time.ADJ_OFFSET_SS_READ) {
      return -EPERM;
    }
    s.asSlice(0, SIZEOF_TIMEX).fill((byte) 0);
    long ns = Clocks.realtimeNs();
    s.set(Memory.INT, TIMEX_STATUS, Time.STA_UNSYNC);
    s.set(Memory.LONG, Time.TIMEX_MAXERROR, 16_000_000L);
    s.set(Memory.LONG, Time.TIMEX_ESTERROR, 16_000_000L);
    s.set(Memory.LONG, Time.TIMEX_CONSTANT, 2L);
    s.set(Memory.LONG, Time.TIMEX_PRECISION, 1L);
    s.set(Memory.LONG, Time.TIMEX_TOLERANCE, 32_768_000L);
    s.set(Memory.LONG, TIMEX_TIME, ns / SECOND_NS);
    s.set(Memory.LONG, TIMEX_TIME + 8, ns % SECOND_NS / 1000);
    s.set(Memory.LONG, TIMEX_TICK, 10_000L);
    return t.copyOutScratch(uaddr, SIZEOF_TIMEX) < 0 ? -EFAULT : TIME_ERROR;
  }

  // ---- sleeping ----

  /** Sleeps: <a href="https://man7.org/linux/man-pages/man2/nanosleep.2.html">nanosleep(2)</a>. */
  public static long nanosleep(Task t, Args a) {
    if (t.copyInScratch(a.long0(), 16) < 0) {
      return -EFAULT;
    }
    if (!isValidTimespec(t.scratch(), 0)) {
      return -EINVAL;
    }
    long deadline = sum(CpuClock.now(t, CLOCK_MONOTONIC), timespecNs(t.scratch(), 0));
    return sleep(t, CLOCK_MONOTONIC, deadline, a.long1());
  }

  /**
   * Sleeps on a clock: <a
   * href="https://man7.org/linux/man-pages/man2/clock_nanosleep.2.html">clock_nanosleep(2)</a>.
   */
  public static long clockNanosleep(Task t, Args a) {
    int clock = a.int0();
    long now = CpuClock.now(t, clock);
    if (now == -EINVAL) {
      return -EINVAL;
    }
    if (!canSleep(clock)) {
      return -EOPNOTSUPP;
    }
    if (t.copyInScratch(a.long2(), 16) < 0) {
      return -EFAULT;
    }
    if (!isValidTimespec(t.scratch(), 0)) {
      return -EINVAL;
    }
    long ns = timespecNs(t.scratch(), 0);
    if ((a.int1() & TIMER_ABSTIME) != 0) {
      long r = sleepUntil(t, clock, ns);
      return r == -ERESTARTSYS ? -ERESTARTNOHAND : r;
    }
    // A relative sleep on CLOCK_REALTIME is not moved by changes of that clock.
    int on = clock == CLOCK_REALTIME || clock == CLOCK_TAI ? CLOCK_MONOTONIC : clock;
    long from = on == clock ? now : CpuClock.now(t, CLOCK_MONOTONIC);
    return sleep(t, on, sum(from, ns), a.long3());
  }

  private static boolean canSleep(int clock) {
    return switch (clock) {
      case CLOCK_REALTIME,
          CLOCK_MONOTONIC,
          CLOCK_PROCESS_CPUTIME_ID,
          CLOCK_BOOTTIME,
          CLOCK_TAI,
          CLOCK_REALTIME_ALARM,
          CLOCK_BOOTTIME_ALARM ->
          true;
      default -> clock < 0;
    };
  }

  private static long sleep(Task t, int clock, long deadline, long uremaining) {
    long r = sleepUntil(t, clock, deadline);
    if (r != -ERESTARTSYS) {
      return r;
    }
    if (uremaining != 0) {
      long left = Math.max(0, deadline - CpuClock.now(t, clock));
      if (left == 0) {
        return 0;
      }
      if (copyOutTimespecNow(t, uremaining, left) < 0) {
        return -EFAULT;
      }
    }
    t.restartBlock = task -> sleep(task, clock, deadline, uremaining);
    return -ERESTART_RESTARTBLOCK;
  }

  private static long sleepUntil(Task t, int clock, long deadline) {
    boolean cpu = CpuClock.isCpuClock(clock);
    for (; ; ) {
      long left = deadline - CpuClock.now(t, clock);
      if (left <= 0) {
        return 0;
      }
      long look = cpu ? Math.min(left, CPU_LOOK_NS) : left;
      long at =
          deadline == Long.MAX_VALUE && !cpu ? Waiter.FOREVER : sum(Clocks.monotonicNs(), look);
      long w = t.block(at);
      if (w < 0 && w != -ETIMEDOUT) {
        return w;
      }
    }
  }

  // ---- structs of time ----

  static long sum(long now, long ns) {
    long s = now + ns;
    return s < 0 ? Long.MAX_VALUE : s;
  }

  static boolean isValidTimespec(MemorySegment s, long at) {
    long ns = s.get(Memory.LONG, at + 8);
    return s.get(Memory.LONG, at) >= 0 && ns >= 0 && ns < SECOND_NS;
  }

  /**
   * {@return the valid timespec at {@code at} in ns}, or {@link Long#MAX_VALUE} when that is too
   * much
   */
  static long timespecNs(MemorySegment s, long at) {
    long seconds = s.get(Memory.LONG, at);
    return seconds >= SECONDS_MAX
        ? Long.MAX_VALUE
        : seconds * SECOND_NS + s.get(Memory.LONG, at + 8);
  }

  static long copyOutTimespec(Task t, long uaddr, long ns) {
    MemorySegment s = t.scratch();
    s.set(Memory.LONG, 0, ns / SECOND_NS);
    s.set(Memory.LONG, 8, ns % SECOND_NS);
    return t.copyOutScratch(uaddr, 16);
  }

  /** Not with the answer, which a signal's frame may take the place of: its fault would be lost. */
  private static long copyOutTimespecNow(Task t, long uaddr, long ns) {
    MemorySegment s = t.scratch();
    s.set(Memory.LONG, 0, ns / SECOND_NS);
    s.set(Memory.LONG, 8, ns % SECOND_NS);
    return t.copyOutNow(uaddr, s, 0, 16);
  }

  /**
   * Brings the itimerspec at {@code uaddr} to the start of scratch. Returns 0, -EINVAL for NULL,
   * -EFAULT.
   */
  static long copyInItimerspec(Task t, long uaddr) {
    return t.copyInScratch(uaddr, 32);
  }

  static boolean isValidItimerspec(MemorySegment s) {
    return isValidTimespec(s, 0) && isValidTimespec(s, 16);
  }

  static long copyOutItimerspec(Task t, long uaddr, long interval, long value) {
    MemorySegment s = t.scratch();
    s.set(Memory.LONG, 0, interval / SECOND_NS);
    s.set(Memory.LONG, 8, interval % SECOND_NS);
    s.set(Memory.LONG, 16, value / SECOND_NS);
    s.set(Memory.LONG, 24, value % SECOND_NS);
    return t.copyOutScratch(uaddr, 32);
  }
}
