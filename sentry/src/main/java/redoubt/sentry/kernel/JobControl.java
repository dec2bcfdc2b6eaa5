package redoubt.sentry.kernel;

import org.jspecify.annotations.Nullable;
import redoubt.abi.Signal;

/** Stopping and continuing whole processes. */
final class JobControl {
  private JobControl() {}

  /** Stops {@code g} by {@code signo}; called by one of its tasks. */
  static void stop(ThreadGroup g, int signo) {
    synchronized (g.kernel().tasks().mu) {
      if (g.stopped || g.exiting) {
        return;
      }
      g.stopped = true;
      g.stopSignal = signo;
      g.stopReported = false;
      g.continued = false;
      for (Task t : g.tasks) {
        t.interrupt();
      }
    }
    tellParent(g, Signal.CLD_STOPPED, signo);
  }

  /** SIGCONT came: goes on, if stopped. */
  static void resume(ThreadGroup g) {
    synchronized (g.kernel().tasks().mu) {
      if (!g.stopped) {
        return;
      }
      g.stopped = false;
      g.continued = true;
      g.stopReported = false;
      Ptrace.continued(g);
      for (Task t : g.tasks) {
        t.waiter().wake();
      }
    }
    tellParent(g, Signal.CLD_CONTINUED, Signal.SIGCONT);
  }

  private static void tellParent(ThreadGroup g, int code, int status) {
    @Nullable ThreadGroup p = g.parent;
    if (p == null) {
      return;
    }
    boolean wanted;
    synchronized (p.handlers.mu) {
      SignalHandlers.Action a = p.handlers.action(Signal.SIGCHLD);
      wanted = a.handler != SignalHandlers.SIG_IGN && (a.flags & Signal.SA_NOCLDSTOP) == 0;
    }
    if (wanted) {
      Signals.send(
          p,
          SignalInfo.child(
              Signal.SIGCHLD,
              code,
              g.tgidIn(p.pidNamespace()),
              p.leader.creds().userNs.uidShown(g.leader.creds().ruid),
              status,
              0,
              0));
    }
    p.childQueue.notify(1);
  }

  /** Parks the calling task while its process is stopped or frozen; a kill ends it. */
  static void waitWhileStopped(Task t) {
    ThreadGroup g = t.threadGroup();
    while (((g.stopped && t.tracing == null) || t.isHalted()) && !t.killed) {
      if (t.isHalted(Task.HALT_FROZEN)) {
        CgroupMembers.park(t);
      }
      t.waiter().block(Waiter.FOREVER, false);
    }
    CgroupMembers.goesOn(t);
  }
}
