package redoubt.sentry.fs.dev;

import static redoubt.abi.Errno.EINVAL;

import redoubt.sentry.kernel.Task;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.VfsPath;

/** An open character device without state: any seek succeeds and means nothing. */
abstract class CharacterFile extends FileDescription {
  CharacterFile(Task t, VfsPath path, int flags) {
    super(path, flags, t.creds());
  }

  @Override
  public boolean isSeekable() {
    return true;
  }

  /** As null_lseek: the position is always 0. */
  @Override
  public long seek(Task t, long offset, int whence) {
    position = 0;
    return 0;
  }

  @Override
  public long fsync(boolean dataOnly) {
    return -EINVAL;
  }
}
