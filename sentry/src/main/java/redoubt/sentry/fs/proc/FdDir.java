package redoubt.sentry.fs.proc;

import static redoubt.abi.Errno.ENOENT;

import org.jspecify.annotations.Nullable;
import redoubt.sentry.fs.kernfs.KernDir;
import redoubt.sentry.fs.kernfs.LinkFile;
import redoubt.sentry.fs.kernfs.TextFile;
import redoubt.sentry.kernel.Credentials;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.Inode;
import redoubt.sentry.vfs.PathWalk;
import redoubt.sentry.vfs.VfsPath;

/** /proc/PID/fd and /proc/PID/fdinfo. */
final class FdDir extends KernDir {
  private final ProcFs proc;
  private final Target target;
  private final long base;
  private final boolean info;

  FdDir(ProcFs proc, Target target, long ino, long base, boolean info) {
    super(proc, ino, info ? 0555 : 0500);
    this.proc = proc;
    this.target = target;
    this.base = base;
    this.info = info;
  }

  @Override
  public int uid() {
    return target.uid();
  }

  @Override
  public int gid() {
    return target.gid();
  }

  /** A process may always look at its own, whoever it has become: proc_fd_permission. */
  @Override
  public boolean permits(Credentials c, int mask) {
    return super.permits(c, mask);
  }

  private @Nullable FileDescription file(int fd) {
    try {
      return target.living().fds().peek(fd);
    } catch (ErrnoException e) {
      return null;
    }
  }

  @Override
  protected @Nullable Inode dynamic(String name) {
    int fd = number(name);
    if (fd < 0 || file(fd) == null) {
      return null;
    }
    return info ? new Info(fd) : new Link(fd);
  }

  @Override
  protected boolean stands(String name, Inode child) {
    return file(number(name)) != null;
  }

  @Override
  protected long nextNumber(Task t, long from) {
    try {
      target.checkInspect(t);
      var fds = target.living().fds();
      int limit = fds.limit();
      for (int fd = (int) Math.min(from, limit); fd < limit; fd++) {
        if (fds.peek(fd) != null) {
          return fd;
        }
      }
    } catch (ErrnoException e) {
      return -1; // gone, or none of the reader's business
    }
    return -1;
  }

  @Override
  protected long numberIno(long number) {
    return base + number;
  }

  @Override
  protected int numberType() {
    return info ? DT_REG : DT_LNK;
  }

  private FileDescription opened(int fd) {
    FileDescription f = target.living().fds().get(fd);
    if (f == null) {
      throw ErrnoException.of(ENOENT);
    }
    return f;
  }

  private final class Link extends LinkFile {
    private final int fd;

    Link(int fd) {
      super(proc, base + fd, "");
      this.fd = fd;
    }

    /** The rights of the description are the owner's bits. */
    @Override
    public int mode() {
      FileDescription f = file(fd);
      int rights = f == null ? 0 : (f.isReadable() ? 0500 : 0) | (f.isWritable() ? 0300 : 0);
      return S_IFLNK | rights;
    }

    @Override
    public long size() {
      return 64;
    }

    @Override
    public int uid() {
      return target.uid();
    }

    @Override
    public int gid() {
      return target.gid();
    }

    @Override
    public String readlink(Task t) {
      target.checkInspect(t);
      FileDescription f = opened(fd);
      try {
        return textOf(f, t);
      } finally {
        f.decRef();
      }
    }

    @Override
    public @Nullable VfsPath followMagic(Task t) {
      target.checkInspect(t);
      FileDescription f = opened(fd);
      try {
        return f.path();
      } finally {
        f.decRef();
      }
    }
  }

  private final class Info extends TextFile {
    private final int fd;

    Info(int fd) {
      super(proc, base + fd, 0444);
      this.fd = fd;
    }

    @Override
    public int uid() {
      return target.uid();
    }

    @Override
    public int gid() {
      return target.gid();
    }

    @Override
    protected void checkOpen(Task t, int flags) {
      target.checkInspect(t);
    }

    @Override
    protected void generate(Task t, StringBuilder out) {
      FileDescription f = opened(fd);
      try {
        int flags = f.flags() | (target.living().fds().descriptorFlags(fd) == 1 ? 02000000 : 0);
        out.append("pos:\t")
            .append(f.position())
            .append("\nflags:\t0")
            .append(Integer.toOctalString(flags));
        out.append("\nmnt_id:\t")
            .append(f.path().mount.id)
            .append("\nino:\t")
            .append(f.inode().ino())
            .append('\n');
        out.append(f.fdinfo());
      } finally {
        f.decRef();
      }
    }
  }

  /** {@return what readlink of a descriptor's link says} */
  static String textOf(FileDescription f, Task reader) {
    String text = f.linkText();
    return text != null ? text : PathWalk.textOf(f.path(), reader.fs().root());
  }
}
