package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.E2BIG;
import static redoubt.abi.Errno.EAGAIN;
import static redoubt.abi.Errno.EINVAL;

import java.lang.foreign.MemorySegment;
import redoubt.abi.Fcntl;
import redoubt.host.Memory;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.Vfs;
import redoubt.sentry.vfs.VfsPath;

/** Opening and closing files: fs/open.c. */
final class Open {
  private static final int TMPFILE_BIT = Fcntl.O_TMPFILE & ~Fcntl.O_DIRECTORY;
  private static final int VALID_FLAGS =
      Fcntl.O_ACCMODE
          | Fcntl.O_CREAT
          | Fcntl.O_EXCL
          | Fcntl.O_NOCTTY
          | Fcntl.O_TRUNC
          | Fcntl.O_APPEND
          | Fcntl.O_NONBLOCK
          | Fcntl.O_SYNC
          | 020000
          | Fcntl.O_DIRECT
          | Fcntl.O_LARGEFILE
          | Fcntl.O_DIRECTORY
          | Fcntl.O_NOFOLLOW
          | Fcntl.O_NOATIME
          | Fcntl.O_CLOEXEC
          | Fcntl.O_PATH
          | TMPFILE_BIT;
  private static final int PATH_FLAGS =
      Fcntl.O_DIRECTORY | Fcntl.O_NOFOLLOW | Fcntl.O_PATH | Fcntl.O_CLOEXEC;
  private static final long VALID_RESOLVE =
      Fcntl.RESOLVE_NO_XDEV
          | Fcntl.RESOLVE_NO_MAGICLINKS
          | Fcntl.RESOLVE_NO_SYMLINKS
          | Fcntl.RESOLVE_BENEATH
          | Fcntl.RESOLVE_IN_ROOT
          | Fcntl.RESOLVE_CACHED;

  private Open() {}

  /** <a href="https://man7.org/linux/man-pages/man2/open.2.html">open(2)</a>. */
  static long open(Task t, Args a) {
    return openAt(t, Fcntl.AT_FDCWD, a.a0, a.int1(), a.int2());
  }

  /** <a href="https://man7.org/linux/man-pages/man2/open.2.html">openat(2)</a>. */
  static long openat(Task t, Args a) {
    return openAt(t, a.int0(), a.a1, a.int2(), a.int3());
  }

  /** <a href="https://man7.org/linux/man-pages/man2/open.2.html">creat(2)</a>. */
  static long creat(Task t, Args a) {
    return openAt(
        t, Fcntl.AT_FDCWD, a.a0, Fcntl.O_CREAT | Fcntl.O_WRONLY | Fcntl.O_TRUNC, a.int1());
  }

  /** open and openat ignore bits that they do not know. */
  private static long openAt(Task t, int dirfd, long path, int flags, int mode) {
    int f = flags & VALID_FLAGS;
    if ((f & Fcntl.O_PATH) != 0) {
      f &= PATH_FLAGS;
    }
    boolean creates = (f & (Fcntl.O_CREAT | TMPFILE_BIT)) != 0;
    return open(t, dirfd, path, f, creates ? mode & 07777 : 0, 0);
  }

  /** <a href="https://man7.org/linux/man-pages/man2/openat2.2.html">openat2(2)</a>. */
  static long openat2(Task t, Args a) {
    long size = a.a3;
    if (size < Fcntl.SIZEOF_OPEN_HOW) {
      return -EINVAL;
    }
    if (size > 4096) {
      return -E2BIG;
    }
    long r = t.copyInScratch(a.a2, size);
    if (r < 0) {
      return r;
    }
    MemorySegment how = t.scratch();
    for (long i = Fcntl.SIZEOF_OPEN_HOW; i < size; i++) {
      if (how.get(Memory.BYTE, i) != 0) {
        return -E2BIG;
      }
    }
    long flags = how.get(Memory.LONG, Fcntl.OPEN_HOW_FLAGS);
    long mode = how.get(Memory.LONG, Fcntl.OPEN_HOW_MODE);
    long resolve = how.get(Memory.LONG, Fcntl.OPEN_HOW_RESOLVE);
    if ((flags & ~(long) VALID_FLAGS) != 0 || (resolve & ~VALID_RESOLVE) != 0) {
      return -EINVAL;
    }
    int both = Fcntl.RESOLVE_BENEATH | Fcntl.RESOLVE_IN_ROOT;
    if ((resolve & both) == both) {
      return -EINVAL;
    }
    boolean creates = (flags & (Fcntl.O_CREAT | TMPFILE_BIT)) != 0;
    if (creates ? (mode & ~07777L) != 0 : mode != 0) {
      return -EINVAL;
    }
    if ((flags & Fcntl.O_PATH) != 0 && (flags & ~(long) PATH_FLAGS) != 0) {
      return -EINVAL;
    }
    if ((resolve & Fcntl.RESOLVE_CACHED) != 0) {
      return -EAGAIN; // always allowed: the caller then tries without it
    }
    return open(t, a.int0(), a.a1, (int) flags, (int) mode, (int) resolve);
  }

  private static long open(Task t, int dirfd, long upath, int flags, int mode, int resolve) {
    // fs/open.c build_open_flags
    if ((flags & (Fcntl.O_DIRECTORY | Fcntl.O_CREAT)) == (Fcntl.O_DIRECTORY | Fcntl.O_CREAT)) {
      return -EINVAL;
    }
    if ((flags & TMPFILE_BIT) != 0
        && ((flags & (Fcntl.O_TMPFILE | Fcntl.O_CREAT)) != Fcntl.O_TMPFILE
            || (flags & Fcntl.O_ACCMODE) == Fcntl.O_RDONLY)) {
      return -EINVAL;
    }
    String path = t.copyInPath(upath);
    int kept = (flags & Fcntl.O_PATH) != 0 ? flags : flags | Fcntl.O_LARGEFILE;
    // Confined to dirfd, a path that begins with a slash begins there, too.
    boolean confined = (resolve & (Fcntl.RESOLVE_IN_ROOT | Fcntl.RESOLVE_BENEATH)) != 0;
    VfsPath start = t.startAt(dirfd, confined ? "." : path);
    FileDescription f = Vfs.open(t, start, path, kept, mode, resolve);
    return t.installFd(f, (flags & Fcntl.O_CLOEXEC) != 0);
  }

  /** <a href="https://man7.org/linux/man-pages/man2/close.2.html">close(2)</a>. */
  static long close(Task t, Args a) {
    return t.fds().close(t, a.int0());
  }

  /** <a href="https://man7.org/linux/man-pages/man2/close_range.2.html">close_range(2)</a>. */
  static long closeRange(Task t, Args a) {
    int flags = a.int2();
    long first = a.a0 & 0xffffffffL;
    long last = a.a1 & 0xffffffffL;
    if ((flags & ~(Fcntl.CLOSE_RANGE_UNSHARE | Fcntl.CLOSE_RANGE_CLOEXEC)) != 0 || first > last) {
      return -EINVAL;
    }
    if ((flags & Fcntl.CLOSE_RANGE_UNSHARE) != 0) {
      t.unshareFiles();
    }
    return t.fds().closeRange(t, first, last, (flags & Fcntl.CLOSE_RANGE_CLOEXEC) != 0);
  }
}
