package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.EBADF;
import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.EFBIG;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EOPNOTSUPP;
import static redoubt.abi.Errno.ESPIPE;

import redoubt.abi.Caps;
import redoubt.abi.Fcntl;
import redoubt.abi.Resource;
import redoubt.abi.Signal;
import redoubt.abi.Stat;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.FileGrants;
import redoubt.sentry.kernel.SignalInfo;
import redoubt.sentry.kernel.Signals;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.UserIo;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.Inode;
import redoubt.sentry.vfs.SetAttr;

/** Reading, writing and seeking on descriptors: fs/read_write.c. */
final class ReadWrite {
  private static final int RWF_KNOWN = 0x3f;

  private ReadWrite() {}

  /** <a href="https://man7.org/linux/man-pages/man2/read.2.html">read(2)</a>. */
  static long read(Task t, Args a) {
    return readBuffer(t, a.int0(), a.a1, a.a2, Blocking.AT_POSITION);
  }

  /** <a href="https://man7.org/linux/man-pages/man2/pread.2.html">pread64(2)</a>. */
  static long pread64(Task t, Args a) {
    return a.a3 < 0 ? -EINVAL : readBuffer(t, a.int0(), a.a1, a.a2, a.a3);
  }

  private static long readBuffer(Task t, int fd, long uaddr, long count, long offset) {
    FileDescription f = t.fdget(fd);
    if (f == null) {
      return -EBADF;
    }
    try {
      long r = checkRead(f, offset);
      if (r < 0) {
        return r;
      }
      if (!UserIo.accessOk(uaddr, count)) {
        return -EFAULT;
      }
      if (offset >= 0 && offset + count < 0) {
        return -EINVAL; // rw_verify_area
      }
      UserIo io = t.userBuffer(uaddr, Math.min(count, UserIo.MAX_RW_COUNT));
      r = Blocking.read(t, f, io, offset, f.isNonblocking());
      if (r > 0 && offset >= 0) {
        FileGrants.served(t, f, offset);
      }
      return r;
    } finally {
      t.fdput(f);
    }
  }

  private static long checkRead(FileDescription f, long offset) {
    if (offset != Blocking.AT_POSITION && !isPositional(f)) {
      return (f.flags() & Fcntl.O_PATH) != 0 ? -EBADF : -ESPIPE;
    }
    return f.isReadable() ? 0 : -EBADF;
  }

  private static boolean isPositional(FileDescription f) {
    return f.isSeekable() || f.inode().isDirectory();
  }

  /** <a href="https://man7.org/linux/man-pages/man2/write.2.html">write(2)</a>. */
  static long write(Task t, Args a) {
    return writeBuffer(t, a.int0(), a.a1, a.a2, Blocking.AT_POSITION);
  }

  /** <a href="https://man7.org/linux/man-pages/man2/pwrite.2.html">pwrite64(2)</a>. */
  static long pwrite64(Task t, Args a) {
    return a.a3 < 0 ? -EINVAL : writeBuffer(t, a.int0(), a.a1, a.a2, a.a3);
  }

  private static long writeBuffer(Task t, int fd, long uaddr, long count, long offset) {
    FileDescription f = t.fdget(fd);
    if (f == null) {
      return -EBADF;
    }
    try {
      long r = checkWrite(f, offset);
      if (r < 0) {
        return r;
      }
      if (!UserIo.accessOk(uaddr, count)) {
        return -EFAULT;
      }
      UserIo io = t.userBuffer(uaddr, Math.min(count, UserIo.MAX_RW_COUNT));
      r = writeChecked(t, f, io, offset, f.isNonblocking(), f.flags());
      if (r > 0 && offset >= 0) {
        FileGrants.served(t, f, offset);
      }
      return r;
    } finally {
      t.fdput(f);
    }
  }

