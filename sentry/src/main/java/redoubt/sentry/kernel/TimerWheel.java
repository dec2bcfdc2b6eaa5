package redoubt.sentry.kernel;

import java.util.PriorityQueue;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * Callbacks at points in time, for timerfd, alarm(2), POSIX timers. One daemon thread, which sleeps
 * while nothing is armed and so costs an idle sandbox nothing.
 */
public final class TimerWheel {
  /**
   * One armed or idle timer, owned by its maker. {@link #expired} runs on the timer thread and must
   * not block.
   */
  public abstract static class Timer implements Comparable<Timer> {
    private long deadlineNs;
    private long order;
    private boolean armed; // guarded by the wheel

    /** Called once per arming, without the wheel's lock. May arm again. */
    protected abstract void expired();

    @Override
    public final int compareTo(Timer o) {
      int c = Long.compare(deadlineNs, o.deadlineNs);
      return c != 0 ? c : Long.compare(order, o.order);
    }

    @Override
    public final boolean equals(@Nullable Object o) {
      return this == o;
    }

    @Override
    public final int hashCode() {
      return System.identityHashCode(this);
    }
  }

  private final PriorityQueue<Timer> queue = new PriorityQueue<>(); // guarded by this
  private long orders; // guarded by this
  private @Nullable Thread thread; // guarded by this

  /** Arms {@code t} for {@code deadlineNs} of CLOCK_MONOTONIC, replacing an earlier arming. */
  public synchronized void arm(Timer t, long deadlineNs) {
    if (t.armed) {
      queue.remove(t);
    }
    t.deadlineNs = deadlineNs;
    t.order = orders++;
    t.armed = true;
    queue.add(t);
    if (thread == null) {
      Thread first = new Thread(null, this::run, "timers", 256 * 1024);
      first.setDaemon(true);
      thread = first;
      try {
        first.start();
      } catch (OutOfMemoryError e) {
        thread = null; // the host has no thread for us now; the next timer tries again
        cancel(t);
        throw ErrnoException.of(redoubt.abi.Errno.EAGAIN);
      }
    } else if (queue.peek() == t) {
      LockSupport.unpark(thread);
    }
  }

  /** Disarms {@code t}; its callback may be running right now. */
  public synchronized void cancel(Timer t) {
    if (t.armed) {
      queue.remove(t);
      t.armed = false;
    }
  }

  private void run() {
    for (; ; ) {
      Timer due = null;
      long wait = 0;
      synchronized (this) {
        Timer first = queue.peek();
        if (first != null) {
          wait = first.deadlineNs - System.nanoTime();
          if (wait <= 0) {
            due = queue.poll();
            first.armed = false;
          }
        } else {
          wait = Long.MAX_VALUE;
        }
      }
      if (due != null) {
        due.expired();
      } else if (wait == Long.MAX_VALUE) {
        LockSupport.park(this);
      } else {
        LockSupport.parkNanos(this, wait);
      }
    }
  }
}
