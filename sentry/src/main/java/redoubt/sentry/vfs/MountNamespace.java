package redoubt.sentry.vfs;

import static redoubt.abi.Errno.EBUSY;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ELOOP;
import static redoubt.abi.Errno.ENOENT;
import static redoubt.abi.Errno.ENOSPC;

import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Sched;
import redoubt.sentry.kernel.Changes;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.Namespace;
import redoubt.sentry.kernel.UserNamespace;

/**
 * The mounts that a group of tasks sees, as one tree: <a
 * href="https://man7.org/linux/man-pages/man7/mount_namespaces.7.html">mount_namespaces(7)</a>,
 * fs/namespace.c. Lookups take no lock; changes hold {@link Mount#TREE_MU}. A tree that is nowhere
 * (open_tree, fsmount) is in a namespace of its own that nobody is in.
 */
public final class MountNamespace extends Namespace {
  /** /proc/sys/fs/mount-max. */
  public static final int MOUNT_MAX = 100_000;

  private volatile List<Mount> order; // as /proc/mounts lists them; copied on write
  private volatile Mount root;
  private final boolean anonymous;

  /** Of the tree: what poll(2) on /proc/PID/mounts tells. */
  public final Changes changes = new Changes();

  /** A container's. */
  public MountNamespace(Mount root) {
    super("mnt", Sched.CLONE_NEWNS, UserNamespace.ROOT);
    this.root = root;
    this.order = List.of(root);
    this.anonymous = false;
    root.namespace = this;
  }

  private MountNamespace(Mount root, List<Mount> mounts, UserNamespace owner, boolean anonymous) {
    super("mnt", Sched.CLONE_NEWNS, owner, Guest.GUEST);
    this.root = root;
    this.order = List.copyOf(mounts);
    this.anonymous = anonymous;
    for (Mount m : mounts) {
      m.namespace = this;
    }
  }

  /** {@return whether one more mount may be made in the sandbox} */
  public static boolean isRoom() {
    return Mount.isRoomFor(1);
  }

  public Mount root() {
    return root;
  }

  /** {@return whether this only holds a tree that is not mounted anywhere yet} */
  public boolean isAnonymous() {
    return anonymous;
  }

  /** {@return the mounts in the order they were made} */
  public List<Mount> mounts() {
    return order;
  }

  /** {@return {@code place}, or the root of what is mounted on top of it} */
  public static VfsPath topmost(VfsPath place) {
    VfsPath p = place;
    for (Mount m; (m = p.mount.child(p.dentry)) != null; ) {
      p = new VfsPath(m, m.root);
    }
    return p;
  }

  /** {@return where a task that enters begins} */
  public VfsPath rootPath() {
    Mount r = root;
    return topmost(new VfsPath(r, r.root));
  }

  // ---- trees of mounts; all under TREE_MU ----

  private static void collect(Mount m, List<Mount> out) {
    out.add(m);
    for (Mount c : m.children()) {
      collect(c, out);
    }
  }

  /** {@return {@code m} and everything mounted below, parents first} */
  private static List<Mount> tree(Mount m) {
    List<Mount> out = new ArrayList<>();
    collect(m, out);
    out.subList(1, out.size()).sort((a, b) -> Integer.compare(a.id, b.id));
    List<Mount> sorted = new ArrayList<>(out.size());
    // By age, but never a child before its parent (which a move may have made younger).
    IdentityHashMap<Mount, Boolean> seen = new IdentityHashMap<>();
    sorted.add(m);
    seen.put(m, true);
    while (sorted.size() < out.size()) {
      for (Mount x : out) {
        if (!seen.containsKey(x) && x.parent != null && seen.containsKey(x.parent)) {
          sorted.add(x);
          seen.put(x, true);
        }
      }
    }
    return sorted;
  }

  /** How a copied mount stands to the original: the CL_* flags of fs/pnode.h. */
  private enum Copy {
    /** A peer of a shared mount, a fellow of a slave. */
    SAME,
    /** A peer; the copy is shared. */
    PEER,
    /** Hears of the original. */
    SLAVE,
    /** Hears of the original, and has peers of its own. */
    SHARED_SLAVE,
    /** As SAME, but shared mounts get slaves. */
    SHARED_TO_SLAVE
  }

