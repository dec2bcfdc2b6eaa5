package redoubt.sentry.fs.proc;

import static redoubt.abi.Errno.ENOENT;

import org.jspecify.annotations.Nullable;
import redoubt.sentry.fs.kernfs.LinkFile;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.vfs.PathWalk;
import redoubt.sentry.vfs.VfsPath;

/** /proc/PID/cwd, root and exe. */
final class TaskLink extends LinkFile {
  private final Target target;
  private final String name;

  TaskLink(ProcFs proc, Target target, long ino, String name) {
    super(proc, ino, "");
    this.target = target;
    this.name = name;
  }

  @Override
  public int uid() {
    return target.uid();
  }

  @Override
  public int gid() {
    return target.gid();
  }

  private VfsPath place() {
    VfsPath p =
        switch (name) {
          case "cwd" -> target.living().fs().cwd();
          case "root" -> target.living().fs().root();
          default -> target.living().threadGroup().executable;
        };
    if (p == null) {
      throw ErrnoException.of(ENOENT);
    }
    return p;
  }

  @Override
  public String readlink(Task t) {
    target.checkInspect(t);
    return PathWalk.textOf(place(), t.fs().root());
  }

  @Override
  public @Nullable VfsPath followMagic(Task t) {
    target.checkInspect(t);
    return place();
  }
}
