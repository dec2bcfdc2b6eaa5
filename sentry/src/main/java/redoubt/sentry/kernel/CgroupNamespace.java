package redoubt.sentry.kernel;

import redoubt.abi.Sched;

/**
 * Where the cgroup tree seems to begin: <a
 * href="https://man7.org/linux/man-pages/man7/cgroup_namespaces.7.html">cgroup_namespaces(7)</a>.
 */
public final class CgroupNamespace extends Namespace {
  private static final long INIT_NUMBER = 4026531835L;

  /** The sandbox's first one. */
  public static final CgroupNamespace ROOT = new CgroupNamespace();

  private CgroupNamespace() {
    super("cgroup", Sched.CLONE_NEWCGROUP, UserNamespace.ROOT, INIT_NUMBER, false);
  }

  CgroupNamespace(UserNamespace owner) {
    super("cgroup", Sched.CLONE_NEWCGROUP, owner, Guest.GUEST);
  }
}
