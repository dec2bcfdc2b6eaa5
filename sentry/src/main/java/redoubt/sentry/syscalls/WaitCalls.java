package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.EAGAIN;
import static redoubt.abi.Errno.EBADF;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ESRCH;

import java.lang.foreign.MemorySegment;
import redoubt.abi.Signal;
import redoubt.abi.Wait;
import redoubt.sentry.ipc.PidFd;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.SignalInfo;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.WaitChildren;
import redoubt.sentry.kernel.WaitOptions;

/**
 * Waiting for children: <a href="https://man7.org/linux/man-pages/man2/wait.2.html">wait(2)</a>.
 */
final class WaitCalls {
  /** __WALL, __WCLONE, __WNOTHREAD: accepted; every child is waited for. */
  private static final int LINUX_ONLY = 0xe0000000;

  private WaitCalls() {}

  static long wait4(Task t, Args a) {
    int options = a.int2();
    if ((options & ~(Wait.WNOHANG | Wait.WUNTRACED | Wait.WCONTINUED | LINUX_ONLY)) != 0) {
      return -EINVAL;
    }
    int pid = a.int0();
    if (pid == Integer.MIN_VALUE) {
      return -ESRCH;
    }
    var w = new WaitOptions();
    w.options = options | Wait.WEXITED;
    if (pid > 0) {
      w.idType = Wait.P_PID;
      w.id = pid;
    } else if (pid == -1) {
      w.idType = Wait.P_ALL;
    } else {
      w.idType = Wait.P_PGID;
      w.id = -pid;
    }
    long r = WaitChildren.await(t, w);
    if (r <= 0) {
      return r;
    }
    if (a.long1() != 0) {
      long e = t.copyOutInt(a.long1(), w.status);
      if (e < 0) {
        return e;
      }
    }
    if (a.long3() != 0) {
      long e = ResourceCalls.copyOut(t, w.usage, 0, a.long3());
      if (e < 0) {
        return e;
      }
    }
    return r;
  }

  static long waitid(Task t, Args a) {
    int options = a.int3();
    if ((options
                & ~(Wait.WNOHANG
                    | Wait.WNOWAIT
                    | Wait.WEXITED
                    | Wait.WSTOPPED
                    | Wait.WCONTINUED
                    | LINUX_ONLY))
            != 0
        || (options & (Wait.WEXITED | Wait.WSTOPPED | Wait.WCONTINUED)) == 0) {
      return -EINVAL;
    }
    var w = new WaitOptions();
    w.options = options;
    w.idType = a.int0();
    w.id = a.int1();
    boolean nonblockingPidFd = false;
    switch (w.idType) {
      case Wait.P_ALL -> {}
      case Wait.P_PID -> {
        if (w.id <= 0) {
          return -EINVAL;
        }
      }
      case Wait.P_PGID -> {
        if (w.id < 0) {
          return -EINVAL;
        }
      }
      case Wait.P_PIDFD -> {
        if (w.id < 0) {
          return -EINVAL;
        }
        if (!(t.fds().peek(w.id) instanceof PidFd p)) {
          return -EBADF;
        }
        w.idType = Wait.P_PID;
        w.id = p.group().tgidIn(t.pidNamespace());
        nonblockingPidFd = p.isNonblocking() && (options & Wait.WNOHANG) == 0;
        if (nonblockingPidFd) {
          w.options |= Wait.WNOHANG;
        }
      }
      default -> {
        return -EINVAL;
      }
    }
    long r = WaitChildren.await(t, w);
    if (r == 0 && nonblockingPidFd) {
      return -EAGAIN;
    }
    if (r < 0) {
      return r;
    }
    if (a.long4() != 0 && r > 0) {
      long e = ResourceCalls.copyOut(t, w.usage, 0, a.long4());
      if (e < 0) {
        return e;
      }
    }
    return a.long2() == 0 ? 0 : copyOutInfo(t, a.long2(), w, r > 0);
  }

  private static long copyOutInfo(Task t, long uaddr, WaitOptions w, boolean found) {
    MemorySegment s = t.scratch();
    if (!found) {
      s.asSlice(0, Signal.SIZEOF_SIGINFO).fill((byte) 0);
    } else {
      int code;
      int status;
      if ((w.status & 0xff) == Wait.W_STOPPED_LOW) {
        code = w.traced ? Signal.CLD_TRAPPED : Signal.CLD_STOPPED;
        status = w.status >> 8;
      } else if (w.status == Wait.W_CONTINUED) {
        code = Signal.CLD_CONTINUED;
        status = Signal.SIGCONT;
      } else if ((w.status & 0x7f) == 0) {
        code = Signal.CLD_EXITED;
        status = w.status >> 8;
      } else {
        code = (w.status & Wait.WCOREFLAG) != 0 ? Signal.CLD_DUMPED : Signal.CLD_KILLED;
        status = w.status & 0x7f;
      }
      SignalInfo.child(Signal.SIGCHLD, code, w.pid, w.uid, status, 0, 0).write(s, 0);
    }
    return t.copyOutScratch(uaddr, Signal.SIZEOF_SIGINFO);
  }
}
