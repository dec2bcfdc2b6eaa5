package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.EACCES;
import static redoubt.abi.Errno.EBADF;
import static redoubt.abi.Errno.EFBIG;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EISDIR;
import static redoubt.abi.Errno.ENODEV;
import static redoubt.abi.Errno.EOPNOTSUPP;
import static redoubt.abi.Errno.EPERM;
import static redoubt.abi.Errno.ESPIPE;
import static redoubt.abi.Errno.ETXTBSY;

import java.lang.foreign.MemorySegment;
import redoubt.abi.Caps;
import redoubt.abi.Fcntl;
import redoubt.abi.Resource;
import redoubt.abi.Stat;
import redoubt.abi.Time;
import redoubt.abi.Xattr;
import redoubt.host.Memory;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.Credentials;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.FsNotify;
import redoubt.sentry.vfs.Inode;
import redoubt.sentry.vfs.Landlock;
import redoubt.sentry.vfs.PathWalk;
import redoubt.sentry.vfs.SetAttr;
import redoubt.sentry.vfs.Vfs;
import redoubt.sentry.vfs.VfsPath;

/** Changing modes, owners, times and sizes: fs/attr.c, fs/utimes.c, and the rest of fs/open.c. */
final class Attributes {
  private static final int SET_ID = Stat.S_ISUID | Stat.S_ISGID;

  private Attributes() {}

  /** {@return inode_owner_or_capable} */
  static boolean isOwnerOrCapable(Task t, Inode inode) {
    return t.creds().fsuid == inode.uid()
        || t.creds().hasCapabilityOver(inode.uid(), inode.gid(), Caps.CAP_FOWNER);
  }

  static boolean inGroupOrCapable(Task t, Inode inode) {
    return t.creds().inGroup(inode.gid())
        || t.creds().hasCapabilityOver(inode.uid(), inode.gid(), Caps.CAP_FSETID);
  }

  /** {@return {@code mode} after a write or a change of owner took its set-id bits} */
  static int withoutSetId(Task t, Inode inode, int mode) {
    int kept = mode & ~Stat.S_ISUID;
    // Without group execution the bit only ever meant mandatory locking.
    if ((mode & Stat.S_ISGID) != 0 && ((mode & Stat.S_IXGRP) != 0 || !inGroupOrCapable(t, inode))) {
      kept &= ~Stat.S_ISGID;
    }
    return kept;
  }

  // ---- mode ----

  /** <a href="https://man7.org/linux/man-pages/man2/chmod.2.html">chmod(2)</a>. */
  static long chmod(Task t, Args a) {
    return chmod(t, FileStatus.at(t, Fcntl.AT_FDCWD, a.a0, 0), a.int1());
  }

  /** <a href="https://man7.org/linux/man-pages/man2/chmod.2.html">fchmod(2)</a>. */
  static long fchmod(Task t, Args a) {
    FileDescription f = t.file(a.int0());
    if (f == null) {
      return -EBADF;
    }
    try {
      return (f.flags() & Fcntl.O_PATH) != 0 ? -EBADF : chmod(t, f.path(), a.int1());
    } finally {
      f.decRef();
    }
  }

  /**
   * <a href="https://man7.org/linux/man-pages/man2/chmod.2.html">fchmodat(2)</a>: without flags.
   */
  static long fchmodat(Task t, Args a) {
    return chmod(t, FileStatus.at(t, a.int0(), a.a1, 0), a.int2());
  }

  /** <a href="https://man7.org/linux/man-pages/man2/chmod.2.html">fchmodat2(2)</a>. */
  static long fchmodat2(Task t, Args a) {
    int flags = a.int3();
    if ((flags & ~(Fcntl.AT_SYMLINK_NOFOLLOW | Fcntl.AT_EMPTY_PATH)) != 0) {
      return -EINVAL;
    }
    return chmod(t, FileStatus.at(t, a.int0(), a.a1, flags), a.int2());
  }