  private static Mount copyOf(Mount m, Dentry root, Copy how) {
    Mount c = new Mount(m.fs, root, m.source, m.flags());
    c.lockedFlags = m.lockedFlags;
    PeerGroup g = m.group;
    boolean slave =
        how == Copy.SLAVE || how == Copy.SHARED_SLAVE || (how == Copy.SHARED_TO_SLAVE && g != null);
    if (slave) {
      c.follow(g != null ? g : m.master);
      if (how == Copy.SHARED_SLAVE) {
        new PeerGroup().join(c);
      }
    } else {
      if (g != null) {
        g.join(c);
      }
      c.follow(m.master);
    }
    return c;
  }

  private static boolean isNamespaceFile(Mount m) {
    return m.root.name().startsWith("mnt:[");
  }

  /**
   * Copies {@code top} from {@code root} on, with what is mounted below if {@code deep}.
   *
   * @param map gets copies by their originals; may be null
   */
  private static Mount copyTree(
      Mount top,
      Dentry root,
      boolean deep,
      boolean unbindableToo,
      Copy how,
      @Nullable Map<Mount, Mount> map) {
    Mount copy = copyOf(top, root, how);
    copy.unbindable = unbindableToo && top.unbindable;
    if (map != null) {
      map.put(top, copy);
    }
    if (deep) {
      for (Mount c : inOrder(top.children())) {
        Dentry at = c.mountPoint;
        if (at == null
            || (top.root != root && !at.isBelow(root))
            || (c.unbindable && !unbindableToo)
            || isNamespaceFile(c)) {
          continue;
        }
        Mount below = copyTree(c, c.root, true, unbindableToo, how, map);
        below.locked = c.locked;
        copy.putChild(at, below);
      }
    }
    return copy;
  }

  private static List<Mount> inOrder(java.util.Collection<Mount> mounts) {
    List<Mount> l = new ArrayList<>(mounts);
    l.sort((a, b) -> Integer.compare(a.id, b.id));
    return l;
  }

  // ---- places ----

  private void addAll(List<Mount> mounts) {
    List<Mount> l = new ArrayList<>(order.size() + mounts.size());
    l.addAll(order);
    l.addAll(mounts);
    order = l;
    changes.add();
    for (Mount m : mounts) {
      m.namespace = this;
    }
  }

  private void removeAll(List<Mount> mounts) {
    IdentityHashMap<Mount, Boolean> gone = new IdentityHashMap<>();
    for (Mount m : mounts) {
      gone.put(m, true);
    }
    List<Mount> l = new ArrayList<>(order.size());
    for (Mount m : order) {
      if (!gone.containsKey(m)) {
        l.add(m);
      }
    }
    order = l;
    changes.add();
  }

  /** A copy of a tree that goes to a mount which hears of the place where the tree is attached. */
  private record Propagated(Mount tree, Mount to) {}

  /** propagate_mnt: makes the copies of {@code tree} that an attachment to {@code to} brings. */
  private static List<Propagated> propagated(Mount to, Dentry at, Mount tree) {
    List<Propagated> out = new ArrayList<>();
    if (to.group != null) {
      spread(to.group, to, at, tree, out, new ArrayList<>());
    }
    return out;
  }

  private static void spread(
      PeerGroup g,
      @Nullable Mount from,
      Dentry at,
      Mount tree,
      List<Propagated> out,
      List<PeerGroup> seen) {
    seen.add(g);
    for (Mount peer : g.members) {
      if (peer != from && peer.namespace != null && at.isBelow(peer.root)) {
        out.add(new Propagated(copyTree(tree, tree.root, true, true, Copy.SAME, null), peer));
      }
    }
    for (Mount s : List.copyOf(g.slaves)) {
      PeerGroup own = s.group;
      if (own == null) {
        if (s.namespace != null && at.isBelow(s.root)) {
          out.add(new Propagated(copyTree(tree, tree.root, true, true, Copy.SLAVE, null), s));
        }
        continue;
      }
      if (seen.contains(own)) {
        continue;
      }
      Mount first = null;
      for (Mount m : own.members) {
        if (m.namespace != null && at.isBelow(m.root)) {
          first = m;
          break;
        }
      }
      if (first == null) {
        seen.add(own);
        continue;
      }
      Mount copy = copyTree(tree, tree.root, true, true, Copy.SHARED_SLAVE, null);
      out.add(new Propagated(copy, first));
      spread(own, first, at, copy, out, seen);
    }
  }

  /** Who hears of what happens on {@code to}, without {@code to}. */
  private static List<Mount> listeners(Mount to) {
    List<Mount> out = new ArrayList<>();
    if (to.group != null) {
      listen(to.group, to, out, new ArrayList<>());
    }
    return out;
  }

