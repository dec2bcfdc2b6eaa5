package redoubt.sentry.kernel;

import java.util.HashSet;
import java.util.Set;

/**
 * Process groups and sessions: <a
 * href="https://man7.org/linux/man-pages/man2/setpgid.2.html">setpgid(2)</a>.
 */
public final class ProcessGroups {
  private ProcessGroups() {}

  /**
   * {@return whether no member of {@code g}'s group has a parent in another group of the same
   * session}
   */
  public static boolean isOrphaned(ThreadGroup g) {
    synchronized (g.kernel().tasks().mu) {
      return isOrphanedLocked(g.pidNamespace(), g.pgid);
    }
  }

  private static boolean isOrphanedLocked(PidNamespace ns, int pgid) {
    for (ThreadGroup m : ns.threadGroups()) {
      if (m.pgid != pgid || m.zombie) {
        continue;
      }
      ThreadGroup p = m.parent;
      if (p != null && p.pgid != m.pgid && p.sid == m.sid) {
        return false;
      }
    }
    return true;
  }

  /**
   * {@return those of {@code pgids} that nobody can continue any more though a member is stopped}
   * Preconditions: the task lock is held.
   */
  static Set<Integer> orphanedAndStopped(PidNamespace ns, Set<Integer> pgids) {
    Set<Integer> found = new HashSet<>();
    for (ThreadGroup m : ns.threadGroups()) {
      if (m.stopped && !m.zombie && pgids.contains(m.pgid) && isOrphanedLocked(ns, m.pgid)) {
        found.add(m.pgid);
      }
    }
    return found;
  }

  /** setsid(2): a new session with this process as leader. Returns its id or -EPERM. */
  public static long newSession(ThreadGroup g) {
    synchronized (g.kernel().tasks().mu) {
      PidNamespace ns = g.pidNamespace();
      for (ThreadGroup m : ns.threadGroups()) {
        if (m.pgid == g.tgid() && !(m == g && m.sid != m.tgid() && m.pgid != m.tgid())) {
          return -redoubt.abi.Errno.EPERM;
        }
      }
      ns.unuseGroup(g.pgid);
      ns.unuseGroup(g.sid);
      g.pgid = g.tgid();
      g.sid = g.tgid();
      ns.useGroup(g.pgid);
      ns.useGroup(g.sid);
      g.tty = null;
      return g.sid;
    }
  }

  /** setpgid(2). {@code pid} and {@code pgid} as given. */
  public static long setGroup(Task caller, int pid, int pgid) {
    if (pgid < 0 || (pgid == 0 && pid < 0)) {
      return -redoubt.abi.Errno.EINVAL;
    }
    ThreadGroup self = caller.threadGroup();
    synchronized (caller.kernel().tasks().mu) {
      PidNamespace ns = caller.pidNamespace();
      ThreadGroup g = pid == 0 ? self : ns.threadGroup(pid);
      if (g == null || g.zombie) {
        return -redoubt.abi.Errno.ESRCH;
      }
      if (g != self) {
        if (g.parent != self) {
          return -redoubt.abi.Errno.ESRCH;
        }
        if (g.sid != self.sid) {
          return -redoubt.abi.Errno.EPERM;
        }
        if (g.execed) {
          return -redoubt.abi.Errno.EACCES;
        }
      }
      if (g.sid == g.tgid()) {
        return -redoubt.abi.Errno.EPERM;
      }
      int target = pgid == 0 ? g.tgid() : pgid;
      if (target != g.tgid()) {
        boolean found = false;
        for (ThreadGroup m : ns.threadGroups()) {
          found |= m.pgid == target && m.sid == g.sid;
        }
        if (!found) {
          return -redoubt.abi.Errno.EPERM;
        }
      }
      ns.unuseGroup(g.pgid);
      g.pgid = target;
      ns.useGroup(target);
      return 0;
    }
  }
}
