package redoubt.sentry.kernel;

import static redoubt.abi.Errno.EAGAIN;
import static redoubt.abi.Errno.EEXIST;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ENOMEM;
import static redoubt.abi.Errno.ENOSPC;
import static redoubt.abi.Errno.EPERM;

import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Caps;
import redoubt.abi.Sched;

/**
 * Numbers for tasks, process groups and sessions: <a
 * href="https://man7.org/linux/man-pages/man7/pid_namespaces.7.html">pid_namespaces(7)</a>. Guarded
 * by {@code TaskSet.mu}.
 */
public final class PidNamespace extends Namespace {
  /** One more than the highest pid. */
  public static final int PID_MAX = 4194304;

  /** MAX_PID_NS_LEVEL. */
  private static final int MAX_LEVEL = 32;

  private final @Nullable PidNamespace parent;
  private final int level;
  private final TreeMap<Integer, Pid> pids = new TreeMap<>();
  private int lastPid;
  private int limit = 32768;
  private volatile @Nullable ThreadGroup init;
  private boolean dying;

  /** A container's. */
  public PidNamespace() {
    super("pid", Sched.CLONE_NEWPID, UserNamespace.ROOT);
    parent = null;
    level = 0;
  }

  /**
   * One below {@code parent}.
   *
   * @throws ErrnoException ENOSPC
   */
  public PidNamespace(PidNamespace parent, UserNamespace owner) {
    super("pid", Sched.CLONE_NEWPID, owner, Guest.GUEST);
    this.parent = parent;
    this.level = parent.level + 1;
    this.limit = parent.limit;
    parent.hold();
    if (level > MAX_LEVEL) {
      drop();
      throw ErrnoException.of(ENOSPC);
    }
  }

  @Override
  protected void ended() {
    if (parent != null) {
      parent.drop();
    }
  }

  public @Nullable PidNamespace parent() {
    return parent;
  }

  public int level() {
    return level;
  }

  /** {@return this or the namespace above it that has {@code wanted}}, or null below this one */
  @Nullable PidNamespace ancestor(int wanted) {
    PidNamespace n = this;
    while (n != null && n.level > wanted) {
      n = n.parent;
    }
    return n != null && n.level == wanted ? n : null;
  }

  /** {@return whether this is {@code other} or below it} */
  public boolean isWithin(PidNamespace other) {
    return ancestor(other.level) == other;
  }

  /** {@return its first process}, who inherits its orphans; null before it and once it ended */
  public @Nullable ThreadGroup init() {
    return init;
  }

  void setInit(ThreadGroup g) {
    if (init == null) {
      init = g;
    }
  }

  /** Its init ended: nobody is born here any more. */
  void die() {
    dying = true;
  }

  /**
   * {@return a new id} with a number here and in all namespaces above, each counting upwards.
   *
   * @param wanted clone3(2)'s set_tid: numbers from this namespace upwards; empty for any
   * @throws ErrnoException EAGAIN when no number is left, ENOMEM without an init; EINVAL, EPERM and
   *     EEXIST of {@code wanted}
   */
  Pid allocate(int[] wanted, Credentials creds) {
    if (dying) {
      throw ErrnoException.of(ENOMEM);
    }
    if (wanted.length > level + 1) {
      throw ErrnoException.of(EINVAL);
    }
    int[] numbers = new int[level + 1];
    Pid pid = new Pid(this, numbers);
    PidNamespace n = this;
    for (int i = 0; n != null; n = n.parent, i++) {
      int number;
      try {
        number = i < wanted.length ? n.take(wanted[i], creds) : n.next();
      } catch (ErrnoException e) {
        for (PidNamespace done = this; done != null && done != n; done = done.parent) {
          done.forget(numbers[done.level], pid);
        }
        throw e;
      }
      numbers[n.level] = number;
      n.pids.put(number, pid);
    }
    return pid;
  }

  private int next() {
    for (int tries = 0; tries < limit; tries++) {
      lastPid = lastPid + 1 >= limit ? (lastPid < 300 ? 1 : 300) : lastPid + 1;
      if (!pids.containsKey(lastPid)) {
        return lastPid;
      }
    }
    throw ErrnoException.of(EAGAIN);
  }

  private int take(int wanted, Credentials creds) {
    if (wanted < 1 || wanted >= limit || (wanted != 1 && init == null && pids.isEmpty())) {
      throw ErrnoException.of(EINVAL);
    }
    if (!creds.hasCapability(owner(), Caps.CAP_CHECKPOINT_RESTORE)
        && !creds.hasCapability(owner(), Caps.CAP_SYS_ADMIN)) {
      throw ErrnoException.of(EPERM);
    }
    if (pids.containsKey(wanted)) {
      throw ErrnoException.of(EEXIST);
    }
    return wanted;
  }

  void forget(int number, Pid pid) {
    pids.remove(number, pid);
  }

  /** {@return what {@code number} stands for, or null} */
  public @Nullable Pid pid(int number) {
    return pids.get(number);
  }

  /** {@return the task with thread id {@code tid}, or null} */
  public @Nullable Task task(int tid) {
    Pid p = pids.get(tid);
    return p == null ? null : p.task;
  }

  /** {@return the thread group whose leader has number {@code tgid}, or null} */
  public @Nullable ThreadGroup threadGroup(int tgid) {
    Pid p = pids.get(tgid);
    Task t = p == null ? null : p.task;
    return t != null && t.threadGroup().pid() == p ? t.threadGroup() : null;
  }

  /** {@return the thread group with the lowest number that is {@code from} or more, or null} */
  public @Nullable ThreadGroup nextThreadGroup(int from) {
    for (Pid p : pids.tailMap(from).values()) {
      Task t = p.task;
      if (t != null && t.threadGroup().pid() == p) {
        return t.threadGroup();
      }
    }
    return null;
  }

  /** {@return all thread groups, in order of number} */
  public List<ThreadGroup> threadGroups() {
    List<ThreadGroup> out = new ArrayList<>();
    for (Pid p : pids.values()) {
      Task t = p.task;
      if (t != null && t.threadGroup().pid() == p) {
        out.add(t.threadGroup());
      }
    }
    return out;
  }

  /** {@return all tasks, in order of number} */
  public List<Task> tasks() {
    List<Task> out = new ArrayList<>();
    for (Pid p : pids.values()) {
      if (p.task != null) {
        out.add(p.task);
      }
    }
    return out;
  }

  /** {@return pid_max}: numbers are below it */
  public int limit() {
    return limit;
  }

  /** Sets pid_max; under {@code TaskSet.mu}. */
  public void setLimit(int pidMax) {
    limit = pidMax;
  }

  public int lastPid() {
    return lastPid;
  }

  /** Sets /proc/sys/kernel/ns_last_pid; under {@code TaskSet.mu}. */
  public void setLastPid(int pid) {
    lastPid = pid;
  }

  public int size() {
    return pids.size();
  }
}
