package redoubt.sentry.fs.proc;

import static redoubt.abi.Errno.EINVAL;

import java.util.List;
import org.jspecify.annotations.Nullable;
import redoubt.sentry.fs.kernfs.KernDir;
import redoubt.sentry.fs.kernfs.KernFs;
import redoubt.sentry.fs.kernfs.KernInode;
import redoubt.sentry.fs.kernfs.LinkFile;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.Kernel;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.vfs.Dentry;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.Inode;
import redoubt.sentry.vfs.Mount;
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

  /** {@return the number of the namespace of {@code kind} that {@code t} is in} */
  static long number(Task t, String kind) {
    NsFs nsfs = NsFs.of(t.kernel());
    return switch (kind) {
      case "pid" -> nsfs.numberOf(t.pidNamespace());
      case "mnt" -> nsfs.numberOf(t.mountNamespace());
      case "uts" -> nsfs.numberOf(t.uts());
      case "cgroup" -> 4026531835L;
      case "user" -> 4026531837L;
      case "ipc" -> 4026531839L;
      case "net" -> 4026531833L;
      default -> 4026531834L; // time
    };
  }

  private static final class Link extends LinkFile {
    private final Target target;
    private final String kind;

    Link(ProcFs proc, Target target, long ino, String name) {
      super(proc, ino, "");
      this.target = target;
      this.kind = name.endsWith("_for_children") ? name.substring(0, name.length() - 13) : name;
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
      return kind + ":[" + number(target.living(), kind) + "]";
    }

    @Override
    public @Nullable VfsPath followMagic(Task t) {
      target.checkInspect(t);
      return NsFs.of(t.kernel()).place(kind, number(target.living(), kind));
    }
  }

  /** The filesystem of namespace files. */
  static final class NsFs extends KernFs {
    private static final long NSFS_MAGIC = 0x6e736673;

    private final java.util.WeakHashMap<Object, Long> numbers =
        new java.util.WeakHashMap<>(); // guarded by this
    private long next = 4026532200L; // guarded by this
    private final KernDir root;
    private final Mount mount;

    private NsFs(Kernel k) {
      super(k, "nsfs", NSFS_MAGIC);
      root = new KernDir(this);
      mount = new Mount(this, new Dentry(root), "nsfs", 0);
    }

    static synchronized NsFs of(Kernel k) {
      NsFs fs = k.subsystemOrNull(NsFs.class);
      if (fs == null) {
        fs = new NsFs(k);
        k.register(NsFs.class, fs);
      }
      return fs;
    }

    synchronized long numberOf(Object namespace) {
      return numbers.computeIfAbsent(namespace, n -> next++);
    }

    VfsPath place(String kind, long number) {
      Inode i =
          new KernInode(this, number, Inode.S_IFREG | 0444) {
            @Override
            public FileDescription open(Task t, VfsPath path, int flags) {
              if ((flags & 3) != 0) {
                throw ErrnoException.of(redoubt.abi.Errno.EPERM);
              }
              return new NsFile(path, flags, t, kind + ":[" + number + "]");
            }
          };
      return new VfsPath(mount, Dentry.anonymous(i, kind + ":[" + number + "]"));
    }

    @Override
    public Inode root() {
      return root;
    }
  }

  private static final class NsFile extends FileDescription {
    private final String text;

    NsFile(VfsPath path, int flags, Task t, String text) {
      super(path, flags, t.creds());
      this.text = text;
    }

    @Override
    public long truncate(long length) {
      return -EINVAL;
    }

    @Override
    public String linkText() {
      return text;
    }
  }
}
