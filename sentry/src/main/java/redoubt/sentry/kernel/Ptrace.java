package redoubt.sentry.kernel;

import static redoubt.abi.Errno.EPERM;
import static redoubt.abi.Errno.ESRCH;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Sched;
import redoubt.abi.Signal;

/**
 * Stops of traced tasks, and who traces whom: kernel/ptrace.c and the ptrace half of
 * kernel/signal.c. The requests are {@code PtraceCalls}'.
 */
public final class Ptrace {
  private Ptrace() {}

  // ---- attaching ----

  /**
   * Makes {@code tracer} trace {@code t}.
   *
   * @return 0 or -errno
   */
  public static long attach(Task tracer, Task t, boolean seized, int options) {
    Kernel k = t.kernel();
    synchronized (k.tasks().mu) {
      if (t.dead || t.threadGroup().exiting || t.tracing != null) {
        return -EPERM;
      }
      link(t, new Tracing(tracer, seized, options));
    }
    beSeen(t);
    if (seized) {
      t.interrupt(); // it may be in a group stop already
    } else {
      Signals.send(t, SignalInfo.kernel(Signal.SIGSTOP));
    }
    t.waiter().wake();
    return 0;
  }

  /** PTRACE_TRACEME: the parent traces {@code t}. Returns 0 or -EPERM. */
  public static long traceMe(Task t) {
    Kernel k = t.kernel();
    synchronized (k.tasks().mu) {
      ThreadGroup p = t.threadGroup().parent;
      if (t.tracing != null) {
        return -EPERM;
      }
      if (p == null || p.exiting) {
        return 0;
      }
      Task maker = t.threadGroup().maker;
      link(t, new Tracing(maker == null || maker.dead ? p.leader : maker, false, 0));
    }
    beSeen(t);
    return 0;
  }

  private static void link(Task t, Tracing tr) {
    t.tracing = tr;
    tr.tracer.threadGroup().tracees.add(t);
    t.watched(Task.WATCHED_TRACER, true);
  }

  /** Nothing of a traced task may be answered or patched behind its tracer's back. */
  private static void beSeen(Task t) {
    t.publishAnswers();
    t.mm().space().unpatch();
  }

  /** PTRACE_DETACH, or the end of the tracer. Under {@code TaskSet.mu}. */
  private static void unlink(Task t, Tracing tr) {
    t.tracing = null;
    tr.tracer.threadGroup().tracees.remove(t);
    tr.stopped = false;
    tr.listening = false;
    t.watched(Task.WATCHED_TRACER, false);
  }

  /** Lets {@code t} go without a tracer; {@code signo} is what it goes on with. */
  public static void detach(Task t, Tracing tr, int signo) {
    synchronized (t.kernel().tasks().mu) {
      if (t.tracing != tr) {
        return;
      }
      tr.resumeSignal = signo;
      tr.singleStep = false;
      unlink(t, tr);
    }
    t.publishAnswers();
    t.interrupt();
    t.waiter().wake();
  }

  /** {@code tracer} ends: its tracees go on, or are killed (PTRACE_O_EXITKILL). */
  static void tracerExits(Task tracer) {
    List<Task> mine = new ArrayList<>();
    synchronized (tracer.kernel().tasks().mu) {
      for (Task t : tracer.threadGroup().tracees) {
        Tracing tr = t.tracing;
        if (tr != null && tr.tracer == tracer) {
          mine.add(t);
        }
      }
    }
    for (Task t : mine) {
      Tracing tr = t.tracing;
      if (tr == null) {
        continue;
      }
      boolean kill = tr.wants(Tracing.O_EXITKILL);
      if (t.dead) {
        reap(t);
        continue;
      } else {
        detach(t, tr, 0);
      }
      if (kill) {
        GroupExit.kill(t.threadGroup(), Signal.SIGKILL);
      }
    }
  }

  // ---- stopping ----

