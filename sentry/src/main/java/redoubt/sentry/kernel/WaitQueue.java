package redoubt.sentry.kernel;

import org.jspecify.annotations.Nullable;

/**
 * Who wants to know when an object becomes ready: Linux's wait_queue_head. Entries are intrusive
 * and reusable, so that waiting allocates nothing.
 */
public final class WaitQueue {
  /**
   * One registration. {@link #onEvent} runs on the notifier's thread, under the queue's monitor: it
   * must not block, and may take only a {@link Waiter} or a lock below all wait queues.
   */
  public abstract static class Entry {
    private @Nullable Entry next;
    private @Nullable Entry previous;
    private @Nullable WaitQueue queue;
    int mask;

    /** Called with the events that happened and that this entry asked for. */
    protected abstract void onEvent(int events);

    /** {@return whether the entry is in a queue} Racy unless the caller owns the entry. */
    public final boolean isQueued() {
      return queue != null;
    }
  }

  private volatile @Nullable Entry head;
  private @Nullable Entry tail;

  /**
   * Adds {@code entry} for the POLL* bits of {@code mask}; POLLERR and POLLHUP are always included.
   */
  public synchronized void add(Entry entry, int mask) {
    if (entry.queue != null) {
      throw new IllegalStateException("entry is queued already");
    }
    entry.mask = mask | 0x18;
    entry.queue = this;
    entry.previous = tail;
    entry.next = null;
    if (tail == null) {
      head = entry;
    } else {
      tail.next = entry;
    }
    tail = entry;
  }

  /**
   * Removes {@code entry}; harmless when it is not here. No {@code onEvent} starts after the
   * return.
   */
  public synchronized void remove(Entry entry) {
    if (entry.queue != this) {
      return;
    }
    Entry p = entry.previous;
    Entry n = entry.next;
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
    entry.queue = null;
    entry.next = null;
    entry.previous = null;
  }

  /** Tells every entry that asked for one of {@code events}. */
  public void notify(int events) {
    if (head == null) {
      return; // racy on purpose: an entry added later checks readiness itself after adding
    }
    synchronized (this) {
      Entry e = head;
      while (e != null) {
        Entry next = e.next;
        int hit = e.mask & events;
        if (hit != 0) {
          e.onEvent(hit);
        }
        e = next;
      }
    }
  }

  public synchronized boolean isEmpty() {
    return head == null;
  }
}
