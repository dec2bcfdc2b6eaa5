package redoubt.sentry.kernel;

import redoubt.abi.Sched;
import redoubt.sentry.kernel.cgroup.Cgroup;

/**
 * Where the cgroup tree seems to begin: <a
 * href="https://man7.org/linux/man-pages/man7/cgroup_namespaces.7.html">cgroup_namespaces(7)</a>.
 */
public final class CgroupNamespace extends Namespace {
  private static final long INIT_NUMBER = 4026531835L;

  /** The group that is "/" here. */
  public final Cgroup root;

  /** A container's first one. */
  CgroupNamespace(Cgroup root) {
    super("cgroup", Sched.CLONE_NEWCGROUP, UserNamespace.ROOT, INIT_NUMBER, false);
    this.root = root;
  }

  CgroupNamespace(Cgroup root, UserNamespace owner) {
    super("cgroup", Sched.CLONE_NEWCGROUP, owner, Guest.GUEST);
    this.root = root;
  }
}
