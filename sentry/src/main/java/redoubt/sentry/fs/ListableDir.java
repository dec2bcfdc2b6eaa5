package redoubt.sentry.fs;

/** A directory inode that can list its names, for an overlay above it. */
public interface ListableDir {
  /**
   * {@return the names now}
   *
   * @throws redoubt.sentry.kernel.ErrnoException if they cannot be read
   */
  DirListing list();
}
