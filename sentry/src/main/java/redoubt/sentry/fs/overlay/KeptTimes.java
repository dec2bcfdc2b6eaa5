package redoubt.sentry.fs.overlay;

import redoubt.sentry.fs.tmpfs.TmpDir;
import redoubt.sentry.vfs.SetAttr;
import redoubt.sentry.vfs.StatData;

/**
 * Keeps a directory's times while a copy-up, which is no change that anybody should see, adds a
 * name.
 */
final class KeptTimes implements AutoCloseable {
  private final TmpDir dir;
  private final StatData before = new StatData();

  KeptTimes(TmpDir dir) {
    this.dir = dir;
    dir.stat(before);
  }

  @Override
  public void close() {
    SetAttr a = new SetAttr();
    a.valid = SetAttr.ATIME | SetAttr.MTIME;
    a.atimeNs = before.atimeNs;
    a.mtimeNs = before.mtimeNs;
    dir.setattr(a);
  }
}
