package redoubt.sentry.vfs;

import java.util.Collection;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/** One mount: a dentry tree (or part of one) attached at a place of its parent mount. */
public final class Mount {
  public static final int MS_RDONLY = 1;
  public static final int MS_NOSUID = 2;
  public static final int MS_NODEV = 4;
  public static final int MS_NOEXEC = 8;
  public static final int MS_NOATIME = 1024;
  public static final int MS_NODIRATIME = 2048;
  public static final int MS_RELATIME = 1 << 21;

  private static final AtomicInteger NEXT_ID = new AtomicInteger(1);

  /** statmount(2)'s ids never come again, and are never mistaken for the others. */
  private static final long FIRST_UNIQUE_ID = 1L << 31;

  /** Guards where mounts are and how they propagate, in every namespace: Linux's namespace_sem. */
  static final Object TREE_MU = new Object();

  /** Most mounts of all namespaces together. */
  private static final int MOST = 65_536;

  private static final AtomicInteger LIVE = new AtomicInteger();

  /** {@return whether {@code more} mounts may be made} */
  static boolean isRoomFor(long more) {
    return LIVE.get() + more <= MOST;
  }

  public final int id = NEXT_ID.getAndIncrement();
  public final FileSystem fs;
  public final Dentry root;

  /** What /proc/mounts shows as the device. */
  public final String source;

  private volatile int flags;
  private final AtomicInteger pins = new AtomicInteger();
  private final AtomicBoolean ended = new AtomicBoolean();
  private volatile boolean detached;

  /** An umount2(MNT_EXPIRE) was here; the next one unmounts. */
  public volatile boolean expiring;

  // Guarded by TREE_MU; lookups read them without. Null while detached.
  volatile @Nullable Mount parent;
  volatile @Nullable Dentry mountPoint;
  volatile @Nullable MountNamespace namespace;

  /** What is mounted on dentries of this mount. */
  private volatile @Nullable ConcurrentHashMap<Dentry, Mount> children;

  /** Whom it shares mounts with, whom it follows. Guarded by TREE_MU. */
  @Nullable PeerGroup group;

  @Nullable PeerGroup master;
  boolean unbindable;

  /** Came from a namespace with more rights: may not be taken away alone (MNT_LOCKED). */
  volatile boolean locked;

  /** The MS_* flags that may not be cleared for the same reason. */
  volatile int lockedFlags;

  /** Made shared, private, slave or unbindable. */
  public enum Propagation {
    SHARED,
    PRIVATE,
    SLAVE,
    UNBINDABLE
  }

  /**
   * @param flags MS_* bits of the mount itself
   */
  public Mount(FileSystem fs, Dentry root, String source, int flags) {
    this.fs = fs;
    this.root = root;
    this.source = source;
    this.flags = flags;
    LIVE.incrementAndGet();
    fs.mountMade();
    root.inode().mountMade();
  }

  /** {@return the id of statmount(2) and listmount(2)} */
  public long uniqueId() {
    return FIRST_UNIQUE_ID + id;
  }

  /** {@return the namespace that it is in}, or null while it is detached */
  public @Nullable MountNamespace namespace() {
    return namespace;
  }

  /** {@return what is mounted at {@code at} on this mount, or null} */
  public @Nullable Mount child(Dentry at) {
    ConcurrentHashMap<Dentry, Mount> c = children;
    return c == null ? null : c.get(at);
  }

  /** {@return what is mounted on this mount}; under TREE_MU for a true picture */
  Collection<Mount> children() {
    ConcurrentHashMap<Dentry, Mount> c = children;
    return c == null ? List.of() : c.values();
  }

  /** Puts {@code m} at {@code at}; what was there comes on top of it. Under TREE_MU. */
  void putChild(Dentry at, Mount m) {
    ConcurrentHashMap<Dentry, Mount> c = children;
    if (c == null) {
      c = new ConcurrentHashMap<>(4);
      children = c;
    }
    m.parent = this;
    m.mountPoint = at;
    at.mounted(1);
    Mount old = c.put(at, m);
    if (old != null && old != m) {
      at.mounted(-1);
      m.topmost().putChildAt(old);
    }
  }

