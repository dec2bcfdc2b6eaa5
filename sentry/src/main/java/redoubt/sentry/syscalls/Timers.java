package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EOPNOTSUPP;
import static redoubt.abi.Errno.EPERM;
import static redoubt.abi.Signal.SIGALRM;
import static redoubt.abi.Signal.SIGEV_NONE;
import static redoubt.abi.Signal.SIGEV_SIGNAL;
import static redoubt.abi.Signal.SIGEV_THREAD;
import static redoubt.abi.Signal.SIGEV_THREAD_ID;
import static redoubt.abi.Time.CLOCK_BOOTTIME_ALARM;
import static redoubt.abi.Time.CLOCK_MONOTONIC_COARSE;
import static redoubt.abi.Time.CLOCK_MONOTONIC_RAW;
import static redoubt.abi.Time.CLOCK_REALTIME_ALARM;
import static redoubt.abi.Time.CLOCK_REALTIME_COARSE;
import static redoubt.abi.Time.ITIMER_PROF;
import static redoubt.abi.Time.ITIMER_REAL;
import static redoubt.abi.Time.TIMER_ABSTIME;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Caps;
import redoubt.abi.Signal;
import redoubt.host.Memory;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.ClockTimer;
import redoubt.sentry.kernel.CpuClock;
import redoubt.sentry.kernel.ProcessTimers;
import redoubt.sentry.kernel.Task;

/** Timers that send signals: setitimer(2), alarm(2), timer_create(2). */
public final class Timers {
  private static final long SECOND_NS = Clock.SECOND_NS;
  private static final long MICRO_NS = 1000;

  private Timers() {}

  /**
   * A SIGALRM in some seconds: <a
   * href="https://man7.org/linux/man-pages/man2/alarm.2.html">alarm(2)</a>.
   */
  public static long alarm(Task t, Args a) {
    long seconds = a.long0() & 0xffffffffL;
    ClockTimer timer = t.threadGroup().timers.interval(ITIMER_REAL);
    long left = timer.remaining();
    timer.set(seconds == 0 ? 0 : timer.now() + seconds * SECOND_NS, 0);
    // Rounded to the nearest second, but never to 0 while something is left (kernel/time/itimer.c).
    long old = left / SECOND_NS;
    return left > 0 && (old == 0 || left % SECOND_NS >= SECOND_NS / 2) ? old + 1 : old;
  }

  /**
   * What is left: <a
   * href="https://man7.org/linux/man-pages/man2/getitimer.2.html">getitimer(2)</a>.
   */
  public static long getitimer(Task t, Args a) {
    int which = a.int0();
    if (which < ITIMER_REAL || which > ITIMER_PROF) {
      return -EINVAL;
    }
    ClockTimer timer = t.threadGroup().timers.interval(which);
    return copyOutItimerval(t, a.long1(), timer.interval(), timer.remaining());
  }

  /**
   * Arms an interval timer: <a
   * href="https://man7.org/linux/man-pages/man2/setitimer.2.html">setitimer(2)</a>.
   */
  public static long setitimer(Task t, Args a) {
    long interval = 0;
    long first = 0;
    if (a.long1() != 0) {
      if (t.copyInScratch(a.long1(), 32) < 0) {
        return -EFAULT;
      }
      MemorySegment s = t.scratch();
      if (!isValidTimeval(s, 0) || !isValidTimeval(s, 16)) {
        return -EINVAL;
      }
      interval = timevalNs(s, 0);
      first = timevalNs(s, 16);
    }
    int which = a.int0();
    if (which < ITIMER_REAL || which > ITIMER_PROF) {
      return -EINVAL;
    }
    ClockTimer timer = t.threadGroup().timers.interval(which);
    long oldInterval = timer.interval();
    long oldFirst = timer.remaining();
    timer.set(first == 0 ? 0 : Clock.sum(timer.now(), first), interval);
    return a.long2() == 0 ? 0 : copyOutItimerval(t, a.long2(), oldInterval, oldFirst);
  }

  private static boolean isValidTimeval(MemorySegment s, long at) {
    long us = s.get(Memory.LONG, at + 8);
    return s.get(Memory.LONG, at) >= 0 && us >= 0 && us < 1_000_000;
  }

  private static long timevalNs(MemorySegment s, long at) {
    long seconds = s.get(Memory.LONG, at);
    return seconds >= Long.MAX_VALUE / SECOND_NS
        ? Long.MAX_VALUE
        : seconds * SECOND_NS + s.get(Memory.LONG, at + 8) * MICRO_NS;
  }

  private static long copyOutItimerval(Task t, long uaddr, long interval, long value) {
    MemorySegment s = t.scratch();
    // An armed timer never shows 0: rounded up to a microsecond.
    long shown = value == 0 ? 0 : Math.max(value, MICRO_NS);
    s.set(Memory.LONG, 0, interval / SECOND_NS);
    s.set(Memory.LONG, 8, interval % SECOND_NS / MICRO_NS);
    s.set(Memory.LONG, 16, shown / SECOND_NS);
    s.set(Memory.LONG, 24, shown % SECOND_NS / MICRO_NS);
    return t.copyOutScratch(uaddr, 32);
  }

