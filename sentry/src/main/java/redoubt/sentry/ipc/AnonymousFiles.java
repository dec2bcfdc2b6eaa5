package redoubt.sentry.ipc;

import redoubt.sentry.kernel.Clocks;
import redoubt.sentry.kernel.Credentials;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.Kernel;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.vfs.Dentry;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.FileSystem;
import redoubt.sentry.vfs.Inode;
import redoubt.sentry.vfs.Mount;
import redoubt.sentry.vfs.SetAttr;
import redoubt.sentry.vfs.StatData;
import redoubt.sentry.vfs.VfsPath;

/**
 * Where files without a name live: Linux's pipefs, sockfs and anon_inodefs. They are mounted
 * nowhere; a path leads there only through /proc/PID/fd.
 */
public final class AnonymousFiles {
  private final Kernel kernel;
  private final Tree pipes = new Tree("pipefs", 0x50495045);
  private final Tree sockets = new Tree("sockfs", 0x534f434b);
  private final Tree others = new Tree("anon_inodefs", 0x09041934);

  AnonymousFiles(Kernel kernel) {
    this.kernel = kernel;
  }

  /** {@return the kernel's anonymous files}; {@link Ipc#install} has made them */
  public static AnonymousFiles of(Kernel kernel) {
    return kernel.subsystem(AnonymousFiles.class);
  }

  /** {@return a place for a new pipe} */
  public VfsPath newPipe(Credentials owner) {
    return pipes.place(Inode.S_IFIFO | 0600, owner, "pipe:");
  }

  /** {@return a place for a new socket} */
  public VfsPath newSocket(Credentials owner) {
    return sockets.place(Inode.S_IFSOCK | 0777, owner, "socket:");
  }

  /**
   * {@return a place for a file that only its descriptor has}, named as Linux names it
   * ("[eventfd]")
   */
  public VfsPath newOther(Credentials owner, String name) {
    return others.place(0600, owner, "anon_inode:" + name);
  }

  private final class Tree extends FileSystem {
    private final long magic;
    private final Node root;
    private final Mount mount;

    Tree(String type, long magic) {
      super(type);
      this.magic = magic;
      this.root = new Node(this, Inode.S_IFDIR | 0555, Credentials.root(), 1);
      this.mount = new Mount(this, new Dentry(root), "none", 0);
    }

    VfsPath place(int mode, Credentials owner, String name) {
      Node inode = new Node(this, mode, owner, kernel.nextInode());
      return new VfsPath(mount, Dentry.anonymous(inode, name));
    }

    @Override
    public Inode root() {
      return root;
    }

    @Override
    public long magic() {
      return magic;
    }
  }

  /** An inode that is only attributes. */
  private static final class Node extends Inode {
    private final long ino;
    private volatile int mode;
    private volatile int uid;
    private volatile int gid;
    private volatile long atimeNs;
    private volatile long mtimeNs;
    private volatile long ctimeNs;

    Node(FileSystem fs, int mode, Credentials owner, long ino) {
      super(fs);
      this.ino = ino;
      this.mode = mode;
      this.uid = owner.fsuid;
      this.gid = owner.fsgid;
      long now = Clocks.realtimeNs();
      this.atimeNs = now;
      this.mtimeNs = now;
      this.ctimeNs = now;
    }

    @Override
    public int mode() {
      return mode;
    }

    @Override
    public int uid() {
      return uid;
    }

    @Override
    public int gid() {
      return gid;
    }

    @Override
    public long ino() {
      return ino;
    }

    @Override
    public long size() {
      return 0;
    }

    @Override
    public void stat(StatData s) {
      s.dev = fs.device();
      s.ino = ino;
      s.mode = mode;
      s.nlink = 1;
      s.uid = uid;
      s.gid = gid;
      s.rdev = 0;
      s.size = 0;
      s.blocks = 0;
      s.blksize = 4096;
      s.atimeNs = atimeNs;
      s.mtimeNs = mtimeNs;
      s.ctimeNs = ctimeNs;
      s.btimeNs = 0;
      s.attributes = 0;
    }

    @Override
    public void setattr(SetAttr a) {
      long now = Clocks.realtimeNs();
      synchronized (this) {
        if (a.has(SetAttr.MODE)) {
          mode = (mode & S_IFMT) | (a.mode & 07777);
        }
        if (a.has(SetAttr.UID)) {
          uid = a.uid;
        }
        if (a.has(SetAttr.GID)) {
          gid = a.gid;
        }
        if (a.has(SetAttr.ATIME)) {
          atimeNs = a.has(SetAttr.ATIME_NOW) ? now : a.atimeNs;
        }
        if (a.has(SetAttr.MTIME)) {
          mtimeNs = a.has(SetAttr.MTIME_NOW) ? now : a.mtimeNs;
        }
        ctimeNs = now;
      }
    }

    @Override
    public FileDescription open(Task t, VfsPath path, int flags) {
      throw ErrnoException.of(redoubt.abi.Errno.ENXIO);
    }
  }
}
