package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EPERM;
import static redoubt.abi.Errno.ESRCH;

import java.lang.foreign.MemorySegment;
import redoubt.abi.Caps;
import redoubt.host.Memory;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.Credentials;
import redoubt.sentry.kernel.Task;

/**
 * <a href="https://man7.org/linux/man-pages/man7/capabilities.7.html">capabilities(7)</a>:
 * kernel/capability.c.
 */
final class Capabilities {
  private Capabilities() {}

  /**
   * Reads the header's version: {@return how many data structs follow}, -EFAULT, or -EINVAL after
   * telling the caller the version to use.
   */
  private static long dataCount(Task t, long uheader) {
    long version = t.copyInInt(uheader);
    if (version < 0) {
      return version;
    }
    return switch ((int) version) {
      case Caps._LINUX_CAPABILITY_VERSION_1 -> 1;
      case Caps._LINUX_CAPABILITY_VERSION_2, Caps._LINUX_CAPABILITY_VERSION_3 -> 2;
      default -> {
        t.scratch().set(Memory.INT, 0, Caps._LINUX_CAPABILITY_VERSION_3);
        long r = t.copyOutNow(uheader, t.scratch(), 0, 4);
        yield r < 0 ? r : -EINVAL;
      }
    };
  }

  /** <a href="https://man7.org/linux/man-pages/man2/capget.2.html">capget(2)</a>. */
  static long capget(Task t, Args a) {
    long count = dataCount(t, a.a0);
    if (a.a1 == 0 || count < 0) {
      return a.a1 == 0 && count == -EINVAL ? 0 : Math.min(count, 0);
    }
    long pid = t.copyInInt(a.a0 + Caps.CAP_HEADER_PID);
    if (pid < 0) {
      return pid;
    }
    if ((int) pid < 0) {
      return -EINVAL;
    }
    Credentials c = t.creds();
    if (pid != 0 && pid != t.tid()) {
      synchronized (t.kernel().tasks().mu) {
        Task other = t.pidNamespace().task((int) pid);
        if (other == null) {
          return -ESRCH;
        }
        c = other.creds();
      }
    }
    MemorySegment s = t.scratch();
    for (int i = 0; i < count; i++) {
      int at = i * Caps.SIZEOF_CAP_DATA;
      s.set(Memory.INT, at + Caps.CAP_DATA_EFFECTIVE, (int) (c.effective >>> 32 * i));
      s.set(Memory.INT, at + Caps.CAP_DATA_PERMITTED, (int) (c.permitted >>> 32 * i));
      s.set(Memory.INT, at + Caps.CAP_DATA_INHERITABLE, (int) (c.inheritable >>> 32 * i));
    }
    return t.copyOutScratch(a.a1, count * Caps.SIZEOF_CAP_DATA);
  }

  /**
   * <a href="https://man7.org/linux/man-pages/man2/capget.2.html">capset(2)</a>: on the caller
   * only.
   */
  static long capset(Task t, Args a) {
    long count = dataCount(t, a.a0);
    if (count < 0) {
      return count;
    }
    long pid = t.copyInInt(a.a0 + Caps.CAP_HEADER_PID);
    if (pid < 0) {
      return pid;
    }
    if (pid != 0 && pid != t.tid()) {
      return -EPERM;
    }
    long r = t.copyInScratch(a.a1, count * Caps.SIZEOF_CAP_DATA);
    if (r < 0) {
      return r;
    }
    long effective = set(t.scratch(), Caps.CAP_DATA_EFFECTIVE, count);
    long permitted = set(t.scratch(), Caps.CAP_DATA_PERMITTED, count);
    long inheritable = set(t.scratch(), Caps.CAP_DATA_INHERITABLE, count);
    Credentials c = t.creds();
    // security/commoncap.c cap_capset
    boolean limited = !c.hasOwnCapability(Caps.CAP_SETPCAP);
    if ((limited && (inheritable & ~(c.inheritable | c.permitted)) != 0)
        || (inheritable & ~(c.inheritable | c.bounding)) != 0
        || (permitted & ~c.permitted) != 0
        || (effective & ~permitted) != 0) {
      return -EPERM;
    }
    Credentials.Builder b = c.toBuilder();
    b.effective = effective;
    b.permitted = permitted;
    b.inheritable = inheritable;
    b.ambient &= permitted & inheritable;
    UserIds.commit(t, b);
    return 0;
  }

  private static long set(MemorySegment s, int field, long count) {
    long low = s.get(Memory.INT, field) & 0xffffffffL;
    long high = count > 1 ? s.get(Memory.INT, field + Caps.SIZEOF_CAP_DATA) & 0xffffffffL : 0;
    return (high << 32 | low) & Caps.CAP_FULL_SET;
  }
}
