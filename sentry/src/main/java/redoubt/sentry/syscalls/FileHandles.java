package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.EBADF;
import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EOPNOTSUPP;
import static redoubt.abi.Errno.EOVERFLOW;
import static redoubt.abi.Errno.EPERM;
import static redoubt.abi.Errno.ESTALE;

import java.lang.foreign.MemorySegment;
import java.lang.ref.WeakReference;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Caps;
import redoubt.abi.Fcntl;
import redoubt.host.Memory;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.Kernel;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.vfs.Dentry;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.FileSystem;
import redoubt.sentry.vfs.PathOnlyFile;
import redoubt.sentry.vfs.PathWalk;
import redoubt.sentry.vfs.Vfs;
import redoubt.sentry.vfs.VfsPath;

/**
 * Files by handle: name_to_handle_at(2) and <a
 * href="https://man7.org/linux/man-pages/man2/open_by_handle_at.2.html">open_by_handle_at(2)</a>,
 * fs/fhandle.c. A handle is a number for a file that the kernel remembers; one that was forgotten
 * (there are at most {@value #MOST}), removed or renamed out of sight is stale.
 */
final class FileHandles {
  private static final int SIZEOF_HEADER = 8;
  private static final int MAX_HANDLE_SZ = 128;

  /** Bytes of our handles. */
  private static final int BYTES = 16;

  /** What f_handle's type says: an inode's number, as FILEID_INO32_GEN. */
  private static final int TYPE = 1;

  private static final int AT_HANDLE_FID = 0x200;
  private static final int AT_HANDLE_MNT_ID_UNIQUE = 1;
  private static final int MOST = 8192;

  private FileHandles() {}

  private record Known(FileSystem fs, long ino, WeakReference<Dentry> dentry, String path) {}

  /** The handles given out. A subsystem of the kernel. */
  private static final class Table {
    private long next = 1; // guarded by this
    private final Map<Long, Known> byNumber = // guarded by this
        new LinkedHashMap<>() {
          private static final long serialVersionUID = 1L;

          @Override
          protected boolean removeEldestEntry(Map.Entry<Long, Known> eldest) {
            return size() > MOST;
          }
        };
    private final Map<String, Long> byFile = // guarded by this
        new LinkedHashMap<>() {
          private static final long serialVersionUID = 1L;

          @Override
          protected boolean removeEldestEntry(Map.Entry<String, Long> eldest) {
            return size() > MOST;
          }
        };

    static Table of(Kernel k) {
      return k.subsystemOrNew(Table.class, Table::new);
    }

    synchronized long number(VfsPath p) {
      long ino = p.inode().ino();
      String file = p.dentry.fs.device() + ":" + ino;
      Long known = byFile.get(file);
      if (known != null && byNumber.containsKey(known)) {
        return known;
      }
      long n = next++;
      StringBuilder path = new StringBuilder();
      for (Dentry d = p.dentry; d.parent() != null; d = d.parent()) {
        path.insert(0, d.name()).insert(0, '/');
      }
      byNumber.put(n, new Known(p.dentry.fs, ino, new WeakReference<>(p.dentry), path.toString()));
      byFile.put(file, n);
      return n;
    }

    synchronized @Nullable Known get(long number) {
      return byNumber.get(number);
    }
  }

