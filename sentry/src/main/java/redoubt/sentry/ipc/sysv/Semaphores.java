package redoubt.sentry.ipc.sysv;

import static redoubt.abi.Errno.E2BIG;
import static redoubt.abi.Errno.EACCES;
import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.EFBIG;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EPERM;
import static redoubt.abi.Errno.ERANGE;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import redoubt.abi.Ipc;
import redoubt.host.Memory;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.Waiter;

/**
 * The calls of <a href="https://man7.org/linux/man-pages/man2/semget.2.html">semget(2)</a> and its
 * family: ipc/sem.c.
 */
public final class Semaphores {
  private static final long NS = 1_000_000_000L;

  /** SEMUSZ: what semctl(IPC_INFO) says a sem_undo takes. */
  private static final int SEMUSZ = 20;

  private Semaphores() {}

  private static SemaphoreSets sets(Task t) {
    return t.namespaces().ipc.part(SemaphoreSets.class, SemaphoreSets::new);
  }

  /** semget(2). */
  public static long semget(Task t, Args a) {
    int count = a.int1();
    return count < 0 || count > Ipc.SEMMSL ? -EINVAL : sets(t).get(t, a.int0(), count, a.int2());
  }

  /** <a href="https://man7.org/linux/man-pages/man2/semop.2.html">semop(2)</a>. */
  public static long semop(Task t, Args a) {
    return operate(t, a.int0(), a.a1, a.a2, Waiter.FOREVER);
  }

  /** <a href="https://man7.org/linux/man-pages/man2/semop.2.html">semtimedop(2)</a>. */
  public static long semtimedop(Task t, Args a) {
    if (a.a3 == 0) {
      return semop(t, a);
    }
    if (t.copyInScratch(a.a3, 16) < 0) {
      return -EFAULT;
    }
    long sec = t.scratch().get(Memory.LONG, 0);
    long nsec = t.scratch().get(Memory.LONG, 8);
    if (sec < 0 || nsec < 0 || nsec >= NS) {
      return -EINVAL;
    }
    long deadline = sec > Integer.MAX_VALUE ? Waiter.FOREVER : System.nanoTime() + sec * NS + nsec;
    return operate(t, a.int0(), a.a1, a.a2, deadline);
  }

  private static long operate(Task t, int id, long uops, long size, long deadlineNs) {
    int count = (int) size;
    if (Integer.compareUnsigned(count, Ipc.SEMOPM) > 0) {
      return -E2BIG;
    }
    if (count < 1) {
      return -EINVAL;
    }
    long bytes = (long) count * Ipc.SIZEOF_SEMBUF;
    if (t.copyInScratch(uops, bytes) < 0) {
      return -EFAULT;
    }
    short[] ops = new short[count * 3];
    MemorySegment.copy(t.scratch(), Memory.SHORT, 0, ops, 0, ops.length);
    SemaphoreSets all = sets(t);
    var sleeper = new SemaphoreSet.Sleeper(t, ops);
    SemaphoreSet set;
    synchronized (all) {
      set = all.find(id);
      if (set == null) {
        return -EINVAL;
      }
      long r = check(t, set, ops);
      if (r < 0) {
        return r;
      }
      if (usesUndo(ops)) {
        all.undoAtExit(t);
      }
      r = set.attempt(sleeper);
      if (r == 0) {
        set.update();
      }
      if (r != SemaphoreSet.PENDING) {
        return r;
      }
      set.enqueue(sleeper);
    }
    return all.await(set, sleeper, deadlineNs);
  }

  private static long check(Task t, SemaphoreSet set, short[] ops) {
    boolean alters = false;
    for (int i = 0; i < ops.length; i += 3) {
      if ((ops[i] & 0xffff) >= set.values.length) {
        return -EFBIG;
      }
      alters |= ops[i + 1] != 0;
    }
    return set.permits(t.creds(), alters ? 2 : 4) ? 0 : -EACCES;
  }

  private static boolean usesUndo(short[] ops) {
    for (int i = 2; i < ops.length; i += 3) {
      if ((ops[i] & Ipc.SEM_UNDO) != 0) {
        return true;
      }
    }
    return false;
  }