  private static void listen(
      PeerGroup g, @Nullable Mount from, List<Mount> out, List<PeerGroup> seen) {
    seen.add(g);
    for (Mount peer : g.members) {
      if (peer != from) {
        out.add(peer);
      }
    }
    for (Mount s : g.slaves) {
      if (s.group == null) {
        out.add(s);
      } else if (!seen.contains(s.group)) {
        listen(s.group, null, out, seen);
      }
    }
  }

  private static void share(Mount tree) {
    for (Mount m : tree(tree)) {
      if (m.group == null) {
        new PeerGroup().join(m);
      }
      m.unbindable = false;
    }
  }

  private static @Nullable MountNamespace namespaceOf(VfsPath place) {
    return place.mount.namespace;
  }

  /** attach_recursive_mnt: {@code tree}, which is nowhere, goes to {@code place}. */
  private static void attachTree(Mount tree, VfsPath place) {
    MountNamespace ns = namespaceOf(place);
    if (ns == null) {
      throw ErrnoException.of(EINVAL);
    }
    if (place.dentry.isDetached() && place.dentry != place.mount.root) {
      throw ErrnoException.of(ENOENT);
    }
    List<Mount> all = tree(tree);
    long copiesOfAll = (long) all.size() * listeners(place.mount).size();
    if (ns.order.size() + all.size() > MOUNT_MAX || !Mount.isRoomFor(copiesOfAll)) {
      throw ErrnoException.of(ENOSPC);
    }
    boolean shared = place.mount.group != null;
    if (shared) {
      share(tree);
    }
    List<Propagated> copies = propagated(place.mount, place.dentry, tree);
    place.mount.putChild(place.dentry, tree);
    ns.addAll(all);
    for (Propagated p : copies) {
      MountNamespace other = p.to.namespace;
      if (other == null) {
        continue;
      }
      List<Mount> made = tree(p.tree);
      if (other.order.size() + made.size() > MOUNT_MAX) {
        for (Mount m : made) {
          m.propagate(Mount.Propagation.PRIVATE);
          m.unplace();
          m.detached();
        }
        continue;
      }
      if (other.owner() != ns.owner()) {
        lock(p.tree, made);
      }
      p.to.putChild(place.dentry, p.tree);
      other.addAll(made);
    }
  }

  private static void lock(Mount top, List<Mount> made) {
    for (Mount m : made) {
      m.lockedFlags |=
          m.flags() & (Mount.MS_RDONLY | Mount.MS_NODEV | Mount.MS_NOSUID | Mount.MS_NOEXEC)
              | Mount.MS_NOATIME
              | Mount.MS_NODIRATIME
              | Mount.MS_RELATIME;
      if (m != top) {
        m.locked = true;
      }
    }
  }

  /**
   * Attaches {@code mount} at {@code place} (the topmost mount's dentry there).
   *
   * @throws ErrnoException EINVAL for a place that is not in a namespace, ENOSPC for too many
   */
  public static void attach(Mount mount, VfsPath place) {
    synchronized (Mount.TREE_MU) {
      attachTree(mount, topmost(place));
    }
  }

  /**
   * Mounts a copy of what is at {@code from} at {@code place}: MS_BIND.
   *
   * @param deep with everything below: MS_REC
   */
  public static void bind(VfsPath from, VfsPath place, boolean deep) {
    synchronized (Mount.TREE_MU) {
      attachTree(cloned(from, deep), topmost(place));
    }
  }

  private static Mount cloned(VfsPath from, boolean deep) {
    Mount m = from.mount;
    if (m.unbindable) {
      throw ErrnoException.of(EINVAL);
    }
    if (!Mount.isRoomFor(deep ? tree(m).size() : 1)) {
      throw ErrnoException.of(ENOSPC);
    }
    if (!deep) {
      for (Mount c : m.children()) {
        Dentry at = c.mountPoint;
        if (c.locked && at != null && at.isBelow(from.dentry)) {
          throw ErrnoException.of(EINVAL); // would show what is hidden: has_locked_children
        }
      }
    }
    return copyTree(m, from.dentry, deep, false, Copy.SAME, null);
  }

  /** {@return a copy of what is at {@code from}, mounted nowhere}: OPEN_TREE_CLONE */
  public static MountNamespace detachedCopy(VfsPath from, boolean deep, UserNamespace owner) {
    synchronized (Mount.TREE_MU) {
      Mount copy = cloned(from, deep);
      copy.locked = false;
      return new MountNamespace(copy, tree(copy), owner, true);
    }
  }

