package redoubt.sentry.fs.proc;

import static redoubt.abi.Errno.EACCES;
import static redoubt.abi.Errno.ESRCH;

import java.lang.ref.WeakReference;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Caps;
import redoubt.sentry.kernel.Credentials;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.PidNamespace;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.ThreadGroup;
import redoubt.sentry.kernel.UserNamespace;

/** Whom a directory of /proc tells about: a process, or one of its tasks. */
final class Target {
  private final WeakReference<ThreadGroup> group;
  private final @Nullable WeakReference<Task> task;

  /** Number of the directory. */
  final int id;

  /** Whose numbers the directory shows. */
  final PidNamespace viewer;

  Target(ThreadGroup g, PidNamespace viewer) {
    group = new WeakReference<>(g);
    task = null;
    id = g.tgidIn(viewer);
    this.viewer = viewer;
  }

  Target(Task t, PidNamespace viewer) {
    group = new WeakReference<>(t.threadGroup());
    task = new WeakReference<>(t);
    id = t.tidIn(viewer);
    this.viewer = viewer;
  }

  /** {@return whether this is one task and not a whole process} */
  boolean isTask() {
    return task != null;
  }

  /** {@return the process; ErrnoException ESRCH when it has gone} */
  ThreadGroup group() {
    ThreadGroup g = group.get();
    if (g == null || !isAlive()) {
      throw ErrnoException.of(ESRCH);
    }
    return g;
  }

  /** {@return the task, or the process' leader; ErrnoException ESRCH when it has gone} */
  Task task() {
    Task t = task == null ? group().leader() : task.get();
    if (t == null || !isAlive()) {
      throw ErrnoException.of(ESRCH);
    }
    return t;
  }

  /**
   * {@return the task, if it has memory and files still}; zombies have none: ErrnoException ESRCH
   */
  Task living() {
    Task t = task();
    if (t.isDead()) {
      throw ErrnoException.of(ESRCH);
    }
    return t;
  }

  boolean isAlive() {
    ThreadGroup g = group.get();
    if (g == null) {
      return false;
    }
    synchronized (g.kernel().tasks().mu) {
      if (task == null) {
        return viewer.threadGroup(id) == g;
      }
      Task t = task.get();
      return t != null && viewer.task(id) == t;
    }
  }

  /** {@return the owner of the directory's files}: root for what is not dumpable */
  int uid() {
    ThreadGroup g = group.get();
    return g == null ? 0 : g.dumpable ? g.leader().creds().euid : ownerRoot(g, true);
  }

  /** The root of the process' user namespace, or the sandbox's: task_dump_owner. */
  private static int ownerRoot(ThreadGroup g, boolean user) {
    UserNamespace ns = g.leader().creds().userNs;
    int id = user ? ns.kernelUid(0) : ns.kernelGid(0);
    return id == -1 ? 0 : id;
  }

  int gid() {
    ThreadGroup g = group.get();
    return g == null ? 0 : g.dumpable ? g.leader().creds().egid : ownerRoot(g, false);
  }

  /** {@return whether {@code caller} may look into this process}: PTRACE_MODE_READ_FSCREDS */
  boolean mayInspect(Task caller) {
    ThreadGroup g = group();
    if (g == caller.threadGroup()) {
      return true;
    }
    Credentials c = caller.creds();
    if (c.hasCapability(g.leader().creds().userNs, Caps.CAP_SYS_PTRACE)) {
      return true;
    }
    Credentials o = g.leader().creds();
    boolean same =
        c.fsuid == o.euid
            && c.fsuid == o.suid
            && c.fsuid == o.ruid
            && c.fsgid == o.egid
            && c.fsgid == o.sgid
            && c.fsgid == o.rgid;
    return same && g.dumpable && c.userNs == o.userNs && (o.permitted & ~c.permitted) == 0;
  }

  void checkInspect(Task caller) {
    if (!mayInspect(caller)) {
      throw ErrnoException.of(EACCES);
    }
  }
}
