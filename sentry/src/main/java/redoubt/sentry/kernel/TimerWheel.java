package redoubt.sentry.kernel;

import java.util.Arrays;
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
  public abstract static class Timer {
    // Guarded by the wheel.
    private long deadlineNs;
    private long order;
    private int place = IDLE;

    /** Called once per arming, without the wheel's lock. May arm again. */
    protected abstract void expired();

    private boolean isBefore(Timer o) {
      return deadlineNs != o.deadlineNs ? deadlineNs < o.deadlineNs : order < o.order;
    }
  }

  private static final int IDLE = -1;

  // A heap, guarded by this: each timer knows its place, so that it leaves without being looked
  // for.
  private Timer[] heap = new Timer[16];
  private int size;

  private long orders; // guarded by this
  private @Nullable Thread thread; // guarded by this

  /** Arms {@code t} for {@code deadlineNs} of CLOCK_MONOTONIC, replacing an earlier arming. */
  public synchronized void arm(Timer t, long deadlineNs) {
    take(t);
    t.deadlineNs = deadlineNs;
    t.order = orders++;
    if (size == heap.length) {
      heap = Arrays.copyOf(heap, 2 * size);
    }
    up(t, size++);
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
    } else if (t.place == 0) {
      LockSupport.unpark(thread);
    }
  }

  /** Disarms {@code t}; its callback may be running right now. */
  public synchronized void cancel(Timer t) {
    take(t);
  }

  /** An internal error of one timer must not end all others. */
  private static void fire(Timer due) {
    try {
      due.expired();
    } catch (RuntimeException | OutOfMemoryError e) {
      Thread self = Thread.currentThread();
      self.getUncaughtExceptionHandler().uncaughtException(self, e);
    }
  }

  // ---- the heap; under this ----

  /** Takes {@code t} out, if it is armed. */
  private void take(Timer t) {
    int at = t.place;
    if (at == IDLE) {
      return;
    }
    t.place = IDLE;
    Timer last = heap[--size];
    heap[size] = null;
    if (last != t) {
      down(last, at);
      if (last.place == at) {
        up(last, at);
      }
    }
  }

  /** Puts {@code t} at {@code at} or nearer to the front. */
  private void up(Timer t, int at) {
    int i = at;
    while (i > 0 && t.isBefore(heap[(i - 1) / 2])) {
      put(heap[(i - 1) / 2], i);
      i = (i - 1) / 2;
    }
    put(t, i);
  }

  /** Puts {@code t} at {@code at} or farther from the front. */
  private void down(Timer t, int at) {
    int i = at;
    for (int child; (child = 2 * i + 1) < size; i = child) {
      if (child + 1 < size && heap[child + 1].isBefore(heap[child])) {
        child++;
      }
      if (!heap[child].isBefore(t)) {
        break;
      }
      put(heap[child], i);
    }
    put(t, i);
  }

  private void put(Timer t, int at) {
    heap[at] = t;
    t.place = at;
  }

  private void run() {
    for (; ; ) {
      Timer due = null;
      long wait;
      synchronized (this) {
        wait = Long.MAX_VALUE;
        if (size > 0) {
          Timer first = heap[0];
          wait = first.deadlineNs - System.nanoTime();
          if (wait <= 0) {
            due = first;
            take(first);
          }
        }
      }
      if (due != null) {
        fire(due);
      } else if (wait == Long.MAX_VALUE) {
        LockSupport.park(this);
      } else {
        LockSupport.parkNanos(this, wait);
      }
    }
  }
}
