package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ENODEV;
import static redoubt.abi.Errno.EPERM;

import redoubt.abi.Prctl;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.platform.GuestContext;

/**
 * Thread registers: <a
 * href="https://man7.org/linux/man-pages/man2/arch_prctl.2.html">arch_prctl(2)</a>.
 */
final class ArchPrctl {
  private ArchPrctl() {}

  static long archPrctl(Task t, Args a) {
    GuestContext c = t.context();
    return switch (a.int0()) {
      case Prctl.ARCH_SET_FS -> setBase(t, GuestContext.FS_BASE, a.long1());
      case Prctl.ARCH_SET_GS -> setBase(t, GuestContext.GS_BASE, a.long1());
      case Prctl.ARCH_GET_FS -> t.copyOutLong(a.long1(), c.reg(GuestContext.FS_BASE));
      case Prctl.ARCH_GET_GS -> t.copyOutLong(a.long1(), c.reg(GuestContext.GS_BASE));
      case Prctl.ARCH_GET_CPUID -> 1;
      case Prctl.ARCH_SET_CPUID -> a.long1() != 0 ? 0 : -ENODEV; // CPUID runs natively
      default -> -EINVAL;
    };
  }

  private static long setBase(Task t, int register, long address) {
    if (Long.compareUnsigned(address, t.kernel().platform().maxUserAddress()) >= 0) {
      return -EPERM;
    }
    t.context().setReg(register, address);
    return 0;
  }
}
