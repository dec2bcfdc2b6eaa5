package redoubt.sentry.kernel;

import static redoubt.abi.Errno.EAGAIN;
import static redoubt.abi.Errno.EINVAL;

import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Signal;
import redoubt.abi.Time;

/**
 * The interval and POSIX timers of a process: <a
 * href="https://man7.org/linux/man-pages/man2/setitimer.2.html">setitimer(2)</a>, <a
 * href="https://man7.org/linux/man-pages/man2/timer_create.2.html">timer_create(2)</a>. Disarmed
 * when it ends; POSIX timers also when it executes a new program.
 *
 * <p>Its monitor is taken before a timer's; signals are sent with neither held.
 */
public final class ProcessTimers {
  /**
   * Shortest time between two signals of an interval timer: a shorter one only keeps the sentry
   * busy.
   */
  private static final long ITIMER_FLOOR_NS = 50_000;

  private static final long IGNORED_FLOOR_NS = 1_000_000;

  private static final int MAX_TIMERS = 4096;

  private final ThreadGroup group;
  private @Nullable IntervalTimer real; // guarded by this
  private @Nullable IntervalTimer virtual; // guarded by this
  private @Nullable IntervalTimer profiling; // guarded by this
  private final TreeMap<Integer, PosixTimer> posix = new TreeMap<>(); // guarded by this
  private int nextId; // guarded by this

  ProcessTimers(ThreadGroup group) {
    this.group = group;
  }

  ThreadGroup group() {
    return group;
  }

  /** Disarms everything: the process is gone. */
  void release() {
    IntervalTimer[] all;
    synchronized (this) {
      all = new IntervalTimer[] {real, virtual, profiling};
    }
    for (IntervalTimer i : all) {
      if (i != null) {
        i.disarm();
      }
    }
    releaseForExec();
  }

  /** POSIX timers do not survive execve(2); interval timers do. */
  synchronized void releaseForExec() {
    for (PosixTimer p : posix.values()) {
      p.disarm();
    }
    posix.clear();
    nextId = 0;
  }

  // ---- interval timers ----

  /** {@return the timer of ITIMER_* {@code which}} */
  public synchronized ClockTimer interval(int which) {
    IntervalTimer i =
        switch (which) {
          case Time.ITIMER_REAL -> real;
          case Time.ITIMER_VIRTUAL -> virtual;
          default -> profiling;
        };
    if (i == null) {
      i = newInterval(which);
    }
    return i;
  }

  private IntervalTimer newInterval(int which) {
    TimerWheel wheel = group.kernel().timers();
    switch (which) {
      case Time.ITIMER_REAL -> {
        real = new IntervalTimer(wheel, Time.CLOCK_MONOTONIC, null, Signal.SIGALRM);
        return real;
      }
      case Time.ITIMER_VIRTUAL -> {
        virtual = new IntervalTimer(wheel, Time.CLOCK_PROCESS_CPUTIME_ID, group, Signal.SIGVTALRM);
        return virtual;
      }
      default -> {
        profiling = new IntervalTimer(wheel, Time.CLOCK_PROCESS_CPUTIME_ID, group, Signal.SIGPROF);
        return profiling;
      }
    }
  }

  private final class IntervalTimer extends ClockTimer {
    private final int signo;

    IntervalTimer(TimerWheel wheel, int clock, @Nullable Object cpuOwner, int signo) {
      super(wheel, clock, cpuOwner);
      this.signo = signo;
    }

    @Override
    protected boolean fired() {
      Signals.send(group, SignalInfo.kernel(signo));
      rearm(ITIMER_FLOOR_NS);
      return false;
    }
  }

  // ---- POSIX timers ----

  /**
   * Makes a timer.
   *
   * @param notify SIGEV_*, checked
   * @param target the task that gets the signal with SIGEV_THREAD_ID
   * @return its id, -EAGAIN, or -EINVAL for a clock without timers
   */
  public synchronized long create(
      Task t,
      int clock,
      int notify,
      int signo,
      long value,
      boolean valueIsId,
      @Nullable Task target) {
    Object owner = CpuClock.isCpuClock(clock) ? CpuClock.owner(t, clock) : null;
    if (CpuClock.isCpuClock(clock) && owner == null) {
      return -EINVAL;
    }
    if (posix.size() >= MAX_TIMERS) {
      return -EAGAIN;
    }
    int id = nextId++;
    posix.put(id, new PosixTimer(clock, owner, id, notify, signo, valueIsId ? id : value, target));
    return id;
  }

  /** {@return timer {@code id}, or null} */
  public synchronized @Nullable PosixTimer posix(int id) {
    return posix.get(id);
  }

  /** timer_delete(2): 0 or -EINVAL. */
  public synchronized long delete(int id) {
    PosixTimer p = posix.remove(id);
    if (p == null) {
      return -EINVAL;
    }
    p.disarm();
    return 0;
  }

  /**
   * One timer of timer_create(2). At most one signal of it waits at a time; expiries meanwhile are
   * counted when the signal is taken (kernel/time/posix-timers.c).
   */
  public final class PosixTimer extends ClockTimer implements SignalInfo.Source {
    private final int id;
    private final int clock;
    private final int notify;
    private final int signo;
    private final long value;
    private final @Nullable Task target;
    private volatile int lastOverrun;

    PosixTimer(
        int clock,
        @Nullable Object owner,
        int id,
        int notify,
        int signo,
        long value,
        @Nullable Task target) {
      super(group.kernel().timers(), clock, owner);
      this.clock = clock;
      this.id = id;
      this.notify = notify;
      this.signo = signo;
      this.value = value;
      this.target = target;
    }

    public int clock() {
      return clock;
    }

    /** {@return timer_getoverrun(2)} */
    public int lastOverrun() {
      return lastOverrun;
    }

    @Override
    protected boolean fired() {
      if (notify == Signal.SIGEV_NONE) {
        return true;
      }
      SignalInfo info = SignalInfo.timer(signo, id, this, value);
      Task to = target;
      if (to != null) {
        if (!to.isDead()) {
          Signals.send(to, info);
        }
      } else {
        Signals.send(group, info);
      }
      return false;
    }

    @Override
    public int taken() {
      lastOverrun = (int) Math.min(rearm(0), Integer.MAX_VALUE);
      return lastOverrun;
    }

    @Override
    public void dropped() {
      rearm(IGNORED_FLOOR_NS);
    }
  }
}
