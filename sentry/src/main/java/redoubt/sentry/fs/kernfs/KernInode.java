package redoubt.sentry.fs.kernfs;

import static redoubt.abi.Errno.EPERM;

import redoubt.sentry.kernel.Clocks;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.vfs.Inode;
import redoubt.sentry.vfs.SetAttr;
import redoubt.sentry.vfs.StatData;

/** An inode whose attributes are plain values. */
public abstract class KernInode extends Inode {
  protected final KernFs kernFs;
  private final long ino;
  private volatile int mode;
  private volatile int uid;
  private volatile int gid;
  private volatile long atimeNs;
  private volatile long mtimeNs;
  private volatile long ctimeNs;

  /**
   * @param mode with the type
   */
  protected KernInode(KernFs fs, long ino, int mode) {
    super(fs);
    this.kernFs = fs;
    this.ino = ino;
    this.mode = mode;
    long now = Clocks.realtimeNs();
    atimeNs = now;
    mtimeNs = now;
    ctimeNs = now;
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
  public final long ino() {
    return ino;
  }

  @Override
  public long size() {
    return 0;
  }

  /** Sets owner and group at birth. */
  protected final void own(int newUid, int newGid) {
    uid = newUid;
    gid = newGid;
  }

  /** {@return st_nlink} */
  protected int linkCount() {
    return 1;
  }

  /** {@return whether chmod(2), chown(2) and utime(2) work} */
  protected boolean attributesChange() {
    return false;
  }

  /** Data was read or written now. */
  public final void touch(boolean written) {
    long now = Clocks.realtimeNs();
    if (written) {
      mtimeNs = now;
      ctimeNs = now;
    } else {
      atimeNs = now;
    }
  }

  @Override
  public void stat(StatData s) {
    s.dev = fs.device();
    s.ino = ino;
    s.mode = mode();
    s.nlink = linkCount();
    s.uid = uid();
    s.gid = gid();
    s.rdev = rdev();
    s.size = size();
    s.blocks = 0;
    s.blksize = 1024;
    s.atimeNs = atimeNs;
    s.mtimeNs = mtimeNs;
    s.ctimeNs = ctimeNs;
    s.btimeNs = 0;
    s.attributes = 0;
  }

  @Override
  public void setattr(SetAttr a) {
    if ((a.valid & ~SetAttr.SIZE) == 0) {
      return; // O_TRUNC: what is generated has no size
    }
    if (!attributesChange()) {
      throw ErrnoException.of(EPERM);
    }
    synchronized (this) {
      long now = Clocks.realtimeNs();
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
}
