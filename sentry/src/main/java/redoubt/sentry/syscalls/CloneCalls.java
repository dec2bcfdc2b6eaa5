package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.E2BIG;
import static redoubt.abi.Errno.EBADF;
import static redoubt.abi.Errno.EINVAL;

import redoubt.abi.Sched;
import redoubt.abi.Signal;
import redoubt.host.Memory;
import redoubt.sentry.fs.cgroup.CoreFiles;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.Clone;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.cgroup.Cgroup;
import redoubt.sentry.vfs.FileDescription;

/** New tasks: <a href="https://man7.org/linux/man-pages/man2/clone.2.html">clone(2)</a>. */
final class CloneCalls {
  private static final long CSIGNAL = 0xff;
  private static final int MAX_PID_NS_LEVEL = 32;

  private CloneCalls() {}

  static long fork(Task t, Args a) {
    var r = new Clone.Request();
    r.exitSignal = Signal.SIGCHLD;
    return Clone.clone(t, r);
  }

  static long vfork(Task t, Args a) {
    var r = new Clone.Request();
    r.flags = Sched.CLONE_VFORK | Sched.CLONE_VM;
    r.exitSignal = Signal.SIGCHLD;
    return Clone.clone(t, r);
  }

  /** clone(2) in x86-64's order: flags, stack, parent_tid, child_tid, tls. */
  static long clone(Task t, Args a) {
    var r = new Clone.Request();
    r.flags = a.long0() & 0xffffffffL & ~CSIGNAL;
    r.exitSignal = (int) (a.long0() & CSIGNAL);
    r.stack = a.long1();
    r.parentTid = a.long2();
    r.childTid = a.long3();
    r.tls = a.long4();
    if ((r.flags & Sched.CLONE_PIDFD) != 0) {
      if ((r.flags & (Sched.CLONE_DETACHED | Sched.CLONE_PARENT_SETTID)) != 0) {
        return -EINVAL; // the descriptor goes where the parent's tid would
      }
      return withPidFd(t, r, r.parentTid);
    }
    return Clone.clone(t, r);
  }

  /** <a href="https://man7.org/linux/man-pages/man2/clone3.2.html">clone3(2)</a>. */
  static long clone3(Task t, Args a) {
    long size = a.long1();
    if (size > Memory.PAGE) {
      return -E2BIG;
    }
    if (size < Sched.CLONE_ARGS_SIZE_VER0) {
      return -EINVAL;
    }
    var s = t.scratch();
    s.asSlice(0, Memory.PAGE).fill((byte) 0);
    long e = t.copyInScratch(a.long0(), size);
    if (e < 0) {
      return e;
    }
    for (long i = Sched.SIZEOF_CLONE_ARGS; i < size; i++) {
      if (s.get(Memory.BYTE, i) != 0) {
        return -E2BIG;
      }
    }
    var r = new Clone.Request();
    r.flags = s.get(Memory.LONG, Sched.CLONE_ARGS_FLAGS);
    long signal = s.get(Memory.LONG, Sched.CLONE_ARGS_EXIT_SIGNAL);
    long stack = s.get(Memory.LONG, Sched.CLONE_ARGS_STACK);
    long stackSize = s.get(Memory.LONG, Sched.CLONE_ARGS_STACK_SIZE);
    if ((signal & ~CSIGNAL) != 0
        || signal > 64
        || (r.flags & (Sched.CLONE_DETACHED | CSIGNAL)) != 0) {
      return -EINVAL;
    }
    if ((r.flags & (Sched.CLONE_THREAD | Sched.CLONE_PARENT)) != 0 && signal != 0) {
      return -EINVAL;
    }
    if ((stack == 0) != (stackSize == 0)) {
      return -EINVAL;
    }
    long setTid = s.get(Memory.LONG, Sched.CLONE_ARGS_SET_TID);
    long setTidSize = s.get(Memory.LONG, Sched.CLONE_ARGS_SET_TID_SIZE);
    if (setTidSize < 0 || setTidSize > MAX_PID_NS_LEVEL || (setTid == 0) != (setTidSize == 0)) {
      return -EINVAL;
    }
    r.exitSignal = (int) signal;
    r.stack = stack + stackSize;
    r.parentTid = s.get(Memory.LONG, Sched.CLONE_ARGS_PARENT_TID);
    r.childTid = s.get(Memory.LONG, Sched.CLONE_ARGS_CHILD_TID);
    r.tls = s.get(Memory.LONG, Sched.CLONE_ARGS_TLS);
    long pidFd = s.get(Memory.LONG, Sched.CLONE_ARGS_PIDFD);
    if (setTidSize > 0) {
      long c = t.copyInScratch(setTid, 4 * setTidSize);
      if (c < 0) {
        return c;
      }
      r.setTid = s.asSlice(0, 4 * setTidSize).toArray(Memory.INT);
    }
    long cgroupFd = s.get(Memory.LONG, Sched.CLONE_ARGS_CGROUP);
    if ((r.flags & Sched.CLONE_INTO_CGROUP) != 0) {
      if (size < Sched.CLONE_ARGS_SIZE_VER2 || cgroupFd < 0 || cgroupFd > Integer.MAX_VALUE) {
        return -EINVAL;
      }
      r.cgroup = cgroup(t, (int) cgroupFd, (r.flags & Sched.CLONE_THREAD) == 0);
    }
    if ((r.flags & Sched.CLONE_PIDFD) != 0) {
      return withPidFd(t, r, pidFd);
    }
    return Clone.clone(t, r);
  }

  /** {@return the control group that descriptor {@code fd} names}: cgroup_css_set_fork */
  private static Cgroup cgroup(Task t, int fd, boolean process) {
    FileDescription f = t.file(fd);
    Cgroup c = null;
    if (f != null) {
      try {
        c = CoreFiles.destination(t, f.inode(), process);
      } finally {
        f.decRef();
      }
    }
    if (c == null) {
      throw ErrnoException.of(EBADF);
    }
    return c;
  }

  private static long withPidFd(Task t, Clone.Request r, long ufd) {
    t.scratch().set(Memory.INT, 0, -1);
    long e = t.copyOutNow(ufd, t.scratch(), 0, 4); // a bad address is found before there is a child
    if (e < 0) {
      return e;
    }
    r.onMade = child -> PidFds.giveTo(t, child, ufd);
    return Clone.clone(t, r);
  }
}
