package redoubt.sentry.vfs;

import static redoubt.abi.Errno.ESRCH;

import java.util.List;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Signal;
import redoubt.sentry.kernel.Credentials;
import redoubt.sentry.kernel.Kernel;
import redoubt.sentry.kernel.Pid;
import redoubt.sentry.kernel.PidNamespace;
import redoubt.sentry.kernel.SignalInfo;
import redoubt.sentry.kernel.Signals;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.ThreadGroup;

/**
 * Who gets the signals of an open file: F_SETOWN and F_SETOWN_EX of <a
 * href="https://man7.org/linux/man-pages/man2/fcntl.2.html">fcntl(2)</a>, Linux's fown_struct.
 *
 * @param type F_OWNER_TID, F_OWNER_PID or F_OWNER_PGRP
 * @param setter whose rights count when a signal is sent
 */
public record FileOwner(Kernel kernel, Pid pid, int type, Credentials setter) {
  public static final int TASK = 0;
  public static final int PROCESS = 1;
  public static final int GROUP = 2;

  /**
   * Makes {@code number} the owner of {@code f}, or nobody if it is 0: f_setown.
   *
   * @return 0 or -ESRCH
   */
  public static long set(Task t, FileDescription f, int type, int number) {
    if (number == 0) {
      f.owner = null;
      return 0;
    }
    synchronized (t.kernel().tasks().mu) {
      Pid pid = t.pidNamespace().pid(number);
      if (pid == null) {
        return -ESRCH;
      }
      f.owner = new FileOwner(t.kernel(), pid, type, t.creds());
      return 0;
    }
  }

  /** {@return the number that {@code viewer} knows it by, negative for a group}: F_GETOWN */
  public int number(PidNamespace viewer) {
    int n = pid.in(viewer);
    return type == GROUP ? -n : n;
  }

  /** Sends {@code f}'s signal, or SIGIO, to {@code owner}: send_sigio. Locks may not be held. */
  public static void signal(
      @Nullable FileOwner owner, FileDescription f, int fd, int code, long band) {
    if (owner != null) {
      for (ThreadGroup g : owner.groups()) {
        owner.send(g, f.ownerSignal, fd, code, band);
      }
    }
  }

  private List<ThreadGroup> groups() {
    synchronized (kernel.tasks().mu) {
      if (type == GROUP) {
        List<ThreadGroup> all = pid.namespace().threadGroups();
        all.removeIf(g -> g.pgrp() != pid);
        return all;
      }
      Task t = pid.task();
      return t == null ? List.of() : List.of(t.threadGroup());
    }
  }

  private void send(ThreadGroup g, int signo, int fd, int code, long band) {
    Credentials c = g.leader().creds();
    boolean may =
        setter.euid == 0
            || setter.euid == c.suid
            || setter.euid == c.ruid
            || setter.ruid == c.suid
            || setter.ruid == c.ruid;
    if (!may) {
      return;
    }
    SignalInfo info =
        signo == 0 ? SignalInfo.kernel(Signal.SIGIO) : SignalInfo.io(signo, code, band, fd);
    Task t = type == TASK ? pid.task() : null;
    long r = t != null ? Signals.send(t, info) : Signals.send(g, info);
    if (r < 0) {
      Signals.send(g, SignalInfo.kernel(Signal.SIGIO)); // the queue is full
    }
  }
}