  /** <a href="https://man7.org/linux/man-pages/man2/semctl.2.html">semctl(2)</a>. */
  public static long semctl(Task t, Args a) {
    int command = a.int2() & ~Ipc.IPC_64;
    if (a.int0() < 0) {
      return -EINVAL;
    }
    SemaphoreSets all = sets(t);
    return switch (command) {
      case Ipc.IPC_INFO, Ipc.SEM_INFO -> info(t, a.a3, all, command == Ipc.SEM_INFO);
      case Ipc.IPC_SET -> change(t, a, all);
      case Ipc.SETALL -> setAll(t, a, all);
      default -> {
        synchronized (all) {
          SemaphoreSet s = all.find(a.int0());
          yield s == null ? -EINVAL : ofSet(t, a, all, s, command);
        }
      }
    };
  }

  private static long ofSet(Task t, Args a, SemaphoreSets all, SemaphoreSet s, int command) {
    switch (command) {
      case Ipc.IPC_RMID -> {
        if (!s.isOwner(t.creds())) {
          return -EPERM;
        }
        all.remove(s);
        return 0;
      }
      case Ipc.SETVAL -> {
        return setVal(t, a, s);
      }
      case Ipc.IPC_STAT, Ipc.SEM_STAT, Ipc.SEM_STAT_ANY -> {
        if (command != Ipc.SEM_STAT_ANY && !s.permits(t.creds(), 4)) {
          return -EACCES;
        }
        return stat(t, a.a3, s, command == Ipc.IPC_STAT ? 0 : s.id);
      }
      case Ipc.GETALL, Ipc.GETVAL, Ipc.GETPID, Ipc.GETNCNT, Ipc.GETZCNT -> {
        if (!s.permits(t.creds(), 4)) {
          return -EACCES;
        }
        return command == Ipc.GETALL ? getAll(t, a.a3, s) : read(s, a.int1(), command);
      }
      default -> {
        return -EINVAL;
      }
    }
  }

  private static long read(SemaphoreSet s, int number, int command) {
    if (number < 0 || number >= s.values.length) {
      return -EINVAL;
    }
    return switch (command) {
      case Ipc.GETVAL -> s.values[number];
      case Ipc.GETPID -> s.pids[number];
      default -> s.waiting(number, command == Ipc.GETZCNT);
    };
  }

  private static long setVal(Task t, Args a, SemaphoreSet s) {
    int value = (int) a.a3;
    int number = a.int1();
    if (value < 0 || value > Ipc.SEMVMX) {
      return -ERANGE;
    }
    if (number < 0 || number >= s.values.length) {
      return -EINVAL;
    }
    if (!s.permits(t.creds(), 2)) {
      return -EACCES;
    }
    s.set(number, value, t.tgid());
    s.changedAt = IpcObject.now();
    s.update();
    return 0;
  }