  /** {@return a namespace for {@code mount} alone, mounted nowhere}: fsmount(2) */
  public static MountNamespace detachedMount(Mount mount, UserNamespace owner) {
    synchronized (Mount.TREE_MU) {
      return new MountNamespace(mount, List.of(mount), owner, true);
    }
  }

  /**
   * {@return a copy of this whole namespace}: CLONE_NEWNS
   *
   * @param map gets the copies by their originals
   */
  public MountNamespace copy(UserNamespace newOwner, Map<Mount, Mount> map) {
    synchronized (Mount.TREE_MU) {
      boolean less = newOwner != owner();
      if (!Mount.isRoomFor(order.size())) {
        throw ErrnoException.of(ENOSPC);
      }
      Mount r = copyTree(root, root.root, true, true, less ? Copy.SHARED_TO_SLAVE : Copy.SAME, map);
      List<Mount> all = tree(r);
      if (less) {
        lock(r, all);
      }
      return new MountNamespace(r, all, newOwner, false);
    }
  }

  /** All mounts of a namespace that has no users any more go. */
  @Override
  protected void ended() {
    List<Mount> gone;
    synchronized (Mount.TREE_MU) {
      gone = List.copyOf(order);
      order = List.of();
      for (Mount m : gone) {
        m.propagate(Mount.Propagation.PRIVATE);
        m.unplace();
        m.namespace = null;
      }
    }
    for (Mount m : gone) {
      m.detached();
    }
  }

  /**
   * Detaches {@code mount}, and its likes where that propagates to: umount_tree.
   *
   * @param lazy MNT_DETACH: also when it is busy, with all mounts below
   */
  public static void detach(Mount mount, boolean lazy) {
    List<Mount> gone = new ArrayList<>();
    synchronized (Mount.TREE_MU) {
      MountNamespace ns = mount.namespace;
      if (ns == null || mount.parent == null) {
        throw ErrnoException.of(EINVAL);
      }
      if (!lazy && isBusy(mount)) {
        throw ErrnoException.of(EBUSY);
      }
      List<Mount> own = tree(mount);
      for (int i = own.size() - 1; i >= 0; i--) {
        take(own.get(i), gone);
      }
    }
    for (Mount m : gone) {
      m.detached();
    }
  }

  private static boolean isBusy(Mount mount) {
    if (!mount.children().isEmpty() || mount.isPinned()) {
      return true;
    }
    Mount p = mount.parent;
    Dentry at = mount.mountPoint;
    if (p != null && at != null) {
      for (Mount l : listeners(p)) {
        Mount c = l.child(at);
        if (c != null && c.children().isEmpty() && c.isPinned()) {
          return true;
        }
      }
    }
    return false;
  }

  /**
   * Takes {@code m}, which has nothing on it but perhaps a cover, and its propagated likes away.
   */
  private static void take(Mount m, List<Mount> gone) {
    Mount p = m.parent;
    Dentry at = m.mountPoint;
    List<Mount> likes = new ArrayList<>();
    likes.add(m);
    if (p != null && at != null) {
      for (Mount l : listeners(p)) {
        Mount c = l.child(at);
        if (c != null && c != m && !c.locked && c.root == m.root && isCoveredOnly(c)) {
          likes.add(c);
        }
      }
    }
    for (Mount x : likes) {
      MountNamespace ns = x.namespace;
      if (ns == null) {
        continue;
      }
      Mount cover = x.child(x.root);
      Mount under = x.parent;
      Dentry place = x.mountPoint;
      x.unplace();
      if (cover != null && under != null && place != null) {
        cover.unplace();
        under.putChild(place, cover);
      }
      x.propagate(Mount.Propagation.PRIVATE);
      ns.removeAll(List.of(x));
      x.namespace = null;
      gone.add(x);
    }
  }

  private static boolean isCoveredOnly(Mount m) {
    for (Mount c : m.children()) {
      if (c.mountPoint != m.root) {
        return false;
      }
    }
    return true;
  }

  /** Changes a mount's own MS_* flags (remount,bind). */
  public static void setFlags(Mount mount, int flags) {
    synchronized (Mount.TREE_MU) {
      mount.setFlags(flags);
      touch(mount);
    }
  }

