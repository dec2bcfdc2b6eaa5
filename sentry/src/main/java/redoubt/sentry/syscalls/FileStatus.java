package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.EACCES;
import static redoubt.abi.Errno.EBADF;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ENOENT;
import static redoubt.abi.Errno.EROFS;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Fcntl;
import redoubt.abi.Prctl;
import redoubt.abi.Stat;
import redoubt.host.Memory;
import redoubt.host.Region;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.Credentials;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.FileGrants;
import redoubt.sentry.kernel.Latin1;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.platform.Grants;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.Inode;
import redoubt.sentry.vfs.Mount;
import redoubt.sentry.vfs.PathWalk;
import redoubt.sentry.vfs.StatData;
import redoubt.sentry.vfs.VfsPath;

/** What a file is, and what the caller may do with it: fs/stat.c, access of fs/open.c. */
final class FileStatus {
  private static final int AT_STAT_FLAGS =
      Fcntl.AT_SYMLINK_NOFOLLOW
          | Fcntl.AT_NO_AUTOMOUNT
          | Fcntl.AT_EMPTY_PATH
          | Fcntl.AT_STATX_SYNC_TYPE;

  private FileStatus() {}

  /** <a href="https://man7.org/linux/man-pages/man2/stat.2.html">stat(2)</a>. */
  static long stat(Task t, Args a) {
    return statPath(t, Fcntl.AT_FDCWD, a.a0, a.a1, PathWalk.FOLLOW);
  }

  /** <a href="https://man7.org/linux/man-pages/man2/stat.2.html">lstat(2)</a>. */
  static long lstat(Task t, Args a) {
    return statPath(t, Fcntl.AT_FDCWD, a.a0, a.a1, 0);
  }

  /** <a href="https://man7.org/linux/man-pages/man2/stat.2.html">fstat(2)</a>. */
  static long fstat(Task t, Args a) {
    return statDescriptor(t, a.int0(), a.a1);
  }

  /** <a href="https://man7.org/linux/man-pages/man2/stat.2.html">newfstatat(2)</a>. */
  static long newfstatat(Task t, Args a) {
    int flags = a.int3();
    int dirfd = a.int0();
    if ((flags & Fcntl.AT_EMPTY_PATH) != 0 && dirfd >= 0 && isEmptyPath(t, a.a1)) {
      return statDescriptor(t, dirfd, a.a2); // whatever the other flags (vfs_fstatat)
    }
    if ((flags & ~AT_STAT_FLAGS) != 0) {
      return -EINVAL;
    }
    if ((flags & Fcntl.AT_EMPTY_PATH) != 0) {
      VfsPath p = at(t, dirfd, a.a1, flags);
      return copyStat(t, p.inode(), a.a2);
    }
    return statPath(t, dirfd, a.a1, a.a2, follow(flags));
  }

  private static int follow(int flags) {
    return (flags & Fcntl.AT_SYMLINK_NOFOLLOW) != 0 ? 0 : PathWalk.FOLLOW;
  }

  /**
   * {@return whether the path is null (as Linux 6.11 allows) or empty} A fault is found out later.
   */
  private static boolean isEmptyPath(Task t, long upath) {
    return upath == 0 || t.context().copyInString(upath, t.scratch(), 0, Task.PATH_MAX) == 0;
  }

  /**
   * {@return the place that {@code dirfd} and the path name, with AT_EMPTY_PATH and
   * AT_SYMLINK_NOFOLLOW in {@code flags}}
   */
  static VfsPath at(Task t, int dirfd, long upath, int flags) {
    boolean mayBeEmpty = (flags & Fcntl.AT_EMPTY_PATH) != 0;
    String path = mayBeEmpty ? upath == 0 ? "" : t.copyInPathOrEmpty(upath) : t.copyInPath(upath);
    VfsPath start = t.startAt(dirfd, path);
    return path.isEmpty() ? start : new PathWalk(t, start).to(path, follow(flags));
  }

  private static long statPath(Task t, int dirfd, long upath, long ustat, int follow) {
    String path = t.copyInPath(upath);
    VfsPath p = new PathWalk(t, t.startAt(dirfd, path)).to(path, follow);
    return copyStat(t, p.inode(), ustat);
  }

  private static long statDescriptor(Task t, int fd, long ustat) {
    FileDescription f = t.fdget(fd);
    if (f == null) {
      return -EBADF;
    }
    try {
      if (FileGrants.isStatusHot(f)) {
        return hotStatus(t, f, ustat);
      }
      return copyStat(t, f.inode(), ustat);
    } finally {
      t.fdput(f);
    }
  }

  /** The platform may give the same the next time. */
  private static long hotStatus(Task t, FileDescription f, long ustat) {
    Grants grants = FileGrants.statusGrants(f);
    int seen = grants == null ? 0 : grants.version();
    long r = copyStat(t, f.inode(), ustat);
    if (r == 0 && grants != null) {
      FileGrants.offerStatus(t, f, grants, seen, t.scratchRegion());
    }
    return r;
  }

