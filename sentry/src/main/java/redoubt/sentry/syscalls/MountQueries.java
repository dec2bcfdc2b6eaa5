package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.E2BIG;
import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ENOENT;
import static redoubt.abi.Errno.EOVERFLOW;
import static redoubt.abi.Errno.EPERM;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Caps;
import redoubt.host.Memory;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.Latin1;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.vfs.Mount;
import redoubt.sentry.vfs.MountNamespace;
import redoubt.sentry.vfs.PathWalk;
import redoubt.sentry.vfs.VfsPath;

/** Asking about mounts by their unique ids: statmount(2) and listmount(2) of fs/namespace.c. */
final class MountQueries {
  private static final int MNT_ID_REQ_SIZE_VER0 = 24;
  private static final int MNT_ID_REQ_SIZE_VER1 = 32;
  private static final int SIZEOF_STATMOUNT = 512;
  private static final long LSMT_ROOT = -1;
  private static final int LISTMOUNT_REVERSE = 1;
  private static final long FIRST_UNIQUE_ID = 1L << 31;

  private static final int STATMOUNT_SB_BASIC = 1;
  private static final int STATMOUNT_MNT_BASIC = 2;
  private static final int STATMOUNT_PROPAGATE_FROM = 4;
  private static final int STATMOUNT_MNT_ROOT = 8;
  private static final int STATMOUNT_MNT_POINT = 0x10;
  private static final int STATMOUNT_FS_TYPE = 0x20;
  private static final int STATMOUNT_MNT_NS_ID = 0x40;
  private static final int STATMOUNT_MNT_OPTS = 0x80;

  private MountQueries() {}

  /** struct mnt_id_req. */
  private record Request(long mount, long param, long namespace) {}

  /** {@return the request at {@code uaddr}}, or null with the errno in {@code scratch}'s place */
  private static long read(Task t, long uaddr, @Nullable Request[] out) {
    long size = t.copyInInt(uaddr);
    if (size < 0) {
      return size;
    }
    if (size > Memory.PAGE) {
      return -E2BIG;
    }
    if (size < MNT_ID_REQ_SIZE_VER0) {
      return -EINVAL;
    }
    MemorySegment s = t.scratch();
    s.asSlice(0, MNT_ID_REQ_SIZE_VER1).fill((byte) 0);
    long r = t.copyInScratch(uaddr, size);
    if (r < 0) {
      return r;
    }
    for (long i = MNT_ID_REQ_SIZE_VER1; i < size; i++) {
      if (s.get(Memory.BYTE, i) != 0) {
        return -E2BIG;
      }
    }
    long id = s.get(Memory.LONG, 8);
    if (s.get(Memory.INT, 4) != 0
        || (id != LSMT_ROOT && Long.compareUnsigned(id, FIRST_UNIQUE_ID) <= 0)) {
      return -EINVAL;
    }
    out[0] = new Request(id, s.get(Memory.LONG, 16), s.get(Memory.LONG, 24));
    return 0;
  }

  private static @Nullable Mount find(MountNamespace ns, long id) {
    for (Mount m : ns.mounts()) {
      if (m.uniqueId() == id) {
        return m;
      }
    }
    return null;
  }

  private static boolean isSeen(Task t, Mount m) {
    VfsPath root = t.fs().root();
    return Mounting.isBelow(new VfsPath(m, m.root), root);
  }

  /** statmount(2). */
  static long statmount(Task t, Args a) {
    if (a.int3() != 0) {
      return -EINVAL;
    }
    @Nullable Request[] q = new Request[1];
    long r = read(t, a.a0, q);
    Request request = q[0];
    if (r < 0 || request == null) {
      return r;
    }
    MountNamespace ns = t.mountNamespace();
    if (request.namespace != 0 && request.namespace != ns.number()) {
      return -ENOENT;
    }
    Mount m = find(ns, request.mount);
    if (m == null) {
      return -ENOENT;
    }
    if (!isSeen(t, m) && !t.hasCapability(ns.owner(), Caps.CAP_SYS_ADMIN)) {
      return -EPERM;
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment s = arena.allocate(SIZEOF_STATMOUNT + 4L * Task.PATH_MAX, 8);
      int size = fill(t, m, request.param, s);
      if (a.a2 < SIZEOF_STATMOUNT || a.a2 < size) {
        return a.a2 < 8 ? -EINVAL : -EOVERFLOW;
      }
      return t.copyOutNow(a.a1, s, 0, size) < 0 ? -EFAULT : 0;
    }
  }

