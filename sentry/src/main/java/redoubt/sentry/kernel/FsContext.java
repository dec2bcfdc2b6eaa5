package redoubt.sentry.kernel;

import redoubt.sentry.vfs.VfsPath;

/** Root, working directory and umask of tasks that share them (CLONE_FS): Linux's fs_struct. */
public final class FsContext {
  // Written under this; each walk reads them.
  private volatile VfsPath root;
  private volatile VfsPath cwd;
  private volatile int umask;
  private int users = 1; // guarded by this

  public FsContext(VfsPath root, VfsPath cwd, int umask) {
    this.root = root;
    this.cwd = cwd;
    this.umask = umask;
    pin(root);
    pin(cwd);
  }

  /** {@return a copy that is changed on its own}, for fork without CLONE_FS */
  public synchronized FsContext copy() {
    return new FsContext(root, cwd, umask);
  }

  public synchronized boolean isShared() {
    return users > 1;
  }

  synchronized FsContext share() {
    users++;
    return this;
  }

  /** A task left; the last one gives the places up. */
  synchronized void leave() {
    if (--users == 0) {
      unpin(root);
      unpin(cwd);
    }
  }

  public VfsPath root() {
    return root;
  }

  public VfsPath cwd() {
    return cwd;
  }

  public int umask() {
    return umask;
  }

  /** Replaces the umask; returns the old one. */
  public synchronized int setUmask(int mask) {
    int old = umask;
    umask = mask & 0777;
    return old;
  }

  public synchronized void setRoot(VfsPath p) {
    pin(p);
    unpin(root);
    root = p;
  }

  public synchronized void setCwd(VfsPath p) {
    pin(p);
    unpin(cwd);
    cwd = p;
  }

  /** Root and working directory go to the copies of their mounts. */
  synchronized void relocate(java.util.Map<redoubt.sentry.vfs.Mount, redoubt.sentry.vfs.Mount> to) {
    redoubt.sentry.vfs.Mount r = to.get(root.mount);
    if (r != null) {
      setRoot(new VfsPath(r, root.dentry));
    }
    redoubt.sentry.vfs.Mount c = to.get(cwd.mount);
    if (c != null) {
      setCwd(new VfsPath(c, cwd.dentry));
    }
  }

  private static void pin(VfsPath p) {
    p.dentry.pin();
    p.mount.pin();
  }

  private static void unpin(VfsPath p) {
    p.dentry.unpin();
    p.mount.unpin();
  }
}
