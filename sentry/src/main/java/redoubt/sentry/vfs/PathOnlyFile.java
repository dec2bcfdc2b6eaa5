package redoubt.sentry.vfs;

import static redoubt.abi.Errno.EBADF;

import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.Credentials;
import redoubt.sentry.kernel.IoBuffer;
import redoubt.sentry.kernel.Task;

/** What O_PATH opens: a place, without the right to do anything with the file. */
public class PathOnlyFile extends FileDescription {
  public PathOnlyFile(VfsPath path, int flags, Credentials creds) {
    super(path, flags & (O_PATH | Vfs.O_DIRECTORY | Vfs.O_NOFOLLOW), creds);
  }

  @Override
  public long read(Task t, IoBuffer dst, long offset) {
    return -EBADF;
  }

  @Override
  public long write(Task t, IoBuffer src, long offset) {
    return -EBADF;
  }

  @Override
  public long seek(Task t, long offset, int whence) {
    return -EBADF;
  }

  @Override
  public long readdir(Task t, DirSink sink) {
    return -EBADF;
  }

  @Override
  public long ioctl(Task t, Args a) {
    return -EBADF;
  }

  @Override
  public long fsync(boolean dataOnly) {
    return -EBADF;
  }

  @Override
  public long truncate(long length) {
    return -EBADF;
  }
}
