package redoubt.sentry.fs.dev;

import static redoubt.abi.Errno.ENOSPC;

import redoubt.sentry.kernel.IoBuffer;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.mm.Mappable;
import redoubt.sentry.mm.MemoryManager;
import redoubt.sentry.platform.GuestContext;
import redoubt.sentry.vfs.VfsPath;

/**
 * <a href="https://man7.org/linux/man-pages/man4/zero.4.html">zero(4)</a>, and full(4), which
 * refuses writes.
 */
final class ZeroFile extends CharacterFile {
  /** Up to so many bytes travel with the answer; more go through the window. */
  private static final int SMALL = 4096;

  private final boolean full;

  ZeroFile(Task t, VfsPath path, int flags, boolean full) {
    super(t, path, flags);
    this.full = full;
  }

  @Override
  public long read(Task t, IoBuffer dst, long offset) {
    offerAnswers(t);
    long done = 0;
    while (dst.remaining() > SMALL) {
      long n = Math.min(dst.remaining(), dst.windowLimit());
      if (n <= SMALL) {
        break;
      }
      dst.window().asSlice(0, n).fill((byte) 0);
      long r = dst.commit(n);
      if (r <= 0) {
        return done > 0 ? done : r;
      }
      done += r;
      if (r < n || t.isInterrupted()) {
        return done;
      }
    }
    long r = dst.putZeros(dst.remaining());
    return r < 0 && done > 0 ? done : done + r;
  }

  @Override
  public long write(Task t, IoBuffer src, long offset) {
    offerAnswers(t);
    return full ? -ENOSPC : src.remaining();
  }

  private void offerAnswers(Task t) {
    t.offerAnswers(this, GuestContext.READS_ZEROS | (full ? 0 : GuestContext.DISCARDS));
  }

  @Override
  public Mappable mappable() {
    return MemoryManager.ANONYMOUS_SOURCE;
  }
}
