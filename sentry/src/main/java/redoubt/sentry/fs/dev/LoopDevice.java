package redoubt.sentry.fs.dev;

import static redoubt.abi.Errno.EBUSY;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ENXIO;

import org.jspecify.annotations.Nullable;
import redoubt.abi.Loop;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.PathWalk;
import redoubt.sentry.vfs.VfsPath;

/** One loop device: a regular file, or a part of it, as a block device. */
public final class LoopDevice {
  private static final int SETTABLE = Loop.LO_FLAGS_AUTOCLEAR | Loop.LO_FLAGS_PARTSCAN;
  private static final int CLEARABLE = Loop.LO_FLAGS_AUTOCLEAR;
  private static final int CONFIGURABLE =
      SETTABLE | Loop.LO_FLAGS_READ_ONLY | Loop.LO_FLAGS_DIRECT_IO;

  /** What a guest may set of a device; {@code name} is what it calls the file. */
  record Settings(long offset, long sizeLimit, int flags, String name) {
    static final Settings NONE = new Settings(0, 0, 0, "");

    Settings withFlags(int newFlags) {
      return new Settings(offset, sizeLimit, newFlags, name);
    }
  }

  private final int number;

  // Guarded by this.
  private @Nullable FileDescription file;
  private Settings settings = Settings.NONE;
  private int blockSize = 512;
  private int openers;
  private boolean ending; // LOOP_CLR_FD was here: nobody may use it any more

  private volatile long size;

  LoopDevice(int number) {
    this.number = number;
  }

  public int number() {
    return number;
  }

  public synchronized long offset() {
    return settings.offset;
  }

  public synchronized long sizeLimit() {
    return settings.sizeLimit;
  }

  /** {@return 1 if LO_FLAGS_* {@code flag} is set, else 0} */
  public synchronized int flag(int flag) {
    return (settings.flags & flag) != 0 ? 1 : 0;
  }

  /** {@return the path of its file as seen from {@code root}}; "" if it has none */
  public String path(VfsPath root) {
    FileDescription f = file();
    return f == null ? "" : PathWalk.textOf(f.path(), root);
  }

  /** {@return its length in bytes} */
  public long size() {
    return size;
  }

  public synchronized boolean isBound() {
    return file != null;
  }

  public synchronized boolean isReadOnly() {
    return (settings.flags & Loop.LO_FLAGS_READ_ONLY) != 0;
  }

  public synchronized int blockSize() {
    return blockSize;
  }

  synchronized @Nullable FileDescription file() {
    return ending ? null : file;
  }

  synchronized Settings settings() {
    return settings;
  }

  synchronized void opened() {
    openers++;
  }

  /** The last one to close it lets its file go, if it was asked to. */
  void closed() {
    FileDescription gone = null;
    synchronized (this) {
      if (--openers == 0 && (settings.flags & Loop.LO_FLAGS_AUTOCLEAR) != 0) {
        gone = file;
        file = null;
        ending = false;
        settings = Settings.NONE;
        blockSize = 512;
        size = 0;
      }
    }
    if (gone != null) {
      gone.decRef();
    }
  }

  /** LOOP_SET_FD and LOOP_CONFIGURE: takes over the reference to {@code f} where it returns 0. */
  synchronized long bind(FileDescription f, Settings s, int block, boolean readOnly) {
    if (file != null) {
      return -EBUSY;
    }
    if ((s.flags & ~CONFIGURABLE) != 0 || !isValid(s) || !isBlockSize(block)) {
      return -EINVAL;
    }
    boolean only = readOnly || !f.isWritable();
    file = f;
    blockSize = block == 0 ? 512 : block;
    settings = only ? s.withFlags(s.flags | Loop.LO_FLAGS_READ_ONLY) : s;
    measure(f);
    return 0;
  }

  /** LOOP_CHANGE_FD: {@return the file that it had, in exchange for {@code f}} null: -EINVAL */
  synchronized @Nullable FileDescription exchange(FileDescription f) {
    FileDescription old = file;
    if (old == null
        || (settings.flags & Loop.LO_FLAGS_READ_ONLY) == 0
        || f.inode().size() != old.inode().size()) {
      return null;
    }
    file = f;
    return old;
  }

  synchronized long unbind() {
    if (file == null || ending) {
      return -ENXIO;
    }
    settings = settings.withFlags(settings.flags | Loop.LO_FLAGS_AUTOCLEAR);
    ending = openers == 1;
    return 0;
  }

  /** LOOP_SET_STATUS64. */
  synchronized long set(Settings s) {
    FileDescription f = file();
    if (f == null) {
      return -ENXIO;
    }
    if (!isValid(s)) {
      return -EINVAL;
    }
    int flags = settings.flags & ~CLEARABLE | s.flags & SETTABLE;
    settings = s.withFlags(flags);
    measure(f);
    return 0;
  }

  synchronized long setBlockSize(long bytes) {
    if (file() == null) {
      return -ENXIO;
    }
    if (bytes == 0 || bytes > Integer.MAX_VALUE || !isBlockSize((int) bytes)) {
      return -EINVAL;
    }
    blockSize = (int) bytes;
    return 0;
  }

  synchronized long setDirect(boolean direct) {
    if (file() == null) {
      return -ENXIO;
    }
    int flags = settings.flags & ~Loop.LO_FLAGS_DIRECT_IO;
    settings = settings.withFlags(direct ? flags | Loop.LO_FLAGS_DIRECT_IO : flags);
    return 0;
  }

  /** LOOP_SET_CAPACITY: the file is longer or shorter now. */
  synchronized long remeasure() {
    FileDescription f = file();
    if (f == null) {
      return -ENXIO;
    }
    measure(f);
    return 0;
  }

  private void measure(FileDescription f) {
    long n = Math.max(0, f.inode().size() - settings.offset);
    n = settings.sizeLimit > 0 ? Math.min(n, settings.sizeLimit) : n;
    size = n & -512;
  }

  private static boolean isValid(Settings s) {
    return s.offset >= 0 && s.sizeLimit >= 0;
  }

  private static boolean isBlockSize(int n) {
    return n == 0 || (n >= 512 && n <= 4096 && Integer.bitCount(n) == 1);
  }
}
