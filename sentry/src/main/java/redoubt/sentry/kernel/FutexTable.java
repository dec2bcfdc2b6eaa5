package redoubt.sentry.kernel;

import static redoubt.abi.Errno.EAGAIN;
import static redoubt.abi.Errno.EFAULT;

import org.jspecify.annotations.Nullable;

/**
 * Tasks waiting on words of guest memory: <a
 * href="https://man7.org/linux/man-pages/man2/futex.2.html">futex(2)</a>.
 *
 * <p>A waiter queues first and reads the word afterwards, so no lock is held while guest memory is
 * read: a change after the read comes with a wake that finds the waiter, and a wake that came
 * before the read counts as a wake.
 */
public final class FutexTable {
  private static final int BUCKETS = 1024;

  /** Where a futex lies: an address space and address, or a file's identity and offset. */
  public static final class Key {
    Object space = Key.class;
    long offset;

    void set(Object newSpace, long newOffset) {
      space = newSpace;
      offset = newOffset;
    }

    boolean matches(Key o) {
      return offset == o.offset && space.equals(o.space);
    }

    int bucket() {
      long h = System.identityHashCode(space) * 31L + (offset >>> 2);
      h *= 0x9E3779B97F4A7C15L;
      return (int) (h >>> 54) & (BUCKETS - 1);
    }
  }

  /** One waiting task; each task has one, reused. */
  public static final class FutexWaiter {
    final Task task;
    final Key key = new Key();
    int bitset;
    volatile boolean queued;
    @Nullable FutexWaiter next;
    @Nullable FutexWaiter previous;

    public FutexWaiter(Task task) {
      this.task = task;
    }
  }

  private static final class Bucket {
    @Nullable FutexWaiter head;
    @Nullable FutexWaiter tail;

    void append(FutexWaiter w) {
      w.previous = tail;
      w.next = null;
      if (tail == null) {
        head = w;
      } else {
        tail.next = w;
      }
      tail = w;
    }

    void unlink(FutexWaiter w) {
      FutexWaiter p = w.previous;
      FutexWaiter n = w.next;
      if (p == null) {
        head = n;
      } else {
        p.next = n;
      }
      if (n == null) {
        tail = p;
      } else {
        n.previous = p;
      }
      w.next = null;
      w.previous = null;
    }
  }

  private final Bucket[] buckets = new Bucket[BUCKETS];

  FutexTable() {
    for (int i = 0; i < BUCKETS; i++) {
      buckets[i] = new Bucket();
    }
  }

  /**
   * Waits while the word at {@code uaddr} is {@code expected}.
   *
   * @param shared not FUTEX_PRIVATE_FLAG: other address spaces may wake it
   * @return 0 when woken, -EAGAIN, -EFAULT, -ETIMEDOUT, -ERESTARTSYS
   */
  public static long waitWhile(
      Task t, long uaddr, int expected, int bitset, boolean shared, long deadlineNs) {
    FutexTable table = t.kernel().futexes();
    FutexWaiter w = t.futexWaiter();
    long r = keyOf(t, uaddr, shared, w.key);
    if (r < 0) {
      return r;
    }
    w.bitset = bitset;
    table.enqueue(w);
    long v = t.copyInInt(uaddr);
    if (v < 0) {
      return table.dequeue(w) ? -EFAULT : 0;
    }
    if ((int) v != expected) {
      return table.dequeue(w) ? -EAGAIN : 0;
    }
    while (w.queued) {
      r = t.block(deadlineNs);
      if (r < 0) {
        return table.dequeue(w) ? r : 0;
      }
    }
    return 0;
  }

  /**
   * Waits on several words at once: futex_waitv(2).
   *
   * @return the index of one that was woken, -EAGAIN, -EFAULT, -EINVAL, -ETIMEDOUT, -ERESTARTSYS
   */
  public static long waitAny(
      Task t, long[] uaddrs, int[] expected, boolean[] shared, long deadlineNs) {
    FutexTable table = t.kernel().futexes();
    FutexWaiter[] waiters = new FutexWaiter[uaddrs.length];
    for (int i = 0; i < waiters.length; i++) {
      waiters[i] = new FutexWaiter(t);
      waiters[i].bitset = -1;
      long r = keyOf(t, uaddrs[i], shared[i], waiters[i].key);
      if (r < 0) {
        return r;
      }
    }
    long result = 0;
    int queued = 0;
    for (; queued < waiters.length && result == 0; queued++) {
      table.enqueue(waiters[queued]);
      long v = t.copyInInt(uaddrs[queued]);
      result = v < 0 ? v : (int) v != expected[queued] ? -EAGAIN : 0;
    }
    while (result == 0 && firstWoken(waiters) < 0) {
      result = t.block(deadlineNs);
    }
    int woken = -1;
    for (int i = 0; i < queued; i++) {
      if (!table.dequeue(waiters[i])) {
        woken = i;
      }
    }
    return woken >= 0 ? woken : result;
  }