  private static long copyStat(Task t, Inode inode, long ustat) {
    StatData d = t.statData();
    inode.stat(d);
    Region s = t.scratchRegion();
    s.putLong(Stat.STAT_ST_DEV, d.dev);
    s.putLong(Stat.STAT_ST_INO, d.ino);
    s.putLong(Stat.STAT_ST_NLINK, d.nlink);
    s.putInt(Stat.STAT_ST_MODE, d.mode);
    s.putInt(Stat.STAT_ST_UID, t.userNamespace().uidShown(d.uid));
    s.putInt(Stat.STAT_ST_GID, t.userNamespace().gidShown(d.gid));
    s.putInt(Stat.STAT_ST_GID + 4, 0);
    s.putLong(Stat.STAT_ST_RDEV, d.rdev);
    s.putLong(Stat.STAT_ST_SIZE, d.size);
    s.putLong(Stat.STAT_ST_BLKSIZE, d.blksize);
    s.putLong(Stat.STAT_ST_BLOCKS, d.blocks);
    time(s, Stat.STAT_ST_ATIME, d.atimeNs);
    time(s, Stat.STAT_ST_MTIME, d.mtimeNs);
    time(s, Stat.STAT_ST_CTIME, d.ctimeNs);
    s.putLong(Stat.STAT_ST_CTIME_NSEC + 8, 0);
    s.putLong(Stat.STAT_ST_CTIME_NSEC + 16, 0);
    s.putLong(Stat.STAT_ST_CTIME_NSEC + 24, 0);
    return t.copyOutScratch(ustat, Stat.SIZEOF_STAT);
  }

  private static void time(Region s, int offset, long ns) {
    long seconds = Math.floorDiv(ns, 1_000_000_000L);
    s.putLong(offset, seconds);
    s.putLong(offset + 8, ns - seconds * 1_000_000_000L);
  }

  /** <a href="https://man7.org/linux/man-pages/man2/statx.2.html">statx(2)</a>. */
  static long statx(Task t, Args a) {
    int flags = a.int2();
    int mask = a.int3();
    if ((mask & Stat.STATX__RESERVED) != 0
        || (flags & Fcntl.AT_STATX_SYNC_TYPE) == Fcntl.AT_STATX_SYNC_TYPE
        || (flags & ~AT_STAT_FLAGS) != 0) {
      return -EINVAL;
    }
    int dirfd = a.int0();
    VfsPath p;
    if ((flags & Fcntl.AT_EMPTY_PATH) != 0 && dirfd >= 0 && isEmptyPath(t, a.a1)) {
      FileDescription f = t.fds().peek(dirfd);
      if (f == null) {
        return -EBADF;
      }
      p = f.path();
    } else {
      p = at(t, dirfd, a.a1, flags);
    }
    return copyStatx(t, p, a.a4);
  }

  private static long copyStatx(Task t, VfsPath p, long ustatx) {
    StatData d = t.statData();
    p.inode().stat(d);
    Region s = t.scratchRegion();
    s.clear(0, Stat.SIZEOF_STATX);
    int mask = Stat.STATX_BASIC_STATS | Stat.STATX_MNT_ID | (d.btimeNs != 0 ? Stat.STATX_BTIME : 0);
    long attributes = d.attributes;
    if (p.dentry == p.mount.root) {
      attributes |= Stat.STATX_ATTR_MOUNT_ROOT;
    }
    s.putInt(Stat.STATX_STX_MASK, mask);
    s.putInt(Stat.STATX_STX_BLKSIZE, d.blksize);
    s.putLong(Stat.STATX_STX_ATTRIBUTES, attributes);
    s.putInt(Stat.STATX_STX_NLINK, d.nlink);
    s.putInt(Stat.STATX_STX_UID, t.userNamespace().uidShown(d.uid));
    s.putInt(Stat.STATX_STX_GID, t.userNamespace().gidShown(d.gid));
    s.putShort(Stat.STATX_STX_MODE, (short) d.mode);
    s.putLong(Stat.STATX_STX_INO, d.ino);
    s.putLong(Stat.STATX_STX_SIZE, d.size);
    s.putLong(Stat.STATX_STX_BLOCKS, d.blocks);
    s.putLong(
        Stat.STATX_STX_ATTRIBUTES_MASK,
        Stat.STATX_ATTR_MOUNT_ROOT | Stat.STATX_ATTR_AUTOMOUNT | Stat.STATX_ATTR_DAX);
    time(s, Stat.STATX_STX_ATIME, d.atimeNs);
    time(s, Stat.STATX_STX_BTIME, d.btimeNs);
    time(s, Stat.STATX_STX_CTIME, d.ctimeNs);
    time(s, Stat.STATX_STX_MTIME, d.mtimeNs);
    s.putInt(Stat.STATX_STX_RDEV_MAJOR, major(d.rdev));
    s.putInt(Stat.STATX_STX_RDEV_MINOR, minor(d.rdev));
    s.putInt(Stat.STATX_STX_DEV_MAJOR, major(d.dev));
    s.putInt(Stat.STATX_STX_DEV_MINOR, minor(d.dev));
    s.putLong(Stat.STATX_STX_MNT_ID, p.mount.id);
    return t.copyOutScratch(ustatx, Stat.SIZEOF_STATX);
  }

