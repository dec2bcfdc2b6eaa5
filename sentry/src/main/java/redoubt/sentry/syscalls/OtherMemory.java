package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.EBADF;
import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ENOENT;
import static redoubt.abi.Errno.ENOSPC;
import static redoubt.abi.Errno.EOPNOTSUPP;
import static redoubt.abi.Errno.EPERM;
import static redoubt.abi.Errno.ESRCH;

import java.lang.foreign.MemorySegment;
import redoubt.abi.Caps;
import redoubt.host.Memory;
import redoubt.sentry.ipc.PidFd;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.mm.MemoryManager;
import redoubt.sentry.vfs.FileDescription;

/** Memory of others, of files, with keys and with seals: what came to mm/ of late. */
final class OtherMemory {
  private static final int MADV_WILLNEED = 3;
  private static final int MADV_COLD = 20;
  private static final int MADV_PAGEOUT = 21;
  private static final int MADV_COLLAPSE = 25;

  private OtherMemory() {}

  /**
   * <a href="https://man7.org/linux/man-pages/man2/process_madvise.2.html">process_madvise(2)</a>.
   */
  static long processMadvise(Task t, Args a) {
    if (a.int4() != 0) {
      return -EINVAL;
    }
    long total = t.userVectors(a.a1, a.a2 < 0 || a.a2 > 1024 ? -1 : (int) a.a2);
    if (total < 0) {
      return total;
    }
    FileDescription f = t.file(a.int0());
    if (f == null) {
      return -EBADF;
    }
    try {
      if (!(f instanceof PidFd p)) {
        return -EBADF;
      }
      Task target = p.thread() != null ? p.thread() : p.group().leader();
      if (p.isDone() || target.isDead()) {
        return -ESRCH;
      }
      if (!OtherTasks.mayAccess(t, target)) {
        return -EPERM;
      }
      int advice = a.int3();
      boolean known =
          advice == MADV_WILLNEED
              || advice == MADV_COLD
              || advice == MADV_PAGEOUT
              || advice == MADV_COLLAPSE;
      if (!known) {
        return -EINVAL;
      }
      if (target.mm() != t.mm() && !t.hasCapability(Caps.CAP_SYS_NICE)) {
        return -EPERM;
      }
      return advise(t, target.mm(), a, advice);
    } finally {
      f.decRef();
    }
  }

  private static long advise(Task t, MemoryManager mm, Args a, int advice) {
    long done = 0;
    for (int i = 0; i < (int) a.a2; i++) {
      long r = t.copyInScratch(a.a1 + 16L * i, 16);
      if (r < 0) {
        return done > 0 ? done : r;
      }
      long base = t.scratch().get(Memory.LONG, 0);
      long length = t.scratch().get(Memory.LONG, 8);
      r = mm.madvise(base, length, advice);
      if (r < 0) {
        return done > 0 ? done : r;
      }
      done += length;
    }
    return done;
  }

  /**
   * <a
   * href="https://man7.org/linux/man-pages/man2/process_mrelease.2.html">process_mrelease(2)</a>.
   */
  static long processMrelease(Task t, Args a) {
    if (a.int1() != 0) {
      return -EINVAL;
    }
    FileDescription f = t.file(a.int0());
    if (f == null) {
      return -EBADF;
    }
    try {
      if (!(f instanceof PidFd p)) {
        return -EBADF;
      }
      if (p.isDone()) {
        return -ESRCH;
      }
      return p.group().isExiting() ? 0 : -EINVAL; // the host frees a dying process' memory itself
    } finally {
      f.decRef();
    }
  }

  /** <a href="https://man7.org/linux/man-pages/man2/cachestat.2.html">cachestat(2)</a>. */
  static long cachestat(Task t, Args a) {
    FileDescription f = t.file(a.int0());
    if (f == null || (f.flags() & FileDescription.O_PATH) != 0) {
      if (f != null) {
        f.decRef();
      }
      return -EBADF;
    }
    try {
      MemorySegment s = t.scratch();
      if (t.copyInScratch(a.a1, 16) < 0) {
        return -EFAULT;
      }
      if (a.int3() != 0) {
        return -EINVAL;
      }
      long from = s.get(Memory.LONG, 0);
      long length = s.get(Memory.LONG, 8);
      long size = f.inode().isRegular() ? f.inode().size() : 0;
      long end = length == 0 ? size : Math.min(size, from + length < from ? size : from + length);
      long first = from >>> 12;
      long last = (end + Memory.PAGE - 1) >>> 12;
      s.asSlice(0, 40).fill((byte) 0);
      s.set(Memory.LONG, 0, Math.max(0, last - first));
      return t.copyOutScratch(a.a2, 40);
    } finally {
      f.decRef();
    }
  }

  /** mseal(2). */
  static long mseal(Task t, Args a) {
    return a.a2 != 0 ? -EINVAL : t.mm().seal(a.a0, a.a1);
  }

