package redoubt.sentry.vfs;

import java.lang.foreign.MemorySegment;
import java.lang.ref.WeakReference;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import redoubt.host.Memory;
import redoubt.sentry.kernel.Kernel;

/**
 * The file handles given out by name_to_handle_at(2) and fanotify(7): a number for each file, which
 * is forgotten when there are too many. A subsystem of the kernel.
 */
public final class HandleTable {
  /** Most handles that are remembered. */
  public static final int MOST = 8192;

  /** Bytes of our handles. */
  public static final int BYTES = 16;

  /** What f_handle's type says: an inode's number, as FILEID_INO32_GEN. */
  public static final int TYPE = 1;

  /** struct file_handle without its bytes. */
  public static final int SIZEOF_HEADER = 8;

  private long next = 1; // guarded by this
  private final Map<Long, Known> byNumber = new Bounded<>(); // guarded by this
  private final Map<FileId, Long> byFile = new Bounded<>(); // guarded by this

  /** A file that has a handle. */
  public record Known(FileSystem fs, long ino, WeakReference<Dentry> dentry, String path) {}

  private record FileId(long device, long ino) {}

  private static final class Bounded<K, V> extends LinkedHashMap<K, V> {
    private static final long serialVersionUID = 1L;

    @Override
    protected boolean removeEldestEntry(Map.Entry<K, V> eldest) {
      return size() > MOST;
    }
  }

  public static HandleTable of(Kernel k) {
    return k.subsystemOrNew(HandleTable.class, HandleTable::new);
  }

  /** {@return whether the files of {@code d}'s filesystem have handles} */
  public static boolean hasHandles(Dentry d) {
    return switch (d.fs.type()) {
      case "proc", "sysfs", "devpts", "pipefs", "sockfs", "anon_inodefs", "nsfs", "cgroup2" ->
          false;
      default -> !d.isDetached();
    };
  }

  /** {@return the number of {@code d}'s file} */
  public synchronized long number(Dentry d) {
    long ino = d.inode().ino();
    FileId file = new FileId(d.fs.device(), ino);
    Long known = byFile.get(file);
    if (known != null && byNumber.containsKey(known)) {
      return known;
    }
    long n = next++;
    StringBuilder path = new StringBuilder();
    for (Dentry up = d; up.parent() != null; up = up.parent()) {
      path.insert(0, up.name()).insert(0, '/');
    }
    byNumber.put(n, new Known(d.fs, ino, new WeakReference<>(d), path.toString()));
    byFile.put(file, n);
    return n;
  }

  /** {@return the file with that number, or null} */
  public synchronized @Nullable Known get(long number) {
    return byNumber.get(number);
  }

  /** Writes struct file_handle at {@code offset}: {@link #SIZEOF_HEADER} + {@link #BYTES}. */
  public static void write(MemorySegment s, long offset, long device, long number) {
    s.set(Memory.INT, offset, BYTES);
    s.set(Memory.INT, offset + 4, TYPE);
    s.set(Memory.LONG, offset + 8, device);
    s.set(Memory.LONG, offset + 16, number);
  }
}
