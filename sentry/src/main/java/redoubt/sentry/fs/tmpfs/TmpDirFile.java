package redoubt.sentry.fs.tmpfs;

import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EISDIR;

import redoubt.abi.DirentType;
import redoubt.abi.Fcntl;
import redoubt.sentry.fs.ListedDirectory;
import redoubt.sentry.kernel.Credentials;
import redoubt.sentry.kernel.IoBuffer;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.vfs.DirSink;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.VfsPath;

/** An open directory of a tmpfs: positions are 0 for ".", 1 for "..", then the entries' cookies. */
final class TmpDirFile extends FileDescription {
  private final TmpDir dir;

  TmpDirFile(TmpDir dir, VfsPath path, int flags, Credentials creds) {
    super(path, flags, creds);
    this.dir = dir;
  }

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
    return whence == Fcntl.SEEK_SET || whence == Fcntl.SEEK_CUR
        ? super.seek(t, offset, whence)
        : -EINVAL;
  }

  @Override
  public long readdir(Task t, DirSink sink) {
    synchronized (this) {
      if (position == 0) {
        if (!sink.entry(".", dir.ino(), DirentType.DT_DIR, 1)) {
          return 0;
        }
        position = 1;
      }
      if (position == 1) {
        if (!sink.entry("..", ListedDirectory.parentIno(path()), DirentType.DT_DIR, 2)) {
          return 0;
        }
        position = 2;
      }
      position = dir.readdir(position, sink);
      return 0;
    }
  }

  @Override
  public long fsync(boolean dataOnly) {
    return 0;
  }
}