  /** Fills struct statmount: {@return its size with the strings} */
  private static int fill(Task t, Mount m, long want, MemorySegment s) {
    long mask = want & 0xff;
    long dev = m.fs.device();
    Mount parent = m.parent();
    int end = SIZEOF_STATMOUNT;
    if ((mask & STATMOUNT_SB_BASIC) != 0) {
      s.set(Memory.INT, 16, FileStatus.major(dev));
      s.set(Memory.INT, 20, FileStatus.minor(dev));
      s.set(Memory.LONG, 24, m.fs.magic());
      s.set(Memory.INT, 32, m.fs.isReadOnly() ? 1 : 0);
    }
    if ((mask & STATMOUNT_MNT_BASIC) != 0) {
      s.set(Memory.LONG, 40, m.uniqueId());
      s.set(Memory.LONG, 48, parent == null ? m.uniqueId() : parent.uniqueId());
      s.set(Memory.INT, 56, m.id);
      s.set(Memory.INT, 60, parent == null ? m.id : parent.id);
      s.set(Memory.LONG, 64, attributes(m.flags()));
      int p = m.isShared() ? redoubt.abi.Mount.MS_SHARED : 0;
      p |= m.masterId() != 0 ? redoubt.abi.Mount.MS_SLAVE : 0;
      p |= m.isUnbindable() ? redoubt.abi.Mount.MS_UNBINDABLE : 0;
      s.set(Memory.LONG, 72, p == 0 ? redoubt.abi.Mount.MS_PRIVATE : p);
      s.set(Memory.LONG, 80, m.groupId());
      s.set(Memory.LONG, 88, m.masterId());
    }
    if ((mask & STATMOUNT_PROPAGATE_FROM) != 0) {
      s.set(Memory.LONG, 96, m.masterId());
    }
    if ((mask & STATMOUNT_MNT_NS_ID) != 0) {
      s.set(Memory.LONG, 112, t.mountNamespace().number());
    }
    if ((mask & STATMOUNT_FS_TYPE) != 0) {
      end = text(s, 36, end, m.fs.type());
    }
    if ((mask & STATMOUNT_MNT_ROOT) != 0) {
      VfsPath top = new VfsPath(m, m.root);
      StringBuilder path = new StringBuilder();
      for (var d = m.root; d.parent() != null; d = d.parent()) {
        path.insert(0, d.name()).insert(0, '/');
      }
      end = text(s, 104, end, path.isEmpty() ? "/" : path.toString());
      assert top.mount == m;
    }
    if ((mask & STATMOUNT_MNT_POINT) != 0) {
      end = text(s, 108, end, PathWalk.textOf(new VfsPath(m, m.root), t.fs().root()));
    }
    if ((mask & STATMOUNT_MNT_OPTS) != 0) {
      String o = m.fs.showOptions();
      if (o.isEmpty()) {
        mask &= ~STATMOUNT_MNT_OPTS;
      } else {
        end = text(s, 4, end, o.substring(1));
      }
    }
    s.set(Memory.INT, 0, end);
    s.set(Memory.LONG, 8, mask);
    return end;
  }

  /** Appends a string and notes its place, counted from the first string. */
  private static int text(MemorySegment s, int field, int end, String text) {
    String t = text.length() >= Task.PATH_MAX ? text.substring(0, Task.PATH_MAX - 1) : text;
    s.set(Memory.INT, field, end - SIZEOF_STATMOUNT);
    return end + Latin1.writeZ(s, end, t);
  }

  /** {@return MOUNT_ATTR_* of MS_* flags} */
  private static long attributes(int flags) {
    long a =
        flags
            & (redoubt.abi.Mount.MS_RDONLY
                | redoubt.abi.Mount.MS_NOSUID
                | redoubt.abi.Mount.MS_NODEV
                | redoubt.abi.Mount.MS_NOEXEC);
    if ((flags & redoubt.abi.Mount.MS_NODIRATIME) != 0) {
      a |= redoubt.abi.Mount.MOUNT_ATTR_NODIRATIME;
    }
    if ((flags & redoubt.abi.Mount.MS_NOATIME) != 0) {
      a |= redoubt.abi.Mount.MOUNT_ATTR_NOATIME;
    } else if ((flags & redoubt.abi.Mount.MS_RELATIME) == 0) {
      a |= redoubt.abi.Mount.MOUNT_ATTR_STRICTATIME;
    }
    return a;
  }

  /** listmount(2): the mounts below one, by age. */
  static long listmount(Task t, Args a) {
    int flags = a.int3();
    if ((flags & ~LISTMOUNT_REVERSE) != 0) {
      return -EINVAL;
    }
    if (Long.compareUnsigned(a.a2, 1_000_000) > 0) {
      return -EOVERFLOW;
    }
    @Nullable Request[] q = new Request[1];
    long r = read(t, a.a0, q);
    Request request = q[0];
    if (r < 0 || request == null) {
      return r;
    }
    if (request.param != 0 && Long.compareUnsigned(request.param, FIRST_UNIQUE_ID) <= 0) {
      return -EINVAL;
    }
    MountNamespace ns = t.mountNamespace();
    if (request.namespace != 0 && request.namespace != ns.number()) {
      return -ENOENT;
    }
    VfsPath top = t.fs().root();
    if (request.mount != LSMT_ROOT) {
      Mount m = find(ns, request.mount);
      if (m == null) {
        return -ENOENT;
      }
      top = new VfsPath(m, m.root);
      if (!isSeen(t, m) && !t.hasCapability(ns.owner(), Caps.CAP_SYS_ADMIN)) {
        return -EPERM;
      }
    }
    return copyOut(t, a, below(ns, top, request.param, (flags & LISTMOUNT_REVERSE) != 0));
  }

  private static List<Mount> below(MountNamespace ns, VfsPath top, long last, boolean reverse) {
    List<Mount> found = new ArrayList<>();
    for (Mount m : ns.mounts()) {
      boolean further = last == 0 || (reverse ? m.uniqueId() < last : m.uniqueId() > last);
      if (further && m != top.mount && Mounting.isBelow(new VfsPath(m, m.root), top)) {
        found.add(m);
      }
    }
    found.sort((x, y) -> reverse ? Integer.compare(y.id, x.id) : Integer.compare(x.id, y.id));
    return found;
  }

  private static long copyOut(Task t, Args a, List<Mount> mounts) {
    long n = Math.min(a.a2, mounts.size());
    MemorySegment s = t.scratch();
    for (int i = 0; i < n; i++) {
      s.set(Memory.LONG, 0, mounts.get(i).uniqueId());
      if (t.copyOutNow(a.a1 + 8L * i, s, 0, 8) < 0) {
        return -EFAULT;
      }
    }
    return n;
  }
}
