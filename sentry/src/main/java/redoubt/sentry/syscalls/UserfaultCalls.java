package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EPERM;
import static redoubt.abi.Userfaultfd.UFFD_USER_MODE_ONLY;

import redoubt.abi.Caps;
import redoubt.abi.Fcntl;
import redoubt.sentry.ipc.UserfaultFd;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.Task;

/** Page faults by descriptor: fs/userfaultfd.c. */
final class UserfaultCalls {
  private UserfaultCalls() {}

  /** <a href="https://man7.org/linux/man-pages/man2/userfaultfd.2.html">userfaultfd(2)</a>. */
  static long userfaultfd(Task t, Args a) {
    int flags = a.int0();
    boolean userOnly = (flags & UFFD_USER_MODE_ONLY) != 0;
    // vm.unprivileged_userfaultfd is 0: fs/userfaultfd.c asks for the right first
    if (!userOnly && !t.hasCapability(Caps.CAP_SYS_PTRACE)) {
      return -EPERM;
    }
    if ((flags & ~(UFFD_USER_MODE_ONLY | Fcntl.O_CLOEXEC | Fcntl.O_NONBLOCK)) != 0) {
      return -EINVAL;
    }
    return t.installFd(
        new UserfaultFd(t, flags & Fcntl.O_NONBLOCK, userOnly), (flags & Fcntl.O_CLOEXEC) != 0);
  }
}