  private static long checkWrite(FileDescription f, long offset) {
    if (offset != Blocking.AT_POSITION && !isPositional(f)) {
      return (f.flags() & Fcntl.O_PATH) != 0 ? -EBADF : -ESPIPE;
    }
    return f.isWritable() ? 0 : -EBADF;
  }

  /**
   * Writes after the access checks: file size limit, set-id bits, RWF_SYNC.
   *
   * @param flags O_APPEND, O_DSYNC and O_SYNC as they hold for this call; the description sees to
   *     its own
   */
  private static long writeChecked(
      Task t, FileDescription f, UserIo io, long offset, boolean nonblocking, int flags) {
    long allowed = allowedLength(t, f, offset, flags, io.remaining());
    if (allowed < 0) {
      return allowed;
    }
    io.truncate(allowed);
    long r = Blocking.write(t, f, io, offset, nonblocking);
    int extra = flags & ~f.flags();
    if (r > 0 && (extra & Fcntl.O_DSYNC) != 0) {
      long s = f.fsync((extra & (Fcntl.O_SYNC & ~Fcntl.O_DSYNC)) == 0);
      return s < 0 ? s : r;
    }
    return r;
  }

  /**
   * What stands before each write to a regular file: RLIMIT_FSIZE, and the loss of set-id bits.
   *
   * @return how many of {@code length} bytes may be written, or -errno (SIGXFSZ has been sent for
   *     -EFBIG)
   */
  static long allowedLength(Task t, FileDescription f, long offset, int flags, long length) {
    Inode inode = f.inode();
    if (!inode.isRegular() || length == 0) {
      return length;
    }
    long at = offset;
    if ((flags & Fcntl.O_APPEND) != 0) {
      at = inode.size();
    } else if (offset == Blocking.AT_POSITION) {
      at = f.position();
    }
    if (at + length < 0) {
      return -EINVAL; // rw_verify_area
    }
    long limit = t.threadGroup().limits.bound(Resource.RLIMIT_FSIZE);
    if (limit != Long.MAX_VALUE && at >= limit) {
      return fileTooBig(t);
    }
    dropSetId(t, inode);
    return Math.min(length, limit - at);
  }

  /** A write past RLIMIT_FSIZE: SIGXFSZ and -EFBIG. */
  static long fileTooBig(Task t) {
    Signals.send(t, SignalInfo.user(Signal.SIGXFSZ, Signal.SI_USER, t));
    return -EFBIG;
  }

  /** A write takes the set-user-ID and set-group-ID bits away: file_remove_privs. */
  static void dropSetId(Task t, Inode inode) {
    int mode = inode.mode();
    if ((mode & (Stat.S_ISUID | Stat.S_ISGID)) == 0
        || t.creds().hasOwnCapability(Caps.CAP_FSETID)) {
      return;
    }
    int kept = Attributes.withoutSetId(t, inode, mode);
    if (kept != mode) {
      SetAttr s = new SetAttr();
      s.valid = SetAttr.MODE;
      s.mode = kept & 07777;
      inode.setattr(s);
    }
  }

  /** <a href="https://man7.org/linux/man-pages/man2/readv.2.html">readv(2)</a>. */
  static long readv(Task t, Args a) {
    return readVectors(t, a.int0(), a.a1, a.a2, Blocking.AT_POSITION, 0);
  }

  /** <a href="https://man7.org/linux/man-pages/man2/readv.2.html">preadv(2)</a>. */
  static long preadv(Task t, Args a) {
    return a.a3 < 0 ? -EINVAL : readVectors(t, a.int0(), a.a1, a.a2, a.a3, 0);
  }

  /**
   * <a href="https://man7.org/linux/man-pages/man2/readv.2.html">preadv2(2)</a>: offset -1 uses the
   * position.
   */
  static long preadv2(Task t, Args a) {
    return a.a3 < -1 ? -EINVAL : readVectors(t, a.int0(), a.a1, a.a2, a.a3, a.int5());
  }