  /**
   * The calling task stops and tells its tracer; it comes back once it may go on.
   *
   * @param code what wait(2) shows: a signal, an event in the second byte
   * @return the signal that the tracer sent it on with, 0 for none
   */
  static int stop(Task t, int code, @Nullable SignalInfo info, long message, Tracing.Place place) {
    Tracing tr = t.tracing;
    if (tr == null) {
      return 0;
    }
    ThreadGroup g = tr.tracer.threadGroup();
    synchronized (t.kernel().tasks().mu) {
      if (t.tracing != tr || t.isKilledHard()) {
        return 0;
      }
      tr.stopped = true;
      tr.listening = false;
      tr.reported = false;
      tr.code = code;
      tr.info = info;
      tr.message = message;
      tr.place = place;
      tr.resumeSignal = 0;
      tr.singleStep = false;
      tr.mode = Tracing.Mode.CONTINUE;
    }
    tell(t, g, Signal.CLD_TRAPPED, code & 0x7f);
    park(t, tr);
    synchronized (tr.accessMu) {
      synchronized (t.kernel().tasks().mu) {
        tr.stopped = false;
        tr.listening = false;
        tr.place = Tracing.Place.NONE;
        return tr.resumeSignal;
      }
    }
  }

  private static void park(Task t, Tracing tr) {
    for (; ; ) {
      synchronized (t.kernel().tasks().mu) {
        if (!tr.stopped || t.isKilledHard()) {
          return;
        }
        if (tr.listening && tr.trapPending) {
          // PTRACE_LISTEN ended by PTRACE_INTERRUPT or SIGCONT: the same stop is told again.
          tr.trapPending = false;
          tr.listening = false;
          tr.reported = false;
          boolean still = t.threadGroup().stopped;
          int signo = still ? t.threadGroup().stopSignal : Signal.SIGTRAP;
          tr.code = Tracing.EVENT_STOP << 8 | signo;
          tr.info = event(Tracing.EVENT_STOP, signo);
        }
      }
      if (!tr.reported) {
        tr.tracer.threadGroup().childQueue.notify(1);
      }
      t.waiter().block(Waiter.FOREVER, false);
    }
  }

  /** SIGCHLD and a wake-up for whoever waits for {@code t}: do_notify_parent_cldstop. */
  private static void tell(Task t, ThreadGroup g, int code, int status) {
    boolean wanted;
    synchronized (g.handlers.mu) {
      SignalHandlers.Action a = g.handlers.action(Signal.SIGCHLD);
      wanted = a.handler != SignalHandlers.SIG_IGN && (a.flags & Signal.SA_NOCLDSTOP) == 0;
    }
    if (wanted) {
      Signals.send(
          g,
          SignalInfo.child(
              Signal.SIGCHLD,
              code,
              t.tidIn(g.pidNamespace()),
              g.leader.creds().userNs.uidShown(t.creds().ruid),
              status,
              0,
              0));
    }
    g.childQueue.notify(1);
  }

  /** {@return the siginfo of an event stop} */
  private static SignalInfo event(int event, int signo) {
    return new SignalInfo(signo, event << 8 | signo);
  }

  /** An event, if {@code option} asks for it. */
  static void event(Task t, int option, int event, long message) {
    Tracing tr = t.tracing;
    if (tr != null && (option == 0 || tr.wants(option))) {
      int code = event << 8 | Signal.SIGTRAP;
      stop(t, code, new SignalInfo(Signal.SIGTRAP, code), message, Tracing.Place.NONE);
    }
  }

  /**
   * A system call begins or ends; with PTRACE_O_TRACESYSGOOD that is told apart from a real trap.
   */
  static void syscall(Task t, Tracing.Place place) {
    Tracing tr = t.tracing;
    if (tr == null) {
      return;
    }
    int code = Signal.SIGTRAP | (tr.wants(Tracing.O_TRACESYSGOOD) ? 0x80 : 0);
    long message = place == Tracing.Place.ENTRY ? 1 : 2;
    int signo = stop(t, code, new SignalInfo(Signal.SIGTRAP, code), message, place);
    if (signo != 0) {
      Signals.send(t, SignalInfo.kernel(signo));
    }
  }

