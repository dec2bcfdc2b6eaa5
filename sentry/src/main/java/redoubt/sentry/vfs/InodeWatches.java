package redoubt.sentry.vfs;

import java.util.concurrent.CopyOnWriteArrayList;
import org.jspecify.annotations.Nullable;

/**
 * The watches of one inode. While there are any, a dentry of the inode stays pinned, so that the
 * same inode is found again under its name.
 */
final class InodeWatches {
  final CopyOnWriteArrayList<Watch> watches = new CopyOnWriteArrayList<>();

  /** Kept cached for the watches; guarded by the inode's monitor. */
  @Nullable Dentry pinned;

  /** The last name is gone and somebody has it open: IN_DELETE_SELF comes with the last close. */
  volatile boolean nameless;
}
