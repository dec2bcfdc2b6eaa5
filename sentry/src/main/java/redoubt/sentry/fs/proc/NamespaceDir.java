package redoubt.sentry.fs.proc;

import java.util.List;
import org.jspecify.annotations.Nullable;
import redoubt.sentry.fs.kernfs.KernDir;
import redoubt.sentry.fs.kernfs.LinkFile;
import redoubt.sentry.fs.nsfs.NsFs;
import redoubt.sentry.kernel.Namespace;
import redoubt.sentry.kernel.Namespaces;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.vfs.VfsPath;

/**
 * /proc/PID/ns: <a
 * href="https://man7.org/linux/man-pages/man7/namespaces.7.html">namespaces(7)</a>. Each namespace
 * is a file of nsfs, whose inode number names it.
 */
final class NamespaceDir {
  private static final List<String> NAMES =
      List.of(
          "cgroup",
          "ipc",
          "mnt",
          "net",
          "pid",
          "pid_for_children",
          "time",
          "time_for_children",
          "user",
          "uts");

  private NamespaceDir() {}

  static KernDir of(ProcFs proc, Target target, long ino, long base) {
    KernDir d =
        new KernDir(proc, ino, 0511) {
          @Override
          public int uid() {
            return target.uid();
          }

          @Override
          public int gid() {
            return target.gid();
          }
        };
    for (int i = 0; i < NAMES.size(); i++) {
      d.add(NAMES.get(i), new Link(proc, target, base + i, NAMES.get(i)));
    }
    return d;
  }

  /** {@return the namespace behind {@code name}} of {@code t} */
  static Namespace namespace(Task t, String name) {
    Namespaces n = t.namespaces();
    return switch (name) {
      case "cgroup" -> n.cgroup;
      case "ipc" -> n.ipc;
      case "mnt" -> n.mounts;
      case "net" -> n.net;
      case "pid" -> t.pidNamespace();
      case "pid_for_children" -> {
        if (n.pidForChildren != t.pidNamespace() && n.pidForChildren.init() == null) {
          throw redoubt.sentry.kernel.ErrnoException.of(redoubt.abi.Errno.ENOENT);
        }
        yield n.pidForChildren;
      }
      case "time" -> n.time;
      case "time_for_children" -> n.timeForChildren;
      case "user" -> t.userNamespace();
      default -> n.uts;
    };
  }

  private static final class Link extends LinkFile {
    private final Target target;
    private final String name;

    Link(ProcFs proc, Target target, long ino, String name) {
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

    @Override
    public String readlink(Task t) {
      target.checkInspect(t);
      Namespace n = namespace(target.living(), name);
      return n.kind() + ":[" + n.number() + "]";
    }

    @Override
    public @Nullable VfsPath followMagic(Task t) {
      target.checkInspect(t);
      return NsFs.of(t.kernel()).place(namespace(target.living(), name));
    }
  }
}
