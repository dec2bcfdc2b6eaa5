package redoubt.sentry.kernel.cgroup;

import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * A group's memory: limits, and what came of them. Settings are guarded by {@code TaskSet.mu};
 * counters are written by the accountant alone.
 */
public final class MemoryLimits {
  public volatile long max = Cgroup.MAX;
  public volatile long high = Cgroup.MAX;
  public volatile long low;
  public volatile long min;
  public volatile long swapMax = Cgroup.MAX;
  public volatile boolean oomGroup;

  /** What happened here and below: memory.events; {@link #local} what happened here. */
  public final Events events = new Events();

  public final Events local = new Events();
  public volatile long peakBytes;

  /** Told of each process of this group, or below, that is to be killed; does not block. */
  public volatile @Nullable Runnable oomListener;

  /** Who was told to die last, by the accountant. */
  public @Nullable Object victim;

  public long victimSinceNs;

  /** Counters of memory.events. */
  public static final class Events {
    public final AtomicLong high = new AtomicLong();
    public final AtomicLong max = new AtomicLong();
    public final AtomicLong oom = new AtomicLong();
    public final AtomicLong oomKill = new AtomicLong();
    public final AtomicLong oomGroupKill = new AtomicLong();
  }

  public boolean isLimited() {
    return max != Cgroup.MAX || high != Cgroup.MAX;
  }
}
