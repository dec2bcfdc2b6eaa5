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
          // The signal may be the child's own: do_wait looks at the children once more before it
          // gives way to one.
          r = tryOnce(g, w);
          return r != -EAGAIN ? r : b;
        }
      }
    } finally {
      g.childQueue.remove(e);
    }
  }

  private static long tryOnce(ThreadGroup g, WaitOptions w) {
    synchronized (g.kernel().tasks().mu) {
      boolean any = false;
      for (Task t : g.tracees) {
        if (!matches(g, t, w)) {
          continue;
        }
        any = true;
        long r = tracee(g, t, w);
        if (r != 0) {
          return r;
        }
      }
      for (ThreadGroup c : g.children) {
        if (!matches(g, c.leader, w) || !isEligible(c, w)) {
          continue;
        }
        any = true;
        if (c.leader.tracing != null) {
          continue; // its tracer comes first, and was asked above if that is us
        }
        if (c.zombie && (w.options & Wait.WEXITED) != 0) {
          return found(g, c, w, c.exitStatus, () -> GroupExit.waitedForLocked(c));
        }
        if (c.stopped && !c.stopReported && (w.options & Wait.WSTOPPED) != 0) {
          return found(g, c, w, stopStatus(c.stopSignal), () -> c.stopReported = true);
        }
        if (c.continued && (w.options & Wait.WCONTINUED) != 0) {
          return found(g, c, w, Wait.W_CONTINUED, () -> c.continued = false);
        }
      }
      return any ? -EAGAIN : -ECHILD;
    }
  }

  private static int stopStatus(int code) {
    return code << 8 | Wait.W_STOPPED_LOW;
  }

  /** {@return what there is to tell of a tracee of {@code g}}, 0 for nothing */
  private static long tracee(ThreadGroup g, Task t, WaitOptions w) {
    Tracing tr = t.tracing;
    ThreadGroup c = t.threadGroup();
    if (tr == null) {
      return 0;
    }
    boolean leader = c.leader == t;
    if ((leader ? c.zombie : t.dead) && (w.options & Wait.WEXITED) != 0) {
      boolean ours = leader && c.parent == g;
      int status = leader ? c.exitStatus : t.exitStatus;
      long r =
          found(
              g,
              c,
              w,
              status,
              () -> {
                if (ours) {
                  Ptrace.forget(t);
                  GroupExit.waitedForLocked(c);
                } else {
                  Ptrace.reap(t);
                }
              });
      w.pid = t.tidIn(g.pidNamespace());
      w.traced = true;
      return r < 0 ? r : w.pid;
    }
    if (tr.stopped && !tr.reported) {
      int number = t.tidIn(g.pidNamespace());
      found(g, c, w, stopStatus(tr.code), () -> tr.reported = true);
      w.pid = number;
      w.traced = true;
      return number;
    }
    return 0;
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

  private static boolean matches(ThreadGroup g, Task t, WaitOptions w) {
    ThreadGroup c = t.threadGroup();
    return switch (w.idType) {
      case Wait.P_PID -> (c.leader == t ? c.pid() : t.pid()).in(g.pidNamespace()) == w.id;
      case Wait.P_PGID -> w.id == 0 ? c.pgrp == g.pgrp : c.pgrp.in(g.pidNamespace()) == w.id;
      default -> true;
    };
  }

  private static long found(
      ThreadGroup g, ThreadGroup c, WaitOptions w, int status, Runnable consume) {
    w.pid = c.tgidIn(g.pidNamespace());
    w.status = status;
    w.traced = false;
    w.uid = g.leader.creds().userNs.uidShown(c.leader.creds().ruid);
    w.usage = c.usageAtEnd();
    if ((w.options & Wait.WNOWAIT) == 0) {
      consume.run();
    }
    return w.pid;
  }
}
