package redoubt.sentry.vfs;

import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/** One mount: a dentry tree (or part of one) attached at a place of its parent mount. */
public final class Mount {
  public static final int MS_RDONLY = 1;
  public static final int MS_NOSUID = 2;
  public static final int MS_NODEV = 4;
  public static final int MS_NOEXEC = 8;
  public static final int MS_NOATIME = 1024;
  public static final int MS_NODIRATIME = 2048;
  public static final int MS_RELATIME = 1 << 21;

  private static final AtomicInteger NEXT_ID = new AtomicInteger(1);

  public final int id = NEXT_ID.getAndIncrement();
  public final FileSystem fs;
  public final Dentry root;

  /** What /proc/mounts shows as the device. */
  public final String source;

  private volatile int flags;
  private final AtomicInteger pins = new AtomicInteger();
  private final AtomicBoolean ended = new AtomicBoolean();
  private volatile boolean detached;

  /** An umount2(MNT_EXPIRE) was here; the next one unmounts. */
  public volatile boolean expiring;

  // Guarded by MountNamespace.mu; null while detached.
  volatile @Nullable Mount parent;
  volatile @Nullable Dentry mountPoint;

  /**
   * @param flags MS_* bits of the mount itself
   */
  public Mount(FileSystem fs, Dentry root, String source, int flags) {
    this.fs = fs;
    this.root = root;
    this.source = source;
    this.flags = flags;
    fs.mountMade();
  }

  public int flags() {
    return flags;
  }

  void setFlags(int newFlags) {
    flags = newFlags;
  }

  public boolean isReadOnly() {
    return (flags & MS_RDONLY) != 0;
  }

  public @Nullable Mount parent() {
    return parent;
  }

  public @Nullable Dentry mountPoint() {
    return mountPoint;
  }

  /** Marks use by a description, a cwd or a root: umount gives EBUSY. */
  public void pin() {
    pins.incrementAndGet();
  }

  public void unpin() {
    if (pins.decrementAndGet() == 0 && detached) {
      end();
    }
  }

  /** It was unmounted: its filesystem loses it with the last pin. */
  void detached() {
    detached = true;
    if (pins.get() == 0) {
      end();
    }
  }

  private void end() {
    if (ended.compareAndSet(false, true)) {
      fs.mountGone();
    }
  }

  public boolean isPinned() {
    return pins.get() > 0;
  }
}
