package redoubt.net.stack;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** A binary heap of timers, soonest first. A timer knows its place, so moving one is cheap. */
public final class Timers {
  private @Nullable Timer[] heap = new Timer[64];
  private int size;

  void arm(Timer t, long deadlineNs) {
    t.deadlineNs = deadlineNs;
    if (t.slot < 0) {
      if (size == heap.length) {
        heap = Arrays.copyOf(heap, size * 2);
      }
      t.slot = size;
      heap[size++] = t;
    }
    down(up(t.slot));
  }

  void disarm(Timer t) {
    int slot = t.slot;
    if (slot < 0) {
      return;
    }
    t.slot = -1;
    size--;
    Timer last = heap[size];
    heap[size] = null;
    if (last != null && last != t) {
      heap[slot] = last;
      last.slot = slot;
      down(up(slot));
    }
  }

  /** {@return when the first timer is due, or {@link Long#MAX_VALUE}} */
  public long nextDeadlineNs() {
    Timer first = heap[0];
    return first == null ? Long.MAX_VALUE : first.deadlineNs;
  }

  /** Disarms and returns a timer that is due at {@code nowNs}, or gives null. */
  @Nullable Timer pollDue(long nowNs) {
    Timer first = heap[0];
    if (first == null || first.deadlineNs > nowNs) {
      return null;
    }
    disarm(first);
    return first;
  }

  private int up(int slot) {
    while (slot > 0 && at(slot).deadlineNs < at((slot - 1) / 2).deadlineNs) {
      swap(slot, (slot - 1) / 2);
      slot = (slot - 1) / 2;
    }
    return slot;
  }

  private void down(int slot) {
    while (true) {
      int child = 2 * slot + 1;
      if (child + 1 < size && at(child + 1).deadlineNs < at(child).deadlineNs) {
        child++;
      }
      if (child >= size || at(slot).deadlineNs <= at(child).deadlineNs) {
        return;
      }
      swap(slot, child);
      slot = child;
    }
  }

  private void swap(int a, int b) {
    Timer ta = at(a);
    Timer tb = at(b);
    heap[a] = tb;
    heap[b] = ta;
    tb.slot = a;
    ta.slot = b;
  }

  private Timer at(int slot) {
    Timer t = heap[slot];
    if (t == null) {
      throw new IllegalStateException("hole in the heap at " + slot);
    }
    return t;
  }
}