  private static long readVectors(Task t, int fd, long iov, long count, long offset, int rwf) {
    FileDescription f = t.fdget(fd);
    if (f == null) {
      return -EBADF;
    }
    try {
      long r = checkRead(f, offset);
      if (r < 0) {
        return r;
      }
      long total = t.userVectors(iov, vectorCount(count));
      if (total <= 0) {
        return total;
      }
      if (offset >= 0 && offset + total < 0) {
        return -EINVAL;
      }
      if ((rwf & ~RWF_KNOWN) != 0) {
        return -EOPNOTSUPP;
      }
      boolean nonblocking = f.isNonblocking() || (rwf & Fcntl.RWF_NOWAIT) != 0;
      return Blocking.read(t, f, t.userIo(), offset, nonblocking);
    } finally {
      t.fdput(f);
    }
  }

  private static int vectorCount(long count) {
    return count < 0 || count > UserIo.MAX_IOVECS ? -1 : (int) count;
  }

  /** <a href="https://man7.org/linux/man-pages/man2/readv.2.html">writev(2)</a>. */
  static long writev(Task t, Args a) {
    return writeVectors(t, a.int0(), a.a1, a.a2, Blocking.AT_POSITION, 0);
  }

  /** <a href="https://man7.org/linux/man-pages/man2/readv.2.html">pwritev(2)</a>. */
  static long pwritev(Task t, Args a) {
    return a.a3 < 0 ? -EINVAL : writeVectors(t, a.int0(), a.a1, a.a2, a.a3, 0);
  }

  /**
   * <a href="https://man7.org/linux/man-pages/man2/readv.2.html">pwritev2(2)</a>: offset -1 uses
   * the position.
   */
  static long pwritev2(Task t, Args a) {
    return a.a3 < -1 ? -EINVAL : writeVectors(t, a.int0(), a.a1, a.a2, a.a3, a.int5());
  }

  private static long writeVectors(Task t, int fd, long iov, long count, long offset, int rwf) {
    FileDescription f = t.fdget(fd);
    if (f == null) {
      return -EBADF;
    }
    try {
      long r = checkWrite(f, offset);
      if (r < 0) {
        return r;
      }
      long total = t.userVectors(iov, vectorCount(count));
      if (total <= 0) {
        return total;
      }
      if ((rwf & ~RWF_KNOWN) != 0) {
        return -EOPNOTSUPP;
      }
      int flags = f.flags();
      if ((rwf & Fcntl.RWF_APPEND) != 0 && f.isSeekable()) {
        flags |= Fcntl.O_APPEND;
        if (offset == Blocking.AT_POSITION) {
          f.setPosition(f.inode().size());
        } else {
          offset = f.inode().size();
        }
      }
      if ((rwf & Fcntl.RWF_DSYNC) != 0) {
        flags |= Fcntl.O_DSYNC;
      }
      if ((rwf & Fcntl.RWF_SYNC) != 0) {
        flags |= Fcntl.O_SYNC;
      }
      boolean nonblocking = f.isNonblocking() || (rwf & Fcntl.RWF_NOWAIT) != 0;
      return writeChecked(t, f, t.userIo(), offset, nonblocking, flags);
    } finally {
      t.fdput(f);
    }
  }

  /** <a href="https://man7.org/linux/man-pages/man2/lseek.2.html">lseek(2)</a>. */
  static long lseek(Task t, Args a) {
    FileDescription f = t.fdget(a.int0());
    if (f == null) {
      return -EBADF;
    }
    try {
      int whence = a.int2();
      if ((f.flags() & Fcntl.O_PATH) != 0) {
        return -EBADF;
      }
      if (whence < 0 || whence > Fcntl.SEEK_HOLE) {
        return -EINVAL;
      }
      if (t.isSoleUser(f)) {
        return f.seek(t, a.a1, whence);
      }
      synchronized (f) {
        return f.seek(t, a.a1, whence);
      }
    } finally {
      t.fdput(f);
    }
  }
}
