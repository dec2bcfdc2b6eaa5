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
    private boolean exclusive;

    /** Called with the events that happened and that this entry asked for. */
    protected abstract void onEvent(int events);

    /**
     * As {@link #onEvent}, for an entry that was added by {@link #addExclusive}.
     *
     * @return whether somebody was woken, so that other exclusive entries need not be told
     */
    protected boolean onExclusiveEvent(int events) {
      onEvent(events);
      return true;
    }

    /** {@return whether the entry is in a queue} Racy unless the caller owns the entry. */
    public final boolean isQueued() {
      return queue != null;
    }
  }

  private static final int ERRORS = 0x18; // POLLERR, POLLHUP

  private volatile @Nullable Entry head;
  private @Nullable Entry tail;

  /**
   * Adds {@code entry} for the POLL* bits of {@code mask}; POLLERR and POLLHUP are always included.
   */
  public void add(Entry entry, int mask) {
    add(entry, mask, false);
  }

  /**
   * Adds an entry of which an event wakes only one (WQ_FLAG_EXCLUSIVE); errors and hang-ups are
   * told to all.
   */
  public void addExclusive(Entry entry, int mask) {
    add(entry, mask, true);
  }

  private synchronized void add(Entry entry, int mask, boolean one) {
    if (entry.queue != null) {
      throw new IllegalStateException("entry is queued already");
    }
    entry.mask = mask | ERRORS;
    entry.queue = this;
    entry.exclusive = one;
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

  /**
   * Tells every entry that asked for one of {@code events}; of the exclusive ones only as many as
   * it takes to wake one.
   */
  public void notify(int events) {
    if (head == null) {
      return; // racy on purpose: an entry added later checks readiness itself after adding
    }
    synchronized (this) {
      Entry e = head;
      boolean woken = false;
      while (e != null) {
        Entry next = e.next;
        int hit = e.mask & events;
        if (hit == 0 || (e.exclusive && woken)) {
          // not for this one
        } else if (e.exclusive && (events & ERRORS) == 0) {
          woken = e.onExclusiveEvent(hit);
        } else {
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
