package redoubt.sentry.fs.dev;

import redoubt.sentry.kernel.IoBuffer;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.platform.GuestContext;
import redoubt.sentry.vfs.VfsPath;

/** <a href="https://man7.org/linux/man-pages/man4/null.4.html">null(4)</a>. */
final class NullFile extends CharacterFile {
  NullFile(Task t, VfsPath path, int flags) {
    super(t, path, flags);
  }

  @Override
  public long read(Task t, IoBuffer dst, long offset) {
    t.offerAnswers(this, GuestContext.READS_NOTHING | GuestContext.DISCARDS);
    return 0;
  }

  /** The bytes are not even looked at, as in Linux: a bad address is no error here. */
  @Override
  public long write(Task t, IoBuffer src, long offset) {
    t.offerAnswers(this, GuestContext.READS_NOTHING | GuestContext.DISCARDS);
    return src.remaining();
  }
}