  static int major(long dev) {
    return (int) ((dev >>> 8 & 0xfff) | (dev >>> 32 & ~0xfffL));
  }

  static int minor(long dev) {
    return (int) ((dev & 0xff) | (dev >>> 12 & ~0xffL));
  }

  // ---- access ----

  /** <a href="https://man7.org/linux/man-pages/man2/access.2.html">access(2)</a>. */
  static long access(Task t, Args a) {
    return access(t, Fcntl.AT_FDCWD, a.a0, a.int1(), 0);
  }

  /** <a href="https://man7.org/linux/man-pages/man2/access.2.html">faccessat(2)</a>. */
  static long faccessat(Task t, Args a) {
    return access(t, a.int0(), a.a1, a.int2(), 0);
  }

  /** <a href="https://man7.org/linux/man-pages/man2/access.2.html">faccessat2(2)</a>. */
  static long faccessat2(Task t, Args a) {
    return access(t, a.int0(), a.a1, a.int2(), a.int3());
  }

  private static long access(Task t, int dirfd, long upath, int mode, int flags) {
    if ((mode & ~7) != 0
        || (flags & ~(Fcntl.AT_EACCESS | Fcntl.AT_SYMLINK_NOFOLLOW | Fcntl.AT_EMPTY_PATH)) != 0) {
      return -EINVAL;
    }
    Credentials own = t.creds();
    Credentials real = (flags & Fcntl.AT_EACCESS) != 0 ? null : realCredentials(own);
    if (real == null) {
      return checkAccess(t, own, at(t, dirfd, upath, flags), mode);
    }
    t.setCreds(real);
    try {
      return checkAccess(t, real, at(t, dirfd, upath, flags), mode);
    } finally {
      t.setCreds(own);
    }
  }

  private static long checkAccess(Task t, Credentials c, VfsPath p, int mode) {
    Inode inode = p.inode();
    if ((mode & Inode.MAY_EXEC) != 0
        && inode.isRegular()
        && (p.mount.flags() & Mount.MS_NOEXEC) != 0) {
      return -EACCES;
    }
    if (mode != 0) {
      inode.checkPermission(c, mode);
    }
    int type = inode.type();
    boolean special =
        type == Inode.S_IFCHR
            || type == Inode.S_IFBLK
            || type == Inode.S_IFIFO
            || type == Inode.S_IFSOCK;
    return (mode & Inode.MAY_WRITE) != 0 && !special && p.mount.isReadOnly() ? -EROFS : 0;
  }

  /** {@return the credentials with which access(2) asks}, or null if they are the task's own */
  private static @Nullable Credentials realCredentials(Credentials c) {
    long effective = c.effective;
    if ((c.securebits & Prctl.SECURE_NO_SETUID_FIXUP) == 0) {
      effective = c.ruid == c.userNs.kernelUid(0) ? c.permitted : 0;
    }
    if (c.fsuid == c.ruid && c.fsgid == c.rgid && c.effective == effective) {
      return null;
    }
    Credentials.Builder b = c.toBuilder();
    b.fsuid = c.ruid;
    b.fsgid = c.rgid;
    b.effective = effective;
    return b.build();
  }

  // ---- readlink ----

  /** <a href="https://man7.org/linux/man-pages/man2/readlink.2.html">readlink(2)</a>. */
  static long readlink(Task t, Args a) {
    return readlink(t, Fcntl.AT_FDCWD, a.a0, a.a1, a.int2());
  }

  /** <a href="https://man7.org/linux/man-pages/man2/readlink.2.html">readlinkat(2)</a>. */
  static long readlinkat(Task t, Args a) {
    return readlink(t, a.int0(), a.a1, a.a2, a.int3());
  }

  private static long readlink(Task t, int dirfd, long upath, long ubuf, int size) {
    if (size <= 0) {
      return -EINVAL;
    }
    String path = t.copyInPathOrEmpty(upath);
    VfsPath start = t.startAt(dirfd, path);
    if (path.isEmpty() && dirfd == Fcntl.AT_FDCWD) {
      return -ENOENT;
    }
    VfsPath p = path.isEmpty() ? start : new PathWalk(t, start).to(path, 0);
    if (!p.inode().isSymlink()) {
      return path.isEmpty() ? -ENOENT : -EINVAL;
    }
    byte[] target = Latin1.bytes(p.inode().readlink(t));
    int n = Math.min(size, Math.min(target.length, Task.PATH_MAX));
    MemorySegment.copy(target, 0, t.scratch(), Memory.BYTE, 0, n);
    long r = t.copyOutScratch(ubuf, n);
    return r < 0 ? r : n;
  }

  /** {@return the inode of an open descriptor} Throws EBADF. */
  static Inode inodeOf(Task t, int fd) {
    FileDescription f = t.fds().peek(fd);
    if (f == null) {
      throw ErrnoException.of(EBADF);
    }
    return f.inode();
  }
}
