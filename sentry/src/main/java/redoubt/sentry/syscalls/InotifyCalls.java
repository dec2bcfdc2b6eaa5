package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.EBADF;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EMFILE;
import static redoubt.abi.Inotify.IN_ALL_EVENTS;
import static redoubt.abi.Inotify.IN_CLOEXEC;
import static redoubt.abi.Inotify.IN_DONT_FOLLOW;
import static redoubt.abi.Inotify.IN_EXCL_UNLINK;
import static redoubt.abi.Inotify.IN_IGNORED;
import static redoubt.abi.Inotify.IN_ISDIR;
import static redoubt.abi.Inotify.IN_MASK_ADD;
import static redoubt.abi.Inotify.IN_MASK_CREATE;
import static redoubt.abi.Inotify.IN_NONBLOCK;
import static redoubt.abi.Inotify.IN_ONESHOT;
import static redoubt.abi.Inotify.IN_ONLYDIR;
import static redoubt.abi.Inotify.IN_Q_OVERFLOW;
import static redoubt.abi.Inotify.IN_UNMOUNT;

import redoubt.abi.Fcntl;
import redoubt.sentry.ipc.Inotify;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.Inode;
import redoubt.sentry.vfs.PathWalk;
import redoubt.sentry.vfs.VfsPath;

/** The calls of inotify(7): fs/notify/inotify/inotify_user.c. */
final class InotifyCalls {
  private static final int KNOWN =
      IN_ALL_EVENTS
          | IN_UNMOUNT
          | IN_Q_OVERFLOW
          | IN_IGNORED
          | IN_ONLYDIR
          | IN_DONT_FOLLOW
          | IN_EXCL_UNLINK
          | IN_MASK_CREATE
          | IN_MASK_ADD
          | IN_ISDIR
          | IN_ONESHOT;

  private InotifyCalls() {}

  /** <a href="https://man7.org/linux/man-pages/man2/inotify_init.2.html">inotify_init(2)</a>. */
  static long inotifyInit(Task t, Args a) {
    return make(t, 0);
  }

  /** <a href="https://man7.org/linux/man-pages/man2/inotify_init.2.html">inotify_init1(2)</a>. */
  static long inotifyInit1(Task t, Args a) {
    return make(t, a.int0());
  }

  private static long make(Task t, int flags) {
    if ((flags & ~(IN_CLOEXEC | IN_NONBLOCK)) != 0) {
      return -EINVAL;
    }
    Inotify.Usage usage = t.kernel().subsystemOrNew(Inotify.Usage.class, Inotify.Usage::new);
    if (!usage.takeInstance()) {
      return -EMFILE;
    }
    return t.installFd(new Inotify(t, usage, flags & IN_NONBLOCK), (flags & IN_CLOEXEC) != 0);
  }

  /**
   * <a
   * href="https://man7.org/linux/man-pages/man2/inotify_add_watch.2.html">inotify_add_watch(2)</a>.
   */
  static long inotifyAddWatch(Task t, Args a) {
    int mask = a.int2();
    if ((mask & ~KNOWN) != 0 || (mask & KNOWN) == 0) {
      return -EINVAL;
    }
    FileDescription f = t.file(a.int0());
    if (f == null) {
      return -EBADF;
    }
    try {
      int both = IN_MASK_ADD | IN_MASK_CREATE;
      if ((mask & both) == both || !(f instanceof Inotify inotify)) {
        return -EINVAL;
      }
      String path = t.copyInPath(a.a1);
      int walk =
          ((mask & IN_DONT_FOLLOW) != 0 ? 0 : PathWalk.FOLLOW)
              | ((mask & IN_ONLYDIR) != 0 ? PathWalk.DIRECTORY : 0);
      VfsPath p = new PathWalk(t, t.startAt(Fcntl.AT_FDCWD, path)).to(path, walk);
      p.inode().checkPermission(t.creds(), Inode.MAY_READ);
      long r = inotify.watch(p.dentry, mask);
      t.kernel().platform().withdrawGrants(); // reads and writes are to be seen from now on
      return r;
    } finally {
      f.decRef();
    }
  }

  /**
   * <a
   * href="https://man7.org/linux/man-pages/man2/inotify_rm_watch.2.html">inotify_rm_watch(2)</a>.
   */
  static long inotifyRmWatch(Task t, Args a) {
    FileDescription f = t.file(a.int0());
    if (f == null) {
      return -EBADF;
    }
    try {
      return f instanceof Inotify inotify ? inotify.unwatch(a.int1()) : -EINVAL;
    } finally {
      f.decRef();
    }
  }
}