  private static int firstWoken(FutexWaiter[] waiters) {
    for (int i = 0; i < waiters.length; i++) {
      if (!waiters[i].queued) {
        return i;
      }
    }
    return -1;
  }

  /**
   * Wakes up to {@code count} waiters whose bitset meets {@code bitset}. Returns how many, or
   * -errno.
   */
  public static long wake(Task t, long uaddr, int count, int bitset, boolean shared) {
    Key key = t.futexKey();
    long r = keyOf(t, uaddr, shared, key);
    return r < 0 ? r : t.kernel().futexes().wakeKey(key, count, bitset);
  }

  private long wakeKey(Key key, int count, int bitset) {
    Bucket b = buckets[key.bucket()];
    int n = 0;
    synchronized (b) {
      FutexWaiter w = b.head;
      while (w != null && n < count) {
        FutexWaiter next = w.next;
        if ((w.bitset & bitset) != 0 && w.key.matches(key)) {
          b.unlink(w);
          w.queued = false;
          w.task.waiter().wake();
          n++;
        }
        w = next;
      }
    }
    return n;
  }

  /**
   * Wakes {@code wakeCount} waiters of {@code uaddr} and moves up to {@code moveCount} others to
   * {@code uaddr2}: FUTEX_REQUEUE. The caller has compared the word. Returns woken plus moved, or
   * -errno.
   */
  public static long requeue(
      Task t, long uaddr, long uaddr2, int wakeCount, int moveCount, boolean shared) {
    return requeue(t, uaddr, shared, uaddr2, shared, wakeCount, moveCount);
  }

  /** As the other, where each word may be shared or private. */
  public static long requeue(
      Task t,
      long uaddr,
      boolean shared,
      long uaddr2,
      boolean shared2,
      int wakeCount,
      int moveCount) {
    Key from = new Key();
    Key to = new Key();
    long r = keyOf(t, uaddr, shared, from);
    if (r == 0) {
      r = keyOf(t, uaddr2, shared2, to);
    }
    return r < 0 ? r : t.kernel().futexes().requeueKeys(from, to, wakeCount, moveCount);
  }

  private long requeueKeys(Key from, Key to, int wakeCount, int moveCount) {
    int i = from.bucket();
    int j = to.bucket();
    Bucket b = buckets[i];
    Bucket c = buckets[j];
    synchronized (i <= j ? b : c) {
      synchronized (i <= j ? c : b) {
        int woken = 0;
        int moved = 0;
        FutexWaiter w = b.head;
        while (w != null && (woken < wakeCount || moved < moveCount)) {
          FutexWaiter next = w.next;
          if (w.key.matches(from)) {
            if (woken < wakeCount) {
              b.unlink(w);
              w.queued = false;
              w.task.waiter().wake();
              woken++;
            } else {
              b.unlink(w);
              w.key.set(to.space, to.offset);
              c.append(w);
              moved++;
            }
          }
          w = next;
        }
        return woken + moved;
      }
    }
  }

  private void enqueue(FutexWaiter w) {
    Bucket b = buckets[w.key.bucket()];
    synchronized (b) {
      w.queued = true;
      b.append(w);
    }
  }

  /**
   * Takes {@code w} out; false if a wake was faster. Its key may have been changed by a requeue.
   */
  private boolean dequeue(FutexWaiter w) {
    for (; ; ) {
      Bucket b = buckets[w.key.bucket()];
      synchronized (b) {
        if (!w.queued) {
          return false;
        }
        if (buckets[w.key.bucket()] == b) {
          b.unlink(w);
          w.queued = false;
          return true;
        }
      }
    }
  }

  /**
   * Fills {@code key} for {@code uaddr}. Returns 0, -EINVAL when unaligned, -EFAULT when not
   * mapped.
   */
  static long keyOf(Task t, long uaddr, boolean shared, Key key) {
    if ((uaddr & 3) != 0) {
      return -redoubt.abi.Errno.EINVAL;
    }
    if (!shared) {
      key.set(t.mm(), uaddr);
      return 0;
    }
    return t.mm().futexKey(uaddr, key);
  }

  /** Points {@code key} at a place in a file that is mapped shared, or at private memory. */
  public static void setKey(Key key, Object space, long offset) {
    key.set(space, offset);
  }
}
