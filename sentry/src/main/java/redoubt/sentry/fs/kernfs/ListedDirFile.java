package redoubt.sentry.fs.kernfs;

import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EISDIR;

import org.jspecify.annotations.Nullable;
import redoubt.sentry.kernel.IoBuffer;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.vfs.Dentry;
import redoubt.sentry.vfs.DirSink;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.Inode;
import redoubt.sentry.vfs.VfsPath;

/** An open directory whose entries have fixed places; places may be empty. */
public abstract class ListedDirFile extends FileDescription {
  private final Inode dir;

  protected ListedDirFile(Inode dir, VfsPath path, int flags, Task t) {
    super(path, flags, t.creds());
    this.dir = dir;
  }

  /** {@return how many places there are} */
  protected abstract int count();

  /** {@return the name at {@code index}, or null if the place is empty} */
  protected abstract @Nullable String name(int index);

  protected abstract long ino(int index);

  /** {@return the DT_* at {@code index}} */
  protected abstract int type(int index);

  @Override
  public boolean isSeekable() {
    return true;
  }

  @Override
  public long read(Task t, IoBuffer dst, long offset) {
    return -EISDIR;
  }

  @Override
  public long seek(Task t, long offset, int whence) {
    long target = whence == 0 ? offset : whence == 1 ? position + offset : -1;
    if (target < 0) {
      return -EINVAL;
    }
    position = target;
    return target;
  }

  @Override
  public long readdir(Task t, DirSink sink) {
    if (position == 0) {
      if (!sink.entry(".", dir.ino(), KernDir.DT_DIR, 1)) {
        return 0;
      }
      position = 1;
    }
    if (position == 1) {
      Dentry up = path().dentry.parent();
      if (!sink.entry("..", up == null ? dir.ino() : up.inode().ino(), KernDir.DT_DIR, 2)) {
        return 0;
      }
      position = 2;
    }
    int n = count();
    while (position - 2 < n) {
      int i = (int) position - 2;
      String name = name(i);
      if (name != null && !sink.entry(name, ino(i), type(i), position + 1)) {
        return 0;
      }
      position++;
    }
    return 0;
  }
}
