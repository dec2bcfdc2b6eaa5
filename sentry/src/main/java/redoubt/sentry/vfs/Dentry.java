package redoubt.sentry.vfs;

import static redoubt.abi.Errno.ENOENT;

import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import redoubt.sentry.kernel.ErrnoException;

/**
 * A name in a directory and what it stands for, cached: Linux's dentry. A negative dentry remembers
 * that there is nothing. The tree of dentries belongs to one {@link FileSystem}; mounts join trees.
 *
 * <p>The cache is bounded ({@link DentryCache}): a dentry without children that nobody pins may be
 * dropped at any time and made again by the next walk.
 */
public final class Dentry {
  public final FileSystem fs;
  private volatile @Nullable Dentry parent;
  private volatile String name;
  private volatile @Nullable Inode inode;

  /** Written under this; walks read it without a lock. */
  private volatile @Nullable ConcurrentHashMap<String, Dentry> children;

  private int pins; // guarded by this
  private volatile int mounts;
  private volatile boolean detached;

  /** Second-chance bit of the cache's clock. */
  volatile boolean referenced;

  /** Makes the root of a filesystem's tree. */
  public Dentry(Inode root) {
    this.fs = root.fs;
    this.parent = null;
    this.name = "/";
    this.inode = root;
    this.pins = 1;
  }

  private Dentry(Dentry parent, String name, @Nullable Inode inode) {
    this.fs = parent.fs;
    this.parent = parent;
    this.name = name;
    this.inode = inode;
  }

  /** {@return a dentry outside every directory}, for pipes, sockets and unnamed files */
  public static Dentry anonymous(Inode inode, String name) {
    Dentry d = new Dentry(inode);
    d.name = name;
    d.detached = true;
    return d;
  }

  /**
   * {@return a negative dentry that is not cached}, for directories whose names come and go by
   * themselves
   */
  static Dentry negative(Dentry parent, String name) {
    return new Dentry(parent, name, null);
  }

  public String name() {
    return name;
  }

  /** {@return the directory it is in, or null for a root} */
  public @Nullable Dentry parent() {
    return parent;
  }

  public @Nullable Inode inodeOrNull() {
    return inode;
  }

  public boolean isNegative() {
    return inode == null;
  }

  /**
   * {@return the inode}
   *
   * @throws ErrnoException ENOENT if negative
   */
  public Inode inode() {
    Inode i = inode;
    if (i == null) {
      throw ErrnoException.of(ENOENT);
    }
    return i;
  }

  /** {@return whether its name was removed, or it never had one}: shown as "(deleted)" */
  public boolean isDetached() {
    return detached;
  }

  /** {@return the cached child, or null if the name is not cached} */
  public @Nullable Dentry cachedChild(String childName) {
    Dentry d = cachedChildQuietly(childName);
    if (d != null && !d.referenced) {
      d.referenced = true;
    }
    return d;
  }

  /** As {@link #cachedChild}, without a second chance for it. */
  @Nullable Dentry cachedChildQuietly(String childName) {
    ConcurrentHashMap<String, Dentry> c = children;
    return c == null ? null : c.get(childName);
  }

  /**
   * Enters a child, or returns the one that another walk entered meanwhile.
   *
   * @param childInode null for a negative entry
   */
  public Dentry enterChild(String childName, @Nullable Inode childInode) {
    Dentry d;
    synchronized (this) {
      ConcurrentHashMap<String, Dentry> c = childrenToChange();
      Dentry old = c.get(childName);
      if (old != null) {
        if (old.inode == null && childInode != null) {
          old.inode = childInode;
        }
        return old;
      }
      d = new Dentry(this, childName, childInode);
      c.put(childName, d);
    }
    DentryCache.added(d);
    return d;
  }

  // Preconditions: holds this.
  private ConcurrentHashMap<String, Dentry> childrenToChange() {
    ConcurrentHashMap<String, Dentry> c = children;
    if (c == null) {
      c = new ConcurrentHashMap<>(8);
      children = c;
    }
    return c;
  }

  /** {@return whether a name is cached below}, which keeps this dentry in the cache */
  boolean hasChildren() {
    ConcurrentHashMap<String, Dentry> c = children;
    return c != null && !c.isEmpty();
  }

  /** The name was made: what was negative is {@code i} now. */
  public void becomePositive(Inode i) {
    inode = i;
  }

  /**
   * The name was removed: this dentry goes on for those who have it open, its place becomes free.
   */
  public void detach() {
    detached = true;
    Dentry p = parent;
    if (p != null) {
      p.forget(this);
    }
  }

  /** Drops {@code child} from the cache. */
  void forget(Dentry child) {
    synchronized (this) {
      ConcurrentHashMap<String, Dentry> c = children;
      if (c != null) {
        c.remove(child.name, child);
      }
    }
  }

  /** Forgets that {@code childName} was looked up in vain. */
  void dropNegative(String childName) {
    synchronized (this) {
      ConcurrentHashMap<String, Dentry> c = children;
      Dentry d = c == null ? null : c.get(childName);
      if (c != null && d != null && d.inode == null) {
        c.remove(childName);
      }
    }
  }

  /** Swaps two names (RENAME_EXCHANGE); under {@code Vfs.RENAME_MU}. */
  void exchange(Dentry other) {
    Dentry p = parent;
    Dentry q = other.parent;
    if (p == null || q == null) {
      return;
    }
    String n = name;
    String m = other.name;
    p.forget(this);
    q.forget(other);
    move(q, m);
    other.move(p, n);
  }

  /** Drops every unpinned name below; for a filesystem that learnt that they changed. */
  public void forgetChildren() {
    synchronized (this) {
      ConcurrentHashMap<String, Dentry> c = children;
      if (c != null) {
        c.values().removeIf(d -> !d.isPinned() && !d.hasChildren());
      }
    }
  }

  /**
   * Moves this dentry; under {@code Vfs.RENAME_MU}. The target name, if cached, has been detached.
   */
  void move(Dentry newParent, String newName) {
    Dentry old = parent;
    if (old != null) {
      old.forget(this);
    }
    synchronized (newParent) {
      parent = newParent;
      name = newName;
      newParent.childrenToChange().put(newName, this);
    }
  }

  /** Keeps this dentry (and so its ancestors) cached until {@link #unpin}. */
  public synchronized void pin() {
    pins++;
  }

  public synchronized void unpin() {
    pins--;
  }

  synchronized int pins() {
    return pins;
  }

  synchronized boolean isPinned() {
    return pins > 0 || mounts > 0;
  }

  /** {@return whether something is mounted here in any namespace} */
  public boolean isMountPoint() {
    return mounts > 0;
  }

  synchronized void mounted(int delta) {
    mounts += delta;
  }

  /** {@return whether this is {@code ancestor} or below it} */
  public boolean isBelow(Dentry ancestor) {
    for (Dentry d = this; d != null; d = d.parent) {
      if (d == ancestor) {
        return true;
      }
    }
    return false;
  }
}
