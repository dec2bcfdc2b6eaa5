package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.EBADF;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EISDIR;
import static redoubt.abi.Errno.EMFILE;
import static redoubt.abi.Errno.ENODEV;
import static redoubt.abi.Errno.ENOTDIR;
import static redoubt.abi.Errno.EOPNOTSUPP;
import static redoubt.abi.Errno.EPERM;
import static redoubt.abi.Fanotify.*;

import redoubt.abi.Caps;
import redoubt.abi.Fcntl;
import redoubt.sentry.ipc.Fanotify;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.vfs.Dentry;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.FileSystem;
import redoubt.sentry.vfs.HandleTable;
import redoubt.sentry.vfs.Inode;
import redoubt.sentry.vfs.Mount;
import redoubt.sentry.vfs.PathWalk;
import redoubt.sentry.vfs.StatfsData;
import redoubt.sentry.vfs.VfsPath;

/** The calls of fanotify(7), with the order of errors of fs/notify/fanotify/fanotify_user.c. */
final class FanotifyCalls {
  private static final int CLASS_BITS = FAN_CLASS_CONTENT | FAN_CLASS_PRE_CONTENT;
  private static final int FID_BITS =
      FAN_REPORT_FID | FAN_REPORT_DIR_FID | FAN_REPORT_NAME | FAN_REPORT_TARGET_FID;
  private static final int ADMIN_INIT =
      CLASS_BITS
          | FAN_REPORT_TID
          | FAN_REPORT_PIDFD
          | FAN_UNLIMITED_QUEUE
          | FAN_UNLIMITED_MARKS
          | FAN_ENABLE_AUDIT;
  private static final int INIT_FLAGS = ADMIN_INIT | FID_BITS | FAN_CLOEXEC | FAN_NONBLOCK;
  private static final int EVENT_FILE_FLAGS =
      Fcntl.O_ACCMODE
          | Fcntl.O_APPEND
          | Fcntl.O_NONBLOCK
          | Fcntl.O_SYNC
          | Fcntl.O_CLOEXEC
          | Fcntl.O_LARGEFILE
          | Fcntl.O_NOATIME;

  private static final int TYPE_BITS = FAN_MARK_MOUNT | FAN_MARK_FILESYSTEM;
  private static final int COMMANDS = FAN_MARK_ADD | FAN_MARK_REMOVE | FAN_MARK_FLUSH;
  private static final int IGNORE_BITS = FAN_MARK_IGNORED_MASK | FAN_MARK_IGNORE;
  private static final int MARK_FLAGS =
      TYPE_BITS
          | COMMANDS
          | IGNORE_BITS
          | FAN_MARK_DONT_FOLLOW
          | FAN_MARK_ONLYDIR
          | FAN_MARK_IGNORED_SURV_MODIFY
          | FAN_MARK_EVICTABLE;

  private static final int PERM_EVENTS = FAN_OPEN_PERM | FAN_ACCESS_PERM | FAN_OPEN_EXEC_PERM;
  private static final int EVENT_FLAGS = FAN_EVENT_ON_CHILD | FAN_ONDIR;
  private static final int FD_EVENTS =
      FAN_ACCESS
          | FAN_MODIFY
          | FAN_CLOSE_WRITE
          | FAN_CLOSE_NOWRITE
          | FAN_OPEN
          | FAN_OPEN_EXEC
          | PERM_EVENTS;
  private static final int DIRENT_EVENTS =
      FAN_CREATE | FAN_DELETE | FAN_MOVED_FROM | FAN_MOVED_TO | FAN_RENAME;
  private static final int KNOWN_EVENTS =
      FD_EVENTS
          | DIRENT_EVENTS
          | FAN_ATTRIB
          | FAN_MOVE_SELF
          | FAN_DELETE_SELF
          | FAN_FS_ERROR
          | EVENT_FLAGS;

  private FanotifyCalls() {}

