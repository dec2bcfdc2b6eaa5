package redoubt.sentry.fs.kernfs;

import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EISDIR;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import redoubt.sentry.kernel.IoBuffer;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.vfs.Dentry;
import redoubt.sentry.vfs.DirSink;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.Inode;
import redoubt.sentry.vfs.VfsPath;

/**
 * A directory with named children that stay, and numbered ones that come and go (processes,
 * descriptors, terminals). Subclasses compute the numbered ones.
 *
 * <p>Positions of getdents: 0 and 1 are "." and "..", then the named ones in the order they were
 * added, then {@link #NUMBERS} plus the number: stable while others come and go.
 */
public class KernDir extends KernInode {
  /** Position of number 0. */
  private static final long NUMBERS = 1L << 20;

  private final Map<String, Inode> children = new HashMap<>(); // guarded by this
  private final List<String> order = new ArrayList<>(); // guarded by this
  private volatile @Nullable Consumer<KernDir> filler;

  public KernDir(KernFs fs, long ino, int permissions) {
    super(fs, ino, S_IFDIR | permissions);
  }

  public KernDir(KernFs fs) {
    this(fs, fs.nextInode(), 0555);
  }

  /** {@return a directory whose children are made when somebody first looks} */
  public static KernDir lazy(KernFs fs, Consumer<KernDir> filler) {
    KernDir d = new KernDir(fs);
    d.filler = filler;
    return d;
  }

  private void fill() {
    Consumer<KernDir> f = filler;
    if (f != null) {
      synchronized (this) {
        if (filler != null) {
          f.accept(this);
          filler = null;
        }
      }
    }
  }

  /** Adds a named child; {@return this}. */
  public final KernDir add(String name, Inode child) {
    synchronized (this) {
      if (children.put(name, child) == null) {
        order.add(name);
      }
    }
    return this;
  }

  /** {@return the subdirectory {@code name}}, made if it is not there */
  public final KernDir dir(String name) {
    synchronized (this) {
      if (children.get(name) instanceof KernDir d) {
        return d;
      }
    }
    KernDir d = new KernDir(kernFs);
    add(name, d);
    return d;
  }

  /**
   * Adds a text that never changes, mode 0444, at {@code path} below this directory; {@return
   * this}.
   */
  public final KernDir text(String path, String value) {
    KernDir at = parentOf(path);
    at.add(path.substring(path.lastIndexOf('/') + 1), TextFile.fixed(kernFs, 0444, value));
    return this;
  }

  /** Adds {@code file} at {@code path} below this directory, making directories; {@return this}. */
  public final KernDir put(String path, Inode file) {
    parentOf(path).add(path.substring(path.lastIndexOf('/') + 1), file);
    return this;
  }

  private KernDir parentOf(String path) {
    KernDir at = this;
    int from = 0;
    for (int slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', from)) {
      at = at.dir(path.substring(from, slash));
      from = slash + 1;
    }
    return at;
  }

  @Override
  protected int linkCount() {
    int n = 2;
    fill();
    synchronized (this) {
      for (Inode i : children.values()) {
        if (i.isDirectory()) {
          n++;
        }
      }
    }
    return n;
  }

  @Override
  public @Nullable Inode lookup(String name) {
    fill();
    synchronized (this) {
      Inode i = children.get(name);
      if (i != null) {
        return i;
      }
    }
    return dynamic(name);
  }

  @Override
  public boolean cachesNegative() {
    return false;
  }

  @Override
  public boolean revalidate(Dentry child) {
    Inode i = child.inodeOrNull();
    return i != null && stands(child.name(), i);
  }

  /** {@return the child {@code name} that {@link #add} does not know of, or null} */
  protected @Nullable Inode dynamic(String name) {
    return null;
  }

  /** {@return whether {@code child}, found as {@code name} once, is still there} */
  protected boolean stands(String name, Inode child) {
    return true;
  }

  /** {@return the lowest number of a numbered child that is {@code from} or more, or -1} */
  protected long nextNumber(Task t, long from) {
    return -1;
  }

  /** {@return the inode number of numbered child {@code number}} */
  protected long numberIno(long number) {
    return number + 1;
  }

  /** {@return the DT_* of numbered children} */
  protected int numberType() {
    return DT_DIR;
  }

  public static final int DT_CHR = 2;
  public static final int DT_DIR = 4;
  public static final int DT_REG = 8;
  public static final int DT_LNK = 10;

  /** {@return the number that {@code name} writes in plain decimal, or -1} */
  public static int number(String name) {
    int n = name.length();
    if (n == 0 || n > 9 || (n > 1 && name.charAt(0) == '0')) {
      return -1;
    }
    int v = 0;
    for (int i = 0; i < n; i++) {
      int d = name.charAt(i) - '0';
      if (d < 0 || d > 9) {
        return -1;
      }
      v = v * 10 + d;
    }
    return v;
  }

  @Override
  public FileDescription open(Task t, VfsPath path, int flags) {
    fill();
    return new DirFile(this, path, flags, t);
  }

  private synchronized @Nullable String nameAt(long index) {
    return index < order.size() ? order.get((int) index) : null;
  }

  private synchronized @Nullable Inode childNow(String name) {
    return children.get(name);
  }

  /** An open directory. */
  private static final class DirFile extends FileDescription {
    private final KernDir dir;

    DirFile(KernDir dir, VfsPath path, int flags, Task t) {
      super(path, flags, t.creds());
      this.dir = dir;
    }

    @Override
    public boolean isSeekable() {
      return true;
    }

    @Override
    public long read(Task t, IoBuffer dst, long offset) {
      return -EISDIR;
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
    public long fsync(boolean dataOnly) {
      return -EINVAL;
    }

    @Override
    public long readdir(Task t, DirSink sink) {
      if (position == 0) {
        if (!sink.entry(".", dir.ino(), DT_DIR, 1)) {
          return 0;
        }
        position = 1;
      }
      if (position == 1) {
        Dentry up = path().dentry.parent();
        if (!sink.entry("..", up == null ? dir.ino() : up.inode().ino(), DT_DIR, 2)) {
          return 0;
        }
        position = 2;
      }
      while (position < NUMBERS) {
        String name = dir.nameAt(position - 2);
        if (name == null) {
          position = NUMBERS;
          break;
        }
        Inode i = dir.childNow(name);
        if (i != null && !sink.entry(name, i.ino(), i.type() >> 12, position + 1)) {
          return 0;
        }
        position++;
      }
      for (; ; ) {
        long n = dir.nextNumber(t, position - NUMBERS);
        if (n < 0) {
          return 0;
        }
        long next = NUMBERS + n + 1;
        if (!sink.entry(Long.toString(n), dir.numberIno(n), dir.numberType(), next)) {
          return 0;
        }
        position = next;
      }
    }
  }
}
