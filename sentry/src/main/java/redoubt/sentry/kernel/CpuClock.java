package redoubt.sentry.kernel;

import static redoubt.abi.Errno.EINVAL;

import org.jspecify.annotations.Nullable;
import redoubt.abi.Time;

/**
 * Clocks by their clockid_t, as <a
 * href="https://man7.org/linux/man-pages/man2/clock_gettime.2.html">clock_gettime(2)</a> numbers
 * them: the host's, and CPU time of tasks and thread groups. A negative id names another task's CPU
 * clock.
 */
public final class CpuClock {
  private static final int PER_THREAD = 4;
  private static final int SCHED = 2;
  private static final int CLOCK_FD = 3;

  private CpuClock() {}

  /** {@return whether {@code id} counts CPU time} */
  public static boolean isCpuClock(int id) {
    return id == Time.CLOCK_PROCESS_CPUTIME_ID || id == Time.CLOCK_THREAD_CPUTIME_ID || id < 0;
  }

  /** {@return the time of clock {@code id} in ns as {@code t} sees it, or -EINVAL} */
  public static long now(Task t, int id) {
    switch (id) {
      case Time.CLOCK_MONOTONIC -> {
        return Clocks.monotonicNs() + t.namespaces().time.offsetNs(id);
      }
      case Time.CLOCK_REALTIME,
          Time.CLOCK_MONOTONIC_RAW,
          Time.CLOCK_REALTIME_COARSE,
          Time.CLOCK_MONOTONIC_COARSE,
          Time.CLOCK_BOOTTIME,
          Time.CLOCK_TAI -> {
        return Clocks.hostClockNs(id) + t.namespaces().time.offsetNs(id);
      }
      case Time.CLOCK_REALTIME_ALARM, Time.CLOCK_BOOTTIME_ALARM -> {
        return -EINVAL; // as on a machine without a real-time clock that could wake it
      }
      case Time.CLOCK_PROCESS_CPUTIME_ID -> {
        return t.threadGroup().cpuNs();
      }
      case Time.CLOCK_THREAD_CPUTIME_ID -> {
        return t.threadCpuNs();
      }
      default -> {
        Object whose = owner(t, id);
        if (whose instanceof Task other) {
          return other.threadCpuNs();
        }
        return whose == null ? -EINVAL : cpuNs(whose);
      }
    }
  }

  /** {@return the task or thread group whose CPU time {@code id} counts}, null if there is none */
  static @Nullable Object owner(Task t, int id) {
    if (id == Time.CLOCK_PROCESS_CPUTIME_ID) {
      return t.threadGroup();
    }
    if (id == Time.CLOCK_THREAD_CPUTIME_ID) {
      return t;
    }
    if (id >= 0 || (id & 3) == CLOCK_FD || (id & 3) > SCHED) {
      return null;
    }
    int pid = ~(id >> 3);
    boolean perThread = (id & PER_THREAD) != 0;
    if (pid == 0) {
      return perThread ? t : t.threadGroup();
    }
    synchronized (t.kernel().tasks().mu) {
      Task other = t.pidNamespace().task(pid);
      if (other == null) {
        return null;
      }
      if (perThread) {
        return other.threadGroup() == t.threadGroup() ? other : null;
      }
      return other.isLeader() ? other.threadGroup() : null;
    }
  }

  /** {@return the CPU time of the sentry's own thread {@code tid}, or -errno} */
  static long hostThreadNs(int tid) {
    return Clocks.hostClockNs(~tid << 3 | PER_THREAD | SCHED);
  }

  static long cpuNs(Object taskOrGroup) {
    return taskOrGroup instanceof Task t ? t.cpuNs() : ((ThreadGroup) taskOrGroup).cpuNs();
  }
}
