package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.EBADF;
import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EOPNOTSUPP;
import static redoubt.abi.Errno.EOVERFLOW;
import static redoubt.abi.Errno.EPERM;
import static redoubt.abi.Errno.ESTALE;

import java.lang.foreign.MemorySegment;
import redoubt.abi.Caps;
import redoubt.abi.Fcntl;
import redoubt.host.Memory;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.vfs.Dentry;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.HandleTable;
import redoubt.sentry.vfs.PathOnlyFile;
import redoubt.sentry.vfs.PathWalk;
import redoubt.sentry.vfs.Vfs;
import redoubt.sentry.vfs.VfsPath;

/**
 * Files by handle: name_to_handle_at(2) and <a
 * href="https://man7.org/linux/man-pages/man2/open_by_handle_at.2.html">open_by_handle_at(2)</a>,
 * fs/fhandle.c. A handle is a number for a file that the kernel remembers; one that was forgotten
 * (there are at most {@value HandleTable#MOST}), removed or renamed out of sight is stale.
 */
final class FileHandles {
  private static final int SIZEOF_HEADER = 8;
  private static final int MAX_HANDLE_SZ = 128;

  private static final int BYTES = HandleTable.BYTES;

  private static final int TYPE = HandleTable.TYPE;

  private static final int AT_HANDLE_FID = 0x200;
  private static final int AT_HANDLE_MNT_ID_UNIQUE = 1;

  private FileHandles() {}

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
    if (!HandleTable.hasHandles(p.dentry)) {
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
      s.set(Memory.LONG, 16, HandleTable.of(t.kernel()).number(p.dentry));
    }
    if (t.copyOutNow(a.a2, s, 0, fits ? SIZEOF_HEADER + BYTES : SIZEOF_HEADER) < 0) {
      return -EFAULT;
    }
    boolean unique = (flags & AT_HANDLE_MNT_ID_UNIQUE) != 0;
    s.set(Memory.LONG, 0, unique ? p.mount.uniqueId() : p.mount.id);
    return t.copyOutNow(a.a3, s, 0, unique ? 8 : 4) < 0 ? -EFAULT : fits ? 0 : -EOVERFLOW;
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
    HandleTable.Known k = HandleTable.of(t.kernel()).get(s.get(Memory.LONG, 16));
    if (k == null || k.fs() != mount.mount.fs) {
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

  private static VfsPath find(Task t, HandleTable.Known k, VfsPath mount) {
    Dentry d = k.dentry().get();
    if (d != null && !d.isDetached() && !d.isNegative() && d.inode().ino() == k.ino()) {
      return new VfsPath(mount.mount, d);
    }
    try {
      VfsPath root = new VfsPath(mount.mount, mount.mount.root);
      VfsPath p =
          k.path().isEmpty()
              ? root
              : new PathWalk(t, root, PathWalk.RESOLVE_IN_ROOT).to(k.path(), 0);
      if (p.inode().ino() == k.ino() && p.dentry.fs == k.fs()) {
        return p;
      }
    } catch (ErrnoException e) {
      // gone, or moved
    }
    throw ErrnoException.of(ESTALE);
  }
}
