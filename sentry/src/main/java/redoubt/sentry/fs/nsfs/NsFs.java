package redoubt.sentry.fs.nsfs;

import java.lang.ref.WeakReference;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import redoubt.sentry.fs.kernfs.KernDir;
import redoubt.sentry.fs.kernfs.KernFs;
import redoubt.sentry.fs.kernfs.KernInode;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.Kernel;
import redoubt.sentry.kernel.Namespace;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.vfs.Dentry;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.Inode;
import redoubt.sentry.vfs.Mount;
import redoubt.sentry.vfs.VfsPath;

/** The filesystem of namespace files; an inode's number names its namespace. */
public final class NsFs extends KernFs {
  private static final long NSFS_MAGIC = 0x6e736673;

  private final Map<Long, WeakReference<VfsPath>> places = new HashMap<>(); // guarded by this
  private final KernDir root;
  private final Mount mount;

  private NsFs(Kernel k) {
    super(k, "nsfs", NSFS_MAGIC);
    root = new KernDir(this);
    mount = new Mount(this, new Dentry(root), "nsfs", 0);
  }

  /** {@return the kernel's one instance} */
  public static NsFs of(Kernel k) {
    return k.subsystemOrNew(NsFs.class, () -> new NsFs(k));
  }

  /** {@return the file of {@code ns}}: the same one while anybody has it */
  public synchronized VfsPath place(Namespace ns) {
    WeakReference<VfsPath> known = places.get(ns.number());
    VfsPath p = known == null ? null : known.get();
    if (p == null) {
      places.values().removeIf(r -> r.get() == null);
      Inode i = new NsInode(this, ns);
      p = new VfsPath(mount, Dentry.anonymous(i, ns.kind() + ":[" + ns.number() + "]"));
      places.put(ns.number(), new WeakReference<>(p));
    }
    return p;
  }

  /** Opens the file of {@code ns}: what the ioctls of nsfs give. */
  public FileDescription open(Task t, Namespace ns) {
    return new NsFile(t, place(ns), FileDescription.O_RDONLY, ns);
  }

  /** {@return the namespace that {@code inode} stands for}, or null */
  public static @Nullable Namespace namespaceOf(Inode inode) {
    return inode instanceof NsInode i ? i.namespace : null;
  }

  @Override
  public Inode root() {
    return root;
  }

  private static final class NsInode extends KernInode {
    private final Namespace namespace;

    NsInode(NsFs fs, Namespace namespace) {
      super(fs, namespace.number(), Inode.S_IFREG | 0444);
      this.namespace = namespace;
    }

    @Override
    protected void mounted(int delta) {
      if (delta > 0) {
        namespace.hold();
      } else {
        namespace.drop();
      }
    }

    @Override
    public FileDescription open(Task t, VfsPath path, int flags) {
      if ((flags & 3) != 0) {
        throw ErrnoException.of(redoubt.abi.Errno.EPERM);
      }
      return new NsFile(t, path, flags, namespace);
    }
  }
}
