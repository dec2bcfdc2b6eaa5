package redoubt.sentry.kernel;

import static redoubt.abi.Errno.EAGAIN;
import static redoubt.sentry.kernel.PendingSignals.bit;

import org.jspecify.annotations.Nullable;
import redoubt.abi.Signal;

/** Sending signals and changing masks: the sender's half of kernel/signal.c. */
public final class Signals {
  /** Signals that cannot be blocked, caught or ignored. */
  public static final long UNBLOCKABLE = bit(Signal.SIGKILL) | bit(Signal.SIGSTOP);

  private static final long STOP_SIGNALS =
      bit(Signal.SIGSTOP) | bit(Signal.SIGTSTP) | bit(Signal.SIGTTIN) | bit(Signal.SIGTTOU);

  private Signals() {}

  /**
   * Sends to a process: any of its tasks may take it. Returns 0, or -EAGAIN when the queue is full.
   */
  public static long send(ThreadGroup g, SignalInfo info) {
    return send(g, null, info, false);
  }

  /** Sends to one task. */
  public static long send(Task t, SignalInfo info) {
    return send(t.threadGroup(), t, info, false);
  }

  /** Sends from outside the container: its init cannot ignore SIGKILL and SIGSTOP from there. */
  public static long sendFromOutside(ThreadGroup g, SignalInfo info) {
    return send(g, null, info, true);
  }

  /** Sends to every process of group {@code pgrp}. Returns how many there were. */
  public static int sendToGroup(Kernel k, Pid pgrp, SignalInfo info) {
    int n = 0;
    for (ThreadGroup g : groupMembers(k, pgrp)) {
      send(g, info);
      n++;
    }
    return n;
  }

  /** {@return the processes of group {@code pgrp}} */
  public static java.util.List<ThreadGroup> groupMembers(Kernel k, Pid pgrp) {
    synchronized (k.tasks().mu) {
      java.util.List<ThreadGroup> out = new java.util.ArrayList<>();
      for (ThreadGroup g : pgrp.namespace().threadGroups()) {
        if (g.pgrp == pgrp && !g.zombie) {
          out.add(g);
        }
      }
      return out;
    }
  }

  private static long send(
      ThreadGroup g, @Nullable Task target, SignalInfo as, boolean fromOutside) {
    SignalInfo info = as.seenBy(g.pidNamespace(), g.leader.creds().userNs);
    int signo = info.signo;
    Pid from = as.sender();
    // A sender in a namespace above is as the kernel itself to an init.
    boolean outside = fromOutside || (from != null && !from.namespace().isWithin(g.pidNamespace()));
    Task wake = null;
    boolean continued = false;
    boolean dropped = false;
    SignalHandlers h = g.handlers;
    synchronized (h.mu) {
      if (signo == Signal.SIGKILL) {
        if (g.isInit() && !outside) {
          return 0; // init of a pid namespace is not killed from inside
        }
      } else {
        if (signo == Signal.SIGCONT) {
          discardEverywhere(g, STOP_SIGNALS);
          continued = true;
        } else if ((STOP_SIGNALS & bit(signo)) != 0) {
          discardEverywhere(g, bit(Signal.SIGCONT));
        }
        dropped = dropped(g, target, h, signo, outside);
        if (dropped) {
          info.dropped();
        } else {
          PendingSignals set = target != null ? target.pending : g.pending;
          long limit = g.limits.soft(redoubt.abi.Resource.RLIMIT_SIGPENDING);
          if (!set.add(info, limit < 0 ? Long.MAX_VALUE : limit)) {
            return -EAGAIN;
          }
          wake = target != null ? wanting(target, signo) : anyWanting(g, signo);
        }
      }
    }
    if (signo == Signal.SIGKILL) {
      GroupExit.kill(g, Signal.SIGKILL);
      return 0;
    }
    if (continued) {
      JobControl.resume(g); // takes TaskSet.mu, which comes before SignalHandlers.mu
    }
    if (dropped) {
      return 0;
    }
    if (wake != null) {
      wake.interrupt();
    }
    g.signalQueue.notify(1);
    return 0;
  }

  private static boolean dropped(
      ThreadGroup g, @Nullable Task target, SignalHandlers h, int signo, boolean outside) {
    boolean spared =
        g.isInit()
            && h.action(signo).handler == SignalHandlers.SIG_DFL
            && !(outside && (UNBLOCKABLE & bit(signo)) != 0);
    if (!spared && !h.isIgnored(signo)) {
      return false;
    }
    if (isTraced(g, target)) {
      return false; // the tracer sees it first
    }
    // An ignored signal is kept when it is blocked: it may be caught later, or read by signalfd.
    if (target != null) {
      return ((target.signalMask | target.awaitedSignals) & bit(signo)) == 0;
    }
    for (Task t : g.tasks) {
      if (((t.signalMask | t.awaitedSignals) & bit(signo)) != 0) {
        return false;
      }
    }
    return true;
  }

