package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.EBADF;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EOVERFLOW;
import static redoubt.abi.Errno.EPERM;

import java.lang.foreign.MemorySegment;
import redoubt.abi.Fcntl;
import redoubt.abi.Resource;
import redoubt.host.Memory;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.vfs.Dnotify;
import redoubt.sentry.vfs.Fasync;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.FileLocks;
import redoubt.sentry.vfs.FileOwner;
import redoubt.sentry.vfs.Inode;
import redoubt.sentry.vfs.Leases;

/** fcntl(2) and flock(2): fs/fcntl.c, fs/locks.c. */
final class FileControl {
  private FileControl() {}

  /** <a href="https://man7.org/linux/man-pages/man2/fcntl.2.html">fcntl(2)</a>. */
  static long fcntl(Task t, Args a) {
    FileDescription f = t.file(a.int0());
    if (f == null) {
      return -EBADF;
    }
    try {
      int cmd = a.int1();
      if ((f.flags() & Fcntl.O_PATH) != 0 && !isAllowedForPath(cmd)) {
        return -EBADF;
      }
      return fcntl(t, f, a.int0(), cmd, a.a2);
    } finally {
      f.decRef();
    }
  }

  private static boolean isAllowedForPath(int cmd) {
    return switch (cmd) {
      case Fcntl.F_DUPFD,
          Fcntl.F_DUPFD_CLOEXEC,
          Fcntl.F_DUPFD_QUERY,
          Fcntl.F_CREATED_QUERY,
          Fcntl.F_GETFD,
          Fcntl.F_SETFD,
          Fcntl.F_GETFL ->
          true;
      default -> false;
    };
  }

  private static long fcntl(Task t, FileDescription f, int fd, int cmd, long arg) {
    return switch (cmd) {
      case Fcntl.F_DUPFD -> duplicate(t, f, (int) arg, false);
      case Fcntl.F_DUPFD_CLOEXEC -> duplicate(t, f, (int) arg, true);
      case Fcntl.F_DUPFD_QUERY ->
          t.fds().peek((int) arg) == f ? 1 : t.fds().peek((int) arg) == null ? -EBADF : 0;
      case Fcntl.F_CREATED_QUERY -> f.isCreator() ? 1 : 0;
      case Fcntl.F_GETFD -> t.fds().descriptorFlags(fd);
      case Fcntl.F_SETFD -> t.fds().setDescriptorFlags(fd, (arg & Fcntl.FD_CLOEXEC) != 0);
      case Fcntl.F_GETFL -> f.flags();
      case Fcntl.F_SETFL -> setFlags(t, f, fd, (int) arg);
      case Fcntl.F_GETLK, Fcntl.F_OFD_GETLK -> getLock(t, f, cmd, arg);
      case Fcntl.F_SETLK, Fcntl.F_SETLKW, Fcntl.F_OFD_SETLK, Fcntl.F_OFD_SETLKW ->
          setLock(t, f, fd, cmd, arg);
      case Fcntl.F_GETOWN -> ownerNumber(t, f);
      case Fcntl.F_SETOWN -> setOwner(t, f, (int) arg);
      case Fcntl.F_GETOWN_EX -> getOwnerEx(t, f, arg);
      case Fcntl.F_SETOWN_EX -> setOwnerEx(t, f, arg);
      case Fcntl.F_GETSIG -> f.ownerSignal;
      case Fcntl.F_SETSIG -> setSignal(f, arg);
      case Fcntl.F_GETLEASE -> Leases.get(f);
      case Fcntl.F_SETLEASE -> Leases.set(t, f, fd, (int) arg);
      case Fcntl.F_NOTIFY -> Dnotify.set(t, f, fd, (int) arg);
      case Fcntl.F_GET_RW_HINT, Fcntl.F_GET_FILE_RW_HINT ->
          t.copyOutLong(arg, Fcntl.RWH_WRITE_LIFE_NOT_SET);
      case Fcntl.F_SET_RW_HINT, Fcntl.F_SET_FILE_RW_HINT -> setWriteHint(t, arg);
      default -> f.fcntl(t, cmd, arg); // pipes and memfds have more
    };
  }

  private static long duplicate(Task t, FileDescription f, int from, boolean closeOnExec) {
    long limit = t.threadGroup().limits.bound(Resource.RLIMIT_NOFILE);
    if (from < 0 || from >= limit) {
      return -EINVAL;
    }
    f.incRef();
    long r = t.fds().install(f, from, closeOnExec, limit);
    if (r < 0) {
      f.decRef();
    }
    return r;
  }

