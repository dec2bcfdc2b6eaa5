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

  /** The owner waits in a host call of its watch, which {@link Watch#ring} ends. */
  private static final int WATCHING = 4;

  private final java.util.concurrent.atomic.AtomicInteger state =
      new java.util.concurrent.atomic.AtomicInteger();
  private volatile @Nullable Thread blocked;
  private boolean isPrompt; // of the owner
  private @Nullable Watch watch; // written before WATCHING is set, read after it was seen

  /**
   * What a task that blocks may look after instead of sleeping, when that is where its wake-up is
   * going to come from: one thread less has to be let on.
   */
  public interface Watch {
    /**
     * Looks after it on behalf of {@code w} until {@link Waiter#isDue}, the deadline, or somebody
     * else may as well. Returns at once when somebody else does already.
     */
    void keep(Waiter w, long deadlineNs);

    /** Ends the host call in which a keeper waits. Must not block. */
    void ring();
  }

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

  /** As {@link #block(long)}, but keeps {@code w} meanwhile where nobody does. */
  public long block(long deadlineNs, Watch w) {
    watch = w;
    blocked = Thread.currentThread();
    try {
      w.keep(this, deadlineNs);
    } finally {
      blocked = null;
    }
    return block(deadlineNs, true);
  }

  /** {@return whether the owner's thread is one that is let on soon} For the owner's watch. */
  public boolean isPrompt() {
    return isPrompt;
  }

  public void setPrompt() {
    isPrompt = true;
  }

  /** {@return whether an interruptible block would return now} For the owner's watch. */
  public boolean isDue() {
    return (state.get() & (WOKEN | INTERRUPTED)) != 0;
  }

  /** The owner is about to wait in a host call. {@return false if it must not, being due} */
  public boolean beginWatching() {
    for (; ; ) {
      int s = state.get();
      if ((s & (WOKEN | INTERRUPTED)) != 0) {
        return false;
      }
      if (state.compareAndSet(s, s | WATCHING)) {
        return true;
      }
    }
  }

  /** The host call is over. */
  public void endWatching() {
    state.getAndUpdate(s -> s & ~WATCHING);
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
    Watch w = watch;
    if ((s & WATCHING) != 0 && w != null) {
      w.ring();
    } else if (t != null) {
      LockSupport.unpark(t);
    }
  }
}
