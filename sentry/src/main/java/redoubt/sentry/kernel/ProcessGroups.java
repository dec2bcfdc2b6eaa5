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
      return isOrphanedLocked(g.pgrp);
    }
  }

  private static boolean isOrphanedLocked(Pid pgrp) {
    for (ThreadGroup m : pgrp.namespace().threadGroups()) {
      if (m.pgrp != pgrp || m.zombie) {
        continue;
      }
      ThreadGroup p = m.parent;
      if (p != null && p.pgrp != m.pgrp && p.session == m.session) {
        return false;
      }
    }
    return true;
  }

  /**
   * {@return those of {@code groups} that nobody can continue any more though a member is stopped}
   * Preconditions: the task lock is held.
   */
  static Set<Pid> orphanedAndStopped(Set<Pid> groups) {
    Set<Pid> found = new HashSet<>();
    for (Pid pgrp : groups) {
      for (ThreadGroup m : pgrp.namespace().threadGroups()) {
        if (m.stopped && !m.zombie && m.pgrp == pgrp && isOrphanedLocked(pgrp)) {
          found.add(pgrp);
          break;
        }
      }
    }
    return found;
  }

  /** setsid(2): a new session with this process as leader. Returns its id or -EPERM. */
  public static long newSession(ThreadGroup g) {
    synchronized (g.kernel().tasks().mu) {
      PidNamespace ns = g.pidNamespace();
      for (ThreadGroup m : ns.threadGroups()) {
        if (m.pgrp == g.pid() && !(m == g && m.session != m.pid() && m.pgrp != m.pid())) {
          return -redoubt.abi.Errno.EPERM;
        }
      }
      g.pgrp.unuseGroup();
      g.session.unuseGroup();
      g.pgrp = g.pid();
      g.session = g.pid();
      g.pgrp.useGroup();
      g.session.useGroup();
      g.tty = null;
      return g.tgid();
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
        if (g.session != self.session) {
          return -redoubt.abi.Errno.EPERM;
        }
        if (g.execed) {
          return -redoubt.abi.Errno.EACCES;
        }
      }
      if (g.leadsSession()) {
        return -redoubt.abi.Errno.EPERM;
      }
      Pid target = pgid == 0 ? g.pid() : ns.pid(pgid);
      if (target == null) {
        return -redoubt.abi.Errno.EPERM;
      }
      if (target != g.pid()) {
        boolean found = false;
        for (ThreadGroup m : target.namespace().threadGroups()) {
          found |= m.pgrp == target && m.session == g.session;
        }
        if (!found) {
          return -redoubt.abi.Errno.EPERM;
        }
      }
      target.useGroup();
      g.pgrp.unuseGroup();
      g.pgrp = target;
      return 0;
    }
  }
}