  /** <a href="https://man7.org/linux/man-pages/man2/pkey_alloc.2.html">pkey_alloc(2)</a>: none. */
  static long pkeyAlloc(Task t, Args a) {
    return a.a0 != 0 || (a.a1 & ~3L) != 0 ? -EINVAL : -ENOSPC;
  }

  static long pkeyFree(Task t, Args a) {
    return -EINVAL;
  }

  /** pkey_mprotect(2): with key -1 it is mprotect(2). */
  static long pkeyMprotect(Task t, Args a) {
    return a.int3() != -1 ? -EINVAL : t.mm().mprotect(a.a0, a.a1, (int) a.a2);
  }

  /**
   * <a
   * href="https://man7.org/linux/man-pages/man2/remap_file_pages.2.html">remap_file_pages(2)</a>.
   */
  static long remapFilePages(Task t, Args a) {
    return a.a2 != 0 ? -EINVAL : t.mm().remapFilePages(a.a0, a.a1, a.a3);
  }

  /** migrate_pages(2): there is one node, where everything is already. */
  static long migratePages(Task t, Args a) {
    long from = MemoryPolicies.nodes(t, a.a2, a.a1);
    long to = from < 0 ? from : MemoryPolicies.nodes(t, a.a3, a.a1);
    if (to < 0) {
      return to;
    }
    Task target = t;
    if (a.int0() != 0) {
      synchronized (t.kernel().tasks().mu) {
        target = t.pidNamespace().task(a.int0());
      }
    }
    if (target == null) {
      return -ESRCH;
    }
    if (!OtherTasks.mayAccess(t, target)) {
      return -EPERM;
    }
    return to == 0 ? -EINVAL : 0;
  }

  private static final int MPOL_MF_MOVE = 2;
  private static final int MPOL_MF_MOVE_ALL = 4;

  /** <a href="https://man7.org/linux/man-pages/man2/move_pages.2.html">move_pages(2)</a>. */
  static long movePages(Task t, Args a) {
    int flags = a.int5();
    if ((flags & ~(MPOL_MF_MOVE | MPOL_MF_MOVE_ALL)) != 0) {
      return -EINVAL;
    }
    if ((flags & MPOL_MF_MOVE_ALL) != 0 && !t.hasCapability(Caps.CAP_SYS_NICE)) {
      return -EPERM;
    }
    Task target = t;
    if (a.int0() != 0) {
      synchronized (t.kernel().tasks().mu) {
        target = t.pidNamespace().task(a.int0());
      }
      if (target == null) {
        return -ESRCH;
      }
    }
    if (!OtherTasks.mayAccess(t, target)) {
      return -EPERM;
    }
    MemorySegment s = t.scratch();
    for (long i = 0; i < a.a1; i++) {
      if (t.copyInScratch(a.a2 + 8 * i, 8) < 0) {
        return -EFAULT;
      }
      long page = s.get(Memory.LONG, 0);
      int status = target.mm().checkMapped(page & -Memory.PAGE, Memory.PAGE) < 0 ? -EFAULT : 0;
      if (a.a3 != 0) {
        if (t.copyInScratch(a.a3 + 4 * i, 4) < 0) {
          return -EFAULT;
        }
        if (s.get(Memory.INT, 0) != 0) {
          return -redoubt.abi.Errno.ENODEV;
        }
      }
      s.set(Memory.INT, 0, status);
      if (t.copyOutNow(a.a4 + 4 * i, s, 0, 4) < 0) {
        return -EFAULT;
      }
    }
    return 0;
  }

  private static final int LSM_ID_CAPABILITY = 100;

  /** lsm_list_modules(2): capabilities, and nothing else. */
  static long lsmListModules(Task t, Args a) {
    if (a.int2() != 0) {
      return -EINVAL;
    }
    long size = t.copyInInt(a.a1);
    if (size < 0) {
      return size;
    }
    MemorySegment s = t.scratch();
    s.set(Memory.INT, 0, 8);
    if (t.copyOutNow(a.a1, s, 0, 4) < 0) {
      return -EFAULT;
    }
    if (size < 8) {
      return -redoubt.abi.Errno.E2BIG;
    }
    s.set(Memory.LONG, 0, LSM_ID_CAPABILITY);
    return t.copyOutNow(a.a0, s, 0, 8) < 0 ? -EFAULT : 1;
  }

  /** lsm_get_self_attr(2) and lsm_set_self_attr(2): no module here has attributes. */
  static long lsmSelfAttr(Task t, Args a) {
    return -EOPNOTSUPP;
  }

  /**
   * <a href="https://man7.org/linux/man-pages/man2/perf_event_open.2.html">perf_event_open(2)</a>.
   */
  static long perfEventOpen(Task t, Args a) {
    if ((a.a4 & ~0xfL) != 0) {
      return -EINVAL;
    }
    long size = t.copyInInt(a.a0 + 4);
    if (size < 0) {
      return size;
    }
    if (!t.hasCapability(Caps.CAP_PERFMON) && !t.hasCapability(Caps.CAP_SYS_ADMIN)) {
      return -redoubt.abi.Errno.EACCES; // perf_event_paranoid is 3
    }
    return -ENOENT; // no event of any kind
  }
}