  private static long chmod(Task t, VfsPath p, int mode) {
    Vfs.checkWritable(p.mount);
    Inode inode = p.inode();
    if (inode.isSymlink()) {
      return -EOPNOTSUPP;
    }
    if (!isOwnerOrCapable(t, inode)) {
      return -EPERM;
    }
    SetAttr s = new SetAttr();
    s.valid = SetAttr.MODE;
    s.mode = mode & 07777;
    if ((s.mode & Stat.S_ISGID) != 0 && !inGroupOrCapable(t, inode)) {
      s.mode &= ~Stat.S_ISGID;
    }
    inode.setattr(s);
    FsNotify.changed(p.dentry, s.valid);
    return 0;
  }

  /** <a href="https://man7.org/linux/man-pages/man2/umask.2.html">umask(2)</a>. */
  static long umask(Task t, Args a) {
    return t.fs().setUmask(a.int0());
  }

  // ---- owner ----

  /** <a href="https://man7.org/linux/man-pages/man2/chown.2.html">chown(2)</a>. */
  static long chown(Task t, Args a) {
    return chown(t, FileStatus.at(t, Fcntl.AT_FDCWD, a.a0, 0), a.int1(), a.int2());
  }

  /** <a href="https://man7.org/linux/man-pages/man2/chown.2.html">lchown(2)</a>. */
  static long lchown(Task t, Args a) {
    VfsPath p = FileStatus.at(t, Fcntl.AT_FDCWD, a.a0, Fcntl.AT_SYMLINK_NOFOLLOW);
    return chown(t, p, a.int1(), a.int2());
  }

  /** <a href="https://man7.org/linux/man-pages/man2/chown.2.html">fchown(2)</a>. */
  static long fchown(Task t, Args a) {
    FileDescription f = t.file(a.int0());
    if (f == null) {
      return -EBADF;
    }
    try {
      return (f.flags() & Fcntl.O_PATH) != 0 ? -EBADF : chown(t, f.path(), a.int1(), a.int2());
    } finally {
      f.decRef();
    }
  }

  /** <a href="https://man7.org/linux/man-pages/man2/chown.2.html">fchownat(2)</a>. */
  static long fchownat(Task t, Args a) {
    int flags = a.int4();
    if ((flags & ~(Fcntl.AT_SYMLINK_NOFOLLOW | Fcntl.AT_EMPTY_PATH)) != 0) {
      return -EINVAL;
    }
    return chown(t, FileStatus.at(t, a.int0(), a.a1, flags), a.int2(), a.int3());
  }

  private static long chown(Task t, VfsPath p, int uidGiven, int gidGiven) {
    Credentials c = t.creds();
    int uid = uidGiven == -1 ? -1 : c.userNs.kernelUid(uidGiven);
    int gid = gidGiven == -1 ? -1 : c.userNs.kernelGid(gidGiven);
    if ((uid == -1 && uidGiven != -1) || (gid == -1 && gidGiven != -1)) {
      return -EINVAL; // not in the user namespace
    }
    Vfs.checkWritable(p.mount);
    Inode inode = p.inode();
    SetAttr s = new SetAttr();
    boolean owner = c.fsuid == inode.uid();
    boolean capable = c.hasCapabilityOver(inode.uid(), inode.gid(), Caps.CAP_CHOWN);
    if (uid != -1) {
      if (!(owner && uid == inode.uid()) && !capable) {
        return -EPERM;
      }
      s.valid |= SetAttr.UID;
      s.uid = uid;
    }
    if (gid != -1) {
      if (!(owner && (gid == inode.gid() || c.inGroup(gid))) && !capable) {
        return -EPERM;
      }
      s.valid |= SetAttr.GID;
      s.gid = gid;
    }
    int mode = inode.mode();
    if (!inode.isDirectory() && !inode.isSymlink()) {
      int kept = withoutSetId(t, inode, mode);
      if (kept != mode) {
        s.valid |= SetAttr.MODE;
        s.mode = kept & 07777;
      }
      if (inode.isRegular() && (mode & 0111) != 0) {
        dropFileCapabilities(inode);
      }
    }
    inode.setattr(s);
    FsNotify.changed(p.dentry, s.valid);
    return 0;
  }

  private static void dropFileCapabilities(Inode inode) {
    try {
      inode.removexattr(Xattr.XATTR_NAME_CAPS);
    } catch (ErrnoException e) {
      // ENODATA or EOPNOTSUPP: there were none
    }
  }

