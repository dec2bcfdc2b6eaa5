package redoubt.sentry.kernel;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import redoubt.sentry.kernel.cgroup.Cgroup;
import redoubt.sentry.vfs.VfsPath;

/**
 * A guest process: the tasks that share a pid, signal actions and limits. Linux's signal_struct.
 * Fields are guarded by {@code TaskSet.mu} unless they say otherwise; signal state by {@link
 * SignalHandlers#mu}.
 */
public final class ThreadGroup {
  private final Kernel kernel;
  private final Pid pid;

  /** Whose container this process belongs to. */
  public final Container container;

  volatile Task leader;
  final List<Task> tasks = new java.util.concurrent.CopyOnWriteArrayList<>();
  volatile SignalHandlers handlers;
  final PendingSignals pending = new PendingSignals();

  /** Who listens to signals of this group as a whole: signalfd. */
  public final WaitQueue signalQueue = new WaitQueue();

  /** Notified when a child changes state; wait4 sleeps here. */
  public final WaitQueue childQueue = new WaitQueue();

  /** Notified once when the whole group has exited; pidfds poll it. */
  public final WaitQueue exitQueue = new WaitQueue();

  public volatile ResourceLimits limits;

  /** The process that waits for this one; null only for a container's first process. */
  volatile @Nullable ThreadGroup parent;

  /** The thread of the parent that made this one, for PTRACE_TRACEME. */
  @Nullable Task maker;

  final List<ThreadGroup> children = new ArrayList<>();

  volatile Pid pgrp;
  volatile Pid session;

  /** The controlling terminal, owned by the tty code; shared by the session. */
  public volatile @Nullable ControllingTerminal tty;

  /** Sent to the parent at exit; 0 for none. */
  int exitSignal = redoubt.abi.Signal.SIGCHLD;

  // Exit.
  volatile boolean exiting;
  int exitStatus;
  volatile boolean zombie;
  boolean reaped;

  // Job control.
  volatile boolean stopped;
  int stopSignal;
  boolean stopReported;
  boolean continued;
  boolean execed;

  /** Tasks that tasks of this process trace. */
  final List<Task> tracees = new java.util.concurrent.CopyOnWriteArrayList<>();

  volatile boolean childSubreaper;

  /** Gives back at the end what semop(2) took with SEM_UNDO. */
  public volatile @Nullable Runnable semaphoreUndo;

  public volatile int oomScoreAdj;

  /** Who logged in, for the audit; -1 when nobody did. Inherited by fork. */
  public volatile int loginUid = -1;

  public volatile boolean dumpable = true;

  /** Whether it ever had more than one task. */
  volatile boolean hadThreads;

  /**
   * What the host processes and threads used that ran it and are gone, and the most memory that was
   * seen; guarded by this object's monitor.
   */
  private final ResourceUsage dead = new ResourceUsage();

  private final ResourceUsage childrenUsage = new ResourceUsage(); // guarded likewise

  /** What of its CPU time its control groups know of; guarded by this object's monitor. */
  long chargedCpuNs;

  /** Where its ended leader's number counts until it is reaped. */
  @Nullable Cgroup zombieIn;

  /** Started when, in ns of CLOCK_MONOTONIC. */
  public final long startNs = Clocks.monotonicNs();

  /** The program, for /proc/PID/exe. */
  public volatile @Nullable VfsPath executable;

  /** Interval and POSIX timers. */
  public final ProcessTimers timers = new ProcessTimers(this);

  ThreadGroup(Kernel kernel, Pid pid, Container container, Task leader) {
    this.kernel = kernel;
    this.pid = pid;
    this.pgrp = pid;
    this.session = pid;
    this.container = container;
    this.leader = leader;
    this.handlers = new SignalHandlers();
    this.limits = new ResourceLimits();
  }

  public Kernel kernel() {
    return kernel;
  }

  public PidNamespace pidNamespace() {
    return pid.namespace();
  }

  /** {@return the pid in its own pid namespace} */
  public int tgid() {
    return pid.number();
  }

  public Pid pid() {
    return pid;
  }

  /** {@return the pid as {@code viewer} knows it, or 0} */
  public int tgidIn(PidNamespace viewer) {
    return pid.in(viewer);
  }

  public Pid pgrp() {
    return pgrp;
  }

  public Pid session() {
    return session;
  }