  private static boolean isTraced(ThreadGroup g, @Nullable Task target) {
    if (target != null) {
      return target.tracing != null;
    }
    for (Task t : g.tasks) {
      if (t.tracing != null) {
        return true;
      }
    }
    return false;
  }

  /** {@return what waits for {@code t} alone, or for its process}: PTRACE_PEEKSIGINFO */
  public static java.util.List<SignalInfo> waiting(Task t, boolean shared) {
    synchronized (t.threadGroup().handlers.mu) {
      return (shared ? t.threadGroup().pending : t.pending).all();
    }
  }

  private static @Nullable Task wanting(Task t, int signo) {
    return (t.signalMask & bit(signo)) == 0 || (t.awaitedSignals & bit(signo)) != 0 ? t : null;
  }

  private static @Nullable Task anyWanting(ThreadGroup g, int signo) {
    Task leader = g.leader;
    if (!leader.dead && wanting(leader, signo) != null) {
      return leader;
    }
    for (Task t : g.tasks) {
      if (!t.dead && wanting(t, signo) != null) {
        return t;
      }
    }
    return null;
  }

  private static void discardEverywhere(ThreadGroup g, long set) {
    g.pending.discard(set);
    for (Task t : g.tasks) {
      t.pending.discard(set);
    }
  }

  /**
   * Replaces a task's mask (its own thread only), and looks whether something became deliverable.
   */
  public static void setMask(Task t, long mask) {
    synchronized (t.threadGroup().handlers.mu) {
      t.signalMask = mask & ~UNBLOCKABLE;
      if (((t.pending.mask() | t.threadGroup().pending.mask()) & ~t.signalMask) != 0) {
        t.waiter().interrupt();
      }
    }
  }

  /** {@return signals waiting for {@code t} or its group} */
  public static long pending(Task t) {
    synchronized (t.threadGroup().handlers.mu) {
      return t.pending.mask() | t.threadGroup().pending.mask();
    }
  }

  /** An action was changed: what became ignored is forgotten. Under {@code handlers.mu}. */
  public static void discardIfIgnored(ThreadGroup g, int signo) {
    if (g.handlers.isIgnored(signo)) {
      discardEverywhere(g, bit(signo));
    }
  }

  /** Waits for one of {@code set}: sigtimedwait(2). Null after the deadline or an interruption. */
  public static @Nullable SignalInfo await(Task t, long set, long deadlineNs) {
    SignalInfo info = dequeue(t, set);
    if (info != null || deadlineNs <= System.nanoTime()) {
      return info;
    }
    t.awaitedSignals = set;
    try {
      for (; ; ) {
        t.waiter().clearInterrupt();
        info = dequeue(t, set);
        if (info != null) {
          return info;
        }
        if ((pending(t) & ~t.signalMask) != 0 || t.killed || t.threadGroup().stopped) {
          t.waiter().interrupt();
          return null;
        }
        if (t.waiter().block(deadlineNs) == -redoubt.abi.Errno.ETIMEDOUT) {
          return dequeue(t, set);
        }
      }
    } finally {
      t.awaitedSignals = 0;
      t.waiter().interrupt(); // look again at what came meanwhile
    }
  }

  /**
   * Takes the lowest waiting signal in {@code set}, the task's own first; null if there is none.
   */
  public static @Nullable SignalInfo dequeue(Task t, long set) {
    synchronized (t.threadGroup().handlers.mu) {
      return dequeueLocked(t, set);
    }
  }

  static @Nullable SignalInfo dequeueLocked(Task t, long set) {
    PendingSignals own = t.pending;
    PendingSignals shared = t.threadGroup().pending;
    long mine = own.mask() & set;
    long theirs = shared.mask() & set;
    if (mine != 0) {
      return own.take(next(mine));
    }
    return theirs != 0 ? shared.take(next(theirs)) : null;
  }

  /** Synchronous ones first, as Linux does. */
  private static int next(long set) {
    long sync =
        set
            & (bit(Signal.SIGSEGV)
                | bit(Signal.SIGBUS)
                | bit(Signal.SIGILL)
                | bit(Signal.SIGTRAP)
                | bit(Signal.SIGFPE)
                | bit(Signal.SIGSYS));
    return Long.numberOfTrailingZeros(sync != 0 ? sync : set) + 1;
  }

  /**
   * A fault of the task itself: the signal is delivered even if it is blocked or ignored, which
   * then kills.
   */
  public static void force(Task t, SignalInfo info) {
    synchronized (t.threadGroup().handlers.mu) {
      SignalHandlers.Action a = t.threadGroup().handlers.action(info.signo);
      boolean blocked = (t.signalMask & bit(info.signo)) != 0;
      if (blocked || a.handler == SignalHandlers.SIG_IGN) {
        a.handler = SignalHandlers.SIG_DFL;
        t.signalMask &= ~bit(info.signo);
      }
      t.pending.add(info);
      t.waiter().interrupt();
    }
  }
}
