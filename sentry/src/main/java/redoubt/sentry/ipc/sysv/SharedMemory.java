package redoubt.sentry.ipc.sysv;

import static redoubt.abi.Errno.EACCES;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EPERM;

import java.lang.foreign.MemorySegment;
import redoubt.abi.Caps;
import redoubt.abi.Ipc;
import redoubt.host.Memory;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.Task;

/**
 * The calls of <a href="https://man7.org/linux/man-pages/man2/shmget.2.html">shmget(2)</a> and its
 * family.
 */
public final class SharedMemory {
  private static final long SHMLBA = 4096;

  private SharedMemory() {}

  private static SharedSegments segments(Task t) {
    return t.namespaces().ipc.part(SharedSegments.class, () -> new SharedSegments(t.kernel()));
  }

  /** shmget(2). */
  public static long shmget(Task t, Args a) {
    if ((a.int2() & Ipc.SHM_HUGETLB) != 0) {
      return -EINVAL;
    }
    return segments(t).get(t, a.int0(), a.long1(), a.int2());
  }

  /** <a href="https://man7.org/linux/man-pages/man2/shmat.2.html">shmat(2)</a>. */
  public static long shmat(Task t, Args a) {
    int flags = a.int2();
    long addr = a.long1();
    if ((addr & (SHMLBA - 1)) != 0) {
      if ((flags & Ipc.SHM_RND) == 0) {
        return -EINVAL;
      }
      addr &= -SHMLBA;
    }
    boolean remap = (flags & Ipc.SHM_REMAP) != 0;
    if (addr == 0 && remap) {
      return -EINVAL;
    }
    SharedSegment s = segments(t).segment(a.int0());
    if (s == null) {
      return -EINVAL;
    }
    boolean readOnly = (flags & Ipc.SHM_RDONLY) != 0;
    long r = segments(t).checkAttach(t, s, readOnly);
    if (r < 0) {
      return r;
    }
    int prot = (readOnly ? 1 : 3) | ((flags & Ipc.SHM_EXEC) != 0 ? 4 : 0);
    s.lastPid = t.tgid();
    return t.mm().attach(addr, s.pages, prot, remap, s, t.threadGroup().limits);
  }

  /** shmdt(2). */
  public static long shmdt(Task t, Args a) {
    return (a.long0() & (SHMLBA - 1)) != 0
        ? -EINVAL
        : t.mm().detach(a.long0(), SharedSegment.class);
  }

  /** <a href="https://man7.org/linux/man-pages/man2/shmctl.2.html">shmctl(2)</a>. */
  public static long shmctl(Task t, Args a) {
    int command = a.int1() & ~Ipc.IPC_64;
    SharedSegments all = segments(t);
    if (a.int0() < 0 || command < 0) {
      return -EINVAL;
    }
    if (command == Ipc.IPC_INFO) {
      return info(t, a.long2(), all);
    }
    if (command == Ipc.SHM_INFO) {
      return usage(t, a.long2(), all);
    }
    SharedSegment s = all.segment(a.int0());
    if (s == null) {
      return -EINVAL;
    }
    return switch (command) {
      case Ipc.IPC_STAT -> stat(t, a.long2(), s, true, 0);
      case Ipc.SHM_STAT -> stat(t, a.long2(), s, true, s.id);
      case Ipc.SHM_STAT_ANY -> stat(t, a.long2(), s, false, s.id);
      case Ipc.IPC_RMID -> remove(t, all, s);
      case Ipc.IPC_SET -> set(t, a.long2(), s);
      case Ipc.SHM_LOCK, Ipc.SHM_UNLOCK -> lock(t, s, command == Ipc.SHM_LOCK);
      default -> -EINVAL;
    };
  }

  private static long remove(Task t, SharedSegments all, SharedSegment s) {
    if (!s.isOwner(t.creds())) {
      return -EPERM;
    }
    all.remove(s);
    return 0;
  }

  private static long lock(Task t, SharedSegment s, boolean lock) {
    if (!t.hasCapability(Caps.CAP_IPC_LOCK) && !s.isOwner(t.creds())) {
      return -EPERM;
    }
    s.locked = lock;
    return 0;
  }

  private static long set(Task t, long uaddr, SharedSegment s) {
    long e = t.copyInScratch(uaddr, Ipc.SIZEOF_SHMID64_DS);
    if (e < 0) {
      return e;
    }
    if (!s.isOwner(t.creds())) {
      return -EPERM;
    }
    MemorySegment m = t.scratch();
    s.uid = m.get(Memory.INT, Ipc.IPC64_PERM_UID);
    s.gid = m.get(Memory.INT, Ipc.IPC64_PERM_GID);
    s.mode = s.mode & ~0777 | m.get(Memory.INT, Ipc.IPC64_PERM_MODE) & 0777;
    s.changedAt = SharedSegment.now();
    return 0;
  }

