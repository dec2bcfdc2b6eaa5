package redoubt.sentry.vfs;

import static redoubt.abi.Errno.EBUSY;
import static redoubt.abi.Errno.EINVAL;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import redoubt.sentry.kernel.ErrnoException;

/** The mounts that a group of tasks sees, as one tree. Lookups take no lock. */
public final class MountNamespace {
  private record Key(Mount parent, Dentry at) {
    @Override
    public int hashCode() {
      return System.identityHashCode(parent) * 31 + System.identityHashCode(at);
    }

    @Override
    public boolean equals(Object o) {
      return o instanceof Key k && k.parent == parent && k.at == at;
    }
  }

  private final Object mu = new Object();
  private volatile Map<Key, Mount> byPlace = Map.of(); // copied on write, under mu
  private volatile List<Mount> order = List.of(); // as /proc/mounts lists them
  private volatile Mount root;

  public MountNamespace(Mount root) {
    this.root = root;
    this.order = List.of(root);
  }

  public Mount root() {
    return root;
  }

  /** {@return the mounts in the order they were made} */
  public List<Mount> mounts() {
    return order;
  }

  /** {@return the mount on top of {@code at}, or null} */
  @Nullable Mount mountedAt(Mount mount, Dentry at) {
    return byPlace.get(new Key(mount, at));
  }

  /** {@return {@code place}, or the root of what is mounted on top of it} */
  public VfsPath topmost(VfsPath place) {
    VfsPath p = place;
    for (Mount m; (m = mountedAt(p.mount, p.dentry)) != null; ) {
      p = new VfsPath(m, m.root);
    }
    return p;
  }

  /** Attaches {@code mount} at {@code place} (the topmost mount's dentry there). */
  public void attach(Mount mount, VfsPath place) {
    synchronized (mu) {
      mount.parent = place.mount;
      mount.mountPoint = place.dentry;
      place.dentry.mounted(1);
      Map<Key, Mount> m = new HashMap<>(byPlace);
      m.put(new Key(place.mount, place.dentry), mount);
      byPlace = m;
      List<Mount> l = new ArrayList<>(order);
      l.add(mount);
      order = l;
    }
  }

  /**
   * Detaches {@code mount}.
   *
   * @param lazy MNT_DETACH: also when it is busy, with all mounts below
   */
  public void detach(Mount mount, boolean lazy) {
    List<Mount> released;
    synchronized (mu) {
      Mount parent = mount.parent;
      Dentry at = mount.mountPoint;
      if (parent == null || at == null || byPlace.get(new Key(parent, at)) != mount) {
        throw ErrnoException.of(EINVAL);
      }
      List<Mount> below = new ArrayList<>();
      collectBelow(mount, below);
      if (!lazy && (!below.isEmpty() || mount.isPinned())) {
        throw ErrnoException.of(EBUSY);
      }
      below.add(mount);
      Map<Key, Mount> m = new HashMap<>(byPlace);
      List<Mount> l = new ArrayList<>(order);
      for (Mount gone : below) {
        Dentry place = gone.mountPoint;
        Mount above = gone.parent;
        if (place != null && above != null) {
          m.remove(new Key(above, place));
          place.mounted(-1);
        }
        gone.parent = null;
        gone.mountPoint = null;
        l.remove(gone);
      }
      byPlace = m;
      order = l;
      released = below;
    }
    for (Mount gone : released) {
      gone.detached();
    }
  }

  private void collectBelow(Mount mount, List<Mount> out) {
    for (Mount m : order) {
      if (m.parent == mount) {
        collectBelow(m, out);
        out.add(m);
      }
    }
  }

  /** Changes a mount's own MS_* flags (remount,bind). */
  public void setFlags(Mount mount, int flags) {
    synchronized (mu) {
      mount.setFlags(flags);
    }
  }

  /** Moves {@code mount} to {@code place} (MS_MOVE). */
  public void move(Mount mount, VfsPath place) {
    synchronized (mu) {
      Mount parent = mount.parent;
      Dentry at = mount.mountPoint;
      if (parent == null || at == null) {
        throw ErrnoException.of(EINVAL);
      }
      for (Mount m = place.mount; m != null; m = m.parent) {
        if (m == mount) {
          throw ErrnoException.of(redoubt.abi.Errno.ELOOP);
        }
      }
      Map<Key, Mount> map = new HashMap<>(byPlace);
      map.remove(new Key(parent, at));
      at.mounted(-1);
      mount.parent = place.mount;
      mount.mountPoint = place.dentry;
      place.dentry.mounted(1);
      map.put(new Key(place.mount, place.dentry), mount);
      byPlace = map;
    }
  }

  /**
   * Makes {@code newRoot} the root mount and moves the old one to {@code putOld}: pivot_root(2).
   */
  public void pivot(Mount newRoot, VfsPath putOld) {
    synchronized (mu) {
      Mount oldRoot = root;
      Mount parent = newRoot.parent;
      Dentry at = newRoot.mountPoint;
      if (parent == null || at == null) {
        throw ErrnoException.of(EINVAL);
      }
      Map<Key, Mount> map = new HashMap<>(byPlace);
      map.remove(new Key(parent, at));
      at.mounted(-1);
      newRoot.parent = null;
      newRoot.mountPoint = null;
      oldRoot.parent = putOld.mount;
      oldRoot.mountPoint = putOld.dentry;
      putOld.dentry.mounted(1);
      map.put(new Key(putOld.mount, putOld.dentry), oldRoot);
      byPlace = map;
      root = newRoot;
    }
  }
}
