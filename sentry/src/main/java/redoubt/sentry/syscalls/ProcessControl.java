package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ENODEV;
import static redoubt.abi.Errno.ENXIO;
import static redoubt.abi.Errno.EPERM;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import redoubt.abi.Caps;
import redoubt.abi.Prctl;
import redoubt.host.Memory;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.Credentials;
import redoubt.sentry.kernel.Latin1;
import redoubt.sentry.kernel.Task;

/** <a href="https://man7.org/linux/man-pages/man2/prctl.2.html">prctl(2)</a> and personality(2). */
final class ProcessControl {
  private static final int PR_SET_MDWE = 65;
  private static final int PR_GET_MDWE = 66;
  private static final int PR_GET_AUXV = 0x41555856;
  private static final int PR_SET_PTRACER = 0x59616d61;

  private ProcessControl() {}

  static long prctl(Task t, Args a) {
    return switch (a.int0()) {
      case Prctl.PR_SET_PDEATHSIG -> setParentDeathSignal(t, a.a1);
      case Prctl.PR_GET_PDEATHSIG -> t.copyOutInt(a.a1, t.parentDeathSignal);
      case Prctl.PR_GET_DUMPABLE -> t.threadGroup().dumpable ? 1 : 0;
      case Prctl.PR_SET_DUMPABLE -> setDumpable(t, a.a1);
      case Prctl.PR_GET_KEEPCAPS -> (t.creds().securebits & Prctl.SECURE_KEEP_CAPS) != 0 ? 1 : 0;
      case Prctl.PR_SET_KEEPCAPS -> setKeepCaps(t, a.a1);
      case Prctl.PR_GET_TIMING -> Prctl.PR_TIMING_STATISTICAL;
      case Prctl.PR_SET_TIMING -> a.a1 == Prctl.PR_TIMING_STATISTICAL ? 0 : -EINVAL;
      case Prctl.PR_SET_NAME -> setName(t, a.a1);
      case Prctl.PR_GET_NAME -> getName(t, a.a1);
      case Prctl.PR_GET_SECCOMP -> SeccompCalls.mode(t);
      case Prctl.PR_CAPBSET_READ -> capabilityIn(t.creds().bounding, a.a1);
      case Prctl.PR_CAPBSET_DROP -> dropBounding(t, a.a1);
      case Prctl.PR_GET_TSC -> t.copyOutInt(a.a1, Prctl.PR_TSC_ENABLE);
      case Prctl.PR_SET_TSC -> a.a1 == Prctl.PR_TSC_ENABLE ? 0 : -EINVAL;
      case Prctl.PR_GET_SECUREBITS -> t.creds().securebits;
      case Prctl.PR_SET_SECUREBITS -> setSecurebits(t, a.a1);
      case Prctl.PR_GET_TIMERSLACK -> t.timerSlackNs;
      case Prctl.PR_SET_TIMERSLACK -> {
        t.timerSlackNs = a.a1 <= 0 ? t.defaultTimerSlackNs : a.a1;
        yield 0;
      }
      case Prctl.PR_TASK_PERF_EVENTS_DISABLE, Prctl.PR_TASK_PERF_EVENTS_ENABLE -> 0;
      case Prctl.PR_MCE_KILL -> (a.a3 | a.a4) != 0 ? -EINVAL : machineCheckPolicy(a);
      case Prctl.PR_MCE_KILL_GET ->
          (a.a1 | a.a2 | a.a3 | a.a4) != 0 ? -EINVAL : Prctl.PR_MCE_KILL_DEFAULT;
      case Prctl.PR_SET_MM -> t.hasCapability(Caps.CAP_SYS_RESOURCE) ? -EINVAL : -EPERM;
      case Prctl.PR_SET_CHILD_SUBREAPER -> {
        t.threadGroup().setChildSubreaper(a.a1 != 0);
        yield 0;
      }
      case Prctl.PR_GET_CHILD_SUBREAPER ->
          t.copyOutInt(a.a1, t.threadGroup().isChildSubreaper() ? 1 : 0);
      case Prctl.PR_SET_NO_NEW_PRIVS -> setNoNewPrivs(t, a);
      case Prctl.PR_GET_NO_NEW_PRIVS ->
          (a.a1 | a.a2 | a.a3 | a.a4) != 0 ? -EINVAL : t.creds().noNewPrivs ? 1 : 0;
      case Prctl.PR_GET_TID_ADDRESS -> t.copyOutLong(a.a1, t.clearChildTid);
      case Prctl.PR_SET_THP_DISABLE -> {
        if ((a.a2 | a.a3 | a.a4) != 0) {
          yield -EINVAL;
        }
        t.mm().hugePagesDisabled = a.a1 != 0;
        yield 0;
      }
      case Prctl.PR_GET_THP_DISABLE ->
          (a.a1 | a.a2 | a.a3 | a.a4) != 0 ? -EINVAL : t.mm().hugePagesDisabled ? 1 : 0;
      case Prctl.PR_CAP_AMBIENT -> ambient(t, a);
      case Prctl.PR_GET_SPECULATION_CTRL ->
          (a.a2 | a.a3 | a.a4) != 0
              ? -EINVAL
              : a.a1 >= 0 && a.a1 <= Prctl.PR_SPEC_L1D_FLUSH ? Prctl.PR_SPEC_NOT_AFFECTED : -ENODEV;
      case Prctl.PR_SET_SPECULATION_CTRL ->
          (a.a3 | a.a4) != 0
              ? -EINVAL
              : a.a1 >= 0 && a.a1 <= Prctl.PR_SPEC_L1D_FLUSH ? -ENXIO : -ENODEV;
      case Prctl.PR_GET_IO_FLUSHER, Prctl.PR_SET_IO_FLUSHER ->
          !t.hasCapability(Caps.CAP_SYS_RESOURCE)
              ? -EPERM
              : (a.a2 | a.a3 | a.a4) != 0 ? -EINVAL : 0;
      case PR_GET_MDWE -> (a.a1 | a.a2 | a.a3 | a.a4) != 0 ? -EINVAL : 0;
      case PR_SET_PTRACER -> 0;
      case PR_GET_AUXV -> auxv(t, a);
      case Prctl.PR_SET_SECCOMP -> SeccompCalls.prctl(t, a.a1, a.a2);
      case PR_SET_MDWE -> -EINVAL;
      default -> -EINVAL;
    };
  }

