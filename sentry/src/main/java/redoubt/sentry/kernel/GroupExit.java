package redoubt.sentry.kernel;

import java.util.HashSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Signal;
import redoubt.sentry.mm.MemoryManager;

/** The end of tasks and processes: kernel/exit.c. */
public final class GroupExit {
  private GroupExit() {}

  /**
   * Ends a whole process, as exit_group(2) and fatal signals do. {@code status} as wait(2) reports
   * it.
   */
  public static void begin(ThreadGroup g, int status) {
    synchronized (g.kernel().tasks().mu) {
      if (!g.exiting) {
        g.exiting = true;
        g.exitStatus = status;
      }
      for (Task t : g.tasks) {
        endTask(t);
      }
    }
  }

  /** Kills a process by signal {@code signo}. */
  public static void kill(ThreadGroup g, int signo) {
    begin(g, signo);
  }

  /** A signal that cannot be caught any more ends the process of {@code t}, by its own thread. */
  static void fatal(Task t, int signo) {
    begin(t.threadGroup(), signo);
  }

  /** The host process of {@code t} is gone: so is the guest's, as if the host's were its kernel. */
  static void hostEnded(Task t) {
    if (!t.killed) {
      t.kernel()
          .log()
          .log(
              3,
              "redoubt: "
                  + t
                  + " killed: the host ended its stub process (out of memory, or the guest broke it)");
      kill(t.threadGroup(), Signal.SIGKILL);
    }
  }

  /** Kills every other task of {@code t}'s process and waits until they are gone: for execve. */
  static long killOthers(Task t) {
    ThreadGroup g = t.threadGroup();
    synchronized (g.kernel().tasks().mu) {
      if (g.exiting) {
        return -redoubt.abi.Errno.EAGAIN;
      }
      for (Task o : g.tasks) {
        if (o != t) {
          endTask(o);
        }
      }
    }
    Waiter.Entry e = t.waitEntry();
    g.exitQueue.add(e, 1);
    try {
      while (g.tasks.size() > 1 && !t.killed) {
        t.waiter().block(Waiter.FOREVER, false);
      }
    } finally {
      g.exitQueue.remove(e);
    }
    return t.killed ? -redoubt.abi.Errno.EAGAIN : 0;
  }

  private static void endTask(Task t) {
    if (t.javaThread != Thread.currentThread()) {
      t.killedHard = true;
    }
    t.killed = true;
    t.interrupt();
    t.waiter().wake();
  }

  /**
   * A task's last act, on its own thread. {@code status} counts if it is the last of its process
   * and nobody set the process' status before.
   */
  static void taskExits(Task t, int status) {
    ThreadGroup g = t.threadGroup();
    Kernel k = t.kernel();
    if (t.tracing != null) {
      int code = g.exiting ? g.exitStatus : status;
      Ptrace.event(t, Tracing.O_TRACEEXIT, Tracing.EVENT_EXIT, code);
    }
    if (!g.tracees.isEmpty()) {
      Ptrace.tracerExits(t);
    }
    long cpu = Math.max(0, t.context().cpuTimeNs());
    MemoryManager mm = t.mm();
    if (g.taskCountQuick() == 1) {
      t.noteResidentAtEnd(cpu);
    }
    t.fds().leave(t);
    t.fs().leave();
    boolean last;
    synchronized (k.tasks().mu) {
      t.dead = true;
      g.remove(t);
      CgroupMembers.exits(t);
      k.tasks().count--;
      last = g.tasks.isEmpty();
      if (last) {
        g.addDeadCpu(cpu);
      }
      if (last && !g.exiting) {
        g.exiting = true;
        g.exitStatus = status;
      }
      if (g.leader != t && t.tracing == null) {
        t.pid().unuse();
      }
      t.exitStatus = g.exiting && !last ? g.exitStatus : status;
    }
    // Who joins the thread then finds it gone; in Linux it nearly always is.
    TaskMemory.leaveAtExit(t);
    CgroupMembers.tellChanged(t);
    g.exitQueue.notify(1);
    if (g.leader != t) {
      Ptrace.ended(t);
    }
    if (last) {
      if (g.pidNamespace().init() == g) {
        endNamespace(t, g);
      }
      groupExits(g);
    }
    t.context().release();
    mm.leave();
    t.leaveNamespaces();
    Seccomp.taskEnds(t);
    Keys.taskEnds(t);
  }

