package redoubt.sentry.kernel;

import redoubt.sentry.vfs.MountNamespace;

/**
 * The namespaces of a task but for its user namespace, which is its credentials': Linux's nsproxy.
 * Immutable; a task counts as one user of each.
 */
public final class Namespaces {
  public final UtsNamespace uts;
  public final IpcNamespace ipc;
  public final MountNamespace mounts;
  public final NetNamespace net;
  public final CgroupNamespace cgroup;
  public final TimeNamespace time;

  /** Where new children are numbered, and what time they see. */
  public final PidNamespace pidForChildren;

  public final TimeNamespace timeForChildren;

  private Namespaces(
      UtsNamespace uts,
      IpcNamespace ipc,
      MountNamespace mounts,
      NetNamespace net,
      CgroupNamespace cgroup,
      TimeNamespace time,
      PidNamespace pidForChildren,
      TimeNamespace timeForChildren) {
    this.uts = uts;
    this.ipc = ipc;
    this.mounts = mounts;
    this.net = net;
    this.cgroup = cgroup;
    this.time = time;
    this.pidForChildren = pidForChildren;
    this.timeForChildren = timeForChildren;
  }

  /** A container's. */
  static Namespaces ofContainer(
      UtsNamespace uts, MountNamespace mounts, PidNamespace pids, CgroupNamespace cgroup) {
    return new Namespaces(
        uts,
        new IpcNamespace(),
        mounts,
        new NetNamespace(),
        cgroup,
        TimeNamespace.ROOT,
        pids,
        TimeNamespace.ROOT);
  }

  /** {@return the same with {@code n} instead}; a pid or time namespace is for children */
  public Namespaces with(Namespace n) {
    return new Namespaces(
        n instanceof UtsNamespace u ? u : uts,
        n instanceof IpcNamespace i ? i : ipc,
        n instanceof MountNamespace m ? m : mounts,
        n instanceof NetNamespace t ? t : net,
        n instanceof CgroupNamespace c ? c : cgroup,
        time,
        n instanceof PidNamespace p ? p : pidForChildren,
        n instanceof TimeNamespace t ? t : timeForChildren);
  }

  /** {@return the same in {@code other}, for the task itself and its children} */
  public Namespaces inTime(TimeNamespace other) {
    return new Namespaces(uts, ipc, mounts, net, cgroup, other, pidForChildren, other);
  }

  /** {@return what a child begins with}: it is in what was for children */
  Namespaces forChild() {
    return time == timeForChildren
        ? this
        : new Namespaces(
            uts, ipc, mounts, net, cgroup, timeForChildren, pidForChildren, timeForChildren);
  }

  /** One more task. */
  Namespaces hold() {
    uts.hold();
    ipc.hold();
    mounts.hold();
    net.hold();
    cgroup.hold();
    time.hold();
    pidForChildren.hold();
    timeForChildren.hold();
    return this;
  }

  /** One task less. */
  void drop() {
    uts.drop();
    ipc.drop();
    mounts.drop();
    net.drop();
    cgroup.drop();
    time.drop();
    pidForChildren.drop();
    timeForChildren.drop();
  }
}
