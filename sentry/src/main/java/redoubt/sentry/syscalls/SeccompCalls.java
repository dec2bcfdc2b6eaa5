package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.EBUSY;
import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ENOMEM;
import static redoubt.abi.Errno.EOPNOTSUPP;
import static redoubt.abi.Errno.ESRCH;
import static redoubt.abi.Seccomp.*;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import redoubt.host.Memory;
import redoubt.sentry.ipc.SeccompListener;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.ClassicBpf;
import redoubt.sentry.kernel.Seccomp;
import redoubt.sentry.kernel.SeccompFilter;
import redoubt.sentry.kernel.SeccompNotifier;
import redoubt.sentry.kernel.Task;

/** <a href="https://man7.org/linux/man-pages/man2/seccomp.2.html">seccomp(2)</a>. */
final class SeccompCalls {
  private static final int KNOWN_FLAGS =
      SECCOMP_FILTER_FLAG_TSYNC
          | SECCOMP_FILTER_FLAG_LOG
          | SECCOMP_FILTER_FLAG_SPEC_ALLOW
          | SECCOMP_FILTER_FLAG_NEW_LISTENER
          | SECCOMP_FILTER_FLAG_TSYNC_ESRCH
          | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;

  private SeccompCalls() {}

  static long seccomp(Task t, Args a) {
    int flags = a.int1();
    return switch (a.int0()) {
      case SECCOMP_SET_MODE_STRICT -> flags != 0 || a.a2 != 0 ? -EINVAL : Seccomp.strict(t);
      case SECCOMP_SET_MODE_FILTER -> filter(t, flags, a.a2);
      case SECCOMP_GET_ACTION_AVAIL -> flags != 0 ? -EINVAL : isAvailable(t, a.a2);
      case SECCOMP_GET_NOTIF_SIZES -> {
        if (flags != 0) {
          yield -EINVAL;
        }
        MemorySegment s = t.scratch();
        s.set(Memory.SHORT, 0, (short) 80);
        s.set(Memory.SHORT, 2, (short) 24);
        s.set(Memory.SHORT, 4, (short) 64);
        yield t.copyOutScratch(a.a2, 6);
      }
      default -> -EINVAL;
    };
  }

  /** PR_SET_SECCOMP of prctl(2). */
  static long prctl(Task t, long mode, long ufilter) {
    return switch ((int) mode) {
      case SECCOMP_MODE_STRICT -> Seccomp.strict(t);
      case SECCOMP_MODE_FILTER -> filter(t, 0, ufilter);
      default -> -EINVAL;
    };
  }

  private static long isAvailable(Task t, long uaction) {
    long action = t.copyInInt(uaction);
    if (action < 0) {
      return action;
    }
    return switch ((int) action) {
      case SECCOMP_RET_KILL_PROCESS,
          SECCOMP_RET_KILL_THREAD,
          SECCOMP_RET_TRAP,
          SECCOMP_RET_ERRNO,
          SECCOMP_RET_USER_NOTIF,
          SECCOMP_RET_TRACE,
          SECCOMP_RET_LOG,
          SECCOMP_RET_ALLOW ->
          0;
      default -> -EOPNOTSUPP;
    };
  }

  private static long filter(Task t, int flags, long ufilter) {
    boolean listener = (flags & SECCOMP_FILTER_FLAG_NEW_LISTENER) != 0;
    boolean sync = (flags & SECCOMP_FILTER_FLAG_TSYNC) != 0;
    boolean esrch = (flags & SECCOMP_FILTER_FLAG_TSYNC_ESRCH) != 0;
    if ((flags & ~KNOWN_FLAGS) != 0
        || (sync && listener && !esrch)
        || ((flags & SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV) != 0 && !listener)) {
      return -EINVAL;
    }
    MemorySegment s = t.scratch();
    if (t.copyInScratch(ufilter, SIZEOF_SOCK_FPROG) < 0) {
      return -EFAULT;
    }
    int count = s.get(Memory.SHORT, SOCK_FPROG_LEN) & 0xffff;
    long uprogram = s.get(Memory.LONG, SOCK_FPROG_FILTER);
    if (count == 0 || count > ClassicBpf.MAX_INSTRUCTIONS) {
      return -EINVAL;
    }
    long r = Seccomp.mayFilter(t);
    if (r < 0) {
      return r;
    }
    ClassicBpf program;
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment code = arena.allocate((long) count * SIZEOF_SOCK_FILTER, 8);
      r = t.copyIn(uprogram, code, 0, code.byteSize());
      if (r < 0) {
        return r;
      }
      program = ClassicBpf.parse(code, count);
    }
    if (program == null) {
      return -EINVAL;
    }
    SeccompFilter previous = t.seccomp();
    if (listener && previous != null && previous.hasNotifier()) {
      return -EBUSY;
    }
    SeccompNotifier notifier = listener ? new SeccompNotifier() : null;
    boolean logs = (flags & SECCOMP_FILTER_FLAG_LOG) != 0;
    SeccompFilter f = new SeccompFilter(program, previous, logs, notifier);
    if (f.isTooLong()) {
      return -ENOMEM;
    }
    long fd = 0;
    if (notifier != null) {
      fd = t.installFd(new SeccompListener(t, notifier), true);
      if (fd < 0) {
        return fd;
      }
    }
    r = Seccomp.attach(t, f, sync);
    if (r != 0) {
      if (notifier != null) {
        t.fds().close(t, (int) fd);
      }
      return r > 0 && esrch ? -ESRCH : r;
    }
    return fd;
  }

  /** {@return PR_GET_SECCOMP} */
  static long mode(Task t) {
    return t.seccompMode();
  }
}
