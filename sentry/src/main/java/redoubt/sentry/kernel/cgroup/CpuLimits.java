package redoubt.sentry.kernel.cgroup;

import java.util.concurrent.atomic.AtomicLong;

/**
 * A group's CPU time: what it used, and how much of each period it may use (cpu.max). Settings are
 * guarded by {@code TaskSet.mu}; what the accountant keeps is its thread's alone.
 */
public final class CpuLimits {
  public static final long PERIOD_US = 100_000;

  /** CPU time that may be used in a period, or {@link Cgroup#MAX}. */
  public volatile long quotaUs = Cgroup.MAX;

  public volatile long periodUs = PERIOD_US;
  public volatile long burstUs;
  public volatile int weight = 100;
  public volatile boolean idle;

  private final AtomicLong usedNs = new AtomicLong();

  // cpu.stat; written by the accountant.
  public final AtomicLong periods = new AtomicLong();
  public final AtomicLong throttledPeriods = new AtomicLong();
  public final AtomicLong throttledNs = new AtomicLong();

  // The accountant's.
  public long periodStartNs;

  /** {@link #usedNs} where the period's quota begins: later than the period, after an overrun. */
  public long usedAtStartNs;

  public long throttledSinceNs;

  public long lastUsedNs;
  public boolean started;

  /** Whether its tasks stand still until the period ends. */
  public volatile boolean throttled;

  public boolean isLimited() {
    return quotaUs != Cgroup.MAX;
  }

  public void add(long ns) {
    usedNs.addAndGet(ns);
  }

  public long usedNs() {
    return usedNs.get();
  }
}