  private static long setFlags(Task t, FileDescription f, int fd, int flags) {
    int old = f.flags();
    if ((flags & Fcntl.O_NOATIME) != 0
        && (old & Fcntl.O_NOATIME) == 0
        && !Attributes.isOwnerOrCapable(t, f.inode())) {
      return -EPERM;
    }
    long r = f.setFlags(flags);
    if (r >= 0 && ((old ^ flags) & FileDescription.O_ASYNC) != 0) {
      Fasync.set(t.kernel(), f, fd, (flags & FileDescription.O_ASYNC) != 0);
    }
    return r;
  }

  // ---- owners ----

  private static long setOwner(Task t, FileDescription f, int who) {
    if (who == Integer.MIN_VALUE) {
      return -EINVAL;
    }
    return FileOwner.set(t, f, who < 0 ? FileOwner.GROUP : FileOwner.PROCESS, Math.abs(who));
  }

  private static int ownerNumber(Task t, FileDescription f) {
    FileOwner o = f.owner;
    return o == null ? 0 : o.number(t.pidNamespace());
  }

  private static long getOwnerEx(Task t, FileDescription f, long uaddr) {
    MemorySegment s = t.scratch();
    FileOwner o = f.owner;
    s.set(Memory.INT, Fcntl.F_OWNER_EX_TYPE, o == null ? Fcntl.F_OWNER_PID : o.type());
    s.set(Memory.INT, Fcntl.F_OWNER_EX_PID, Math.abs(ownerNumber(t, f)));
    return t.copyOutScratch(uaddr, Fcntl.SIZEOF_F_OWNER_EX);
  }

  private static long setOwnerEx(Task t, FileDescription f, long uaddr) {
    long r = t.copyInScratch(uaddr, Fcntl.SIZEOF_F_OWNER_EX);
    if (r < 0) {
      return r;
    }
    int type = t.scratch().get(Memory.INT, Fcntl.F_OWNER_EX_TYPE);
    int pid = t.scratch().get(Memory.INT, Fcntl.F_OWNER_EX_PID);
    return switch (type) {
      case Fcntl.F_OWNER_TID, Fcntl.F_OWNER_PID, Fcntl.F_OWNER_PGRP ->
          FileOwner.set(t, f, type, pid);
      default -> -EINVAL;
    };
  }

  private static long setSignal(FileDescription f, long signo) {
    if (signo < 0 || signo > 64) {
      return -EINVAL;
    }
    f.ownerSignal = (int) signo;
    return 0;
  }

  private static long setWriteHint(Task t, long uaddr) {
    long r = t.copyInScratch(uaddr, 8);
    if (r < 0) {
      return r;
    }
    long hint = t.scratch().get(Memory.LONG, 0);
    return hint < 0 || hint > Fcntl.RWH_WRITE_LIFE_EXTREME ? -EINVAL : 0;
  }

  // ---- locks ----

  /** Decodes the struct flock in scratch; the range's end is inclusive. */
  private static long decode(FileDescription f, MemorySegment s, long[] range) {
    long start = s.get(Memory.LONG, Fcntl.FLOCK_L_START);
    long length = s.get(Memory.LONG, Fcntl.FLOCK_L_LEN);
    long base;
    switch (s.get(Memory.SHORT, Fcntl.FLOCK_L_WHENCE)) {
      case Fcntl.SEEK_SET -> base = 0;
      case Fcntl.SEEK_CUR -> base = f.position();
      case Fcntl.SEEK_END -> base = f.inode().size();
      default -> {
        return -EINVAL;
      }
    }
    if (start > Long.MAX_VALUE - base) {
      return -EOVERFLOW;
    }
    start += base;
    if (start < 0) {
      return -EINVAL;
    }
    long end;
    if (length > 0) {
      if (length - 1 > Long.MAX_VALUE - start) {
        return -EOVERFLOW;
      }
      end = start + length - 1;
    } else if (length < 0) {
      if (start + length < 0) {
        return -EINVAL;
      }
      end = start - 1;
      start += length;
    } else {
      end = Long.MAX_VALUE;
    }
    range[0] = start;
    range[1] = end;
    return 0;
  }