  // ---- times ----

  private static final int OMIT = 0;
  private static final int NOW = 1;
  private static final int SET = 2;

  /** <a href="https://man7.org/linux/man-pages/man2/utime.2.html">utime(2)</a>. */
  static long utime(Task t, Args a) {
    long atime = 0;
    long mtime = 0;
    if (a.a1 != 0) {
      long r = t.copyInScratch(a.a1, Time.SIZEOF_UTIMBUF);
      if (r < 0) {
        return r;
      }
      atime = t.scratch().get(Memory.LONG, Time.UTIMBUF_ACTIME);
      mtime = t.scratch().get(Memory.LONG, Time.UTIMBUF_MODTIME);
    }
    int how = a.a1 == 0 ? NOW : SET;
    VfsPath p = FileStatus.at(t, Fcntl.AT_FDCWD, a.a0, 0);
    return setTimes(t, p, how, ns(atime, 0), how, ns(mtime, 0));
  }

  /** <a href="https://man7.org/linux/man-pages/man2/utime.2.html">utimes(2)</a>. */
  static long utimes(Task t, Args a) {
    return setTimevals(t, Fcntl.AT_FDCWD, a.a0, a.a1);
  }

  /** <a href="https://man7.org/linux/man-pages/man2/futimesat.2.html">futimesat(2)</a>. */
  static long futimesat(Task t, Args a) {
    return setTimevals(t, a.int0(), a.a1, a.a2);
  }

  private static long setTimevals(Task t, int dirfd, long upath, long utimes) {
    long atimeNs = 0;
    long mtimeNs = 0;
    if (utimes != 0) {
      long r = t.copyInScratch(utimes, 2 * Time.SIZEOF_TIMEVAL);
      if (r < 0) {
        return r;
      }
      MemorySegment s = t.scratch();
      long aUs = s.get(Memory.LONG, Time.TIMEVAL_TV_USEC);
      long mUs = s.get(Memory.LONG, Time.SIZEOF_TIMEVAL + Time.TIMEVAL_TV_USEC);
      if (aUs < 0 || aUs >= 1_000_000 || mUs < 0 || mUs >= 1_000_000) {
        return -EINVAL;
      }
      atimeNs = ns(s.get(Memory.LONG, Time.TIMEVAL_TV_SEC), aUs * 1000);
      mtimeNs = ns(s.get(Memory.LONG, Time.SIZEOF_TIMEVAL + Time.TIMEVAL_TV_SEC), mUs * 1000);
    }
    int how = utimes == 0 ? NOW : SET;
    VfsPath p = target(t, dirfd, upath, 0);
    return setTimes(t, p, how, atimeNs, how, mtimeNs);
  }

  /** <a href="https://man7.org/linux/man-pages/man2/utimensat.2.html">utimensat(2)</a>. */
  static long utimensat(Task t, Args a) {
    int flags = a.int3();
    int aHow = NOW;
    int mHow = NOW;
    long atimeNs = 0;
    long mtimeNs = 0;
    if (a.a2 != 0) {
      long r = t.copyInScratch(a.a2, 2 * Time.SIZEOF_TIMESPEC);
      if (r < 0) {
        return r;
      }
      MemorySegment s = t.scratch();
      long aNs = s.get(Memory.LONG, Time.TIMESPEC_TV_NSEC);
      long mNs = s.get(Memory.LONG, Time.SIZEOF_TIMESPEC + Time.TIMESPEC_TV_NSEC);
      aHow = how(aNs);
      mHow = how(mNs);
      if (aHow == OMIT && mHow == OMIT) {
        return 0; // not even the path is looked at
      }
      if (isBadNsec(aHow, aNs) || isBadNsec(mHow, mNs)) {
        return -EINVAL;
      }
      atimeNs = ns(s.get(Memory.LONG, Time.TIMESPEC_TV_SEC), aNs);
      mtimeNs = ns(s.get(Memory.LONG, Time.SIZEOF_TIMESPEC + Time.TIMESPEC_TV_SEC), mNs);
    }
    if ((flags & ~(Fcntl.AT_SYMLINK_NOFOLLOW | Fcntl.AT_EMPTY_PATH)) != 0) {
      return -EINVAL;
    }
    if (a.a1 == 0 && a.int0() != Fcntl.AT_FDCWD && flags != 0) {
      return -EINVAL;
    }
    return setTimes(t, target(t, a.int0(), a.a1, flags), aHow, atimeNs, mHow, mtimeNs);
  }

