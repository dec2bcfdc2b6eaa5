package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.EAGAIN;
import static redoubt.abi.Errno.EDEADLK;
import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ENOSYS;
import static redoubt.abi.Errno.EPERM;
import static redoubt.abi.Errno.ERESTARTSYS;
import static redoubt.abi.Errno.ERESTART_RESTARTBLOCK;
import static redoubt.abi.Errno.ESRCH;
import static redoubt.abi.Futexes.*;

import java.lang.foreign.MemorySegment;
import redoubt.host.Memory;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.Clocks;
import redoubt.sentry.kernel.FutexTable;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.Waiter;

/**
 * Fast user-space locks: <a href="https://man7.org/linux/man-pages/man2/futex.2.html">futex(2)</a>.
 */
final class FutexCalls {
  private FutexCalls() {}

  static long futex(Task t, Args a) {
    int op = a.int1();
    boolean shared = (op & FUTEX_PRIVATE_FLAG) == 0;
    boolean realtime = (op & FUTEX_CLOCK_REALTIME) != 0;
    int command = op & FUTEX_CMD_MASK;
    if (realtime
        && command != FUTEX_WAIT
        && command != FUTEX_WAIT_BITSET
        && command != FUTEX_LOCK_PI2) {
      return -ENOSYS;
    }
    return switch (command) {
      case FUTEX_WAIT -> wait(t, a, FUTEX_BITSET_MATCH_ANY, shared, false, realtime);
      case FUTEX_WAIT_BITSET -> wait(t, a, a.int5(), shared, true, realtime);
      case FUTEX_WAKE ->
          FutexTable.wake(t, a.long0(), Math.max(a.int2(), 1), FUTEX_BITSET_MATCH_ANY, shared);
      case FUTEX_WAKE_BITSET ->
          a.int5() == 0
              ? -EINVAL
              : FutexTable.wake(t, a.long0(), Math.max(a.int2(), 1), a.int5(), shared);
      case FUTEX_REQUEUE -> requeue(t, a, shared, false);
      case FUTEX_CMP_REQUEUE -> requeue(t, a, shared, true);
      case FUTEX_WAKE_OP -> wakeOp(t, a, shared);
      case FUTEX_LOCK_PI -> lockPi(t, a, shared, Clocks.CLOCK_REALTIME, false);
      case FUTEX_LOCK_PI2 ->
          lockPi(t, a, shared, realtime ? Clocks.CLOCK_REALTIME : Clocks.CLOCK_MONOTONIC, false);
      case FUTEX_TRYLOCK_PI -> lockPi(t, a, shared, Clocks.CLOCK_REALTIME, true);
      case FUTEX_UNLOCK_PI -> unlockPi(t, a.long0(), shared);
      default -> -ENOSYS;
    };
  }

  private static long wait(
      Task t, Args a, int bitset, boolean shared, boolean absolute, boolean realtime) {
    if (bitset == 0) {
      return -EINVAL;
    }
    long deadline = Waiter.FOREVER;
    if (a.long3() != 0) {
      deadline =
          deadline(
              t, a.long3(), absolute, realtime ? Clocks.CLOCK_REALTIME : Clocks.CLOCK_MONOTONIC);
      if (deadline < 0) {
        return deadline;
      }
    }
    long uaddr = a.long0();
    int expected = a.int2();
    long r = FutexTable.waitWhile(t, uaddr, expected, bitset, shared, deadline);
    if (r == -ERESTARTSYS && deadline != Waiter.FOREVER && !absolute) {
      long until = deadline;
      t.restartBlock = x -> FutexTable.waitWhile(x, uaddr, expected, bitset, shared, until);
      return -ERESTART_RESTARTBLOCK;
    }
    return r;
  }

  /** {@return the deadline in the timespec at {@code uaddr}}, -EFAULT or -EINVAL */
  private static long deadline(Task t, long uaddr, boolean absolute, int clock) {
    long e = t.copyInScratch(uaddr, 16);
    if (e < 0) {
      return e;
    }
    MemorySegment s = t.scratch();
    long sec = s.get(Memory.LONG, 0);
    long nsec = s.get(Memory.LONG, 8);
    if (sec < 0 || nsec < 0 || nsec >= 1_000_000_000) {
      return -EINVAL;
    }
    return absolute ? Math.max(0, Deadlines.at(clock, sec, nsec)) : Deadlines.after(sec, nsec);
  }

  private static long requeue(Task t, Args a, boolean shared, boolean compare) {
    int wake = a.int2();
    int move = (int) a.long3();
    if (wake < 0 || move < 0) {
      return -EINVAL;
    }
    if (compare) {
      long v = t.copyInInt(a.long0());
      if (v < 0) {
        return v;
      }
      if ((int) v != a.int5()) {
        return -EAGAIN;
      }
    }
    return FutexTable.requeue(t, a.long0(), a.long4(), wake, move, shared);
  }