  private static long setParentDeathSignal(Task t, long signo) {
    if (signo < 0 || signo > 64) {
      return -EINVAL;
    }
    t.parentDeathSignal = (int) signo;
    return 0;
  }

  private static long setDumpable(Task t, long value) {
    if (value != 0 && value != 1) {
      return -EINVAL;
    }
    t.threadGroup().dumpable = value != 0;
    return 0;
  }

  private static long setKeepCaps(Task t, long value) {
    if (value < 0 || value > 1) {
      return -EINVAL;
    }
    Credentials c = t.creds();
    if ((c.securebits & Prctl.SECURE_KEEP_CAPS_LOCKED) != 0) {
      return -EPERM;
    }
    Credentials.Builder b = c.toBuilder();
    b.securebits =
        value != 0 ? c.securebits | Prctl.SECURE_KEEP_CAPS : c.securebits & ~Prctl.SECURE_KEEP_CAPS;
    t.setCreds(b.build());
    return 0;
  }

  private static long setName(Task t, long uname) {
    MemorySegment s = t.scratch();
    long n = t.context().copyInString(uname, s, 0, 15);
    if (n < 0) {
      return -EFAULT;
    }
    t.setComm(Latin1.string(s, 0, (int) n));
    return 0;
  }

  private static long getName(Task t, long uname) {
    MemorySegment s = t.scratch();
    s.asSlice(0, 16).fill((byte) 0);
    Latin1.writeZ(s, 0, t.comm());
    return t.copyOutScratch(uname, 16);
  }

  private static long capabilityIn(long set, long cap) {
    return cap < 0 || cap > Caps.CAP_LAST_CAP ? -EINVAL : set >>> cap & 1;
  }

