package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.EBADF;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EPERM;
import static redoubt.abi.Errno.ESRCH;

import org.jspecify.annotations.Nullable;
import redoubt.abi.Fcntl;
import redoubt.abi.Sched;
import redoubt.abi.Signal;
import redoubt.host.Memory;
import redoubt.sentry.ipc.PidFd;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.ProcessDirectory;
import redoubt.sentry.kernel.SignalInfo;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.ThreadGroup;
import redoubt.sentry.vfs.FileDescription;

/** Descriptors of processes: kernel/pid.c, pidfd_send_signal of kernel/signal.c. */
final class PidFds {
  private PidFds() {}

  /** <a href="https://man7.org/linux/man-pages/man2/pidfd_open.2.html">pidfd_open(2)</a>. */
  static long pidfdOpen(Task t, Args a) {
    int pid = a.int0();
    int flags = a.int1();
    if ((flags & ~(Sched.PIDFD_NONBLOCK | Sched.PIDFD_THREAD)) != 0 || pid <= 0) {
      return -EINVAL;
    }
    Task target;
    synchronized (t.kernel().tasks().mu) {
      target = t.pidNamespace().task(pid);
    }
    if (target == null) {
      return -ESRCH;
    }
    boolean thread = (flags & Sched.PIDFD_THREAD) != 0;
    if (!thread && !target.isLeader()) {
      return -EINVAL;
    }
    return t.installFd(new PidFd(t, target, thread, flags & Fcntl.O_NONBLOCK), true);
  }

  /** CLONE_PIDFD: gives the creator a descriptor of {@code child}, which does not run yet. */
  static long giveTo(Task t, Task child, long ufd) {
    boolean thread = child.threadGroup() == t.threadGroup();
    long fd = t.installFd(new PidFd(t, child, thread, 0), true);
    if (fd >= 0) {
      t.scratch().set(Memory.INT, 0, (int) fd);
      t.copyOutNow(ufd, t.scratch(), 0, 4);
    }
    return fd;
  }

  /**
   * <a
   * href="https://man7.org/linux/man-pages/man2/pidfd_send_signal.2.html">pidfd_send_signal(2)</a>.
   */
  static long pidfdSendSignal(Task t, Args a) {
    int signo = a.int1();
    int flags = a.int3();
    int known =
        Sched.PIDFD_SIGNAL_THREAD
            | Sched.PIDFD_SIGNAL_THREAD_GROUP
            | Sched.PIDFD_SIGNAL_PROCESS_GROUP;
    if ((flags & ~known) != 0 || Integer.bitCount(flags) > 1) {
      return -EINVAL;
    }
    FileDescription f = t.file(a.int0());
    if (f == null) {
      return -EBADF;
    }
    try {
      if (f instanceof PidFd p) {
        return send(t, p.group(), p.thread(), signo, a.a2, flags);
      }
      // fs/proc/base.c tgid_pidfd_to_pid: a directory of /proc does, too
      boolean opened = (f.flags() & FileDescription.O_PATH) == 0;
      ThreadGroup g = opened && f.inode() instanceof ProcessDirectory dir ? dir.process() : null;
      return g == null ? -EBADF : send(t, g, null, signo, a.a2, flags);
    } finally {
      f.decRef();
    }
  }

  private static long send(
      Task t, ThreadGroup g, @Nullable Task thread, int signo, long uinfo, int flags) {
    SignalInfo info = SignalInfo.user(signo, Signal.SI_USER, t);
    if (uinfo != 0) {
      long r = t.copyInScratch(uinfo, Signal.SIZEOF_SIGINFO);
      if (r < 0) {
        return r;
      }
      if (t.scratch().get(Memory.INT, 0) != signo) {
        return -EINVAL;
      }
      int code = t.scratch().get(Memory.INT, Signal.SIGINFO_SI_CODE);
      if ((code >= 0 || code == Signal.SI_TKILL) && g != t.threadGroup()) {
        return -EPERM;
      }
      info = SignalInfo.raw(signo, t.scratch());
    }
    if (signo < 0 || signo > 64) {
      return -EINVAL;
    }
    if ((flags & Sched.PIDFD_SIGNAL_PROCESS_GROUP) != 0) {
      return SignalCalls.sendToGroup(t, g.pgrp(), signo, info);
    }
    synchronized (t.kernel().tasks().mu) {
      if (!g.pid().namespace().isWithin(t.pidNamespace())) {
        return -EINVAL;
      }
      if (g.pidNamespace().threadGroup(g.tgid()) != g) {
        return -ESRCH; // reaped
      }
    }
    Task to = thread;
    if ((flags & Sched.PIDFD_SIGNAL_THREAD) != 0 && to == null) {
      to = g.leader();
    }
    if ((flags & Sched.PIDFD_SIGNAL_THREAD_GROUP) != 0) {
      to = null;
    }
    return SignalCalls.sendChecked(t, g, to, signo, info);
  }

  /** <a href="https://man7.org/linux/man-pages/man2/pidfd_getfd.2.html">pidfd_getfd(2)</a>. */
  static long pidfdGetfd(Task t, Args a) {
    if (a.int2() != 0) {
      return -EINVAL;
    }
    FileDescription f = t.file(a.int0());
    if (f == null) {
      return -EBADF;
    }
    try {
      if (!(f instanceof PidFd p)) {
        return -EBADF;
      }
      Task one = p.thread();
      Task target = one != null ? one : p.group().leader();
      if (p.isDone()) {
        return -ESRCH;
      }
      if (!OtherTasks.mayAccess(t, target)) {
        return -EPERM;
      }
      FileDescription theirs = target.file(a.int1());
      return theirs == null ? -EBADF : t.installFd(theirs, true);
    } finally {
      f.decRef();
    }
  }
}