  /**
   * Makes {@code mount} shared, private, a slave or unbindable; with those below if {@code deep}.
   */
  public static void propagate(Mount mount, Mount.Propagation how, boolean deep) {
    synchronized (Mount.TREE_MU) {
      for (Mount m : deep ? tree(mount) : List.of(mount)) {
        m.propagate(how);
      }
      touch(mount);
    }
  }

  /** touch_mnt_namespace. */
  private static void touch(Mount mount) {
    MountNamespace ns = mount.namespace;
    if (ns != null) {
      ns.changes.add();
    }
  }

  /**
   * Puts {@code to} into the peer group and under the master of {@code from}: MOVE_MOUNT_SET_GROUP.
   */
  public static void joinGroup(Mount from, Mount to) {
    synchronized (Mount.TREE_MU) {
      if (to.group != null || to.master != null || (from.group == null && from.master == null)) {
        throw ErrnoException.of(EINVAL);
      }
      if (from.fs != to.fs || !to.root.isBelow(from.root)) {
        throw ErrnoException.of(EINVAL);
      }
      if (from.group != null) {
        from.group.join(to);
      }
      to.follow(from.master);
    }
  }

  /** Flags to set and to clear on a tree of mounts, all or none: mount_setattr(2). */
  public static void change(
      Mount mount, boolean deep, int set, int clear, Mount.@Nullable Propagation how) {
    synchronized (Mount.TREE_MU) {
      List<Mount> all = deep ? tree(mount) : List.of(mount);
      for (Mount m : all) {
        int now = m.flags() & ~clear | set;
        if ((m.lockedFlags & (m.flags() ^ now) & ~now) != 0
            || ((m.lockedFlags & ATIME) != 0 && ((m.flags() ^ now) & ATIME) != 0)) {
          throw ErrnoException.of(redoubt.abi.Errno.EPERM);
        }
      }
      for (Mount m : all) {
        m.setFlags(m.flags() & ~clear | set);
        if (how != null) {
          m.propagate(how);
        }
      }
      touch(mount);
    }
  }

  private static final int ATIME = Mount.MS_NOATIME | Mount.MS_NODIRATIME | Mount.MS_RELATIME;

  /**
   * Moves {@code mount} (mounted, or the root of a detached tree): MS_MOVE.
   *
   * @param beneath at the very place {@code to}, below what is mounted there
   */
  public static void move(Mount mount, VfsPath to, boolean beneath) {
    synchronized (Mount.TREE_MU) {
      VfsPath place = beneath ? to : topmost(to);
      MountNamespace old = mount.namespace;
      if (old == null || (mount.parent == null && !old.anonymous)) {
        throw ErrnoException.of(EINVAL);
      }
      Mount parent = mount.parent;
      if (parent != null && parent.group != null) {
        throw ErrnoException.of(EINVAL);
      }
      List<Mount> all = tree(mount);
      if (place.mount.group != null) {
        for (Mount m : all) {
          if (m.unbindable) {
            throw ErrnoException.of(EINVAL);
          }
        }
      }
      for (Mount m = place.mount; m != null; m = m.parent) {
        if (m == mount) {
          throw ErrnoException.of(ELOOP);
        }
      }
      Dentry at = mount.mountPoint;
      mount.unplace();
      old.removeAll(all);
      try {
        attachTree(mount, place);
      } catch (ErrnoException e) {
        if (parent != null && at != null) {
          parent.putChild(at, mount);
        }
        old.addAll(all);
        throw e;
      }
    }
  }

  /**
   * Makes {@code newRoot} take the place of the mount {@code oldRoot}, which goes to {@code
   * putOld}: pivot_root(2).
   */
  public void pivot(Mount newRoot, Mount oldRoot, VfsPath putOld) {
    synchronized (Mount.TREE_MU) {
      Mount parent = newRoot.parent;
      Mount above = oldRoot.parent;
      if (newRoot.namespace != this
          || oldRoot.namespace != this
          || parent == null
          || newRoot.locked
          || parent.group != null
          || putOld.mount.group != null
          || (above != null && above.group != null)
          || (above == null && oldRoot != root)) {
        throw ErrnoException.of(EINVAL);
      }
      Dentry at = oldRoot.mountPoint;
      newRoot.unplace();
      oldRoot.unplace();
      if (above != null && at != null) {
        above.putChild(at, newRoot);
      } else {
        root = newRoot;
      }
      putOld.mount.putChild(putOld.dentry, oldRoot);
      if (oldRoot.locked) {
        newRoot.locked = true;
        oldRoot.locked = false;
      }
      changes.add();
    }
  }
}