  /** {@return the process group's number in the own pid namespace}, 0 for one from outside */
  public int pgid() {
    return pgrp.in(pidNamespace());
  }

  /** {@return the session's number in the own pid namespace}, 0 for one from outside */
  public int sid() {
    return session.in(pidNamespace());
  }

  /** {@return whether this process leads its session} */
  public boolean leadsSession() {
    return session == pid;
  }

  public Task leader() {
    return leader;
  }

  public @Nullable ThreadGroup parent() {
    return parent;
  }

  public SignalHandlers handlers() {
    return handlers;
  }

  /** {@return the parent's pid}, 0 for a first process */
  public int ppid() {
    ThreadGroup p = parent;
    return p == null ? 0 : p.pid.in(pidNamespace());
  }

  public boolean isZombie() {
    return zombie;
  }

  public boolean isStopped() {
    return stopped;
  }

  public boolean isExiting() {
    return exiting;
  }

  /** {@return the tasks alive now} */
  public List<Task> tasks() {
    synchronized (kernel.tasks().mu) {
      return new ArrayList<>(tasks);
    }
  }

  public int taskCount() {
    synchronized (kernel.tasks().mu) {
      return tasks.size();
    }
  }

  /** As {@link #taskCount}, without a lock: may be out of date. */
  int taskCountQuick() {
    return tasks.size();
  }

  /** {@return the children}, zombies included */
  public List<ThreadGroup> children() {
    synchronized (kernel.tasks().mu) {
      return new ArrayList<>(children);
    }
  }

  /** Makes this process the parent of its descendants' orphans: PR_SET_CHILD_SUBREAPER. */
  public void setChildSubreaper(boolean on) {
    childSubreaper = on;
  }

  public boolean isChildSubreaper() {
    return childSubreaper;
  }

  /** {@return whether this is its pid namespace's init} */
  public boolean isInit() {
    return pid.number() == 1;
  }

  /** {@return CPU time of all tasks, dead ones included, in ns} */
  public long cpuNs() {
    long sum;
    synchronized (this) {
      sum = dead.userNs;
    }
    // One host process has run all of them since the last exec. The list is copied on write: CPU
    // timers look while they hold a signal lock.
    for (Task t : tasks) {
      long now = t.context().cpuTimeNs();
      if (now >= 0) {
        return sum + now;
      }
    }
    return sum;
  }

  /** {@return what to charge to one live task}: all, or an equal part where there are several */
  long taskCpuNs() {
    return cpuNs() / Math.max(1, tasks.size());
  }

  /** {@return CPU time that the sentry spent for all tasks, dead ones included, in ns} */
  public synchronized long systemNs() {
    long sum = dead.systemNs;
    for (Task t : tasks) {
      sum += t.systemNs();
    }
    return sum;
  }

  /** {@return what it has used so far}; of memory the most that was seen */
  public ResourceUsage usage() {
    ResourceUsage u = new ResourceUsage();
    u.userNs = cpuNs();
    u.systemNs = systemNs();
    u.maxRssBytes = maxRssBytes();
    return u;
  }

  /** {@return what it and the children that it waited for have used}; no task of it is alive */
  synchronized ResourceUsage usageAtEnd() {
    ResourceUsage u = new ResourceUsage();
    u.add(dead);
    u.add(childrenUsage);
    return u;
  }

  /** {@return the most memory that it was seen to occupy} */
  public synchronized long maxRssBytes() {
    return dead.maxRssBytes;
  }

  /** Notes that it was seen to occupy {@code bytes} of memory. */
  public synchronized void sawResident(long bytes) {
    dead.maxRssBytes = Math.max(dead.maxRssBytes, bytes);
  }

  /** {@return how it ended, as wait(2) reports it}; meaningful once {@link #isZombie} */
  public int exitStatus() {
    return exitStatus;
  }

  /** {@return what the children that were waited for have used} */
  public synchronized ResourceUsage childrenUsage() {
    ResourceUsage u = new ResourceUsage();
    u.add(childrenUsage);
    return u;
  }

  synchronized void addDeadCpu(long ns) {
    dead.userNs += ns;
  }

  /** Takes a task out that ends; under {@code TaskSet.mu}. */
  synchronized void remove(Task t) {
    tasks.remove(t);
    dead.systemNs += t.systemNs();
  }

  synchronized void addChildren(ResourceUsage used) {
    childrenUsage.add(used);
  }
}