  private static long dropBounding(Task t, long cap) {
    if (!t.creds().hasOwnCapability(Caps.CAP_SETPCAP)) {
      return -EPERM;
    }
    if (cap < 0 || cap > Caps.CAP_LAST_CAP) {
      return -EINVAL;
    }
    Credentials.Builder b = t.creds().toBuilder();
    b.bounding &= ~(1L << cap);
    t.setCreds(b.build());
    return 0;
  }

  /**
   * security/commoncap.c: locks hold, unknown bits are refused, and only CAP_SETPCAP may change
   * any.
   */
  private static long setSecurebits(Task t, long bits) {
    Credentials c = t.creds();
    int old = c.securebits;
    int locked = (old & Prctl.SECURE_ALL_LOCKS) >> 1;
    if ((locked & (old ^ bits)) != 0
        || (old & Prctl.SECURE_ALL_LOCKS & ~bits) != 0
        || (bits & ~(long) (Prctl.SECURE_ALL_LOCKS | Prctl.SECURE_ALL_BITS)) != 0
        || !c.hasOwnCapability(Caps.CAP_SETPCAP)) {
      return -EPERM;
    }
    Credentials.Builder b = c.toBuilder();
    b.securebits = (int) bits;
    t.setCreds(b.build());
    return 0;
  }

  private static long machineCheckPolicy(Args a) {
    return switch ((int) a.a1) {
      case Prctl.PR_MCE_KILL_CLEAR -> a.a2 != 0 ? -EINVAL : 0;
      case Prctl.PR_MCE_KILL_SET -> a.a2 >= 0 && a.a2 <= Prctl.PR_MCE_KILL_DEFAULT ? 0 : -EINVAL;
      default -> -EINVAL;
    };
  }

  private static long setNoNewPrivs(Task t, Args a) {
    if (a.a1 != 1 || (a.a2 | a.a3 | a.a4) != 0) {
      return -EINVAL;
    }
    Credentials.Builder b = t.creds().toBuilder();
    b.noNewPrivs = true;
    t.setCreds(b.build());
    return 0;
  }

  private static long ambient(Task t, Args a) {
    Credentials c = t.creds();
    Credentials.Builder b = c.toBuilder();
    if (a.a1 == Prctl.PR_CAP_AMBIENT_CLEAR_ALL) {
      if ((a.a2 | a.a3 | a.a4) != 0) {
        return -EINVAL;
      }
      b.ambient = 0;
      t.setCreds(b.build());
      return 0;
    }
    if (a.a2 < 0 || a.a2 > Caps.CAP_LAST_CAP || (a.a3 | a.a4) != 0) {
      return -EINVAL;
    }
    long bit = 1L << a.a2;
    switch ((int) a.a1) {
      case Prctl.PR_CAP_AMBIENT_IS_SET -> {
        return (c.ambient & bit) != 0 ? 1 : 0;
      }
      case Prctl.PR_CAP_AMBIENT_RAISE -> {
        if ((c.permitted & c.inheritable & bit) == 0
            || (c.securebits & Prctl.SECURE_NO_CAP_AMBIENT_RAISE) != 0) {
          return -EPERM;
        }
        b.ambient |= bit;
      }
      case Prctl.PR_CAP_AMBIENT_LOWER -> b.ambient &= ~bit;
      default -> {
        return -EINVAL;
      }
    }
    t.setCreds(b.build());
    return 0;
  }

  private static long auxv(Task t, Args a) {
    if ((a.a3 | a.a4) != 0) {
      return -EINVAL;
    }
    byte[] auxv = t.mm().auxv;
    int n = (int) Math.min(auxv.length, a.a2 < 0 ? Long.MAX_VALUE : a.a2);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment s = arena.allocate(Math.max(1, n));
      MemorySegment.copy(auxv, 0, s, Memory.BYTE, 0, n);
      long r = t.copyOutNow(a.a1, s, 0, n);
      return r < 0 ? r : auxv.length;
    }
  }

  /**
   * <a href="https://man7.org/linux/man-pages/man2/personality.2.html">personality(2)</a>: the old
   * one.
   */
  static long personality(Task t, Args a) {
    long old = t.personality & 0xffffffffL;
    if (a.int0() != -1) {
      t.personality = a.int0();
    }
    return old;
  }
}