  /**
   * Makes a timer: <a
   * href="https://man7.org/linux/man-pages/man2/timer_create.2.html">timer_create(2)</a>.
   */
  public static long timerCreate(Task t, Args a) {
    int notify = SIGEV_SIGNAL;
    int signo = SIGALRM;
    int tid = 0;
    long value = 0;
    boolean given = a.long1() != 0;
    if (given) {
      if (t.copyInScratch(a.long1(), Signal.SIZEOF_SIGEVENT) < 0) {
        return -EFAULT;
      }
      MemorySegment s = t.scratch();
      value = s.get(Memory.LONG, Signal.SIGEVENT_SIGEV_VALUE);
      signo = s.get(Memory.INT, Signal.SIGEVENT_SIGEV_SIGNO);
      notify = s.get(Memory.INT, Signal.SIGEVENT_SIGEV_NOTIFY);
      tid = s.get(Memory.INT, Signal.SIGEVENT_SIGEV_NOTIFY_THREAD_ID);
    }
    int clock = a.int0();
    long r = checkClock(t, clock);
    if (r < 0) {
      return r;
    }
    Task target = null;
    if ((notify & SIGEV_THREAD_ID) != 0) {
      target = sibling(t, tid);
      if (target == null) {
        return -EINVAL;
      }
    }
    if (!isKnownNotify(notify) || (notify != SIGEV_NONE && (signo <= 0 || signo > 64))) {
      return -EINVAL;
    }
    ProcessTimers timers = t.threadGroup().timers;
    long id = timers.create(t, clock, notify & ~SIGEV_THREAD_ID, signo, value, !given, target);
    if (id < 0) {
      return id;
    }
    t.scratch().set(Memory.INT, 0, (int) id);
    if (t.copyOutNow(a.long2(), t.scratch(), 0, 4) < 0) {
      timers.delete((int) id);
      return -EFAULT;
    }
    return 0;
  }

  private static boolean isKnownNotify(int notify) {
    return notify == SIGEV_SIGNAL
        || notify == SIGEV_NONE
        || notify == SIGEV_THREAD
        || notify == SIGEV_THREAD_ID;
  }

  private static @Nullable Task sibling(Task t, int tid) {
    synchronized (t.kernel().tasks().mu) {
      Task other = t.pidNamespace().task(tid);
      return other != null && other.threadGroup() == t.threadGroup() ? other : null;
    }
  }

  private static long checkClock(Task t, int clock) {
    if (CpuClock.now(t, clock) == -EINVAL) {
      return -EINVAL;
    }
    return switch (clock) {
      case CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE -> -EOPNOTSUPP;
      case CLOCK_REALTIME_ALARM, CLOCK_BOOTTIME_ALARM ->
          t.hasCapability(Caps.CAP_WAKE_ALARM) ? 0 : -EPERM;
      default -> 0;
    };
  }

  /**
   * Arms a timer: <a
   * href="https://man7.org/linux/man-pages/man2/timer_settime.2.html">timer_settime(2)</a>.
   */
  public static long timerSettime(Task t, Args a) {
    if (a.long2() == 0) {
      return -EINVAL;
    }
    if (Clock.copyInItimerspec(t, a.long2()) < 0) {
      return -EFAULT;
    }
    MemorySegment s = t.scratch();
    if (!Clock.isValidItimerspec(s)) {
      return -EINVAL;
    }
    long interval = Clock.timespecNs(s, 0);
    long first = Clock.timespecNs(s, 16);
    ProcessTimers.PosixTimer timer = t.threadGroup().timers.posix(a.int0());
    if (timer == null) {
      return -EINVAL;
    }
    long oldInterval = timer.interval();
    long oldFirst = timer.remaining();
    boolean absolute = (a.int1() & TIMER_ABSTIME) != 0;
    timer.set(first == 0 || absolute ? first : Clock.sum(timer.now(), first), interval);
    return a.long3() == 0 ? 0 : Clock.copyOutItimerspec(t, a.long3(), oldInterval, oldFirst);
  }

  /**
   * What is left: <a
   * href="https://man7.org/linux/man-pages/man2/timer_settime.2.html">timer_gettime(2)</a>.
   */
  public static long timerGettime(Task t, Args a) {
    ProcessTimers.PosixTimer timer = t.threadGroup().timers.posix(a.int0());
    return timer == null
        ? -EINVAL
        : Clock.copyOutItimerspec(t, a.long1(), timer.interval(), timer.remaining());
  }

  /**
   * Missed expiries: <a
   * href="https://man7.org/linux/man-pages/man2/timer_getoverrun.2.html">timer_getoverrun(2)</a>.
   */
  public static long timerGetoverrun(Task t, Args a) {
    ProcessTimers.PosixTimer timer = t.threadGroup().timers.posix(a.int0());
    return timer == null ? -EINVAL : timer.lastOverrun();
  }

  /**
   * Ends a timer: <a
   * href="https://man7.org/linux/man-pages/man2/timer_delete.2.html">timer_delete(2)</a>.
   */
  public static long timerDelete(Task t, Args a) {
    return t.threadGroup().timers.delete(a.int0());
  }
}
