package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.EBADF;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ESPIPE;

import java.lang.foreign.MemorySegment;
import redoubt.abi.Fcntl;
import redoubt.abi.Ioctls;
import redoubt.abi.Stat;
import redoubt.host.Memory;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.FileSystem;
import redoubt.sentry.vfs.Inode;
import redoubt.sentry.vfs.Mount;
import redoubt.sentry.vfs.StatfsData;

/** Whole filesystems, writing back, advice, and ioctl: fs/statfs.c, fs/sync.c, fs/ioctl.c. */
final class FileSystemCalls {
  private FileSystemCalls() {}

  // ---- statfs ----

  /** <a href="https://man7.org/linux/man-pages/man2/statfs.2.html">statfs(2)</a>. */
  static long statfs(Task t, Args a) {
    return copyStatfs(t, FileStatus.at(t, Fcntl.AT_FDCWD, a.a0, 0).mount, a.a1);
  }

  /** <a href="https://man7.org/linux/man-pages/man2/statfs.2.html">fstatfs(2)</a>. */
  static long fstatfs(Task t, Args a) {
    FileDescription f = t.file(a.int0());
    if (f == null) {
      return -EBADF;
    }
    try {
      return copyStatfs(t, f.path().mount, a.a1);
    } finally {
      f.decRef();
    }
  }

  private static long copyStatfs(Task t, Mount mount, long ubuf) {
    StatfsData d = new StatfsData();
    mount.fs.statfs(d);
    MemorySegment s = t.scratch();
    s.asSlice(0, Stat.SIZEOF_STATFS).fill((byte) 0);
    s.set(Memory.LONG, Stat.STATFS_F_TYPE, d.type);
    s.set(Memory.LONG, Stat.STATFS_F_BSIZE, d.bsize);
    s.set(Memory.LONG, Stat.STATFS_F_BLOCKS, d.blocks);
    s.set(Memory.LONG, Stat.STATFS_F_BFREE, d.bfree);
    s.set(Memory.LONG, Stat.STATFS_F_BAVAIL, d.bavail);
    s.set(Memory.LONG, Stat.STATFS_F_FILES, d.files);
    s.set(Memory.LONG, Stat.STATFS_F_FFREE, d.ffree);
    s.set(Memory.LONG, Stat.STATFS_F_FSID, d.fsid);
    s.set(Memory.LONG, Stat.STATFS_F_NAMELEN, d.namelen);
    s.set(Memory.LONG, Stat.STATFS_F_FRSIZE, d.bsize);
    s.set(Memory.LONG, Stat.STATFS_F_FLAGS, d.flags | mountFlags(mount.flags()) | Stat.ST_VALID);
    return t.copyOutScratch(ubuf, Stat.SIZEOF_STATFS);
  }

  private static long mountFlags(int ms) {
    long f =
        ms
            & (Stat.ST_RDONLY
                | Stat.ST_NOSUID
                | Stat.ST_NODEV
                | Stat.ST_NOEXEC
                | Stat.ST_NOATIME
                | Stat.ST_NODIRATIME);
    return (ms & Mount.MS_RELATIME) != 0 ? f | Stat.ST_RELATIME : f;
  }

  /** <a href="https://man7.org/linux/man-pages/man2/ustat.2.html">ustat(2)</a>. */
  static long ustat(Task t, Args a) {
    for (Mount m : t.mountNamespace().mounts()) {
      if (m.fs.device() == (a.a0 & 0xffffffffL)) {
        StatfsData d = new StatfsData();
        m.fs.statfs(d);
        MemorySegment s = t.scratch();
        s.asSlice(0, 32).fill((byte) 0);
        s.set(Memory.INT, 0, (int) d.bfree);
        s.set(Memory.LONG, 8, d.ffree);
        return t.copyOutScratch(a.a1, 32);
      }
    }
    return -EINVAL;
  }

  // ---- writing back ----

  /** <a href="https://man7.org/linux/man-pages/man2/fsync.2.html">fsync(2)</a>. */
  static long fsync(Task t, Args a) {
    return sync(t, a.int0(), false);
  }

  /** <a href="https://man7.org/linux/man-pages/man2/fsync.2.html">fdatasync(2)</a>. */
  static long fdatasync(Task t, Args a) {
    return sync(t, a.int0(), true);
  }

  private static long sync(Task t, int fd, boolean dataOnly) {
    FileDescription f = t.file(fd);
    if (f == null) {
      return -EBADF;
    }
    try {
      return (f.flags() & Fcntl.O_PATH) != 0 ? -EBADF : f.fsync(dataOnly);
    } finally {
      f.decRef();
    }
  }

  /** <a href="https://man7.org/linux/man-pages/man2/sync.2.html">sync(2)</a>. */
  static long sync(Task t, Args a) {
    for (Mount m : t.mountNamespace().mounts()) {
      m.fs.sync();
    }
    return 0;
  }

