package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.EBADF;
import static redoubt.abi.Errno.EINVAL;

import redoubt.abi.Fcntl;
import redoubt.abi.Resource;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.vfs.FileDescription;

/** Duplicates of descriptors: fs/file.c. */
final class Dup {
  private Dup() {}

  /** <a href="https://man7.org/linux/man-pages/man2/dup.2.html">dup(2)</a>. */
  static long dup(Task t, Args a) {
    FileDescription f = t.file(a.int0());
    return f == null ? -EBADF : t.installFd(f, false);
  }

  /** <a href="https://man7.org/linux/man-pages/man2/dup.2.html">dup2(2)</a>. */
  static long dup2(Task t, Args a) {
    int old = a.int0();
    if (old == a.int1()) {
      return t.fds().peek(old) == null ? -EBADF : old;
    }
    return replace(t, old, a.int1(), false);
  }

  /** <a href="https://man7.org/linux/man-pages/man2/dup.2.html">dup3(2)</a>. */
  static long dup3(Task t, Args a) {
    int flags = a.int2();
    if ((flags & ~Fcntl.O_CLOEXEC) != 0 || a.int0() == a.int1()) {
      return -EINVAL;
    }
    return replace(t, a.int0(), a.int1(), flags != 0);
  }

  private static long replace(Task t, int old, int fd, boolean closeOnExec) {
    long limit = t.threadGroup().limits.bound(Resource.RLIMIT_NOFILE);
    if (fd < 0 || fd >= limit) {
      return -EBADF;
    }
    FileDescription f = t.file(old);
    if (f == null) {
      return -EBADF;
    }
    long r = t.fds().replace(t, f, fd, closeOnExec, limit);
    if (r < 0) {
      f.decRef();
    }
    return r;
  }
}
