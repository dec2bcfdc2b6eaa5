package redoubt.sentry.vfs;

/** A place in the mount tree: Linux's struct path. */
public final class VfsPath {
  public final Mount mount;
  public final Dentry dentry;

  public VfsPath(Mount mount, Dentry dentry) {
    this.mount = mount;
    this.dentry = dentry;
  }

  /** {@return the inode; the dentry must be positive} */
  public Inode inode() {
    return dentry.inode();
  }

  public boolean same(VfsPath other) {
    return mount == other.mount && dentry == other.dentry;
  }
}
