package redoubt.sentry.fs.cgroup;

import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ENODEV;
import static redoubt.abi.Errno.EPERM;

import redoubt.sentry.fs.kernfs.TextFile;
import redoubt.sentry.kernel.Changes;
import redoubt.sentry.kernel.Credentials;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.Task;

/** A file of a group. Who polls one that changes by itself hears of that with POLLPRI. */
final class CgroupFile extends TextFile {
  final FileType type;
  private final CgroupDir dir;
  private final Changes changes = new Changes();

  CgroupFile(CgroupDir dir, FileType type) {
    super(dir.cgroupFs, dir.cgroupFs.nextInode(), type.permissions());
    this.type = type;
    this.dir = dir;
  }

  void bornBy(Credentials c) {
    own(c.fsuid, c.fsgid);
  }

  /** Its text has changed by itself. */
  void changed() {
    changes.add();
  }

  @Override
  protected boolean attributesChange() {
    return true;
  }

  @Override
  protected Changes changes(Task t) {
    return changes;
  }

  @Override
  protected boolean readingSettles() {
    return true;
  }

  @Override
  protected void generate(Task t, StringBuilder out) {
    FileType.Reader r = type.reader();
    if (r == null) {
      throw ErrnoException.of(EINVAL);
    }
    if (dir.group.isRemoved()) {
      throw ErrnoException.of(ENODEV);
    }
    r.read(t, dir, out);
  }

  @Override
  protected long store(Task t, String text) {
    FileType.Writer w = type.writer();
    if (w == null) {
      return -EINVAL;
    }
    if (dir.group.isRemoved()) {
      return -ENODEV;
    }
    if (dir.group.parent() == null && !type.delegated()) {
      return -EPERM; // as with nsdelegate: a container's own limits are set from outside
    }
    return w.write(t, dir, text);
  }
}
