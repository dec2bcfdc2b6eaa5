package redoubt.sentry.syscalls;

import static redoubt.abi.Caps.CAP_WAKE_ALARM;
import static redoubt.abi.Errno.EBADF;
import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EPERM;
import static redoubt.abi.Eventfd.EFD_CLOEXEC;
import static redoubt.abi.Eventfd.EFD_NONBLOCK;
import static redoubt.abi.Eventfd.EFD_SEMAPHORE;
import static redoubt.abi.Eventfd.SFD_CLOEXEC;
import static redoubt.abi.Eventfd.SFD_NONBLOCK;
import static redoubt.abi.Time.CLOCK_BOOTTIME;
import static redoubt.abi.Time.CLOCK_BOOTTIME_ALARM;
import static redoubt.abi.Time.CLOCK_MONOTONIC;
import static redoubt.abi.Time.CLOCK_REALTIME;
import static redoubt.abi.Time.CLOCK_REALTIME_ALARM;
import static redoubt.abi.Time.TFD_CLOEXEC;
import static redoubt.abi.Time.TFD_NONBLOCK;
import static redoubt.abi.Time.TFD_TIMER_ABSTIME;
import static redoubt.abi.Time.TFD_TIMER_CANCEL_ON_SET;

import java.lang.foreign.MemorySegment;
import redoubt.host.Memory;
import redoubt.sentry.ipc.EventFd;
import redoubt.sentry.ipc.SignalFd;
import redoubt.sentry.ipc.TimerFd;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.vfs.FileDescription;

/** Descriptors that stand for events: eventfd(2), signalfd(2), timerfd_create(2). */
public final class EventFiles {
  private static final int EFD_FLAGS = EFD_SEMAPHORE | EFD_CLOEXEC | EFD_NONBLOCK;

  private EventFiles() {}

  /** eventfd2 without flags. */
  public static long eventfd(Task t, Args a) {
    return make(t, a.int0(), 0);
  }

  /**
   * Creates a counter with a descriptor: <a
   * href="https://man7.org/linux/man-pages/man2/eventfd.2.html">eventfd2(2)</a>.
   */
  public static long eventfd2(Task t, Args a) {
    return make(t, a.int0(), a.int1());
  }

  private static long make(Task t, int initial, int flags) {
    if ((flags & ~EFD_FLAGS) != 0) {
      return -EINVAL;
    }
    var file = new EventFd(t, initial, (flags & EFD_SEMAPHORE) != 0, flags & EFD_NONBLOCK);
    return t.installFd(file, (flags & EFD_CLOEXEC) != 0);
  }

  /** signalfd4 without flags. */
  public static long signalfd(Task t, Args a) {
    return signals(t, a.int0(), a.long1(), a.long2(), 0);
  }

  /**
   * Makes or changes a signalfd: <a
   * href="https://man7.org/linux/man-pages/man2/signalfd.2.html">signalfd4(2)</a>.
   */
  public static long signalfd4(Task t, Args a) {
    return signals(t, a.int0(), a.long1(), a.long2(), a.int3());
  }

  private static long signals(Task t, int fd, long umask, long size, int flags) {
    if (size != 8) {
      return -EINVAL;
    }
    if (t.copyInScratch(umask, 8) < 0) {
      return -EFAULT;
    }
    long mask = t.scratch().get(Memory.LONG, 0);
    if ((flags & ~(SFD_CLOEXEC | SFD_NONBLOCK)) != 0) {
      return -EINVAL;
    }
    if (fd == -1) {
      return t.installFd(new SignalFd(t, mask, flags & SFD_NONBLOCK), (flags & SFD_CLOEXEC) != 0);
    }
    FileDescription f = t.file(fd);
    if (f == null) {
      return -EBADF;
    }
    try {
      if (!(f instanceof SignalFd s)) {
        return -EINVAL;
      }
      s.setMask(t, mask);
      return fd;
    } finally {
      f.decRef();
    }
  }

  /**
   * Makes a timer with a descriptor: <a
   * href="https://man7.org/linux/man-pages/man2/timerfd_create.2.html">timerfd_create(2)</a>.
   */
  public static long timerfdCreate(Task t, Args a) {
    int clock = a.int0();
    int flags = a.int1();
    if ((flags & ~(TFD_CLOEXEC | TFD_NONBLOCK)) != 0) {
      return -EINVAL;
    }
    switch (clock) {
      case CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME -> {}
      case CLOCK_REALTIME_ALARM, CLOCK_BOOTTIME_ALARM -> {
        if (!t.hasCapability(CAP_WAKE_ALARM)) {
          return -EPERM;
        }
      }
      default -> {
        return -EINVAL;
      }
    }
    return t.installFd(new TimerFd(t, clock, flags & TFD_NONBLOCK), (flags & TFD_CLOEXEC) != 0);
  }

  /**
   * Arms it: <a
   * href="https://man7.org/linux/man-pages/man2/timerfd_create.2.html">timerfd_settime(2)</a>.
   */
  public static long timerfdSettime(Task t, Args a) {
    int flags = a.int1();
    long r = Clock.copyInItimerspec(t, a.long2());
    if (r < 0) {
      return r;
    }
    MemorySegment s = t.scratch();
    if ((flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)) != 0
        || !Clock.isValidItimerspec(s)) {
      return -EINVAL;
    }
    long interval = Clock.timespecNs(s, 0);
    long first = Clock.timespecNs(s, 16);
    FileDescription f = t.file(a.int0());
    if (f == null) {
      return -EBADF;
    }
    try {
      if (!(f instanceof TimerFd timer)) {
        return -EINVAL;
      }
      long oldFirst = timer.remaining();
      long oldInterval = timer.interval();
      timer.set(flags, first, interval);
      return a.long3() == 0 ? 0 : Clock.copyOutItimerspec(t, a.long3(), oldInterval, oldFirst);
    } finally {
      f.decRef();
    }
  }

  /**
   * What is left: <a
   * href="https://man7.org/linux/man-pages/man2/timerfd_create.2.html">timerfd_gettime(2)</a>.
   */
  public static long timerfdGettime(Task t, Args a) {
    FileDescription f = t.file(a.int0());
    if (f == null) {
      return -EBADF;
    }
    try {
      if (!(f instanceof TimerFd timer)) {
        return -EINVAL;
      }
      return Clock.copyOutItimerspec(t, a.long1(), timer.interval(), timer.remaining());
    } finally {
      f.decRef();
    }
  }
}