  private static long stat(Task t, long uaddr, SharedSegment s, boolean checked, int result) {
    if (checked && !s.permits(t.creds(), 4)) {
      return -EACCES;
    }
    MemorySegment m = t.scratch();
    m.asSlice(0, Ipc.SIZEOF_SHMID64_DS).fill((byte) 0);
    m.set(Memory.INT, Ipc.IPC64_PERM_KEY, s.removed ? Ipc.IPC_PRIVATE : s.key);
    m.set(Memory.INT, Ipc.IPC64_PERM_UID, s.uid);
    m.set(Memory.INT, Ipc.IPC64_PERM_GID, s.gid);
    m.set(Memory.INT, Ipc.IPC64_PERM_CUID, s.creatorUid);
    m.set(Memory.INT, Ipc.IPC64_PERM_CGID, s.creatorGid);
    m.set(
        Memory.INT,
        Ipc.IPC64_PERM_MODE,
        s.mode | (s.removed ? Ipc.SHM_DEST : 0) | (s.locked ? Ipc.SHM_LOCKED : 0));
    m.set(Memory.LONG, Ipc.SHMID64_DS_SHM_SEGSZ, s.size);
    m.set(Memory.LONG, Ipc.SHMID64_DS_SHM_ATIME, s.attachedAt);
    m.set(Memory.LONG, Ipc.SHMID64_DS_SHM_DTIME, s.detachedAt);
    m.set(Memory.LONG, Ipc.SHMID64_DS_SHM_CTIME, s.changedAt);
    m.set(Memory.INT, Ipc.SHMID64_DS_SHM_CPID, s.creatorPid);
    m.set(Memory.INT, Ipc.SHMID64_DS_SHM_LPID, s.lastPid);
    m.set(Memory.LONG, Ipc.SHMID64_DS_SHM_NATTCH, s.attached);
    long e = t.copyOutScratch(uaddr, Ipc.SIZEOF_SHMID64_DS);
    return e < 0 ? e : result;
  }

  private static long info(Task t, long uaddr, SharedSegments all) {
    MemorySegment m = t.scratch();
    m.asSlice(0, Ipc.SIZEOF_SHMINFO64).fill((byte) 0);
    m.set(Memory.LONG, Ipc.SHMINFO64_SHMMAX, SharedSegments.SYSCTL_MAX);
    m.set(Memory.LONG, Ipc.SHMINFO64_SHMMIN, Ipc.SHMMIN);
    m.set(Memory.LONG, Ipc.SHMINFO64_SHMMNI, Ipc.SHMMNI);
    m.set(Memory.LONG, Ipc.SHMINFO64_SHMSEG, Ipc.SHMMNI);
    m.set(Memory.LONG, Ipc.SHMINFO64_SHMALL, SharedSegments.SYSCTL_MAX);
    long e = t.copyOutScratch(uaddr, Ipc.SIZEOF_SHMINFO64);
    return e < 0 ? e : all.highestId();
  }

  /** Appends the lines of /proc/sysvipc/shm. */
  public static void list(Task t, StringBuilder out) {
    for (SharedSegment s : segments(t).all()) {
      int mode = s.mode | (s.removed ? Ipc.SHM_DEST : 0) | (s.locked ? Ipc.SHM_LOCKED : 0);
      IpcObject.column(out, 10, Long.toString(s.removed ? Ipc.IPC_PRIVATE : s.key));
      IpcObject.column(out, 11, Long.toString(s.id));
      IpcObject.column(out, 6, Integer.toOctalString(mode));
      IpcObject.column(out, 22, Long.toString(s.size));
      IpcObject.column(out, 6, Long.toString(s.creatorPid));
      IpcObject.column(out, 6, Long.toString(s.lastPid));
      IpcObject.column(out, 7, Long.toString(s.attached));
      IpcObject.column(out, 6, Long.toString(s.uid));
      IpcObject.column(out, 6, Long.toString(s.gid));
      IpcObject.column(out, 6, Long.toString(s.creatorUid));
      IpcObject.column(out, 6, Long.toString(s.creatorGid));
      IpcObject.column(out, 11, Long.toString(s.attachedAt));
      IpcObject.column(out, 11, Long.toString(s.detachedAt));
      IpcObject.column(out, 11, Long.toString(s.changedAt));
      IpcObject.column(out, 22, Long.toString(s.pages * Memory.PAGE));
      IpcObject.column(out, 22, "0");
      out.append('\n');
    }
  }

  private static long usage(Task t, long uaddr, SharedSegments all) {
    MemorySegment m = t.scratch();
    m.asSlice(0, Ipc.SIZEOF_SHM_INFO).fill((byte) 0);
    m.set(Memory.INT, Ipc.SHM_INFO_USED_IDS, all.all().size());
    m.set(Memory.LONG, Ipc.SHM_INFO_SHM_TOT, all.totalPages());
    m.set(Memory.LONG, Ipc.SHM_INFO_SHM_RSS, all.totalPages());
    long e = t.copyOutScratch(uaddr, Ipc.SIZEOF_SHM_INFO);
    return e < 0 ? e : all.highestId();
  }
}
