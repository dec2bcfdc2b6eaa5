package redoubt.sentry.kernel;

import static redoubt.abi.Errno.EAGAIN;
import static redoubt.abi.Errno.ECHILD;

import redoubt.abi.Wait;

/** Waiting for children to change state: kernel/exit.c do_wait. */
public final class WaitChildren {
  private WaitChildren() {}

  /**
   * Waits for a child that {@code w} describes.
   *
   * @return its pid with {@code w}'s results filled in, 0 for WNOHANG, -ECHILD, -ERESTARTSYS
   */
  public static long await(Task t, WaitOptions w) {
    ThreadGroup g = t.threadGroup();
    long r = tryOnce(g, w);
    if (r != -EAGAIN) {
      return r;
    }
    if ((w.options & Wait.WNOHANG) != 0) {
      return 0;
    }
    Waiter.Entry e = t.waitEntry();
    g.childQueue.add(e, 1);
    try {
      for (; ; ) {
        r = tryOnce(g, w);
        if (r != -EAGAIN) {
          return r;
        }
        long b = t.block(Waiter.FOREVER);
        if (b < 0) {
          return b;
        }
      }
    } finally {
      g.childQueue.remove(e);
    }
  }

  private static long tryOnce(ThreadGroup g, WaitOptions w) {
    synchronized (g.kernel().tasks().mu) {
      boolean any = false;
      for (ThreadGroup c : g.children) {
        if (!matches(g, c, w) || !isEligible(c, w)) {
          continue;
        }
        any = true;
        if (c.zombie && (w.options & Wait.WEXITED) != 0) {
          return found(g, c, w, c.exitStatus, () -> GroupExit.reapLocked(c));
        }
        if (c.stopped && !c.stopReported && (w.options & Wait.WSTOPPED) != 0) {
          return found(
              g, c, w, c.stopSignal << 8 | Wait.W_STOPPED_LOW, () -> c.stopReported = true);
        }
        if (c.continued && (w.options & Wait.WCONTINUED) != 0) {
          return found(g, c, w, Wait.W_CONTINUED, () -> c.continued = false);
        }
      }
      return any ? -EAGAIN : -ECHILD;
    }
  }

  /**
   * A "clone" child, one that does not end with SIGCHLD, is waited for with __WCLONE or __WALL
   * only.
   */
  private static boolean isEligible(ThreadGroup c, WaitOptions w) {
    if ((w.options & Wait.__WALL) != 0) {
      return true;
    }
    return (c.exitSignal != redoubt.abi.Signal.SIGCHLD) == ((w.options & Wait.__WCLONE) != 0);
  }

  private static boolean matches(ThreadGroup g, ThreadGroup c, WaitOptions w) {
    return switch (w.idType) {
      case Wait.P_PID -> c.tgidIn(g.pidNamespace()) == w.id;
      case Wait.P_PGID -> w.id == 0 ? c.pgrp == g.pgrp : c.pgrp.in(g.pidNamespace()) == w.id;
      default -> true;
    };
  }

  private static long found(
      ThreadGroup g, ThreadGroup c, WaitOptions w, int status, Runnable consume) {
    w.pid = c.tgidIn(g.pidNamespace());
    w.status = status;
    w.uid = g.leader.creds().userNs.uidShown(c.leader.creds().ruid);
    w.cpuNs = c.cpuNsLocked() + c.childrenCpuNs();
    if ((w.options & Wait.WNOWAIT) == 0) {
      consume.run();
    }
    return w.pid;
  }
}
