package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.EINVAL;

import java.lang.foreign.MemorySegment;
import redoubt.abi.Time;
import redoubt.host.Memory;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.FutexTable;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.Waiter;

/** The futex calls of their own numbers: futex_waitv(2) and its kin, kernel/futex/syscalls.c. */
final class Futex2Calls {
  private static final int WAITV_MAX = 128;
  private static final int SIZEOF_FUTEX_WAITV = 24;
  private static final int FUTEX2_SIZE_U32 = 2;
  private static final int FUTEX2_SIZE_MASK = 3;
  private static final int FUTEX2_PRIVATE = 128;

  private Futex2Calls() {}

  private static boolean isValid(int flags) {
    return (flags & ~(FUTEX2_SIZE_MASK | FUTEX2_PRIVATE)) == 0
        && (flags & FUTEX2_SIZE_MASK) == FUTEX2_SIZE_U32;
  }

  private static boolean isShared(int flags) {
    return (flags & FUTEX2_PRIVATE) == 0;
  }

  /** {@return the deadline of an absolute timespec}, FOREVER for none, or -errno */
  private static long deadline(Task t, long uaddr, int clock) {
    if (uaddr == 0) {
      return Waiter.FOREVER;
    }
    if (clock != Time.CLOCK_REALTIME && clock != Time.CLOCK_MONOTONIC) {
      return -EINVAL;
    }
    long r = t.copyInScratch(uaddr, 16);
    if (r < 0) {
      return r;
    }
    MemorySegment s = t.scratch();
    long sec = s.get(Memory.LONG, 0);
    long nsec = s.get(Memory.LONG, 8);
    if (sec < 0 || nsec < 0 || nsec >= 1_000_000_000) {
      return -EINVAL;
    }
    return Math.max(0, Deadlines.at(clock, sec, nsec));
  }

  /**
   * <a href="https://man7.org/linux/man-pages/man2/futex_waitv.2.html">futex_waitv(2)</a>: the
   * index of one that was woken.
   */
  static long futexWaitv(Task t, Args a) {
    int count = a.int1();
    if (a.int2() != 0 || count < 1 || count > WAITV_MAX || a.a0 == 0) {
      return -EINVAL;
    }
    long deadline = deadline(t, a.a3, a.int4());
    if (deadline < 0) {
      return deadline;
    }
    long[] addresses = new long[count];
    int[] values = new int[count];
    boolean[] shared = new boolean[count];
    MemorySegment s = t.scratch();
    for (int i = 0; i < count; i++) {
      long r = t.copyInScratch(a.a0 + (long) i * SIZEOF_FUTEX_WAITV, SIZEOF_FUTEX_WAITV);
      if (r < 0) {
        return r;
      }
      int flags = s.get(Memory.INT, 16);
      long value = s.get(Memory.LONG, 0);
      if (!isValid(flags) || s.get(Memory.INT, 20) != 0 || value >>> 32 != 0) {
        return -EINVAL;
      }
      addresses[i] = s.get(Memory.LONG, 8);
      values[i] = (int) value;
      shared[i] = isShared(flags);
    }
    return FutexTable.waitAny(t, addresses, values, shared, deadline);
  }

  static long futexWake(Task t, Args a) {
    int flags = a.int3();
    int count = a.int2();
    if (!isValid(flags) || a.a1 >>> 32 != 0 || a.a1 == 0) {
      return -EINVAL;
    }
    return count <= 0 ? 0 : FutexTable.wake(t, a.a0, count, (int) a.a1, isShared(flags));
  }

  static long futexWait(Task t, Args a) {
    int flags = a.int3();
    if (!isValid(flags) || a.a1 >>> 32 != 0 || a.a2 >>> 32 != 0 || a.a2 == 0) {
      return -EINVAL;
    }
    long deadline = deadline(t, a.a4, a.int5());
    return deadline < 0
        ? deadline
        : FutexTable.waitWhile(t, a.a0, (int) a.a1, (int) a.a2, isShared(flags), deadline);
  }

  static long futexRequeue(Task t, Args a) {
    if (a.int1() != 0 || a.a0 == 0) {
      return -EINVAL;
    }
    MemorySegment s = t.scratch();
    long r = t.copyInScratch(a.a0, 2L * SIZEOF_FUTEX_WAITV);
    if (r < 0) {
      return r;
    }
    for (int i = 0; i < 2; i++) {
      long at = (long) i * SIZEOF_FUTEX_WAITV;
      if (!isValid(s.get(Memory.INT, at + 16))
          || s.get(Memory.INT, at + 20) != 0
          || s.get(Memory.LONG, at) >>> 32 != 0) {
        return -EINVAL;
      }
    }
    int wake = a.int2();
    int move = a.int3();
    if (wake < 0 || move < 0) {
      return -EINVAL;
    }
    int value = s.get(Memory.INT, 0);
    long from = s.get(Memory.LONG, 8);
    boolean shared = isShared(s.get(Memory.INT, 16));
    long to = s.get(Memory.LONG, SIZEOF_FUTEX_WAITV + 8L);
    boolean toShared = isShared(s.get(Memory.INT, SIZEOF_FUTEX_WAITV + 16L));
    long v = t.copyInInt(from);
    if (v < 0) {
      return v;
    }
    if ((int) v != value) {
      return -redoubt.abi.Errno.EAGAIN;
    }
    return FutexTable.requeue(t, from, shared, to, toShared, wake, move);
  }
}