  private void putChildAt(Mount old) {
    putChild(root, old);
  }

  /** {@return the mount on top of this one's root}, or this */
  Mount topmost() {
    Mount m = this;
    for (Mount over; (over = m.child(m.root)) != null; ) {
      m = over;
    }
    return m;
  }

  /** Takes this mount off its place. Under TREE_MU. */
  void unplace() {
    Mount p = parent;
    Dentry at = mountPoint;
    if (p != null && at != null) {
      ConcurrentHashMap<Dentry, Mount> c = p.children;
      if (c != null && c.remove(at, this)) {
        at.mounted(-1);
      }
    }
    parent = null;
    mountPoint = null;
  }

  /** {@return the number of its peer group, or 0} */
  public int groupId() {
    synchronized (TREE_MU) {
      return group == null ? 0 : group.id;
    }
  }

  /** {@return the number of the group that it follows, or 0} */
  public int masterId() {
    synchronized (TREE_MU) {
      return master == null ? 0 : master.id;
    }
  }

  public boolean isUnbindable() {
    synchronized (TREE_MU) {
      return unbindable;
    }
  }

  public boolean isShared() {
    synchronized (TREE_MU) {
      return group != null;
    }
  }

  public boolean isLocked() {
    return locked;
  }

  /** {@return the MS_* flags that its namespace may not clear} */
  public int lockedFlags() {
    return lockedFlags;
  }

  /** change_mnt_propagation. Under TREE_MU. */
  void propagate(Propagation how) {
    if (how == Propagation.SHARED) {
      if (group == null) {
        new PeerGroup().join(this);
      }
      unbindable = false;
      return;
    }
    PeerGroup g = group;
    if (g != null) {
      g.leave(this);
      if (!g.members.isEmpty()) {
        follow(g);
      }
    }
    if (how != Propagation.SLAVE) {
      follow(null);
    }
    unbindable = how == Propagation.UNBINDABLE || (how == Propagation.SLAVE && unbindable);
  }

  /** Becomes a slave of {@code g}, or of nobody. Under TREE_MU. */
  void follow(@Nullable PeerGroup g) {
    PeerGroup old = master;
    if (old != null) {
      old.slaves.remove(this);
    }
    master = g;
    if (g != null) {
      g.slaves.add(this);
    }
  }

  public int flags() {
    return flags;
  }

  void setFlags(int newFlags) {
    flags = newFlags;
  }

  /** {@return whether nothing may be written through it}: the mount or its filesystem says so */
  public boolean isReadOnly() {
    return (flags & MS_RDONLY) != 0 || fs.isReadOnly();
  }

  public @Nullable Mount parent() {
    return parent;
  }

  public @Nullable Dentry mountPoint() {
    return mountPoint;
  }

  /** Marks use by a description, a cwd or a root: umount gives EBUSY. */
  public void pin() {
    pins.incrementAndGet();
  }

  public void unpin() {
    if (pins.decrementAndGet() == 0 && detached) {
      end();
    }
  }

  private final AtomicInteger writers = new AtomicInteger();

  void addWriters(int n) {
    writers.addAndGet(n);
  }

  /** {@return whether a file is open for writing through this mount} */
  public boolean hasWriters() {
    return writers.get() > 0;
  }

  /** It was never attached, and will not be. */
  public void discard() {
    detached();
  }

  /** It was unmounted: its filesystem loses it with the last pin. */
  void detached() {
    detached = true;
    if (pins.get() == 0) {
      end();
    }
  }

  private void end() {
    if (ended.compareAndSet(false, true)) {
      LIVE.decrementAndGet();
      FsNotify.mountGone(this);
      root.inode().mountGone();
      fs.mountGone();
    }
  }

  public boolean isPinned() {
    return pins.get() > 0;
  }
}