  /** name_to_handle_at(2). */
  static long nameToHandleAt(Task t, Args a) {
    int flags = a.int4();
    if ((flags
            & ~(Fcntl.AT_SYMLINK_FOLLOW
                | Fcntl.AT_EMPTY_PATH
                | AT_HANDLE_FID
                | AT_HANDLE_MNT_ID_UNIQUE))
        != 0) {
      return -EINVAL;
    }
    boolean mayBeEmpty = (flags & Fcntl.AT_EMPTY_PATH) != 0;
    String path = mayBeEmpty ? t.copyInPathOrEmpty(a.a1) : t.copyInPath(a.a1);
    VfsPath start = t.startAt(a.int0(), path);
    int follow = (flags & Fcntl.AT_SYMLINK_FOLLOW) != 0 ? PathWalk.FOLLOW : 0;
    VfsPath p = path.isEmpty() ? start : new PathWalk(t, start).to(path, follow);
    if (!hasHandles(p)) {
      return -EOPNOTSUPP;
    }
    long room = t.copyInInt(a.a2);
    if (room < 0) {
      return room;
    }
    if (room > MAX_HANDLE_SZ) {
      return -EINVAL;
    }
    MemorySegment s = t.scratch();
    boolean fits = room >= BYTES;
    s.set(Memory.INT, 0, BYTES);
    s.set(Memory.INT, 4, fits ? TYPE : 255);
    if (fits) {
      s.set(Memory.LONG, 8, p.dentry.fs.device());
      s.set(Memory.LONG, 16, Table.of(t.kernel()).number(p));
    }
    if (t.copyOutNow(a.a2, s, 0, fits ? SIZEOF_HEADER + BYTES : SIZEOF_HEADER) < 0) {
      return -EFAULT;
    }
    boolean unique = (flags & AT_HANDLE_MNT_ID_UNIQUE) != 0;
    s.set(Memory.LONG, 0, unique ? p.mount.uniqueId() : p.mount.id);
    return t.copyOutNow(a.a3, s, 0, unique ? 8 : 4) < 0 ? -EFAULT : fits ? 0 : -EOVERFLOW;
  }

  private static boolean hasHandles(VfsPath p) {
    return switch (p.dentry.fs.type()) {
      case "proc", "sysfs", "devpts", "pipefs", "sockfs", "anon_inodefs", "nsfs", "cgroup2" ->
          false;
      default -> !p.dentry.isDetached();
    };
  }

  /** open_by_handle_at(2). */
  static long openByHandleAt(Task t, Args a) {
    if (!t.hasCapability(Caps.CAP_DAC_READ_SEARCH)) {
      return -EPERM;
    }
    VfsPath mount;
    if (a.int0() == Fcntl.AT_FDCWD) {
      mount = t.fs().cwd();
    } else {
      FileDescription f = t.file(a.int0());
      if (f == null) {
        return -EBADF;
      }
      mount = f.path();
      f.decRef();
    }
    MemorySegment s = t.scratch();
    if (t.copyInScratch(a.a1, SIZEOF_HEADER) < 0) {
      return -EFAULT;
    }
    int bytes = s.get(Memory.INT, 0);
    int type = s.get(Memory.INT, 4);
    if (bytes <= 0 || bytes > MAX_HANDLE_SZ || type < 0) {
      return -EINVAL;
    }
    if (t.copyInScratch(a.a1, SIZEOF_HEADER + (long) bytes) < 0) {
      return -EFAULT;
    }
    if (bytes != BYTES || type != TYPE || s.get(Memory.LONG, 8) != mount.mount.fs.device()) {
      return -ESTALE;
    }
    Known k = Table.of(t.kernel()).get(s.get(Memory.LONG, 16));
    if (k == null || k.fs != mount.mount.fs) {
      return -ESTALE;
    }
    VfsPath p = find(t, k, mount);
    int flags = a.int2();
    FileDescription f =
        (flags & Fcntl.O_PATH) != 0
            ? new PathOnlyFile(p, flags, t.creds())
            : Vfs.openAt(t, p, flags);
    return t.installFd(f, (flags & Fcntl.O_CLOEXEC) != 0);
  }

  private static VfsPath find(Task t, Known k, VfsPath mount) {
    Dentry d = k.dentry.get();
    if (d != null && !d.isDetached() && !d.isNegative() && d.inode().ino() == k.ino) {
      return new VfsPath(mount.mount, d);
    }
    try {
      VfsPath root = new VfsPath(mount.mount, mount.mount.root);
      VfsPath p =
          k.path.isEmpty() ? root : new PathWalk(t, root, PathWalk.RESOLVE_IN_ROOT).to(k.path, 0);
      if (p.inode().ino() == k.ino && p.dentry.fs == k.fs) {
        return p;
      }
    } catch (ErrnoException e) {
      // gone, or moved
    }
    throw ErrnoException.of(ESTALE);
  }
}
