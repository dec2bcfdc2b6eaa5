package redoubt.sentry.fs.dev;

import static redoubt.abi.Errno.ENOSPC;

import redoubt.sentry.kernel.IoBuffer;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.mm.Mappable;
import redoubt.sentry.mm.MemoryManager;
import redoubt.sentry.vfs.VfsPath;

/** <a href="https://man7.org/linux/man-pages/man4/zero.4.html">zero(4)</a>, and full(4), which refuses writes. */
final class ZeroFile extends CharacterFile {
  private final boolean full;

  ZeroFile(Task t, VfsPath path, int flags, boolean full) {
    super(t, path, flags);
    this.full = full;
  }

  @Override
  public long read(Task t, IoBuffer dst, long offset) {
    return dst.putZeros(dst.remaining());
  }

  @Override
  public long write(Task t, IoBuffer src, long offset) {
    return full ? -ENOSPC : src.remaining();
  }

  @Override
  public Mappable mappable() {
    return MemoryManager.ANONYMOUS_SOURCE;
  }
}
