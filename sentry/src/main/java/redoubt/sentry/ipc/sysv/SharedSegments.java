package redoubt.sentry.ipc.sysv;

import static redoubt.abi.Errno.EACCES;
import static redoubt.abi.Errno.EEXIST;
import static redoubt.abi.Errno.EIDRM;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ENOENT;
import static redoubt.abi.Errno.ENOMEM;
import static redoubt.abi.Errno.ENOSPC;

import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Ipc;
import redoubt.sentry.kernel.Kernel;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.mm.MemoryFile;

/** The shared memory segments of a sandbox: Linux's ipc_ids for shm. A subsystem of the kernel. */
public final class SharedSegments implements redoubt.sentry.kernel.IpcNamespace.Part {
  /** kernel.shmmax and shmall, which limit nothing: ULONG_MAX - (1 << 24). */
  static final long SYSCTL_MAX = -1L - (1 << 24);

  /** As large as the memory file lets them be. */
  public static final long SHMMAX = Long.MAX_VALUE & -4096L & ~(1L << 62);

  private final Kernel kernel;
  private final TreeMap<Integer, SharedSegment> byId = new TreeMap<>(); // guarded by this
  private int nextId; // guarded by this
  private long totalPages; // guarded by this

  public SharedSegments(Kernel kernel) {
    this.kernel = kernel;
  }

  int imported() {
    return kernel.memoryFile().imported(kernel.platform());
  }

  /** shmget(2). Returns an id or -errno. */
  public synchronized long get(Task t, int key, long size, int flags) {
    if (key != Ipc.IPC_PRIVATE) {
      SharedSegment s = byKey(key);
      if (s != null) {
        if ((flags & (Ipc.IPC_CREAT | Ipc.IPC_EXCL)) == (Ipc.IPC_CREAT | Ipc.IPC_EXCL)) {
          return -EEXIST;
        }
        if (size > s.size) {
          return -EINVAL;
        }
        int want = (flags >> 6 | flags >> 3 | flags) & 7;
        return s.permits(t.creds(), want) ? s.id : -EACCES;
      }
      if ((flags & Ipc.IPC_CREAT) == 0) {
        return -ENOENT;
      }
    }
    return create(t, key, size, flags);
  }

  private long create(Task t, int key, long size, int flags) {
    if (size < 1 || size > SHMMAX) {
      return -EINVAL;
    }
    if (byId.size() >= Ipc.SHMMNI) {
      return -ENOSPC;
    }
    long pages = (size + MemoryFile.PAGE - 1) & -MemoryFile.PAGE;
    if (pages > kernel.totalMemoryBytes) {
      return -ENOMEM;
    }
    long base = kernel.memoryFile().allocate(pages);
    if (base < 0) {
      return -ENOMEM;
    }
    int id = nextId++;
    byId.put(id, new SharedSegment(this, id, key, size, pages, base, flags & 0777, t));
    totalPages += pages / MemoryFile.PAGE;
    return id;
  }

  private @Nullable SharedSegment byKey(int key) {
    for (SharedSegment s : byId.values()) {
      if (s.key == key && !s.removed) {
        return s;
      }
    }
    return null;
  }

  /** {@return the segment with number {@code id}}, marked for removal or not, or null */
  public synchronized @Nullable SharedSegment segment(int id) {
    return byId.get(id);
  }

  /** Checks that {@code t} may attach {@code s}. Returns 0 or -errno. */
  public synchronized long checkAttach(Task t, SharedSegment s, boolean readOnly) {
    if (byId.get(s.id) != s) {
      return -EIDRM;
    }
    return s.permits(t.creds(), readOnly ? 4 : 6) ? 0 : -EACCES;
  }

  synchronized void attached(SharedSegment s) {
    s.attached++;
    s.attachedAt = SharedSegment.now();
  }

  void detached(SharedSegment s) {
    synchronized (this) {
      s.attached--;
      s.detachedAt = SharedSegment.now();
      if (s.attached > 0 || !s.removed || byId.remove(s.id) == null) {
        return;
      }
      totalPages -= s.pages / MemoryFile.PAGE;
    }
    kernel.memoryFile().free(s.base, s.pages);
  }

  /** IPC_RMID: the segment goes when nobody has it attached. */
  void remove(SharedSegment s) {
    synchronized (this) {
      s.removed = true;
      if (s.attached > 0 || byId.remove(s.id) == null) {
        return;
      }
      totalPages -= s.pages / MemoryFile.PAGE;
    }
    kernel.memoryFile().free(s.base, s.pages);
  }

  /** Nobody can name them any more: what is attached goes with the last one. */
  @Override
  public void namespaceEnded() {
    for (SharedSegment s : all()) {
      remove(s);
    }
  }

  /** {@return all segments, by number} */
  public synchronized List<SharedSegment> all() {
    return new ArrayList<>(byId.values());
  }

  synchronized int highestId() {
    return byId.isEmpty() ? 0 : byId.lastKey();
  }

  synchronized long totalPages() {
    return totalPages;
  }
}
