package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.EACCES;
import static redoubt.abi.Errno.EBADF;
import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ENAMETOOLONG;
import static redoubt.abi.Errno.ENOENT;
import static redoubt.abi.Errno.ENOTDIR;
import static redoubt.abi.Errno.EPERM;
import static redoubt.abi.Errno.ERANGE;

import java.lang.foreign.MemorySegment;
import redoubt.abi.Caps;
import redoubt.abi.DirentType;
import redoubt.abi.Fcntl;
import redoubt.host.Memory;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.Latin1;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.UserIo;
import redoubt.sentry.vfs.DirSink;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.FsNotify;
import redoubt.sentry.vfs.Inode;
import redoubt.sentry.vfs.PathWalk;
import redoubt.sentry.vfs.Vfs;
import redoubt.sentry.vfs.VfsPath;

/** Directories: fs/readdir.c, and the calls that make, remove and enter them. */
final class Directories {
  private Directories() {}

  /**
   * Puts entries as {@code struct linux_dirent64} or, if {@code old}, linux_dirent, into a window.
   */
  private static final class Records implements DirSink {
    private final MemorySegment out;
    private final long limit;
    private final boolean old;
    long length;
    boolean full;

    Records(MemorySegment out, long limit, boolean old) {
      this.out = out;
      this.limit = limit;
      this.old = old;
    }

    @Override
    public boolean entry(String name, long ino, int type, long next) {
      int bytes = name.length();
      int nameAt = old ? DirentType.DIRENT_D_NAME : DirentType.DIRENT64_D_NAME;
      // The name ends with a NUL; the old record has the type in its last byte.
      int size = (nameAt + bytes + (old ? 2 : 1) + 7) & ~7;
      if (length + size > limit) {
        full = true;
        return false;
      }
      long at = length;
      out.set(Memory.LONG, at + DirentType.DIRENT64_D_INO, ino);
      out.set(Memory.LONG, at + DirentType.DIRENT64_D_OFF, next);
      out.set(Memory.SHORT, at + DirentType.DIRENT64_D_RECLEN, (short) size);
      out.asSlice(at + nameAt + bytes, size - nameAt - bytes).fill((byte) 0);
      for (int i = 0; i < bytes; i++) {
        out.set(Memory.BYTE, at + nameAt + i, (byte) name.charAt(i));
      }
      out.set(Memory.BYTE, at + (old ? size - 1 : DirentType.DIRENT64_D_TYPE), (byte) type);
      length += size;
      return true;
    }
  }

  /** <a href="https://man7.org/linux/man-pages/man2/getdents.2.html">getdents(2)</a>. */
  static long getdents(Task t, Args a) {
    return getdents(t, a.int0(), a.a1, a.a2 & 0xffffffffL, true);
  }

  /** <a href="https://man7.org/linux/man-pages/man2/getdents.2.html">getdents64(2)</a>. */
  static long getdents64(Task t, Args a) {
    return getdents(t, a.int0(), a.a1, a.a2 & 0xffffffffL, false);
  }

  private static long getdents(Task t, int fd, long ubuf, long count, boolean old) {
    FileDescription f = t.file(fd);
    if (f == null) {
      return -EBADF;
    }
    try {
      if ((f.flags() & Fcntl.O_PATH) != 0) {
        return -EBADF;
      }
      if (!f.inode().isDirectory()) {
        return -ENOTDIR;
      }
      if (f.path().dentry.isDetached()) {
        return -ENOENT;
      }
      long asked = FsNotify.askToRead(t, f);
      if (asked < 0) {
        return asked;
      }
      UserIo io = t.userBuffer(ubuf, Math.min(count, Integer.MAX_VALUE));
      Records records = new Records(io.window(), io.windowLimit(), old);
      synchronized (f) {
        long before = f.position();
        long r = f.readdir(t, records);
        if (r < 0) {
          return r;
        }
        FsNotify.accessed(f);
        if (records.length == 0) {
          return records.full ? -EINVAL : 0;
        }
        r = io.commit(records.length);
        if (r < records.length) {
          f.setPosition(before);
          return -EFAULT;
        }
        return r;
      }
    } finally {
      f.decRef();
    }
  }

  /** <a href="https://man7.org/linux/man-pages/man2/mkdir.2.html">mkdir(2)</a>. */
  static long mkdir(Task t, Args a) {
    return mkdir(t, Fcntl.AT_FDCWD, a.a0, a.int1());
  }

  /** <a href="https://man7.org/linux/man-pages/man2/mkdir.2.html">mkdirat(2)</a>. */
  static long mkdirat(Task t, Args a) {
    return mkdir(t, a.int0(), a.a1, a.int2());
  }

  private static long mkdir(Task t, int dirfd, long upath, int mode) {
    String path = t.copyInPath(upath);
    Vfs.mkdir(t, t.startAt(dirfd, path), path, mode);
    return 0;
  }

  /** <a href="https://man7.org/linux/man-pages/man2/rmdir.2.html">rmdir(2)</a>. */
  static long rmdir(Task t, Args a) {
    String path = t.copyInPath(a.a0);
    Vfs.rmdir(t, t.startAt(Fcntl.AT_FDCWD, path), path);
    return 0;
  }

  /** <a href="https://man7.org/linux/man-pages/man2/chdir.2.html">chdir(2)</a>. */
  static long chdir(Task t, Args a) {
    String path = t.copyInPath(a.a0);
    t.fs().setCwd(Vfs.directory(t, t.startAt(Fcntl.AT_FDCWD, path), path));
    return 0;
  }

  /** <a href="https://man7.org/linux/man-pages/man2/chdir.2.html">fchdir(2)</a>. */
  static long fchdir(Task t, Args a) {
    FileDescription f = t.file(a.int0());
    if (f == null) {
      return -EBADF;
    }
    try {
      VfsPath p = f.path();
      if (!p.inode().isDirectory()) {
        return -ENOTDIR;
      }
      if (!p.inode().permits(t.creds(), Inode.MAY_EXEC)) {
        return -EACCES;
      }
      t.fs().setCwd(p);
      return 0;
    } finally {
      f.decRef();
    }
  }

  /** <a href="https://man7.org/linux/man-pages/man2/chroot.2.html">chroot(2)</a>. */
  static long chroot(Task t, Args a) {
    String path = t.copyInPath(a.a0);
    VfsPath p = Vfs.directory(t, t.startAt(Fcntl.AT_FDCWD, path), path);
    if (!t.creds().hasOwnCapability(Caps.CAP_SYS_CHROOT)) {
      return -EPERM;
    }
    t.fs().setRoot(p);
    return 0;
  }

  /**
   * <a href="https://man7.org/linux/man-pages/man2/getcwd.2.html">getcwd(2)</a>: the length with
   * the NUL.
   */
  static long getcwd(Task t, Args a) {
    VfsPath cwd = t.fs().cwd();
    if (cwd.dentry.isDetached()) {
      return -ENOENT;
    }
    String text = PathWalk.textOf(cwd, t.fs().root());
    if (!Mounting.isBelow(cwd, t.fs().root())) {
      text = "(unreachable)" + text;
    }
    if (text.length() + 1 > Task.PATH_MAX) {
      return -ENAMETOOLONG;
    }
    if (Long.compareUnsigned(text.length() + 1L, a.a1) > 0) {
      return -ERANGE;
    }
    int n = Latin1.writeZ(t.scratch(), 0, text);
    long r = t.copyOutScratch(a.a0, n);
    return r < 0 ? r : n;
  }
}