  /**
   * {@return the groups that {@code g}'s end may orphan}: its own, and its children's
   * (kernel/exit.c)
   */
  private static Set<Pid> groupsTiedBy(ThreadGroup g) {
    Set<Pid> groups = new HashSet<>();
    ThreadGroup p = g.parent;
    if (p != null && p.pgrp != g.pgrp && p.session == g.session) {
      groups.add(g.pgrp);
    }
    for (ThreadGroup c : g.children) {
      if (c.pgrp != g.pgrp && c.session == g.session) {
        groups.add(c.pgrp);
      }
    }
    return groups;
  }

  private static void groupExits(ThreadGroup g) {
    CgroupAccountant.charge(g);
    g.timers.release();
    Runnable undo = g.semaphoreUndo;
    if (undo != null) {
      undo.run();
    }
    ControllingTerminal tty = g.tty;
    if (g.leadsSession() && tty != null) {
      tty.sessionLeaderExited();
    }
    @Nullable ThreadGroup parent;
    boolean reapNow;
    boolean tracedByOther;
    Set<Pid> hangUp;
    synchronized (g.kernel().tasks().mu) {
      Set<Pid> groups = groupsTiedBy(g);
      reparentChildren(g);
      g.zombie = true;
      parent = g.parent;
      hangUp = ProcessGroups.orphanedAndStopped(groups);
      boolean traced = g.leader.tracing != null;
      tracedByOther = traced && tracerOf(g) != parent;
      reapNow = !traced && (parent == null || ignoresChildren(parent));
      if (reapNow) {
        reapLocked(g);
      }
    }
    for (Pid pgrp : hangUp) {
      Signals.sendToGroup(g.kernel(), pgrp, SignalInfo.kernel(Signal.SIGHUP));
      Signals.sendToGroup(g.kernel(), pgrp, SignalInfo.kernel(Signal.SIGCONT));
    }
    Ptrace.ended(g.leader);
    if (parent != null && !tracedByOther) {
      // clone(2) takes any low byte; one that is no signal is not sent
      if (g.exitSignal > 0 && g.exitSignal <= redoubt.abi.Signal.SIGRTMAX) {
        Signals.send(parent, childInfo(g, g.exitSignal, parent));
      }
      parent.childQueue.notify(1);
    }
    g.exitQueue.notify(1);
    endedIn(g.pidNamespace());
  }

  private static @Nullable ThreadGroup tracerOf(ThreadGroup g) {
    Tracing tr = g.leader.tracing;
    return tr == null ? null : tr.tracer.threadGroup();
  }

  /**
   * The tracer has waited for {@code g}, or is gone: it is its parent's now. Under the task lock.
   */
  static void tracerHasSeen(ThreadGroup g) {
    ThreadGroup parent = g.parent;
    if (parent == null || ignoresChildren(parent)) {
      reapLocked(g);
      return;
    }
    if (g.exitSignal > 0 && g.exitSignal <= Signal.SIGRTMAX) {
      Signals.send(parent, childInfo(g, g.exitSignal, parent));
    }
    parent.childQueue.notify(1);
  }

  /** Somebody ended: an init that goes waits for that, here and in the namespaces above. */
  private static void endedIn(PidNamespace ns) {
    for (PidNamespace n = ns; n != null; n = n.parent()) {
      ThreadGroup init = n.init();
      if (init != null && init.exiting) {
        init.exitQueue.notify(1);
      }
    }
  }

  /** Longest that an init waits for those that it takes along. */
  private static final long NAMESPACE_END_NS = 10_000_000_000L;

  /** A namespace does not outlive its init: zap_pid_ns_processes of kernel/pid_namespace.c. */
  private static void endNamespace(Task t, ThreadGroup init) {
    PidNamespace ns = init.pidNamespace();
    Waiter.Entry e = t.waitEntry();
    init.exitQueue.add(e, 1);
    try {
      long deadline = System.nanoTime() + NAMESPACE_END_NS;
      while (killOthersIn(ns, init)) {
        if (t.waiter().block(deadline, false) != 0) {
          break;
        }
      }
    } finally {
      init.exitQueue.remove(e);
    }
  }

