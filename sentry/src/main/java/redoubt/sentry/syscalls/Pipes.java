package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.EINVAL;

import redoubt.abi.Fcntl;
import redoubt.host.Memory;
import redoubt.sentry.ipc.PipeFile;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.vfs.FileDescription;

/** <a href="https://man7.org/linux/man-pages/man7/pipe.7.html">pipe(7)</a>. */
public final class Pipes {
  private static final int FLAGS =
      Fcntl.O_CLOEXEC | FileDescription.O_NONBLOCK | FileDescription.O_DIRECT;

  private Pipes() {}

  /** Makes a pipe: <a href="https://man7.org/linux/man-pages/man2/pipe.2.html">pipe(2)</a>. */
  public static long pipe(Task t, Args a) {
    return make(t, a.long0(), 0);
  }

  /**
   * Makes a pipe with flags: <a
   * href="https://man7.org/linux/man-pages/man2/pipe.2.html">pipe2(2)</a>.
   */
  public static long pipe2(Task t, Args a) {
    return make(t, a.long0(), a.int1());
  }

  private static long make(Task t, long ufds, int flags) {
    if ((flags & ~FLAGS) != 0) {
      return -EINVAL;
    }
    PipeFile[] ends = PipeFile.newPair(t, flags);
    return installPair(t, ufds, ends[0], ends[1], (flags & Fcntl.O_CLOEXEC) != 0);
  }

  /** Gives two new descriptions descriptors and tells the guest; also for socketpair(2). */
  static long installPair(
      Task t, long ufds, FileDescription first, FileDescription second, boolean closeOnExec) {
    long a = t.installFd(first, closeOnExec);
    if (a < 0) {
      second.decRef();
      return a;
    }
    long b = t.installFd(second, closeOnExec);
    if (b < 0) {
      t.fds().close(t, (int) a);
      return b;
    }
    t.scratch().set(Memory.INT, 0, (int) a);
    t.scratch().set(Memory.INT, 4, (int) b);
    if (t.copyOutNow(ufds, t.scratch(), 0, 8) < 0) {
      t.fds().close(t, (int) a);
      t.fds().close(t, (int) b);
      return -EFAULT;
    }
    return 0;
  }
}
