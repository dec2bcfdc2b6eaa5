package redoubt.sentry.fs.proc;

import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EPERM;

import org.jspecify.annotations.Nullable;
import redoubt.abi.Caps;
import redoubt.sentry.fs.kernfs.TextFile;
import redoubt.sentry.kernel.Credentials;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.IdMaps;
import redoubt.sentry.kernel.IoBuffer;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.UserNamespace;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.VfsPath;

/**
 * uid_map, gid_map, projid_map and setgroups of /proc/PID: <a
 * href="https://man7.org/linux/man-pages/man7/user_namespaces.7.html">user_namespaces(7)</a>.
 */
final class IdMapFile extends TextFile {
  private final Target target;
  private final String name;

  IdMapFile(ProcFs proc, Target target, long ino, String name) {
    super(proc, ino, 0644);
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

  private UserNamespace namespace() {
    return target.task().creds().userNs;
  }

  @Override
  protected void generate(Task t, StringBuilder out) {
    UserNamespace ns = namespace();
    if (name.equals("setgroups")) {
      out.append(ns.setgroupsAllowed() ? "allow\n" : "deny\n");
      return;
    }
    UserNamespace reader = t.userNamespace();
    UserNamespace parent = ns.parent();
    UserNamespace lower = reader == ns && parent != null ? parent : reader;
    IdMaps.Kind kind = kind();
    UserNamespace.Extent[] map =
        switch (kind) {
          case UID -> ns.uidMap();
          case GID -> ns.gidMap();
          case PROJECT -> ns.projectMap();
        };
    for (UserNamespace.Extent e : map) {
      int seen =
          switch (kind) {
            case UID -> lower.uid(e.lower());
            case GID -> lower.gid(e.lower());
            case PROJECT -> e.lower();
          };
      TaskTexts.right(out, e.first() & 0xffffffffL, 10).append(' ');
      TaskTexts.right(out, seen & 0xffffffffL, 10).append(' ');
      TaskTexts.right(out, e.count() & 0xffffffffL, 10).append('\n');
    }
  }

  private IdMaps.Kind kind() {
    return switch (name) {
      case "uid_map" -> IdMaps.Kind.UID;
      case "gid_map" -> IdMaps.Kind.GID;
      default -> IdMaps.Kind.PROJECT;
    };
  }

  @Override
  public FileDescription open(Task t, VfsPath path, int flags) {
    UserNamespace ns = namespace();
    if (name.equals("setgroups")
        && (flags & FileDescription.O_ACCMODE) != FileDescription.O_RDONLY
        && !t.hasCapability(ns, Caps.CAP_SYS_ADMIN)) {
      throw ErrnoException.of(redoubt.abi.Errno.EACCES);
    }
    return new Open(super.open(t, path, flags), ns, path, flags, t);
  }

  private long set(UserNamespace ns, Task t, @Nullable Credentials opener, String text) {
    if (name.equals("setgroups")) {
      String s = text.strip();
      if (!s.equals("allow") && !s.equals("deny")) {
        return -EINVAL;
      }
      return ns.setSetgroups(s.equals("allow")) ? 0 : -EPERM;
    }
    return opener == null ? -EPERM : IdMaps.write(ns, kind(), t, opener, text);
  }

  /** Knows the namespace that was there when it was opened. */
  private final class Open extends FileDescription {
    private final FileDescription text;
    private final UserNamespace ns;

    Open(FileDescription text, UserNamespace ns, VfsPath path, int flags, Task t) {
      super(path, flags, t.creds());
      this.text = text;
      this.ns = ns;
    }

    @Override
    public boolean isSeekable() {
      return true;
    }

    @Override
    public long read(Task t, IoBuffer dst, long offset) {
      return text.read(t, dst, offset);
    }

    @Override
    public long seek(Task t, long offset, int whence) {
      long target = whence == 0 ? offset : whence == 1 ? position + offset : -1;
      if (target < 0) {
        return -EINVAL;
      }
      position = target;
      return target;
    }

    @Override
    public long write(Task t, IoBuffer src, long offset) {
      if (offset != 0 || src.remaining() >= 4096) {
        return -EINVAL;
      }
      byte[] b = new byte[(int) src.remaining()];
      long got = src.get(java.lang.foreign.MemorySegment.ofArray(b), 0, b.length);
      if (got < 0) {
        return got;
      }
      String s = new String(b, 0, (int) got, java.nio.charset.StandardCharsets.ISO_8859_1);
      long r = set(ns, t, creds, s);
      return r < 0 ? r : got;
    }

    @Override
    protected void release() {
      text.decRef();
    }
  }
}
