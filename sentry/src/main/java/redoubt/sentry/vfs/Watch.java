package redoubt.sentry.vfs;

import org.jspecify.annotations.Nullable;

/** Somebody who wants to know what happens to one inode: Linux's fsnotify_mark. */
public abstract class Watch {
  /**
   * Something happened. Runs on the thread that did it, which may hold a directory's monitor: must
   * not block.
   *
   * @param mask one IN_* event, with IN_ISDIR for a directory
   * @param cookie what joins the two halves of a rename, or 0
   * @param name of the child that it happened to, or null for the watched inode itself
   * @param unlinked whether the child has no name any more
   */
  protected abstract void event(int mask, int cookie, @Nullable String name, boolean unlinked);

  /** The inode is gone: the watch has been taken off it. */
  protected abstract void inodeGone();
}