  private static long getLock(Task t, FileDescription f, int cmd, long uaddr) {
    long r = t.copyInScratch(uaddr, Fcntl.SIZEOF_FLOCK);
    if (r < 0) {
      return r;
    }
    MemorySegment s = t.scratch();
    int type = s.get(Memory.SHORT, Fcntl.FLOCK_L_TYPE);
    if (cmd == Fcntl.F_GETLK
        ? type != Fcntl.F_RDLCK && type != Fcntl.F_WRLCK
        : type != Fcntl.F_RDLCK && type != Fcntl.F_WRLCK && type != Fcntl.F_UNLCK) {
      return -EINVAL;
    }
    long[] range = new long[2];
    r = decode(f, s, range);
    if (r < 0) {
      return r;
    }
    boolean ofd = cmd == Fcntl.F_OFD_GETLK;
    if (ofd && s.get(Memory.INT, Fcntl.FLOCK_L_PID) != 0) {
      return -EINVAL;
    }
    Object owner = ofd ? f : t.fds();
    FileLocks.Range held =
        FileLocks.conflict(f.inode(), new FileLocks.Range(owner, type, range[0], range[1], 0));
    if (held == null) {
      s.set(Memory.SHORT, Fcntl.FLOCK_L_TYPE, (short) Fcntl.F_UNLCK);
    } else {
      s.set(Memory.SHORT, Fcntl.FLOCK_L_TYPE, (short) held.type);
      s.set(Memory.SHORT, Fcntl.FLOCK_L_WHENCE, (short) Fcntl.SEEK_SET);
      s.set(Memory.LONG, Fcntl.FLOCK_L_START, held.start);
      s.set(
          Memory.LONG,
          Fcntl.FLOCK_L_LEN,
          held.end == Long.MAX_VALUE ? 0 : held.end - held.start + 1);
      s.set(Memory.INT, Fcntl.FLOCK_L_PID, held.pid);
    }
    return t.copyOutScratch(uaddr, Fcntl.SIZEOF_FLOCK);
  }

  private static long setLock(Task t, FileDescription f, int fd, int cmd, long uaddr) {
    long r = t.copyInScratch(uaddr, Fcntl.SIZEOF_FLOCK);
    if (r < 0) {
      return r;
    }
    MemorySegment s = t.scratch();
    int type = s.get(Memory.SHORT, Fcntl.FLOCK_L_TYPE);
    long[] range = new long[2];
    r = decode(f, s, range);
    if (r < 0) {
      return r;
    }
    switch (type) {
      case Fcntl.F_RDLCK -> {
        if (!f.isReadable()) {
          return -EBADF;
        }
      }
      case Fcntl.F_WRLCK -> {
        if (!f.isWritable()) {
          return -EBADF;
        }
      }
      case Fcntl.F_UNLCK -> {}
      default -> {
        return -EINVAL;
      }
    }
    boolean ofd = cmd == Fcntl.F_OFD_SETLK || cmd == Fcntl.F_OFD_SETLKW;
    if (ofd && s.get(Memory.INT, Fcntl.FLOCK_L_PID) != 0) {
      return -EINVAL;
    }
    Object owner = ofd ? f : t.fds();
    int pid = ofd ? -1 : t.tgid();
    boolean wait = cmd == Fcntl.F_SETLKW || cmd == Fcntl.F_OFD_SETLKW;
    Inode inode = f.inode();
    r = FileLocks.set(t, inode, new FileLocks.Range(owner, type, range[0], range[1], pid), wait);
    if (r == 0 && type != Fcntl.F_UNLCK && !ofd && t.fds().peek(fd) != f) {
      // Another thread closed the descriptor while we were at it: its locks went with it.
      FileLocks.set(
          t, inode, new FileLocks.Range(owner, Fcntl.F_UNLCK, range[0], range[1], pid), false);
      return -EBADF;
    }
    return r;
  }

  /** <a href="https://man7.org/linux/man-pages/man2/flock.2.html">flock(2)</a>. */
  static long flock(Task t, Args a) {
    int op = a.int1();
    if ((op & Fcntl.LOCK_MAND) != 0) {
      return 0; // mandatory locks were removed: ignored, as Linux does
    }
    int type;
    switch (op & ~Fcntl.LOCK_NB) {
      case Fcntl.LOCK_SH -> type = Fcntl.F_RDLCK;
      case Fcntl.LOCK_EX -> type = Fcntl.F_WRLCK;
      case Fcntl.LOCK_UN -> type = Fcntl.F_UNLCK;
      default -> {
        return -EINVAL;
      }
    }
    FileDescription f = t.file(a.int0());
    if (f == null) {
      return -EBADF;
    }
    try {
      if ((f.flags() & Fcntl.O_PATH) != 0) {
        return -EBADF;
      }
      return FileLocks.flock(t, f, type, (op & Fcntl.LOCK_NB) == 0);
    } finally {
      f.decRef();
    }
  }
}