  /** <a href="https://man7.org/linux/man-pages/man2/fanotify_init.2.html">fanotify_init(2)</a>. */
  static long fanotifyInit(Task t, Args a) {
    int flags = a.int0();
    int fileFlags = a.int1();
    boolean unprivileged = !t.hasCapability(Caps.CAP_SYS_ADMIN);
    if (unprivileged && ((flags & ADMIN_INIT) != 0 || (flags & FID_BITS) == 0)) {
      return -EPERM;
    }
    long r = checkInit(flags, fileFlags);
    if (r < 0) {
      return r;
    }
    Fanotify.Usage usage = t.kernel().subsystemOrNew(Fanotify.Usage.class, Fanotify.Usage::new);
    if (!usage.takeGroup()) {
      return -EMFILE;
    }
    return t.installFd(
        new Fanotify(t, usage, flags, fileFlags, unprivileged), (flags & FAN_CLOEXEC) != 0);
  }

  private static long checkInit(int flags, int fileFlags) {
    int both = FAN_REPORT_PIDFD | FAN_REPORT_TID;
    if ((flags & ~INIT_FLAGS) != 0
        || (flags & both) == both
        || (fileFlags & ~EVENT_FILE_FLAGS) != 0
        || (fileFlags & Fcntl.O_ACCMODE) == Fcntl.O_ACCMODE
        || ((flags & FID_BITS) != 0 && (flags & CLASS_BITS) != 0)
        || (flags & CLASS_BITS) == CLASS_BITS) {
      return -EINVAL;
    }
    int named = FAN_REPORT_NAME | FAN_REPORT_FID;
    if ((flags & FAN_REPORT_NAME) != 0 && (flags & FAN_REPORT_DIR_FID) == 0) {
      return -EINVAL;
    }
    return (flags & FAN_REPORT_TARGET_FID) != 0 && (flags & named) != named ? -EINVAL : 0;
  }

  /** <a href="https://man7.org/linux/man-pages/man2/fanotify_mark.2.html">fanotify_mark(2)</a>. */
  static long fanotifyMark(Task t, Args a) {
    int flags = a.int1();
    long r = checkMark(flags, a.a2);
    if (r < 0) {
      return r;
    }
    int mask = (int) a.a2;
    if ((flags & IGNORE_BITS) == FAN_MARK_IGNORED_MASK) {
      mask &= ~EVENT_FLAGS;
    }
    FileDescription f = t.file(a.int0());
    if (f == null) {
      return -EBADF;
    }
    try {
      if (!(f instanceof Fanotify group)) {
        return -EINVAL;
      }
      long done = mark(t, group, flags, mask, a.int3(), a.a4);
      t.kernel().platform().withdrawGrants(); // reads and writes are to be seen from now on
      return done;
    } finally {
      f.decRef();
    }
  }

  private static long checkMark(int flags, long mask) {
    int type = flags & TYPE_BITS;
    if (mask >>> 32 != 0 || (flags & ~MARK_FLAGS) != 0 || type == TYPE_BITS) {
      return -EINVAL;
    }
    switch (flags & COMMANDS) {
      case FAN_MARK_ADD, FAN_MARK_REMOVE -> {
        if (mask == 0) {
          return -EINVAL;
        }
      }
      case FAN_MARK_FLUSH -> {
        if ((flags & ~(TYPE_BITS | FAN_MARK_FLUSH)) != 0) {
          return -EINVAL;
        }
      }
      default -> {
        return -EINVAL;
      }
    }
    return ((int) mask & ~KNOWN_EVENTS) != 0 || (flags & IGNORE_BITS) == IGNORE_BITS ? -EINVAL : 0;
  }

  private static long mark(Task t, Fanotify group, int flags, int mask, int dirfd, long upath) {
    int type = flags & TYPE_BITS;
    if (group.isUnprivileged() && type != FAN_MARK_INODE) {
      return -EPERM;
    }
    boolean fid = group.hasHandles();
    if (((mask & PERM_EVENTS) != 0 && !group.decides())
        || ((mask & FAN_FS_ERROR) != 0 && type != FAN_MARK_FILESYSTEM)
        || ((flags & FAN_MARK_EVICTABLE) != 0 && type != FAN_MARK_INODE)
        || ((mask & ~(FD_EVENTS | EVENT_FLAGS)) != 0 && (!fid || type == FAN_MARK_MOUNT))
        || ((mask & FAN_RENAME) != 0 && !group.has(FAN_REPORT_NAME))) {
      return -EINVAL;
    }
    if ((flags & FAN_MARK_FLUSH) != 0) {
      group.flush(
          type == FAN_MARK_MOUNT
              ? Mount.class
              : type == FAN_MARK_FILESYSTEM ? FileSystem.class : Inode.class);
      return 0;
    }
    VfsPath p = find(t, flags, dirfd, upath);
    boolean adds = (flags & FAN_MARK_ADD) != 0;
    if (adds) {
      long r = checkSupported(group, p, mask, flags);
      if (r < 0) {
        return r;
      }
    }
    if (fid) {
      long r = checkHandles(p, flags);
      if (r < 0) {
        return r;
      }
    }
    return mark(group, p, flags, mask);
  }

