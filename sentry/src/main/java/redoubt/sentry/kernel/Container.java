package redoubt.sentry.kernel;

import org.jspecify.annotations.Nullable;
import redoubt.sentry.vfs.MountNamespace;

/** An OCI container in the sandbox: its first process, names and mounts. */
public final class Container {
  public final String id;
  public final PidNamespace pids;
  public final UtsNamespace uts;
  public final MountNamespace mounts;
  volatile @Nullable ThreadGroup init;

  public Container(String id, PidNamespace pids, UtsNamespace uts, MountNamespace mounts) {
    this.id = id;
    this.pids = pids;
    this.uts = uts;
    this.mounts = mounts;
  }

  public @Nullable ThreadGroup init() {
    return init;
  }
}