  /** {@return whether somebody but {@code init} still lives in {@code ns}}; they are killed */
  private static boolean killOthersIn(PidNamespace ns, ThreadGroup init) {
    java.util.List<ThreadGroup> others;
    synchronized (init.kernel().tasks().mu) {
      ns.die();
      others = ns.threadGroups();
    }
    boolean any = false;
    for (ThreadGroup o : others) {
      if (o != init && !o.zombie && !o.tasks.isEmpty()) {
        any = true;
        kill(o, Signal.SIGKILL);
      }
    }
    return any;
  }

  /** {@return the siginfo that tells the parent how {@code g} ended} */
  public static SignalInfo childInfo(ThreadGroup g, int signo, ThreadGroup parent) {
    int s = g.exitStatus;
    int code =
        (s & 0x7f) == 0
            ? Signal.CLD_EXITED
            : (s & 0x80) != 0 ? Signal.CLD_DUMPED : Signal.CLD_KILLED;
    int value = (s & 0x7f) == 0 ? s >> 8 & 0xff : s & 0x7f;
    return SignalInfo.child(
        signo,
        code,
        g.tgidIn(parent.pidNamespace()),
        parent.leader.creds().userNs.uidShown(g.leader.creds().ruid),
        value,
        g.cpuNs() / 10_000_000,
        g.systemNs() / 10_000_000);
  }

  private static boolean ignoresChildren(ThreadGroup parent) {
    synchronized (parent.handlers.mu) {
      SignalHandlers.Action a = parent.handlers.action(Signal.SIGCHLD);
      return a.handler == SignalHandlers.SIG_IGN || (a.flags & Signal.SA_NOCLDWAIT) != 0;
    }
  }

  private static void reparentChildren(ThreadGroup g) {
    if (g.children.isEmpty()) {
      return;
    }
    ThreadGroup heir = heirOf(g);
    for (ThreadGroup c : g.children) {
      c.parent = heir;
      c.maker = null;
      if (heir != null) {
        heir.children.add(c);
        if (c.zombie) {
          heir.childQueue.notify(1);
          Signals.send(heir, childInfo(c, Signal.SIGCHLD, heir));
        }
      } else if (c.zombie) {
        reapLocked(c);
      }
      for (Task t : c.tasks) {
        t.publishAnswers();
        if (t.parentDeathSignal != 0) {
          Signals.send(t, SignalInfo.user(t.parentDeathSignal, Signal.SI_USER, g.tgid(), 0));
        }
      }
    }
    g.children.clear();
  }

  /**
   * {@return who inherits the children of {@code g}}: the nearest subreaper, else the namespace's
   * init
   */
  private static @Nullable ThreadGroup heirOf(ThreadGroup g) {
    for (ThreadGroup p = g.parent; p != null; p = p.parent) {
      if (p.childSubreaper && !p.exiting && p.pidNamespace() == g.pidNamespace()) {
        return p;
      }
    }
    ThreadGroup init = g.pidNamespace().init();
    return init == g || init == null || init.exiting ? null : init;
  }

  /**
   * The parent has waited for {@code g}: what it used counts as its children's, which it does not
   * of one that nobody waits for (kernel/exit.c, wait_task_zombie). Under {@code TaskSet.mu}.
   */
  static void waitedForLocked(ThreadGroup g) {
    ThreadGroup p = g.parent;
    if (p != null && !g.reaped) {
      p.addChildren(g.usageAtEnd());
    }
    reapLocked(g);
  }

  /** Takes a zombie out of the tree; under {@code TaskSet.mu}. */
  public static void reapLocked(ThreadGroup g) {
    if (g.reaped) {
      return;
    }
    g.reaped = true;
    CgroupMembers.numberFreed(g);
    ThreadGroup p = g.parent;
    if (p != null) {
      p.children.remove(g);
    }
    g.pid().unuse();
    g.pgrp.unuseGroup();
    g.session.unuseGroup();
  }
}
