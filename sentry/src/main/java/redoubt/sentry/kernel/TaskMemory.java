package redoubt.sentry.kernel;

import java.lang.foreign.MemorySegment;
import redoubt.abi.Futexes;
import redoubt.host.Memory;

/**
 * What a task leaves behind in its memory: clear_child_tid and the robust futex list, kernel/futex
 * and fork.c.
 */
final class TaskMemory {
  /** Linux's ROBUST_LIST_LIMIT. */
  private static final int ROBUST_LIMIT = 2048;

  private static final int FUTEX_OWNER_DIED = 0x40000000;
  private static final int FUTEX_WAITERS = 0x80000000;
  private static final int FUTEX_TID_MASK = 0x3fffffff;

  private TaskMemory() {}

  /** At exit and exec: the old memory hears of it, if others still use it. */
  static void leaveAtExit(Task t) {
    if (t.mm().isShared() || t.robustList != 0) {
      walkRobustList(t);
      clearChildTid(t);
    }
    Task parent = t.vforkParent;
    if (parent != null) {
      t.vforkParent = null;
      parent.waiter().wake();
    }
  }

  private static void clearChildTid(Task t) {
    long uaddr = t.clearChildTid;
    t.clearChildTid = 0;
    if (uaddr == 0 || !t.mm().isShared()) {
      return;
    }
    MemorySegment s = t.scratch();
    s.set(Memory.INT, 0, 0);
    if (t.context().copyOut(uaddr, s, 0, 4) == 4) {
      FutexTable.wake(t, uaddr, 1, Futexes.FUTEX_BITSET_MATCH_ANY, false);
    }
  }

  private static void walkRobustList(Task t) {
    long head = t.robustList;
    t.robustList = 0;
    if (head == 0) {
      return;
    }
    MemorySegment s = t.scratch();
    if (t.context().copyIn(head, s, 0, 24) != 24) {
      return;
    }
    long entry = s.get(Memory.LONG, 0);
    long offset = s.get(Memory.LONG, 8);
    long pendingEntry = s.get(Memory.LONG, 16);
    for (int i = 0; i < ROBUST_LIMIT && (entry & ~1L) != head; i++) {
      long next = 0;
      boolean more = t.context().copyIn(entry & ~1L, s, 0, 8) == 8;
      if (more) {
        next = s.get(Memory.LONG, 0);
      }
      if ((entry & ~1L) != (pendingEntry & ~1L)) {
        ownerDied(t, (entry & ~1L) + offset);
      }
      if (!more) {
        return;
      }
      entry = next;
    }
    if (pendingEntry != 0) {
      ownerDied(t, (pendingEntry & ~1L) + offset);
    }
  }

  private static void ownerDied(Task t, long uaddr) {
    for (int i = 0; i < 100; i++) {
      long v = t.copyInInt(uaddr);
      if (v < 0 || ((int) v & FUTEX_TID_MASK) != t.tid()) {
        return;
      }
      int old = (int) v;
      long r = t.context().compareAndSwapInt(uaddr, old, (old & FUTEX_WAITERS) | FUTEX_OWNER_DIED);
      if (r < 0) {
        return;
      }
      if ((int) r == old) {
        if ((old & FUTEX_WAITERS) != 0) {
          FutexTable.wake(t, uaddr, 1, Futexes.FUTEX_BITSET_MATCH_ANY, true);
        }
        return;
      }
    }
  }
}
