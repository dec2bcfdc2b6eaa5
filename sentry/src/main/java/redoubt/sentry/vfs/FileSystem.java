package redoubt.sentry.vfs;

import java.util.concurrent.atomic.AtomicInteger;

/** One mounted instance of a filesystem: Linux's super_block. */
public abstract class FileSystem {
  private static final AtomicInteger NEXT_MINOR = new AtomicInteger(20);

  private final String type;
  private final long device;

  /**
   * @param type the name in /proc/filesystems and /proc/mounts
   */
  protected FileSystem(String type) {
    this.type = type;
    this.device = NEXT_MINOR.incrementAndGet(); // major 0, as Linux's anonymous devices
  }

  public final String type() {
    return type;
  }

  /** {@return st_dev of its inodes}: major 0 and a minor of its own */
  public final long device() {
    return device;
  }

  private volatile redoubt.sentry.kernel.UserNamespace owner =
      redoubt.sentry.kernel.UserNamespace.ROOT;
  private volatile boolean readOnly;

  /** {@return the user namespace that it was mounted in} (s_user_ns) */
  public final redoubt.sentry.kernel.UserNamespace owner() {
    return owner;
  }

  public final void setOwner(redoubt.sentry.kernel.UserNamespace ns) {
    owner = ns;
  }

  /** {@return whether the whole instance is read-only} (SB_RDONLY) */
  public final boolean isReadOnly() {
    return readOnly;
  }

  public void setReadOnly(boolean ro) {
    readOnly = ro;
  }

  private final AtomicInteger writers = new AtomicInteger();

  final void addWriters(int n) {
    writers.addAndGet(n);
  }

  /** {@return whether any of its files is open for writing} */
  public final boolean hasWriters() {
    return writers.get() > 0;
  }

  /** Takes new options of a remount; those that it does not know are EINVAL. */
  public void remount(java.util.List<String> options) {}

  public abstract Inode root();

  /** {@return the magic number of statfs(2)} */
  public abstract long magic();

  /** Fills in f_blocks and kin; the default is a filesystem that counts nothing. */
  public void statfs(StatfsData s) {
    s.type = magic();
    s.bsize = 4096;
    s.namelen = 255;
    s.fsid = device;
  }

  /**
   * {@return options for /proc/mounts}, without ro/rw and the mount's own flags; "" or ",size=4k"
   */
  public String showOptions() {
    return "";
  }

  /** {@return whether a cached name must be checked by {@link Inode#revalidate} on each walk} */
  public boolean needsRevalidate() {
    return false;
  }

  /**
   * {@return whether {@link Inode#prefetch} is worth calling}: a walk is a message to someone else
   */
  public boolean batchesWalks() {
    return false;
  }

  /** Writes dirty data out, for sync(2). */
  public void sync() {}

  /** The last mount of this instance is gone. */
  public void release() {}

  private final AtomicInteger mounts = new AtomicInteger();

  /** There is one more mount of this instance. */
  final void mountMade() {
    mounts.incrementAndGet();
  }

  /** A mount was unmounted, and nothing is open on it any more. */
  final void mountGone() {
    if (mounts.decrementAndGet() == 0) {
      FsNotify.unmounted(this);
      release();
    }
  }
}
