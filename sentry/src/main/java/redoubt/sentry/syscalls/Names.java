package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ENOENT;
import static redoubt.abi.Errno.EPERM;

import redoubt.abi.Caps;
import redoubt.abi.Fcntl;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.vfs.PathWalk;
import redoubt.sentry.vfs.Vfs;
import redoubt.sentry.vfs.VfsPath;

/** Making, moving and removing names: fs/namei.c. */
final class Names {
  private Names() {}

  /** <a href="https://man7.org/linux/man-pages/man2/link.2.html">link(2)</a>. */
  static long link(Task t, Args a) {
    return link(t, Fcntl.AT_FDCWD, a.a0, Fcntl.AT_FDCWD, a.a1, 0);
  }

  /** <a href="https://man7.org/linux/man-pages/man2/link.2.html">linkat(2)</a>. */
  static long linkat(Task t, Args a) {
    return link(t, a.int0(), a.a1, a.int2(), a.a3, a.int4());
  }

  private static long link(Task t, int oldDirfd, long uold, int newDirfd, long unew, int flags) {
    if ((flags & ~(Fcntl.AT_SYMLINK_FOLLOW | Fcntl.AT_EMPTY_PATH)) != 0) {
      return -EINVAL;
    }
    boolean mayBeEmpty = (flags & Fcntl.AT_EMPTY_PATH) != 0;
    String old = mayBeEmpty ? t.copyInPathOrEmpty(uold) : t.copyInPath(uold);
    if (old.isEmpty() && !t.hasCapability(Caps.CAP_DAC_READ_SEARCH)) {
      return -ENOENT;
    }
    String path = t.copyInPath(unew);
    int follow = (flags & Fcntl.AT_SYMLINK_FOLLOW) != 0 ? PathWalk.FOLLOW : 0;
    VfsPath from = t.startAt(oldDirfd, old);
    if (!old.isEmpty()) {
      from = new PathWalk(t, from).to(old, follow);
    }
    Vfs.link(t, from, t.startAt(newDirfd, path), path);
    return 0;
  }

  /** <a href="https://man7.org/linux/man-pages/man2/symlink.2.html">symlink(2)</a>. */
  static long symlink(Task t, Args a) {
    return symlink(t, a.a0, Fcntl.AT_FDCWD, a.a1);
  }

  /** <a href="https://man7.org/linux/man-pages/man2/symlink.2.html">symlinkat(2)</a>. */
  static long symlinkat(Task t, Args a) {
    return symlink(t, a.a0, a.int1(), a.a2);
  }

  private static long symlink(Task t, long utarget, int dirfd, long upath) {
    String target = t.copyInPath(utarget);
    String path = t.copyInPath(upath);
    Vfs.symlink(t, target, t.startAt(dirfd, path), path);
    return 0;
  }

  /** <a href="https://man7.org/linux/man-pages/man2/unlink.2.html">unlink(2)</a>. */
  static long unlink(Task t, Args a) {
    String path = t.copyInPath(a.a0);
    Vfs.unlink(t, t.startAt(Fcntl.AT_FDCWD, path), path);
    return 0;
  }

  /** <a href="https://man7.org/linux/man-pages/man2/unlink.2.html">unlinkat(2)</a>. */
  static long unlinkat(Task t, Args a) {
    int flags = a.int2();
    if ((flags & ~Fcntl.AT_REMOVEDIR) != 0) {
      return -EINVAL;
    }
    String path = t.copyInPath(a.a1);
    VfsPath start = t.startAt(a.int0(), path);
    if (flags != 0) {
      Vfs.rmdir(t, start, path);
    } else {
      Vfs.unlink(t, start, path);
    }
    return 0;
  }

  /** <a href="https://man7.org/linux/man-pages/man2/rename.2.html">rename(2)</a>. */
  static long rename(Task t, Args a) {
    return rename(t, Fcntl.AT_FDCWD, a.a0, Fcntl.AT_FDCWD, a.a1, 0);
  }

  /** <a href="https://man7.org/linux/man-pages/man2/rename.2.html">renameat(2)</a>. */
  static long renameat(Task t, Args a) {
    return rename(t, a.int0(), a.a1, a.int2(), a.a3, 0);
  }

  /** <a href="https://man7.org/linux/man-pages/man2/rename.2.html">renameat2(2)</a>. */
  static long renameat2(Task t, Args a) {
    int flags = a.int4();
    int all = Fcntl.RENAME_NOREPLACE | Fcntl.RENAME_EXCHANGE | Fcntl.RENAME_WHITEOUT;
    if ((flags & ~all) != 0
        || ((flags & Fcntl.RENAME_EXCHANGE) != 0 && flags != Fcntl.RENAME_EXCHANGE)) {
      return -EINVAL;
    }
    return rename(t, a.int0(), a.a1, a.int2(), a.a3, flags);
  }

  private static long rename(Task t, int oldDirfd, long uold, int newDirfd, long unew, int flags) {
    String old = t.copyInPath(uold);
    String path = t.copyInPath(unew);
    if ((flags & Fcntl.RENAME_WHITEOUT) != 0 && !t.hasCapability(Caps.CAP_MKNOD)) {
      return -EPERM;
    }
    Vfs.rename(t, t.startAt(oldDirfd, old), old, t.startAt(newDirfd, path), path, flags);
    return 0;
  }

  /** <a href="https://man7.org/linux/man-pages/man2/mknod.2.html">mknod(2)</a>. */
  static long mknod(Task t, Args a) {
    return mknod(t, Fcntl.AT_FDCWD, a.a0, a.int1(), a.a2);
  }

  /** <a href="https://man7.org/linux/man-pages/man2/mknod.2.html">mknodat(2)</a>. */
  static long mknodat(Task t, Args a) {
    return mknod(t, a.int0(), a.a1, a.int2(), a.a3);
  }

  private static long mknod(Task t, int dirfd, long upath, int mode, long dev) {
    String path = t.copyInPath(upath);
    // dev is an unsigned int at the boundary: new_decode_dev.
    Vfs.mknod(t, t.startAt(dirfd, path), path, mode & 0xffff, dev & 0xffffffffL);
    return 0;
  }
}
