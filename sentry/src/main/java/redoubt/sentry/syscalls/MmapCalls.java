package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.EBADF;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ENOMEM;
import static redoubt.abi.Errno.EPERM;

import redoubt.abi.Caps;
import redoubt.abi.Mman;
import redoubt.abi.Resource;
import redoubt.host.Memory;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.vfs.FileDescription;

/**
 * Mappings: <a href="https://man7.org/linux/man-pages/man2/mmap.2.html">mmap(2)</a> and its family.
 */
final class MmapCalls {
  private static final int MCL_ALL = 7;

  private MmapCalls() {}

  static long mmap(Task t, Args a) {
    int flags = a.int3();
    if ((flags & Mman.MAP_ANONYMOUS) != 0) {
      return t.mm().mmap(a.long0(), a.long1(), a.int2(), flags, null, 0, t.threadGroup().limits);
    }
    FileDescription f = t.file(a.int4());
    if (f == null) {
      return -EBADF;
    }
    try {
      if ((f.flags() & FileDescription.O_PATH) != 0) {
        return -EBADF;
      }
      return t.mm()
          .mmap(a.long0(), a.long1(), a.int2(), flags, f, a.long5(), t.threadGroup().limits);
    } finally {
      f.decRef();
    }
  }

  /** {@return the address of a new page of zeros that can only be read}, or -errno */
  static long anonymousPage(Task t) {
    return t.mm()
        .mmap(
            0,
            redoubt.host.Memory.PAGE,
            Mman.PROT_READ,
            Mman.MAP_PRIVATE | Mman.MAP_ANONYMOUS,
            null,
            0,
            t.threadGroup().limits);
  }

  static long munmap(Task t, Args a) {
    return t.mm().munmap(a.long0(), a.long1());
  }

  static long mprotect(Task t, Args a) {
    return t.mm().mprotect(a.long0(), a.long1(), a.int2());
  }

  static long mremap(Task t, Args a) {
    return t.mm()
        .mremap(a.long0(), a.long1(), a.long2(), a.int3(), a.long4(), t.threadGroup().limits);
  }

  static long brk(Task t, Args a) {
    return t.mm().brk(a.long0(), t.threadGroup().limits);
  }

  static long madvise(Task t, Args a) {
    return t.mm().madvise(a.long0(), a.long1(), a.int2());
  }

  static long msync(Task t, Args a) {
    return t.mm().msync(a.long0(), a.long1(), a.int2());
  }

  static long mlock(Task t, Args a) {
    return lock(t, a.long0(), a.long1());
  }

  static long mlock2(Task t, Args a) {
    return (a.int2() & ~1) != 0 ? -EINVAL : lock(t, a.long0(), a.long1());
  }

  private static long lock(Task t, long addr, long length) {
    long limit = t.threadGroup().limits.bound(Resource.RLIMIT_MEMLOCK);
    if (!t.hasCapability(Caps.CAP_IPC_LOCK)) {
      if (limit == 0) {
        return -EPERM;
      }
      long start = addr & -Memory.PAGE;
      long end = (addr + length + Memory.PAGE - 1) & -Memory.PAGE;
      long more = end - start - t.mm().lockedBytes(start, end);
      if (t.mm().lockedBytes() + more > limit) {
        return -ENOMEM;
      }
    }
    return t.mm().mlock(addr, length, true);
  }

  static long munlock(Task t, Args a) {
    return t.mm().mlock(a.long0(), a.long1(), false);
  }

  static long mlockall(Task t, Args a) {
    int flags = a.int0();
    if (flags == 0 || (flags & ~MCL_ALL) != 0 || flags == 4) {
      return -EINVAL;
    }
    long limit = t.threadGroup().limits.bound(Resource.RLIMIT_MEMLOCK);
    if (!t.hasCapability(Caps.CAP_IPC_LOCK)) {
      if (limit == 0) {
        return -EPERM;
      }
      if ((flags & 1) != 0 && t.mm().mappedBytes() > limit) {
        return -ENOMEM;
      }
    }
    return t.mm().mlockAll((flags & 1) != 0, (flags & 2) != 0);
  }

  static long munlockall(Task t, Args a) {
    return t.mm().mlockAll(false, false);
  }

  /**
   * <a href="https://man7.org/linux/man-pages/man2/mincore.2.html">mincore(2)</a>: every mapped
   * page is resident.
   */
  static long mincore(Task t, Args a) {
    long addr = a.long0();
    long length = a.long1();
    if ((addr & (Memory.PAGE - 1)) != 0) {
      return -EINVAL;
    }
    long pages = (length + Memory.PAGE - 1) / Memory.PAGE;
    if (length < 0 || addr + length < addr) {
      return -ENOMEM;
    }
    long r = t.mm().checkMapped(addr, pages * Memory.PAGE);
    if (r < 0) {
      return r;
    }
    var s = t.scratch();
    for (long done = 0; done < pages; ) {
      long n = Math.min(pages - done, Memory.PAGE);
      s.asSlice(0, n).fill((byte) 1);
      r = t.copyOutNow(a.long2() + done, s, 0, n);
      if (r < 0) {
        return r;
      }
      done += n;
    }
    return 0;
  }
}
