package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.ESRCH;

import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.ProcessGroups;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.ThreadGroup;

/** Numbers of processes, groups and sessions: the getters and setters of kernel/sys.c. */
final class ProcessIds {
  private ProcessIds() {}

  static long getpid(Task t, Args a) {
    return t.tgid();
  }

  static long gettid(Task t, Args a) {
    return t.tid();
  }

  static long getppid(Task t, Args a) {
    return t.threadGroup().ppid();
  }

  static long getpgrp(Task t, Args a) {
    return t.threadGroup().pgid();
  }

  /** <a href="https://man7.org/linux/man-pages/man2/setpgid.2.html">getpgid(2)</a>. */
  static long getpgid(Task t, Args a) {
    if (a.int0() == 0) {
      return t.threadGroup().pgid();
    }
    synchronized (t.kernel().tasks().mu) {
      Task other = t.pidNamespace().task(a.int0());
      return other == null ? -ESRCH : other.threadGroup().pgrp().in(t.pidNamespace());
    }
  }

  /** <a href="https://man7.org/linux/man-pages/man2/getsid.2.html">getsid(2)</a>. */
  static long getsid(Task t, Args a) {
    if (a.int0() == 0) {
      return t.threadGroup().sid();
    }
    synchronized (t.kernel().tasks().mu) {
      Task other = t.pidNamespace().task(a.int0());
      return other == null ? -ESRCH : other.threadGroup().session().in(t.pidNamespace());
    }
  }

  /** <a href="https://man7.org/linux/man-pages/man2/setpgid.2.html">setpgid(2)</a>. */
  static long setpgid(Task t, Args a) {
    return ProcessGroups.setGroup(t, a.int0(), a.int1());
  }

  /** <a href="https://man7.org/linux/man-pages/man2/setsid.2.html">setsid(2)</a>. */
  static long setsid(Task t, Args a) {
    ThreadGroup g = t.threadGroup();
    return ProcessGroups.newSession(g);
  }
}