  /** PTRACE_EVENT_SECCOMP: {@code data} is what the filter returned. */
  static void seccomp(Task t, int data) {
    int code = Tracing.EVENT_SECCOMP << 8 | Signal.SIGTRAP;
    stop(t, code, new SignalInfo(Signal.SIGTRAP, code), data, Tracing.Place.SECCOMP);
  }

  /** A step was taken through a system call: as if the trap flag had been seen. */
  static void stepped(Task t) {
    Signals.force(t, new SignalInfo(Signal.SIGTRAP, Signal.TRAP_TRACE));
  }

  /**
   * A signal is about to be delivered: the tracer may change or take it.
   *
   * @return what is delivered, or null
   */
  static @Nullable SignalInfo signal(Task t, SignalInfo info) {
    Tracing tr = t.tracing;
    if (tr == null || info.signo == Signal.SIGKILL) {
      return info;
    }
    int signo = stop(t, info.signo, info, 0, Tracing.Place.NONE);
    if (signo == 0) {
      return null;
    }
    SignalInfo now = tr.info;
    if (signo != info.signo || now == null || now.signo != signo) {
      now = new SignalInfo(signo, Signal.SI_USER);
    }
    if ((t.signalMask & PendingSignals.bit(signo)) != 0 && signo != info.signo) {
      Signals.send(t, now);
      return null;
    }
    return now;
  }

  /** {@return whether {@code t} was let go on by its tracer though its process is stopped} */
  static boolean ranPastStop(Task t) {
    Tracing tr = t.tracing;
    return tr != null && tr.ranPastStop;
  }

  /**
   * A task in a process that is stopped: if it is traced, a stop of its own kind.
   *
   * @return whether it was dealt with here
   */
  static boolean groupStop(Task t) {
    Tracing tr = t.tracing;
    if (tr == null || !t.threadGroup().stopped) {
      return false;
    }
    int signo = t.threadGroup().stopSignal;
    tr.trapPending = false;
    if (tr.seized) {
      int code = Tracing.EVENT_STOP << 8 | signo;
      stop(t, code, event(Tracing.EVENT_STOP, signo), 0, Tracing.Place.NONE);
    } else {
      stop(t, signo, null, 0, Tracing.Place.NONE);
    }
    if (t.tracing == tr && t.threadGroup().stopped) {
      tr.ranPastStop = true;
    }
    return true;
  }

  /** PTRACE_INTERRUPT was there: stops unless something else did. */
  static void trap(Task t) {
    Tracing tr = t.tracing;
    if (tr != null && tr.trapPending) {
      tr.trapPending = false;
      int signo = t.threadGroup().stopped ? t.threadGroup().stopSignal : Signal.SIGTRAP;
      stop(
          t,
          Tracing.EVENT_STOP << 8 | signo,
          event(Tracing.EVENT_STOP, signo),
          0,
          Tracing.Place.NONE);
    }
  }

  /** SIGCONT: tracees of the process that run past its stop heed the next one again. */
  static void continued(ThreadGroup g) {
    for (Task t : g.tasks) {
      Tracing tr = t.tracing;
      if (tr != null) {
        tr.ranPastStop = false;
        if (tr.seized) {
          tr.trapPending = true;
        }
        t.interrupt();
      }
    }
  }

  // ---- going on ----

  /**
   * PTRACE_CONT and its kin.
   *
   * @return 0 or -ESRCH
   */
  public static long resume(Task t, Tracing tr, int signo, Tracing.Mode mode, boolean step) {
    synchronized (t.kernel().tasks().mu) {
      if (t.tracing != tr || !tr.stopped || tr.listening) {
        return -ESRCH;
      }
      tr.resumeSignal = signo;
      tr.mode = mode;
      tr.singleStep = step;
      tr.reported = true;
      tr.stopped = false;
    }
    t.waiter().wake();
    return 0;
  }

