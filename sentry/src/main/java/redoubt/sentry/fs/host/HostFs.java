package redoubt.sentry.fs.host;

import static redoubt.abi.Errno.EACCES;

import redoubt.host.Fd;
import redoubt.host.HostIo;
import redoubt.sentry.fs.kernfs.KernDir;
import redoubt.sentry.fs.kernfs.KernFs;
import redoubt.sentry.fs.kernfs.KernInode;
import redoubt.sentry.kernel.Credentials;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.Kernel;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.vfs.Dentry;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.Inode;
import redoubt.sentry.vfs.Mount;
import redoubt.sentry.vfs.SetAttr;
import redoubt.sentry.vfs.StatData;
import redoubt.sentry.vfs.VfsPath;

/** The filesystem of inherited host descriptors; mounted nowhere. */
public final class HostFs extends KernFs {
  private static final long MAGIC = 0x72646274;

  private final KernDir root = new KernDir(this);
  private final Mount mount = new Mount(this, new Dentry(root), "host", 0);
  private final HostPoller poller;

  private HostFs(Kernel kernel) {
    super(kernel, "hostfs", MAGIC);
    this.poller = HostPoller.of(kernel);
  }

  /**
   * {@return the kernel's one instance} Make it before confinement: it opens an epoll descriptor.
   */
  public static HostFs of(Kernel k) {
    synchronized (k) {
      HostFs fs = k.subsystemOrNull(HostFs.class);
      if (fs == null) {
        fs = new HostFs(k);
        k.register(HostFs.class, fs);
      }
      return fs;
    }
  }

  @Override
  public Inode root() {
    return root;
  }

  /**
   * Wraps {@code fd}, which the description owns from now on; it is closed with the last
   * description of it.
   *
   * @param owner whom the file is shown to belong to, so that a container's user may reopen
   *     /dev/stdout
   */
  public FileDescription wrap(Fd fd, Credentials owner) {
    Node inode = new Node(fd, owner);
    VfsPath path = new VfsPath(mount, Dentry.anonymous(inode, inode.linkText()));
    return new HostFile(
        inode.shared, path, HostIo.flags(fd.number()) & ~FileDescription.O_NONBLOCK, owner, false);
  }

  /** A host file as an inode. */
  private final class Node extends KernInode {
    private final HostFile.Shared shared;
    private final int number;
    private final long rdev;

    Node(Fd fd, Credentials owner) {
      super(HostFs.this, HostIo.status(fd.number()).ino(), modeOf(fd));
      own(owner.fsuid, owner.fsgid);
      this.number = fd.number();
      this.rdev = HostIo.status(number).rdev();
      this.shared =
          new HostFile.Shared(fd, HostIo.flags(number), mode() & S_IFMT, poller, linkText());
    }

    String linkText() {
      return switch (mode() & S_IFMT) {
        case S_IFIFO -> "pipe:[" + ino() + "]";
        case S_IFSOCK -> "socket:[" + ino() + "]";
        default -> "host:[" + ino() + "]";
      };
    }

    @Override
    public long rdev() {
      return rdev;
    }

    @Override
    public long size() {
      return isRegular() ? HostIo.status(number).size() : 0;
    }

    @Override
    public void stat(StatData s) {
      super.stat(s);
      s.blksize = 4096;
      if (isRegular()) {
        HostIo.Status h = HostIo.status(number);
        s.size = h.size();
        s.blocks = (h.size() + 511) / 512;
        s.mtimeNs = h.mtimeNs();
      }
    }

    @Override
    protected boolean attributesChange() {
      return true;
    }

    @Override
    public void setattr(SetAttr a) {
      if (a.has(SetAttr.SIZE) && isRegular()) {
        ErrnoException.check(HostIo.truncate(number, a.size));
      }
      super.setattr(a);
    }

    @Override
    public boolean opensItself() {
      return true;
    }

    /**
     * Opened again through /proc/self/fd (/dev/stdout): the same host description, which allows no
     * more than before.
     */
    @Override
    public FileDescription open(Task t, VfsPath path, int flags) {
      if (!shared.allows(flags)) {
        throw ErrnoException.of(EACCES);
      }
      shared.reference();
      return new HostFile(shared, path, flags, t.creds(), true);
    }
  }

  private static int modeOf(Fd fd) {
    int mode = HostIo.status(fd.number()).mode();
    return (mode & Inode.S_IFMT) | 0600 | (mode & 0777);
  }
}
