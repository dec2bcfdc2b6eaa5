package redoubt.sentry.fs.tmpfs;

import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ENXIO;

import org.jspecify.annotations.Nullable;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.VfsPath;

/** A symbolic link, FIFO, socket or device node: a file without data of its own. */
final class TmpNode extends TmpInode {
  private final long rdev;
  private final @Nullable String target;

  TmpNode(TmpFs fs, int mode, long rdev, @Nullable String target, int uid, int gid) {
    super(fs, mode, uid, gid, 1);
    this.rdev = rdev;
    this.target = target;
  }

  @Override
  public long size() {
    return target == null ? 0 : target.length();
  }

  @Override
  public long rdev() {
    return rdev;
  }

  @Override
  public String readlink() {
    if (target == null) {
      throw ErrnoException.of(EINVAL);
    }
    touchAccessTime(false);
    return target;
  }

  @Override
  public FileDescription open(Task t, VfsPath path, int flags) {
    throw ErrnoException.of(ENXIO); // special files are opened by their drivers
  }
}