  /** <a href="https://man7.org/linux/man-pages/man2/sync.2.html">syncfs(2)</a>. */
  static long syncfs(Task t, Args a) {
    FileDescription f = t.file(a.int0());
    if (f == null) {
      return -EBADF;
    }
    try {
      if ((f.flags() & Fcntl.O_PATH) != 0) {
        return -EBADF;
      }
      FileSystem fs = f.inode().fs;
      fs.sync();
      return 0;
    } finally {
      f.decRef();
    }
  }

  /**
   * <a href="https://man7.org/linux/man-pages/man2/sync_file_range.2.html">sync_file_range(2)</a>.
   */
  static long syncFileRange(Task t, Args a) {
    FileDescription f = t.file(a.int0());
    if (f == null) {
      return -EBADF;
    }
    try {
      if ((f.flags() & Fcntl.O_PATH) != 0) {
        return -EBADF;
      }
      long end = a.a1 + a.a2;
      if ((a.int3() & ~Fcntl.SYNC_FILE_RANGE_WRITE_AND_WAIT) != 0
          || a.a1 < 0
          || end < 0
          || end < a.a1) {
        return -EINVAL;
      }
      int type = f.inode().type();
      if (type != Inode.S_IFREG && type != Inode.S_IFDIR && type != Inode.S_IFBLK) {
        return -ESPIPE;
      }
      return type == Inode.S_IFREG ? f.fsync(true) : 0;
    } finally {
      f.decRef();
    }
  }

  // ---- advice: the host caches ----

  /**
   * <a href="https://man7.org/linux/man-pages/man2/posix_fadvise.2.html">fadvise64(2)</a>: checked,
   * not needed.
   */
  static long fadvise64(Task t, Args a) {
    FileDescription f = t.file(a.int0());
    if (f == null) {
      return -EBADF;
    }
    try {
      if ((f.flags() & Fcntl.O_PATH) != 0) {
        return -EBADF;
      }
      if (f.inode().type() == Inode.S_IFIFO) {
        return -ESPIPE;
      }
      int advice = a.int3();
      return a.a2 < 0 || advice < 0 || advice > Fcntl.POSIX_FADV_NOREUSE ? -EINVAL : 0;
    } finally {
      f.decRef();
    }
  }

  /**
   * <a href="https://man7.org/linux/man-pages/man2/readahead.2.html">readahead(2)</a>: checked, not
   * needed.
   */
  static long readahead(Task t, Args a) {
    FileDescription f = t.file(a.int0());
    if (f == null) {
      return -EBADF;
    }
    try {
      if (!f.isReadable()) {
        return -EBADF;
      }
      return f.inode().isRegular() ? 0 : -EINVAL;
    } finally {
      f.decRef();
    }
  }

  // ---- ioctl ----

  /**
   * <a href="https://man7.org/linux/man-pages/man2/ioctl.2.html">ioctl(2)</a>: what all files have,
   * then the file's own.
   */
  static long ioctl(Task t, Args a) {
    int fd = a.int0();
    FileDescription f = t.file(fd);
    if (f == null) {
      return -EBADF;
    }
    try {
      if ((f.flags() & Fcntl.O_PATH) != 0) {
        return -EBADF;
      }
      return switch (a.int1()) {
        case Ioctls.FIOCLEX -> t.fds().setDescriptorFlags(fd, true);
        case Ioctls.FIONCLEX -> t.fds().setDescriptorFlags(fd, false);
        case Ioctls.FIONBIO -> setFlag(t, f, a.a2, Fcntl.O_NONBLOCK);
        case Ioctls.FIOASYNC -> setFlag(t, f, a.a2, 020000);
        case Ioctls.FIOQSIZE -> sizeOf(t, f, a);
        case Ioctls.FIGETBSZ -> blockSize(t, f, a.a2);
        case Ioctls.FIONREAD ->
            f.inode().isRegular()
                ? t.copyOutInt(
                    a.a2,
                    (int)
                        Math.clamp(
                            f.inode().size() - f.position(), Integer.MIN_VALUE, Integer.MAX_VALUE))
                : f.ioctl(t, a);
        default -> f.ioctl(t, a);
      };
    } finally {
      f.decRef();
    }
  }

  private static long setFlag(Task t, FileDescription f, long uvalue, int flag) {
    long on = t.copyInInt(uvalue);
    if (on < 0) {
      return on;
    }
    return f.setFlags(on != 0 ? f.flags() | flag : f.flags() & ~flag);
  }

  private static long sizeOf(Task t, FileDescription f, Args a) {
    Inode inode = f.inode();
    if (inode.isRegular() || inode.isDirectory() || inode.isSymlink()) {
      return t.copyOutLong(a.a2, inode.size());
    }
    return f.ioctl(t, a);
  }

  private static long blockSize(Task t, FileDescription f, long uvalue) {
    StatfsData d = new StatfsData();
    f.inode().fs.statfs(d);
    return d.bsize == 0 ? -EINVAL : t.copyOutInt(uvalue, (int) d.bsize);
  }
}
