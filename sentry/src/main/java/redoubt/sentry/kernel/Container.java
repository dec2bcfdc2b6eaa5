package redoubt.sentry.kernel;

import java.util.List;
import org.jspecify.annotations.Nullable;
import redoubt.sentry.kernel.cgroup.Cgroup;
import redoubt.sentry.vfs.MountNamespace;

/** An OCI container in the sandbox: its first process, names and mounts. */
public final class Container {
  public final String id;
  public final PidNamespace pids;
  public final MountNamespace mounts;

  /** Its own control group, the root of all that are made inside. */
  public final Cgroup cgroup = new Cgroup();

  /** What its processes begin with. */
  public final Namespaces namespaces;

  volatile @Nullable ThreadGroup init;

  /**
   * Makes a container's mount tree once the container itself exists: its /proc shows the container.
   */
  public interface MountTree {
    MountNamespace make(Container container);
  }

  public Container(String id, PidNamespace pids, UtsNamespace uts, MountTree tree) {
    this.id = id;
    this.pids = pids;
    this.mounts = tree.make(this);
    this.namespaces = Namespaces.ofContainer(uts, mounts, pids, new CgroupNamespace(cgroup));
  }

  /**
   * A further container of a sandbox.
   *
   * @param first whose network it shares
   * @param shared what else: {@code ipc}, {@code uts}
   */
  public Container(
      String id,
      PidNamespace pids,
      UtsNamespace uts,
      MountTree tree,
      Namespaces first,
      List<String> shared) {
    this.id = id;
    this.pids = pids;
    this.mounts = tree.make(this);
    Namespaces own =
        Namespaces.ofContainer(
            shared.contains("uts") ? first.uts : uts, mounts, pids, new CgroupNamespace(cgroup));
    own = own.with(first.net);
    this.namespaces = shared.contains("ipc") ? own.with(first.ipc) : own;
  }

  public @Nullable ThreadGroup init() {
    return init;
  }
}
