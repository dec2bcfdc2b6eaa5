package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.EBADF;
import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EPERM;
import static redoubt.abi.Errno.ESRCH;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Caps;
import redoubt.abi.Sched;
import redoubt.host.Memory;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.Credentials;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.UserIo;
import redoubt.sentry.vfs.FileDescription;

/** Looking into other tasks: kernel/kcmp.c, mm/process_vm_access.c. */
final class OtherTasks {
  private static final int CHUNK_BYTES = 64 * 1024;

  private OtherTasks() {}

  private static @Nullable Task find(Task t, int tid) {
    synchronized (t.kernel().tasks().mu) {
      return t.pidNamespace().task(tid);
    }
  }

  /** Linux's ptrace_may_access with the caller's real ids. */
  static boolean mayAccess(Task t, Task other) {
    if (t.threadGroup() == other.threadGroup()) {
      return true;
    }
    var domain = t.creds().landlock;
    var theirs = other.creds().landlock;
    if (domain != null && (theirs == null || !theirs.isWithin(domain))) {
      return false;
    }
    Credentials c = t.creds();
    Credentials o = other.creds();
    boolean same =
        c.ruid == o.euid
            && c.ruid == o.suid
            && c.ruid == o.ruid
            && c.rgid == o.egid
            && c.rgid == o.sgid
            && c.rgid == o.rgid
            && other.threadGroup().dumpable
            && (o.permitted & ~c.permitted) == 0;
    return (same && c.userNs == o.userNs) || c.hasCapability(o.userNs, Caps.CAP_SYS_PTRACE);
  }

  /** <a href="https://man7.org/linux/man-pages/man2/kcmp.2.html">kcmp(2)</a>. */
  static long kcmp(Task t, Args a) {
    Task one = find(t, a.int0());
    Task two = find(t, a.int1());
    if (one == null || two == null) {
      return -ESRCH;
    }
    if (!mayAccess(t, one) || !mayAccess(t, two)) {
      return -EPERM;
    }
    return switch (a.int2()) {
      case Sched.KCMP_FILE -> {
        FileDescription f = one.fds().peek((int) a.a3);
        FileDescription g = two.fds().peek((int) a.a4);
        yield f == null || g == null ? -EBADF : order(f, g);
      }
      case Sched.KCMP_VM -> order(one.mm(), two.mm());
      case Sched.KCMP_FILES -> order(one.fds(), two.fds());
      case Sched.KCMP_FS -> order(one.fs(), two.fs());
      case Sched.KCMP_SIGHAND -> order(one.threadGroup().handlers(), two.threadGroup().handlers());
      case Sched.KCMP_IO, Sched.KCMP_SYSVSEM -> 0; // nobody has any: null and null are equal
      default -> -EINVAL;
    };
  }

  /** 0 for the same object, else 1 or 2 in an order that stays. */
  private static int order(Object x, Object y) {
    return x == y ? 0 : System.identityHashCode(x) < System.identityHashCode(y) ? 1 : 2;
  }

  /**
   * <a
   * href="https://man7.org/linux/man-pages/man2/process_vm_readv.2.html">process_vm_readv(2)</a>.
   */
  static long processVmReadv(Task t, Args a) {
    return transfer(t, a, false);
  }

  /**
   * <a
   * href="https://man7.org/linux/man-pages/man2/process_vm_readv.2.html">process_vm_writev(2)</a>.
   */
  static long processVmWritev(Task t, Args a) {
    return transfer(t, a, true);
  }

  private static long transfer(Task t, Args a, boolean write) {
    if (a.a5 != 0) {
      return -EINVAL;
    }
    if (a.a4 < 0 || a.a4 > UserIo.MAX_IOVECS) {
      return -EINVAL;
    }
    long total = t.userVectors(a.a1, a.a2 < 0 || a.a2 > UserIo.MAX_IOVECS ? -1 : (int) a.a2);
    if (total <= 0) {
      return total;
    }
    UserIo local = t.userIo();
    int count = (int) a.a4;
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment remote = arena.allocate(Math.max(16, 16L * count), 8);
      long r = t.copyIn(a.a3, remote, 0, 16L * count);
      if (r < 0) {
        return r;
      }
      for (int i = 0; i < count; i++) {
        if (remote.get(Memory.LONG, 16L * i + 8) < 0) {
          return -EINVAL;
        }
      }
      Task other = find(t, a.int0());
      if (other == null) {
        return -ESRCH;
      }
      if (!mayAccess(t, other)) {
        return -EPERM;
      }
      return transfer(other, local, remote, count, arena.allocate(CHUNK_BYTES), write);
    }
  }

  private static long transfer(
      Task other,
      UserIo local,
      MemorySegment remote,
      int count,
      MemorySegment buffer,
      boolean write) {
    long done = 0;
    for (int i = 0; i < count; i++) {
      long uaddr = remote.get(Memory.LONG, 16L * i);
      long length = remote.get(Memory.LONG, 16L * i + 8);
      for (long at = 0; at < length && local.remaining() > 0; ) {
        long want = Math.min(Math.min(length - at, CHUNK_BYTES), local.remaining());
        long n;
        if (other.mm().hasSecret(uaddr + at, want)) {
          n = -EFAULT;
        } else if (write) {
          n = local.get(buffer, 0, want);
          n = n <= 0 ? n : other.mm().space().copyOut(uaddr + at, buffer, 0, n);
        } else {
          n = other.mm().space().copyIn(uaddr + at, buffer, 0, want);
          n = n <= 0 ? n : local.put(buffer, 0, n);
        }
        if (n > 0) {
          done += n;
          at += n;
        }
        if (n < want) {
          return done > 0 ? done : -EFAULT;
        }
      }
    }
    return done;
  }
}