  private static long mark(Fanotify group, VfsPath p, int flags, int mask) {
    int type = flags & TYPE_BITS;
    boolean adds = (flags & FAN_MARK_ADD) != 0;
    boolean onDirectory = type == FAN_MARK_INODE && p.inode().isDirectory();
    if (adds
        && (flags & FAN_MARK_IGNORE) != 0
        && (flags & FAN_MARK_IGNORED_SURV_MODIFY) == 0
        && (type != FAN_MARK_INODE || onDirectory)) {
      return type != FAN_MARK_INODE ? -EINVAL : -EISDIR;
    }
    int bits = mask;
    int kept = (flags & IGNORE_BITS) == FAN_MARK_IGNORED_MASK ? EVENT_FLAGS : 0;
    if (!onDirectory) {
      bits &= ~FAN_EVENT_ON_CHILD;
      kept |= FAN_EVENT_ON_CHILD;
      if (adds && group.has(FAN_REPORT_DIR_FID) && (flags & IGNORE_BITS) == 0) {
        bits |= FAN_EVENT_ON_CHILD;
      }
    }
    Object on = type == FAN_MARK_INODE ? p.inode() : type == FAN_MARK_MOUNT ? p.mount : p.dentry.fs;
    return adds ? group.mark(on, p.dentry, bits, flags) : group.unmark(on, bits, flags, kept);
  }

  private static VfsPath find(Task t, int flags, int dirfd, long upath) {
    VfsPath p;
    if (upath == 0) {
      FileDescription f = t.file(dirfd);
      if (f == null) {
        throw ErrnoException.of(EBADF);
      }
      p = f.path();
      f.decRef();
      if ((flags & FAN_MARK_ONLYDIR) != 0 && !p.inode().isDirectory()) {
        throw ErrnoException.of(ENOTDIR);
      }
    } else {
      String path = t.copyInPath(upath);
      int walk =
          ((flags & FAN_MARK_DONT_FOLLOW) != 0 ? 0 : PathWalk.FOLLOW)
              | ((flags & FAN_MARK_ONLYDIR) != 0 ? PathWalk.DIRECTORY : 0);
      p = new PathWalk(t, t.startAt(dirfd, path)).to(path, walk);
    }
    p.inode().checkPermission(t.creds(), Inode.MAY_READ);
    return p;
  }

  /** fanotify_events_supported. */
  private static long checkSupported(Fanotify group, VfsPath p, int mask, int flags) {
    int type = flags & TYPE_BITS;
    if ((mask & PERM_EVENTS) != 0 && p.dentry.fs.type().equals("proc")) {
      return -EINVAL;
    }
    if (type != FAN_MARK_INODE && isInternal(p.dentry)) {
      return -EINVAL;
    }
    boolean strict =
        group.has(FAN_REPORT_TARGET_FID)
            || (mask & FAN_RENAME) != 0
            || (flags & FAN_MARK_IGNORE) != 0;
    boolean directoryOnly = (mask & (DIRENT_EVENTS | EVENT_FLAGS)) != 0;
    boolean file = type == FAN_MARK_INODE && !p.inode().isDirectory();
    return strict && directoryOnly && file ? -ENOTDIR : 0;
  }

  private static boolean isInternal(Dentry d) {
    return switch (d.fs.type()) {
      case "pipefs", "sockfs", "anon_inodefs" -> true;
      default -> false;
    };
  }

  /** fanotify_test_fsid, fanotify_test_fid. */
  private static long checkHandles(VfsPath p, int flags) {
    StatfsData s = new StatfsData();
    p.dentry.fs.statfs(s);
    if (s.fsid == 0) {
      return -ENODEV;
    }
    boolean inode = (flags & TYPE_BITS) == FAN_MARK_INODE;
    return inode || HandleTable.hasHandles(p.dentry) ? 0 : -EOPNOTSUPP;
  }
}