  private static long wakeOp(Task t, Args a, boolean shared) {
    int encoded = a.int5();
    int op = encoded >> 28 & 7;
    boolean shift = (encoded >>> 31) != 0;
    int cmp = encoded >> 24 & 15;
    int arg = encoded << 8 >> 20;
    int cmpArg = encoded << 20 >> 20;
    if (shift) {
      arg = 1 << (arg & 31);
    }
    long uaddr2 = a.long4();
    if (((a.long0() | uaddr2) & 3) != 0) {
      return -EINVAL;
    }
    int old;
    for (; ; ) {
      long v = t.copyInInt(uaddr2);
      if (v < 0) {
        return v;
      }
      old = (int) v;
      int value;
      switch (op) {
        case FUTEX_OP_SET -> value = arg;
        case FUTEX_OP_ADD -> value = old + arg;
        case FUTEX_OP_OR -> value = old | arg;
        case FUTEX_OP_ANDN -> value = old & ~arg;
        case FUTEX_OP_XOR -> value = old ^ arg;
        default -> {
          return -ENOSYS;
        }
      }
      long r = t.context().compareAndSwapInt(uaddr2, old, value);
      if (r < 0) {
        return -EFAULT;
      }
      if ((int) r == old) {
        break;
      }
    }
    boolean hit;
    switch (cmp) {
      case FUTEX_OP_CMP_EQ -> hit = old == cmpArg;
      case FUTEX_OP_CMP_NE -> hit = old != cmpArg;
      case FUTEX_OP_CMP_LT -> hit = old < cmpArg;
      case FUTEX_OP_CMP_LE -> hit = old <= cmpArg;
      case FUTEX_OP_CMP_GT -> hit = old > cmpArg;
      case FUTEX_OP_CMP_GE -> hit = old >= cmpArg;
      default -> {
        return -ENOSYS;
      }
    }
    long n = FutexTable.wake(t, a.long0(), Math.max(a.int2(), 1), FUTEX_BITSET_MATCH_ANY, shared);
    if (n >= 0 && hit) {
      long m =
          FutexTable.wake(t, uaddr2, Math.max((int) a.long3(), 1), FUTEX_BITSET_MATCH_ANY, shared);
      return m < 0 ? m : n + m;
    }
    return n;
  }

  /**
   * FUTEX_LOCK_PI without priorities: every task has the same here, so first come is first served.
   */
  private static long lockPi(Task t, Args a, boolean shared, int clock, boolean tryOnly) {
    long uaddr = a.long0();
    long deadline = Waiter.FOREVER;
    if (!tryOnly && a.long3() != 0) {
      deadline = deadline(t, a.long3(), true, clock);
      if (deadline < 0) {
        return deadline;
      }
    }
    for (; ; ) {
      long v = t.copyInInt(uaddr);
      if (v < 0) {
        return v;
      }
      int old = (int) v;
      int owner = old & FUTEX_TID_MASK;
      if (owner == t.tid()) {
        return -EDEADLK;
      }
      if (owner == 0) {
        int mine = t.tid() | (old & (FUTEX_WAITERS | FUTEX_OWNER_DIED));
        long r = t.context().compareAndSwapInt(uaddr, old, mine);
        if (r < 0) {
          return -EFAULT;
        }
        if ((int) r == old) {
          return 0;
        }
        continue;
      }
      if (!ownerLives(t, owner)) {
        return -ESRCH;
      }
      if (tryOnly) {
        return -EAGAIN;
      }
      if ((old & FUTEX_WAITERS) == 0) {
        long r = t.context().compareAndSwapInt(uaddr, old, old | FUTEX_WAITERS);
        if (r < 0) {
          return -EFAULT;
        }
        if ((int) r != old) {
          continue;
        }
        old |= FUTEX_WAITERS;
      }
      long r = FutexTable.waitWhile(t, uaddr, old, FUTEX_BITSET_MATCH_ANY, shared, deadline);
      if (r < 0 && r != -EAGAIN) {
        return r == -ERESTARTSYS ? -redoubt.abi.Errno.ERESTARTNOINTR : r;
      }
    }
  }

  private static boolean ownerLives(Task t, int tid) {
    synchronized (t.kernel().tasks().mu) {
      return t.pidNamespace().task(tid) != null;
    }
  }

  private static long unlockPi(Task t, long uaddr, boolean shared) {
    for (; ; ) {
      long v = t.copyInInt(uaddr);
      if (v < 0) {
        return v;
      }
      int old = (int) v;
      if ((old & FUTEX_TID_MASK) != t.tid()) {
        return -EPERM;
      }
      // The waiters' bit stays while there may be more of them: the next owner wakes the next one.
      long r = t.context().compareAndSwapInt(uaddr, old, old & FUTEX_WAITERS);
      if (r < 0) {
        return -EFAULT;
      }
      if ((int) r == old) {
        if ((old & FUTEX_WAITERS) != 0) {
          long n = FutexTable.wake(t, uaddr, 1, FUTEX_BITSET_MATCH_ANY, shared);
          if (n == 0) {
            t.context().compareAndSwapInt(uaddr, FUTEX_WAITERS, 0);
          }
        }
        return 0;
      }
    }
  }

  static long setRobustList(Task t, Args a) {
    if (a.long1() != 24) {
      return -EINVAL;
    }
    t.robustList = a.long0();
    return 0;
  }

  static long getRobustList(Task t, Args a) {
    Task target = t;
    if (a.int0() != 0) {
      synchronized (t.kernel().tasks().mu) {
        target = t.pidNamespace().task(a.int0());
      }
      if (target == null) {
        return -ESRCH;
      }
      if (!OtherTasks.mayAccess(t, target)) {
        return -EPERM;
      }
    }
    long e = t.copyOutLong(a.long2(), 24);
    return e < 0 ? e : t.copyOutLong(a.long1(), target.robustList);
  }
}
