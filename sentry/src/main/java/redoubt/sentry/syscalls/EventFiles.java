package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Eventfd.EFD_CLOEXEC;
import static redoubt.abi.Eventfd.EFD_NONBLOCK;
import static redoubt.abi.Eventfd.EFD_SEMAPHORE;

import redoubt.sentry.ipc.EventFd;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.Task;

/** <a href="https://man7.org/linux/man-pages/man2/eventfd.2.html">eventfd(2)</a>. */
public final class EventFiles {
  private static final int EFD_FLAGS = EFD_SEMAPHORE | EFD_CLOEXEC | EFD_NONBLOCK;

  private EventFiles() {}

  /** eventfd2 without flags. */
  public static long eventfd(Task t, Args a) {
    return make(t, a.int0(), 0);
  }

  /** Creates a counter with a descriptor: <a href="https://man7.org/linux/man-pages/man2/eventfd.2.html">eventfd2(2)</a>. */
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
}
