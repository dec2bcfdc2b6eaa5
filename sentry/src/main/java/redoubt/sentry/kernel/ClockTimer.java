package redoubt.sentry.kernel;

import org.jspecify.annotations.Nullable;
import redoubt.abi.Time;

/**
 * A one-shot or repeating timer on one clock, over the {@link TimerWheel}: what timerfd, POSIX and
 * interval timers have in common. Its monitor is below every other lock but the wheel's.
 *
 * <p>CPU clocks are watched by looking again when the time could have been used up at the earliest;
 * an idle process is looked at less and less often, ten times a second in the end.
 */
public abstract class ClockTimer extends TimerWheel.Timer {
  private static final long CPU_LOOK_MIN_NS = 1_000_000;
  private static final long CPU_LOOK_MAX_NS = 100_000_000;

  private final TimerWheel wheel;
  private final int clock;
  private final @Nullable Object cpuOwner;

  // Guarded by this. Times in ns of the clock.
  private long expiry; // 0: disarmed
  private long interval;
  private boolean parked; // an interval that waits for rearm()
  private long lookedCpu;
  private long lookDelay;

  /**
   * @param clock a clockid_t that {@link CpuClock#now} knows
   * @param cpuOwner the task or thread group of a CPU clock
   */
  protected ClockTimer(TimerWheel wheel, int clock, @Nullable Object cpuOwner) {
    this.wheel = wheel;
    this.clock = clock;
    this.cpuOwner = cpuOwner;
  }

  /**
   * The time has come. Called on the timer thread without a lock.
   *
   * @return true to go on with the interval now, false to wait for {@link #rearm}
   */
  protected abstract boolean fired();

  /**
   * {@return the time of this timer's clock in ns} A thread's CPU clock is asked of the host: no
   * lock may be held.
   */
  public final long now() {
    if (cpuOwner instanceof Task t) {
      return t.threadCpuNs();
    }
    if (cpuOwner != null) {
      return CpuClock.cpuNs(cpuOwner);
    }
    return switch (clock) {
      case Time.CLOCK_REALTIME, Time.CLOCK_REALTIME_ALARM -> Clocks.realtimeNs();
      case Time.CLOCK_MONOTONIC -> Clocks.monotonicNs();
      case Time.CLOCK_TAI -> Clocks.hostClockNs(Time.CLOCK_TAI);
      default -> Clocks.hostClockNs(Time.CLOCK_BOOTTIME);
    };
  }

  /**
   * Arms the timer.
   *
   * @param first when it expires on its clock; 0 disarms
   * @param every interval after that in ns, or 0
   */
  public final void set(long first, long every) {
    long now = first == 0 ? 0 : now();
    synchronized (this) {
      wheel.cancel(this);
      expiry = first;
      interval = first == 0 ? 0 : every;
      parked = false;
      lookDelay = 0;
      if (first != 0) {
        schedule(now);
      }
    }
  }

  public final void disarm() {
    set(0, 0);
  }

  /** {@return ns until the next expiry}, 0 if disarmed, at least 1 if armed */
  public final long remaining() {
    if (!isArmed()) {
      return 0;
    }
    long now = now();
    synchronized (this) {
      long next = expiry;
      if (interval > 0 && next <= now) {
        next += ((now - next) / interval + 1) * interval;
      } else if (parked || next == 0) {
        return 0;
      }
      return Math.max(1, next - now);
    }
  }

  public final synchronized long interval() {
    return interval;
  }

  public final synchronized boolean isArmed() {
    return expiry != 0;
  }

  /**
   * Goes on with the interval after {@link #fired} returned false. The caller may hold a lock, so a
   * thread's CPU clock is taken from the last look.
   *
   * @param floorNs earliest next expiry from now
   * @return expiries that were missed since
   */
  public final synchronized long rearm(long floorNs) {
    if (!parked) {
      return 0;
    }
    parked = false;
    if (expiry == 0 || interval == 0) {
      return 0;
    }
    long now = cpuOwner instanceof Task ? lookedCpu : now();
    lookDelay = 0;
    long missed = now >= expiry ? (now - expiry) / interval : 0;
    expiry += (missed + 1) * interval;
    if (expiry < now + floorNs) {
      long more = (now + floorNs - expiry + interval - 1) / interval;
      expiry += more * interval;
    }
    schedule(now);
    return missed;
  }

  private void schedule(long now) {
    long left = Math.max(0, expiry - now);
    if (cpuOwner != null) {
      int users = cpuOwner instanceof ThreadGroup g ? Math.max(1, g.taskCountQuick()) : 1;
      long earliest = Math.max(CPU_LOOK_MIN_NS, left / users);
      boolean idle = lookDelay != 0 && now == lookedCpu;
      lookedCpu = now;
      lookDelay = idle ? Math.max(earliest, Math.min(CPU_LOOK_MAX_NS, 2 * lookDelay)) : earliest;
      left = lookDelay;
    }
    long at = Clocks.monotonicNs() + left;
    wheel.arm(this, at < 0 ? Long.MAX_VALUE : at);
  }

  @Override
  protected final void expired() {
    if (!isArmed()) {
      return;
    }
    long now = now();
    synchronized (this) {
      if (expiry == 0 || parked) {
        return;
      }
      if (now < expiry) {
        schedule(now); // a clock that was set back, or CPU time that was not used
        return;
      }
      lookedCpu = now;
      if (interval == 0) {
        expiry = 0;
      } else {
        parked = true;
      }
    }
    if (fired()) {
      rearm(0);
    }
  }
}