  /** PTRACE_LISTEN. Returns 0 or -errno. */
  public static long listen(Task t, Tracing tr) {
    synchronized (t.kernel().tasks().mu) {
      if (!tr.stopped || tr.code >> 8 != Tracing.EVENT_STOP) {
        return -redoubt.abi.Errno.EIO;
      }
      tr.listening = true;
    }
    t.waiter().wake();
    return 0;
  }

  /** PTRACE_INTERRUPT. */
  public static void interrupt(Task t, Tracing tr) {
    tr.trapPending = true;
    t.interrupt();
    t.waiter().wake();
  }

  // ---- children ----

  /** {@return the event that a clone with these flags is, if the tracer asked for it, else 0} */
  static int cloneEvent(Task t, long flags, int exitSignal) {
    Tracing tr = t.tracing;
    if (tr == null || (flags & Sched.CLONE_UNTRACED) != 0) {
      return 0;
    }
    if ((flags & Sched.CLONE_VFORK) != 0) {
      return tr.wants(Tracing.O_TRACEVFORK) ? Tracing.EVENT_VFORK : 0;
    }
    if (exitSignal != Signal.SIGCHLD) {
      return tr.wants(Tracing.O_TRACECLONE) ? Tracing.EVENT_CLONE : 0;
    }
    return tr.wants(Tracing.O_TRACEFORK) ? Tracing.EVENT_FORK : 0;
  }

  /** A child that does not run yet is traced by its maker's tracer: ptrace_init_task. */
  static void attachChild(Task parent, Task child) {
    boolean seized;
    synchronized (parent.kernel().tasks().mu) {
      Tracing tr = parent.tracing;
      if (tr == null || tr.tracer.dead) {
        return;
      }
      Tracing mine = new Tracing(tr.tracer, tr.seized, tr.options);
      link(child, mine);
      seized = tr.seized;
      if (seized) {
        mine.trapPending = true;
        child.waiter().interrupt();
      }
    }
    beSeen(child);
    if (!seized) {
      synchronized (child.threadGroup().handlers.mu) {
        child.pending.add(SignalInfo.kernel(Signal.SIGSTOP));
      }
      child.waiter().interrupt();
    }
  }

  /** {@return what the tracer of {@code t} knows {@code pid} by} */
  static int numberForTracer(Task t, Pid pid) {
    Tracing tr = t.tracing;
    return tr == null ? 0 : pid.in(tr.tracer.pidNamespace());
  }

  static SignalInfo execTrap() {
    return SignalInfo.user(Signal.SIGTRAP, Signal.SI_USER, 0, 0);
  }

  // ---- the end ----

  /** The tracer has to hear of the end of {@code t}, or of its process if it was the leader. */
  static void ended(Task t) {
    Tracing tr = t.tracing;
    if (tr == null) {
      return;
    }
    ThreadGroup g = tr.tracer.threadGroup();
    if (t.threadGroup().leader() == t && g != t.threadGroup().parent()) {
      Signals.send(g, GroupExit.childInfo(t.threadGroup(), Signal.SIGCHLD, g));
    }
    g.childQueue.notify(1);
  }

  /** {@code t} is another thread's number now: execve(2) took its place. Under TaskSet.mu. */
  static void forget(Task t) {
    Tracing tr = t.tracing;
    if (tr != null) {
      unlink(t, tr);
    }
  }

  /** The tracer has seen the end of {@code t}. */
  static void reap(Task t) {
    synchronized (t.kernel().tasks().mu) {
      Tracing tr = t.tracing;
      if (tr != null) {
        unlink(t, tr);
        ThreadGroup g = t.threadGroup();
        if (g.leader() != t) {
          t.pid().unuse();
        } else if (g.zombie) {
          GroupExit.tracerHasSeen(g);
        }
      }
    }
  }
}