  private static long getAll(Task t, long uaddr, SemaphoreSet s) {
    int n = s.values.length;
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment m = arena.allocate(2L * n, 8);
      for (int i = 0; i < n; i++) {
        m.set(Memory.SHORT, 2L * i, (short) s.values[i]);
      }
      return t.copyOutNow(uaddr, m, 0, 2L * n);
    }
  }

  private static long setAll(Task t, Args a, SemaphoreSets all) {
    int n;
    synchronized (all) {
      SemaphoreSet s = all.find(a.int0());
      if (s == null) {
        return -EINVAL;
      }
      if (!s.permits(t.creds(), 2)) {
        return -EACCES;
      }
      n = s.values.length;
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment m = arena.allocate(2L * n, 8);
      if (t.copyIn(a.a3, m, 0, 2L * n) < 0) {
        return -EFAULT;
      }
      for (int i = 0; i < n; i++) {
        if ((m.get(Memory.SHORT, 2L * i) & 0xffff) > Ipc.SEMVMX) {
          return -ERANGE;
        }
      }
      synchronized (all) {
        SemaphoreSet s = all.find(a.int0());
        if (s == null) {
          return -redoubt.abi.Errno.EIDRM;
        }
        for (int i = 0; i < n; i++) {
          s.set(i, m.get(Memory.SHORT, 2L * i), t.tgid());
        }
        s.changedAt = IpcObject.now();
        s.update();
      }
    }
    return 0;
  }

  private static long change(Task t, Args a, SemaphoreSets all) {
    if (t.copyInScratch(a.a3, Ipc.SIZEOF_SEMID64_DS) < 0) {
      return -EFAULT;
    }
    synchronized (all) {
      SemaphoreSet s = all.find(a.int0());
      if (s == null) {
        return -EINVAL;
      }
      if (!s.isOwner(t.creds())) {
        return -EPERM;
      }
      s.readPerm(t.scratch());
    }
    return 0;
  }

  private static long stat(Task t, long uaddr, SemaphoreSet s, int result) {
    MemorySegment m = t.scratch();
    m.asSlice(0, Ipc.SIZEOF_SEMID64_DS).fill((byte) 0);
    s.writePerm(m);
    m.set(Memory.LONG, Ipc.SEMID64_DS_SEM_OTIME, s.operatedAt);
    m.set(Memory.LONG, Ipc.SEMID64_DS_SEM_CTIME, s.changedAt);
    m.set(Memory.LONG, Ipc.SEMID64_DS_SEM_NSEMS, s.values.length);
    long e = t.copyOutScratch(uaddr, Ipc.SIZEOF_SEMID64_DS);
    return e < 0 ? e : result;
  }

  private static long info(Task t, long uaddr, SemaphoreSets all, boolean usage) {
    MemorySegment m = t.scratch();
    m.set(Memory.INT, Ipc.SEMINFO_SEMMAP, Ipc.SEMMNS);
    m.set(Memory.INT, Ipc.SEMINFO_SEMMNI, Ipc.SEMMNI);
    m.set(Memory.INT, Ipc.SEMINFO_SEMMNS, Ipc.SEMMNS);
    m.set(Memory.INT, Ipc.SEMINFO_SEMMNU, Ipc.SEMMNS);
    m.set(Memory.INT, Ipc.SEMINFO_SEMMSL, Ipc.SEMMSL);
    m.set(Memory.INT, Ipc.SEMINFO_SEMOPM, Ipc.SEMOPM);
    m.set(Memory.INT, Ipc.SEMINFO_SEMUME, Ipc.SEMOPM);
    m.set(Memory.INT, Ipc.SEMINFO_SEMVMX, Ipc.SEMVMX);
    int highest;
    synchronized (all) {
      m.set(Memory.INT, Ipc.SEMINFO_SEMUSZ, usage ? all.count() : SEMUSZ);
      m.set(Memory.INT, Ipc.SEMINFO_SEMAEM, usage ? all.total() : Ipc.SEMAEM);
      highest = all.highestId();
    }
    long e = t.copyOutScratch(uaddr, Ipc.SIZEOF_SEMINFO);
    return e < 0 ? e : highest;
  }

  /** Appends the lines of /proc/sysvipc/sem. */
  public static void list(Task t, StringBuilder out) {
    SemaphoreSets all = sets(t);
    synchronized (all) {
      for (SemaphoreSet s : all.all()) {
        IpcObject.column(out, 10, Long.toString(s.key));
        IpcObject.column(out, 11, Long.toString(s.id));
        IpcObject.column(out, 6, Integer.toOctalString(s.mode));
        IpcObject.column(out, 11, Long.toString(s.values.length));
        IpcObject.column(out, 6, Long.toString(s.uid));
        IpcObject.column(out, 6, Long.toString(s.gid));
        IpcObject.column(out, 6, Long.toString(s.creatorUid));
        IpcObject.column(out, 6, Long.toString(s.creatorGid));
        IpcObject.column(out, 11, Long.toString(s.operatedAt));
        IpcObject.column(out, 11, Long.toString(s.changedAt));
        out.append('\n');
      }
    }
  }
}
