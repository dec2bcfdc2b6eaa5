package redoubt.sentry.syscalls;

import static redoubt.abi.Epoll.EPOLL_CLOEXEC;
import static redoubt.abi.Epoll.EPOLL_CTL_DEL;
import static redoubt.abi.Epoll.SIZEOF_EPOLL_EVENT;
import static redoubt.abi.Errno.EBADF;
import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EPERM;
import static redoubt.abi.Errno.ERESTARTSYS;
import static redoubt.abi.Errno.ERESTART_RESTARTBLOCK;

import redoubt.host.Memory;
import redoubt.sentry.ipc.Epoll;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.UserIo;
import redoubt.sentry.kernel.Waiter;
import redoubt.sentry.vfs.FileDescription;

/** <a href="https://man7.org/linux/man-pages/man7/epoll.7.html">epoll(7)</a>. */
public final class EventPoll {
  private static final int MAX_EVENTS = Integer.MAX_VALUE / SIZEOF_EPOLL_EVENT;

  private EventPoll() {}

  /**
   * The old way to make one: <a
   * href="https://man7.org/linux/man-pages/man2/epoll_create.2.html">epoll_create(2)</a>.
   */
  public static long epollCreate(Task t, Args a) {
    return a.int0() <= 0 ? -EINVAL : t.installFd(new Epoll(t), false);
  }

  /**
   * Makes an epoll instance: <a
   * href="https://man7.org/linux/man-pages/man2/epoll_create.2.html">epoll_create1(2)</a>.
   */
  public static long epollCreate1(Task t, Args a) {
    int flags = a.int0();
    if ((flags & ~EPOLL_CLOEXEC) != 0) {
      return -EINVAL;
    }
    return t.installFd(new Epoll(t), (flags & EPOLL_CLOEXEC) != 0);
  }

  /**
   * Changes an interest list: <a
   * href="https://man7.org/linux/man-pages/man2/epoll_ctl.2.html">epoll_ctl(2)</a>.
   */
  public static long epollCtl(Task t, Args a) {
    int op = a.int1();
    int events = 0;
    long data = 0;
    if (op != EPOLL_CTL_DEL) {
      if (t.copyInScratch(a.long3(), SIZEOF_EPOLL_EVENT) < 0) {
        return -EFAULT;
      }
      events = t.scratch().get(Memory.INT, 0);
      data = t.scratch().get(Memory.LONG, 4);
    }
    FileDescription ep = t.file(a.int0());
    if (ep == null) {
      return -EBADF;
    }
    FileDescription f = t.file(a.int2());
    if (f == null) {
      ep.decRef();
      return -EBADF;
    }
    try {
      return control(t, ep, op, a.int2(), f, events, data);
    } finally {
      f.decRef();
      ep.decRef();
    }
  }

  private static long control(
      Task t, FileDescription ep, int op, int fd, FileDescription f, int events, long data) {
    if (((ep.flags() | f.flags()) & FileDescription.O_PATH) != 0) {
      return -EBADF;
    }
    if (f.waitQueue(t) == null) {
      return -EPERM; // regular files, directories and others without a poll operation
    }
    if (f == ep || !(ep instanceof Epoll epoll)) {
      return -EINVAL;
    }
    if (op != EPOLL_CTL_DEL && !Epoll.allowsExclusive(op, events, f)) {
      return -EINVAL;
    }
    return epoll.control(t, op, fd, f, events, data);
  }

  /**
   * Waits for events: <a
   * href="https://man7.org/linux/man-pages/man2/epoll_wait.2.html">epoll_wait(2)</a>.
   */
  public static long epollWait(Task t, Args a) {
    return await(t, a.int0(), a.long1(), a.int2(), deadlineOfMs(a.int3()));
  }

  /**
   * As epoll_wait, with a signal mask: <a
   * href="https://man7.org/linux/man-pages/man2/epoll_wait.2.html">epoll_pwait(2)</a>.
   */
  public static long epollPwait(Task t, Args a) {
    long r = Poll.setMask(t, a.long4(), a.long5());
    return r < 0 ? r : await(t, a.int0(), a.long1(), a.int2(), deadlineOfMs(a.int3()));
  }

  /**
   * As epoll_pwait, with a timespec: <a
   * href="https://man7.org/linux/man-pages/man2/epoll_wait.2.html">epoll_pwait2(2)</a>.
   */
  public static long epollPwait2(Task t, Args a) {
    long deadline = Waiter.FOREVER;
    if (a.long3() != 0) {
      deadline = Poll.deadlineIn(t, a.long3(), false);
      if (deadline < 0) {
        return deadline;
      }
    }
    long r = Poll.setMask(t, a.long4(), a.long5());
    return r < 0 ? r : await(t, a.int0(), a.long1(), a.int2(), deadline);
  }

  private static long deadlineOfMs(int timeoutMs) {
    return timeoutMs < 0 ? Waiter.FOREVER : Poll.deadlineAfter(timeoutMs * 1_000_000L);
  }

  private static long await(Task t, int epfd, long uevents, int max, long deadlineNs) {
    if (max <= 0 || max > MAX_EVENTS) {
      return -EINVAL;
    }
    if (!UserIo.accessOk(uevents, max * (long) redoubt.abi.Epoll.SIZEOF_EPOLL_EVENT)) {
      return -EFAULT;
    }
    FileDescription f = t.fdget(epfd);
    if (f == null) {
      return -EBADF;
    }
    try {
      if (!(f instanceof Epoll epoll)) {
        return -EINVAL;
      }
      long r = epoll.await(t, uevents, max, deadlineNs);
      return r == -ERESTARTSYS ? interrupted(t, epfd, uevents, max, deadlineNs) : r;
    } finally {
      t.fdput(f);
    }
  }

  /**
   * A handler makes the call end with EINTR; without one it goes on unseen, to the same deadline.
   */
  private static long interrupted(Task t, int epfd, long uevents, int max, long deadlineNs) {
    boolean masked = t.hasTemporaryMask();
    long mask = t.signalMask();
    t.restartBlock =
        task -> {
          if (masked) {
            task.setTemporaryMask(mask);
          }
          return await(task, epfd, uevents, max, deadlineNs);
        };
    return -ERESTART_RESTARTBLOCK;
  }
}
