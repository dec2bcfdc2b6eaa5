package redoubt.sentry.kernel;

import static redoubt.abi.Errno.EINTR;
import static redoubt.abi.Errno.ETIMEDOUT;

import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * The one primitive in which a task's thread blocks. It knows wake-ups, interruption by signals,
 * stops and kills, and timeouts.
 *
 * <p>A wake-up is a token: {@link #wake} before {@link #block} makes the latter return at once, so
 * the order "register, try, block" loses nothing. A token may be stale: callers try again in a
 * loop.
 *
 * <p>Owned by one Java thread at a time, which alone calls {@code block}; {@code wake} and {@code
 * interrupt} may come from any thread.
 */
public final class Waiter {
  /** No deadline. */
  public static final long FOREVER = Long.MAX_VALUE;

  private static final int WOKEN = 1;
  private static final int INTERRUPTED = 2;

  private final java.util.concurrent.atomic.AtomicInteger state =
      new java.util.concurrent.atomic.AtomicInteger();
  private volatile @Nullable Thread blocked;

  /**
   * A queue entry that wakes this waiter; a task needs at most a few, see {@link Task#waitEntry}.
   */
  public static final class Entry extends WaitQueue.Entry {
    private final Waiter waiter;

    public Entry(Waiter waiter) {
      this.waiter = waiter;
    }

    @Override
    protected void onEvent(int events) {
      waiter.wake();
    }
  }

  /** Gives the waiter a token. */
  public void wake() {
    set(WOKEN);
  }

  /**
   * Makes the current or next interruptible {@link #block} return {@code -EINTR}, until cleared.
   */
  public void interrupt() {
    set(INTERRUPTED);
  }

  /** Takes an interruption back, once the task has looked at its signals. */
  public void clearInterrupt() {
    state.getAndUpdate(s -> s & ~INTERRUPTED);
  }

  /** {@return whether the owner is blocked right now} */
  public boolean isBlocked() {
    return blocked != null;
  }

  public boolean isInterrupted() {
    return (state.get() & INTERRUPTED) != 0;
  }

  /**
   * Blocks until a token, an interruption or the deadline.
   *
   * @param deadlineNs in {@link System#nanoTime} terms, or {@link #FOREVER}
   * @return 0 for a token (consumed), {@code -EINTR}, {@code -ETIMEDOUT}
   */
  public long block(long deadlineNs) {
    return block(deadlineNs, true);
  }

  /**
   * As {@link #block(long)}; when not {@code interruptible}, interruptions stay pending unnoticed.
   */
  public long block(long deadlineNs, boolean interruptible) {
    blocked = Thread.currentThread();
    try {
      for (; ; ) {
        int s = state.get();
        if ((s & WOKEN) != 0) {
          if (state.compareAndSet(s, s & ~WOKEN)) {
            return 0;
          }
          continue;
        }
        if (interruptible && (s & INTERRUPTED) != 0) {
          return -EINTR;
        }
        if (deadlineNs == FOREVER) {
          LockSupport.park(this);
        } else {
          long left = deadlineNs - System.nanoTime();
          if (left <= 0) {
            return -ETIMEDOUT;
          }
          LockSupport.parkNanos(this, left);
        }
      }
    } finally {
      blocked = null;
    }
  }

  private void set(int bit) {
    int s;
    do {
      s = state.get();
      if ((s & bit) != 0) {
        return;
      }
    } while (!state.compareAndSet(s, s | bit));
    Thread t = blocked;
    if (t != null) {
      LockSupport.unpark(t);
    }
  }
}