  /** A null path means the descriptor itself. */
  private static VfsPath target(Task t, int dirfd, long upath, int flags) {
    if (upath != 0 || dirfd == Fcntl.AT_FDCWD) {
      return FileStatus.at(t, dirfd, upath, flags);
    }
    FileDescription f = t.fds().peek(dirfd);
    if (f == null || (f.flags() & Fcntl.O_PATH) != 0) {
      throw ErrnoException.of(EBADF);
    }
    return f.path();
  }

  private static int how(long nsec) {
    return nsec == Time.UTIME_OMIT ? OMIT : nsec == Time.UTIME_NOW ? NOW : SET;
  }

  private static boolean isBadNsec(int how, long nsec) {
    return how == SET && (nsec < 0 || nsec >= 1_000_000_000L);
  }

  private static long ns(long seconds, long nsec) {
    // Times past what 64-bit nanoseconds hold (year 2262) are clamped, as filesystems clamp theirs.
    long max = Long.MAX_VALUE / 1_000_000_000L - 1;
    return Math.clamp(seconds, -max, max) * 1_000_000_000L + nsec;
  }

  private static long setTimes(Task t, VfsPath p, int aHow, long atimeNs, int mHow, long mtimeNs) {
    Vfs.checkWritable(p.mount);
    Inode inode = p.inode();
    if (!isOwnerOrCapable(t, inode)) {
      boolean touch = aHow == NOW && mHow == NOW;
      if (!touch) {
        return -EPERM;
      }
      if (!inode.permits(t.creds(), Inode.MAY_WRITE)) {
        return -EACCES;
      }
    }
    SetAttr s = new SetAttr();
    if (aHow != OMIT) {
      s.valid |= aHow == NOW ? SetAttr.ATIME | SetAttr.ATIME_NOW : SetAttr.ATIME;
      s.atimeNs = atimeNs;
    }
    if (mHow != OMIT) {
      s.valid |= mHow == NOW ? SetAttr.MTIME | SetAttr.MTIME_NOW : SetAttr.MTIME;
      s.mtimeNs = mtimeNs;
    }
    inode.setattr(s);
    FsNotify.changed(p.dentry, s.valid);
    return 0;
  }

  // ---- size ----

  /** <a href="https://man7.org/linux/man-pages/man2/truncate.2.html">truncate(2)</a>. */
  static long truncate(Task t, Args a) {
    long length = a.a1;
    if (length < 0) {
      return -EINVAL;
    }
    String path = t.copyInPath(a.a0);
    VfsPath p = new PathWalk(t, t.startAt(Fcntl.AT_FDCWD, path)).to(path, PathWalk.FOLLOW);
    Inode inode = p.inode();
    if (inode.isDirectory()) {
      return -EISDIR;
    }
    if (!inode.isRegular()) {
      return -EINVAL;
    }
    Vfs.checkWritable(p.mount);
    inode.checkPermission(t.creds(), Inode.MAY_WRITE);
    Landlock.require(t, p, Landlock.TRUNCATE);
    if (inode.isExecuted()) {
      return -ETXTBSY;
    }
    Vfs.breakLeases(t, inode);
    if (exceedsFileLimit(t, inode, length)) {
      return ReadWrite.fileTooBig(t);
    }
    SetAttr s = new SetAttr();
    s.valid = SetAttr.SIZE;
    s.size = length;
    dropSetId(t, inode, s);
    inode.setattr(s);
    FsNotify.changed(p.dentry, s.valid);
    return 0;
  }

  private static void dropSetId(Task t, Inode inode, SetAttr s) {
    int mode = inode.mode();
    if ((mode & SET_ID) != 0 && !t.creds().hasOwnCapability(Caps.CAP_FSETID)) {
      int kept = withoutSetId(t, inode, mode);
      if (kept != mode) {
        s.valid |= SetAttr.MODE;
        s.mode = kept & 07777;
      }
    }
  }

