package redoubt.sentry.kernel;

import static redoubt.abi.Errno.EAGAIN;
import static redoubt.abi.Errno.EINVAL;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Resource;
import redoubt.abi.Sched;
import redoubt.host.Memory;
import redoubt.sentry.kernel.cgroup.Cgroup;
import redoubt.sentry.mm.MemoryManager;
import redoubt.sentry.platform.GuestContext;
import redoubt.sentry.platform.PlatformException;

/**
 * New tasks: <a href="https://man7.org/linux/man-pages/man2/clone.2.html">clone(2)</a>,
 * kernel/fork.c.
 */
public final class Clone {
  /** No numbers asked for by clone3(2)'s set_tid. */
  static final int[] ANY_TID = {};

  private static final int MAX_TASKS = 30000;
  private static final ThreadLocal<MemorySegment> FP =
      ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(GuestContext.FP_LIMIT, 64));

  /** What clone3 asks for. */
  public static final class Request {
    public long flags;
    public int exitSignal;

    /** The child's stack pointer, 0 to keep the parent's. */
    public long stack;

    public long tls;

    /** Numbers asked for, from the innermost pid namespace outwards. */
    public int[] setTid = ANY_TID;

    public long parentTid;
    public long childTid;

    /** CLONE_INTO_CGROUP. */
    public @Nullable Cgroup cgroup;

    /** Whose pids.max was reached. */
    @Nullable Cgroup refusedBy;

    /** Called with the new task before it runs: CLONE_PIDFD. */
    public java.util.function.@Nullable Consumer<Task> onMade;
  }

  private Clone() {}

  /** Makes a task as {@code r} says and lets it run. Returns its tid, or -errno. */
  public static long clone(Task t, Request r) {
    long f = r.flags;
    if (((f & Sched.CLONE_SIGHAND) != 0 && (f & Sched.CLONE_VM) == 0)
        || ((f & Sched.CLONE_THREAD) != 0 && (f & Sched.CLONE_SIGHAND) == 0)
        || (f & (Sched.CLONE_NEWNS | Sched.CLONE_FS)) == (Sched.CLONE_NEWNS | Sched.CLONE_FS)
        || (f & (Sched.CLONE_NEWUSER | Sched.CLONE_FS)) == (Sched.CLONE_NEWUSER | Sched.CLONE_FS)
        || ((f & Sched.CLONE_CLEAR_SIGHAND) != 0 && (f & Sched.CLONE_SIGHAND) != 0)) {
      return -EINVAL;
    }
    if (t.kernel().tasks().count()
                >= Math.min(MAX_TASKS, t.threadGroup().limits.bound(Resource.RLIMIT_NPROC))
            && t.creds().ruid != 0
        || t.kernel().tasks().count() >= MAX_TASKS) {
      return -EAGAIN;
    }
    ThreadGroup g = t.threadGroup();
    if ((f & Sched.CLONE_THREAD) != 0) {
      if ((f & (Sched.CLONE_NEWUSER | Sched.CLONE_NEWPID)) != 0
          || t.namespaces().pidForChildren != t.pidNamespace()) {
        return -EINVAL;
      }
    } else if ((f & Sched.CLONE_PARENT) != 0 && t.pidNamespace().init() == g) {
      return -EINVAL; // an init would get siblings in another namespace
    }
    Task child;
    try {
      child = make(t, r);
    } catch (ErrnoException e) {
      if (r.refusedBy != null) {
        r.refusedBy.tell("pids.events");
      }
      throw e;
    } catch (PlatformException e) {
      t.kernel().log().log(4, "redoubt: clone failed: " + e.getMessage());
      return -e.errno();
    }
    if ((f & Sched.CLONE_PARENT_SETTID) != 0) {
      t.scratch().set(Memory.INT, 0, child.tidIn(t.pidNamespace()));
      t.copyOutNow(r.parentTid, t.scratch(), 0, 4);
    }
    if (r.onMade != null) {
      r.onMade.accept(child);
    }
    int event = t.tracing == null ? 0 : Ptrace.cloneEvent(t, f, r.exitSignal);
    if (event != 0 || ((f & Sched.CLONE_PTRACE) != 0 && t.tracing != null)) {
      Ptrace.attachChild(t, child);
    }
    CgroupMembers.tellChanged(child);
    Pid childPid = child.pid();
    boolean vfork = (f & Sched.CLONE_VFORK) != 0;
    if (vfork) {
      child.vforkParent = t;
    }
    int tid = child.tidIn(t.pidNamespace());
    try {
      t.kernel().threads().start(new TaskLoop(child));
    } catch (PlatformException e) {
      unmake(child);
      return -e.errno();
    }
    if (event != 0) {
      Ptrace.event(t, 0, event, Ptrace.numberForTracer(t, childPid));
    }
    if (vfork) {
      while (child.vforkParent != null && !t.killed) {
        t.waiter().block(Waiter.FOREVER, false);
      }
      if (t.tracing != null) {
        Ptrace.event(
            t,
            Tracing.O_TRACEVFORKDONE,
            Tracing.EVENT_VFORK_DONE,
            Ptrace.numberForTracer(t, childPid));
      }
    }
    return tid;
  }

  /** Takes a task back that never ran, as if it had not been made. */
  private static void unmake(Task child) {
    ThreadGroup g = child.threadGroup();
    g.exitSignal = g.leader() == child ? 0 : g.exitSignal;
    child.vforkParent = null;
    GroupExit.taskExits(child, 0);
    synchronized (child.kernel().tasks().mu) {
      if (g.leader() == child) {
        GroupExit.reapLocked(g);
      }
    }
  }

  private static Task make(Task t, Request r) {
    long f = r.flags;
    GuestContext parent = t.context();
    MemorySegment fp = FP.get();
    int fpBytes = parent.saveFpState(fp, 0);
    NewNamespaces spaces = NewNamespaces.prepare(t, f, t.namespaces().forChild());
    try {
      return make(t, r, spaces, fp, fpBytes);
    } finally {
      spaces.release();
    }
  }

  private static Task make(Task t, Request r, NewNamespaces spaces, MemorySegment fp, int fpBytes) {
    long f = r.flags;
    GuestContext parent = t.context();
    MemoryManager mm;
    if ((f & Sched.CLONE_VM) != 0) {
      mm = t.mm();
      mm.share();
    } else {
      long inherited = CgroupAccountant.inheritedBytes(t);
      mm = t.mm().fork();
      mm.inheritedBytes = inherited;
    }
    GuestContext ctx;
    try {
      ctx = mm.space().newContext();
    } catch (PlatformException e) {
      mm.leave();
      throw e;
    }
    for (int i = 0; i < GuestContext.REGS; i++) {
      ctx.setReg(i, parent.reg(i));
    }
    ctx.setReg(GuestContext.RAX, 0);
    if (r.stack != 0) {
      ctx.setReg(GuestContext.RSP, r.stack);
    }
    if ((f & Sched.CLONE_SETTLS) != 0) {
      ctx.setReg(GuestContext.FS_BASE, r.tls);
    }
    ctx.loadFpState(fp, 0, fpBytes);
    FdTable fds = (f & Sched.CLONE_FILES) != 0 ? t.fds().share() : t.fds().copy();
    FsContext fs = (f & Sched.CLONE_FS) != 0 ? t.fs().share() : t.fs().copy();
    spaces.relocate(fs);
    Task.TaskImage image = new Task.TaskImage(mm, ctx, fds, fs, spaces.creds());
    Task child;
    try {
      child = enter(t, r, image, spaces.namespaces());
    } catch (ErrnoException e) {
      fs.leave();
      fds.leave(t);
      ctx.release();
      mm.leave();
      throw e;
    }
    if ((f & Sched.CLONE_CHILD_SETTID) != 0) {
      t.scratch().set(Memory.INT, 0, child.tid());
      ctx.queueCopyOut(r.childTid, t.scratch(), 0, 4);
    }
    return child;
  }

  private static Task enter(Task t, Request r, Task.TaskImage image, Namespaces spaces) {
    long f = r.flags;
    ThreadGroup pg = t.threadGroup();
    Task child;
    synchronized (t.kernel().tasks().mu) {
      Cgroup group = groupFor(t, r);
      PidNamespace ns = spaces.pidForChildren;
      Pid pid = ns.allocate(r.setTid, t.creds());
      boolean thread = (f & Sched.CLONE_THREAD) != 0;
      pg.hadThreads |= thread;
      child = new Task(t.kernel(), thread ? pg : null, pid, t.container(), spaces, image);
      inherit(t, child, r);
      Seccomp.inherit(t, child);
      Keys.inherit(t, child);
      ThreadGroup g = child.threadGroup();
      if (!thread) {
        boolean sibling = (f & Sched.CLONE_PARENT) != 0;
        becomeProcess(sibling && pg.parent != null ? pg.parent : pg, pg, g, r);
        g.maker = sibling ? pg.maker : t;
        if ((f & Sched.CLONE_SIGHAND) != 0) {
          g.handlers = pg.handlers;
        }
        g.pgrp.useGroup();
        g.session.useGroup();
        ns.setInit(g);
      }
      g.tasks.add(child);
      pid.task = child;
      CgroupMembers.join(child, group);
      t.kernel().tasks().count++;
      t.kernel().tasks().forks++;
      if (pg.exiting) {
        child.killed = true;
      }
    }
    spaces.time.enter();
    return child;
  }

  /** {@return where the child will be}; pids_can_fork */
  private static Cgroup groupFor(Task t, Request r) {
    Cgroup group = r.cgroup == null ? t.cgroup : r.cgroup;
    long e = r.cgroup == null ? 0 : group.vetDestination();
    if (e < 0) {
      throw ErrnoException.of((int) -e);
    }
    if (!group.mayFork()) {
      r.refusedBy = group.refused();
      throw ErrnoException.of(EAGAIN);
    }
    return group;
  }

  private static void becomeProcess(
      ThreadGroup parent, ThreadGroup from, ThreadGroup g, Request r) {
    g.parent = parent;
    parent.children.add(g);
    g.exitSignal = r.exitSignal;
    g.handlers = from.handlers.copy();
    if ((r.flags & Sched.CLONE_CLEAR_SIGHAND) != 0) {
      g.handlers.clearHandlers();
    }
    g.limits = from.limits.copy();
    g.pgrp = from.pgrp;
    g.session = from.session;
    g.tty = from.tty;
    g.oomScoreAdj = from.oomScoreAdj;
    g.loginUid = from.loginUid;
    g.dumpable = from.dumpable;
    g.executable = from.executable;
  }

  private static void inherit(Task t, Task child, Request r) {
    child.setComm(t.comm());
    child.signalMask = t.signalMask;
    child.niceness = t.niceness;
    child.timerSlackNs = t.timerSlackNs;
    child.defaultTimerSlackNs = t.timerSlackNs;
    child.personality = t.personality;
    child.affinity = t.affinity;
    child.ioPriority = t.ioPriority;
    child.memoryPolicy = t.memoryPolicy;
    child.memoryNodes = t.memoryNodes;
    if (t.schedResetOnFork) {
      child.niceness = Math.max(t.niceness, 0);
    } else {
      child.schedPolicy = t.schedPolicy;
      child.schedPriority = t.schedPriority;
    }
    if ((r.flags & Sched.CLONE_VM) == 0 || (r.flags & Sched.CLONE_VFORK) != 0) {
      child.inheritAltStack(t);
    }
    if ((r.flags & Sched.CLONE_CHILD_CLEARTID) != 0) {
      child.clearChildTid = r.childTid;
    }
  }
}
