package redoubt.sentry.syscalls;

import redoubt.sentry.kernel.Task;
import redoubt.sentry.vfs.MountNamespace;
import redoubt.sentry.vfs.PathOnlyFile;
import redoubt.sentry.vfs.VfsPath;

/**
 * A tree of mounts that is mounted nowhere: what open_tree(2) with OPEN_TREE_CLONE and fsmount(2)
 * open. What has not been moved anywhere by the last close goes with it.
 */
final class DetachedTree extends PathOnlyFile {
  private final MountNamespace tree;

  DetachedTree(Task t, MountNamespace tree) {
    super(new VfsPath(tree.root(), tree.root().root), O_PATH, t.creds());
    this.tree = tree;
  }

  @Override
  protected void release() {
    super.release();
    tree.drop();
  }
}