  private static boolean exceedsFileLimit(Task t, Inode inode, long length) {
    return length > t.threadGroup().limits.bound(Resource.RLIMIT_FSIZE) && length > inode.size();
  }

  /** <a href="https://man7.org/linux/man-pages/man2/truncate.2.html">ftruncate(2)</a>. */
  static long ftruncate(Task t, Args a) {
    long length = a.a1;
    if (length < 0) {
      return -EINVAL;
    }
    FileDescription f = t.file(a.int0());
    if (f == null) {
      return -EBADF;
    }
    try {
      if ((f.flags() & Fcntl.O_PATH) != 0) {
        return -EBADF;
      }
      Inode inode = f.inode();
      if (!inode.isRegular() || !f.isWritable()) {
        return -EINVAL;
      }
      if (exceedsFileLimit(t, inode, length)) {
        return ReadWrite.fileTooBig(t);
      }
      ReadWrite.dropSetId(t, inode);
      long r = f.truncate(length);
      if (r >= 0) {
        FsNotify.truncated(f);
      }
      return r;
    } finally {
      f.decRef();
    }
  }

  private static long modified(FileDescription f, long r) {
    if (r >= 0) {
      FsNotify.modified(f);
    }
    return r;
  }

  private static final int FALLOC_KNOWN =
      Fcntl.FALLOC_FL_KEEP_SIZE
          | Fcntl.FALLOC_FL_PUNCH_HOLE
          | Fcntl.FALLOC_FL_COLLAPSE_RANGE
          | Fcntl.FALLOC_FL_ZERO_RANGE
          | Fcntl.FALLOC_FL_INSERT_RANGE
          | Fcntl.FALLOC_FL_UNSHARE_RANGE;

  /** <a href="https://man7.org/linux/man-pages/man2/fallocate.2.html">fallocate(2)</a>. */
  static long fallocate(Task t, Args a) {
    FileDescription f = t.file(a.int0());
    if (f == null) {
      return -EBADF;
    }
    try {
      return (f.flags() & Fcntl.O_PATH) != 0 ? -EBADF : fallocate(t, f, a.int1(), a.a2, a.a3);
    } finally {
      f.decRef();
    }
  }

  private static long fallocate(Task t, FileDescription f, int mode, long offset, long length) {
    if (offset < 0 || length <= 0) {
      return -EINVAL;
    }
    if ((mode & ~FALLOC_KNOWN) != 0) {
      return -EOPNOTSUPP;
    }
    int operation = mode & ~Fcntl.FALLOC_FL_KEEP_SIZE;
    boolean keep = (mode & Fcntl.FALLOC_FL_KEEP_SIZE) != 0;
    if (operation != 0 && Integer.bitCount(operation) != 1) {
      return operation == (Fcntl.FALLOC_FL_PUNCH_HOLE | Fcntl.FALLOC_FL_ZERO_RANGE)
          ? -EOPNOTSUPP
          : -EINVAL;
    }
    if (operation == Fcntl.FALLOC_FL_PUNCH_HOLE && !keep) {
      return -EOPNOTSUPP;
    }
    if (keep
        && (operation == Fcntl.FALLOC_FL_COLLAPSE_RANGE
            || operation == Fcntl.FALLOC_FL_INSERT_RANGE)) {
      return -EINVAL;
    }
    if (!f.isWritable()) {
      return -EBADF;
    }
    Inode inode = f.inode();
    switch (inode.type()) {
      case Inode.S_IFREG -> {}
      case Inode.S_IFIFO -> {
        return -ESPIPE;
      }
      case Inode.S_IFDIR -> {
        return -EISDIR;
      }
      default -> {
        return -ENODEV;
      }
    }
    if (offset + length < 0) {
      return -EFBIG;
    }
    if (!keep && exceedsFileLimit(t, inode, offset + length)) {
      return ReadWrite.fileTooBig(t);
    }
    ReadWrite.dropSetId(t, inode);
    return modified(f, f.allocate(mode, offset, length));
  }
}
