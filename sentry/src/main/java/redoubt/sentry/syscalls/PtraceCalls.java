package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EIO;
import static redoubt.abi.Errno.EPERM;
import static redoubt.abi.Errno.ESRCH;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import redoubt.abi.Caps;
import redoubt.abi.Signal;
import redoubt.host.Memory;
import redoubt.sentry.arch.UserRegs;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.Ptrace;
import redoubt.sentry.kernel.SignalInfo;
import redoubt.sentry.kernel.Signals;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.Tracing;
import redoubt.sentry.platform.GuestContext;

/**
 * Tracing another task: <a
 * href="https://man7.org/linux/man-pages/man2/ptrace.2.html">ptrace(2)</a>, kernel/ptrace.c.
 */
final class PtraceCalls {
  private static final int TRACEME = 0;
  private static final int PEEKTEXT = 1;
  private static final int PEEKDATA = 2;
  private static final int PEEKUSER = 3;
  private static final int POKETEXT = 4;
  private static final int POKEDATA = 5;
  private static final int POKEUSER = 6;
  private static final int CONT = 7;
  private static final int KILL = 8;
  private static final int SINGLESTEP = 9;
  private static final int GETREGS = 12;
  private static final int SETREGS = 13;
  private static final int GETFPREGS = 14;
  private static final int SETFPREGS = 15;
  private static final int ATTACH = 16;
  private static final int DETACH = 17;
  private static final int SYSCALL = 24;
  private static final int ARCH_PRCTL = 30;
  private static final int SYSEMU = 31;
  private static final int SYSEMU_SINGLESTEP = 32;
  private static final int SETOPTIONS = 0x4200;
  private static final int GETEVENTMSG = 0x4201;
  private static final int GETSIGINFO = 0x4202;
  private static final int SETSIGINFO = 0x4203;
  private static final int GETREGSET = 0x4204;
  private static final int SETREGSET = 0x4205;
  private static final int SEIZE = 0x4206;
  private static final int INTERRUPT = 0x4207;
  private static final int LISTEN = 0x4208;
  private static final int PEEKSIGINFO = 0x4209;
  private static final int GETSIGMASK = 0x420a;
  private static final int SETSIGMASK = 0x420b;
  private static final int GET_SYSCALL_INFO = 0x420e;

  private static final int NT_PRSTATUS = 1;
  private static final int NT_PRFPREG = 2;
  private static final int NT_X86_XSTATE = 0x202;
  private static final int FXSAVE_BYTES = 512;
  private static final int PEEKSIGINFO_SHARED = 1;
  private static final int AUDIT_ARCH_X86_64 = 0xc000003e;

  private static final int ARCH_SET_FS = 0x1002;
  private static final int ARCH_GET_FS = 0x1003;
  private static final int ARCH_SET_GS = 0x1001;
  private static final int ARCH_GET_GS = 0x1004;

  private PtraceCalls() {}

  static long ptrace(Task t, Args a) {
    int request = (int) a.a0;
    if (request == TRACEME) {
      return Ptrace.traceMe(t);
    }
    Task target;
    synchronized (t.kernel().tasks().mu) {
      target = t.pidNamespace().task((int) a.a1);
    }
    if (target == null) {
      return -ESRCH;
    }
    if (request == ATTACH || request == SEIZE) {
      return attach(t, target, request == SEIZE, a.a2, a.a3);
    }
    Tracing tr = target.tracing();
    if (tr == null || tr.tracer() != t) {
      return -ESRCH;
    }
    if (request == KILL) {
      Signals.send(target.threadGroup(), SignalInfo.kernel(Signal.SIGKILL));
      return 0;
    }
    if (request == INTERRUPT) {
      if (!tr.isSeized()) {
        return -EIO;
      }
      Ptrace.interrupt(target, tr);
      return 0;
    }
    synchronized (tr.accessMu) {
      synchronized (t.kernel().tasks().mu) {
        if (target.tracing() != tr || !tr.isStopped() || tr.isListening() || target.isDead()) {
          return -ESRCH;
        }
      }
      return request(t, target, tr, request, a.a2, a.a3);
    }
  }

  private static long attach(Task t, Task target, boolean seize, long address, long options) {
    if (seize && (address != 0 || (options & ~(long) Tracing.O_MASK) != 0)) {
      return -EIO;
    }
    if (target.threadGroup() == t.threadGroup() || !OtherTasks.mayAccess(t, target)) {
      return -EPERM;
    }
    return Ptrace.attach(t, target, seize, seize ? (int) options : 0);
  }

  /** Of a tracee that stands still. */
  private static long request(
      Task t, Task target, Tracing tr, int request, long address, long data) {
    return switch (request) {
      case PEEKTEXT, PEEKDATA -> peek(t, target, address, data);
      case POKETEXT, POKEDATA -> poke(t, target, address, data);
      case PEEKUSER -> peekUser(t, target, address, data);
      case POKEUSER -> pokeUser(target, address, data);
      case CONT -> resume(target, tr, data, Tracing.Mode.CONTINUE, false);
      case SYSCALL -> resume(target, tr, data, Tracing.Mode.SYSCALL, false);
      case SYSEMU -> resume(target, tr, data, Tracing.Mode.SYSEMU, false);
      case SINGLESTEP -> resume(target, tr, data, Tracing.Mode.CONTINUE, true);
      case SYSEMU_SINGLESTEP -> resume(target, tr, data, Tracing.Mode.SYSEMU, true);
      case DETACH -> {
        if (data < 0 || data > 64) {
          yield -EIO;
        }
        Ptrace.detach(target, tr, (int) data);
        yield 0;
      }
      case LISTEN -> tr.isSeized() ? Ptrace.listen(target, tr) : -EIO;
      case SETOPTIONS -> setOptions(t, tr, data);
      case GETEVENTMSG -> t.copyOutLong(data, tr.message());
      case GETSIGINFO -> getSigInfo(t, tr, data);
      case SETSIGINFO -> setSigInfo(t, tr, data);
      case PEEKSIGINFO -> peekSigInfo(t, target, address, data);
      case GETSIGMASK -> address != 8 ? -EINVAL : t.copyOutLong(data, target.signalMask());
      case SETSIGMASK -> {
        if (address != 8) {
          yield -EINVAL;
        }
        if (t.copyInScratch(data, 8) < 0) {
          yield -EFAULT;
        }
        Signals.setMask(target, t.scratch().get(Memory.LONG, 0));
        yield 0;
      }
      case GETREGS -> {
        UserRegs.write(target, t.scratch(), 0);
        yield t.copyOutScratch(data, UserRegs.BYTES) < 0 ? -EIO : 0;
      }
      case SETREGS -> {
        if (t.copyInScratch(data, UserRegs.BYTES) < 0) {
          yield -EIO;
        }
        yield UserRegs.read(target, t.scratch(), UserRegs.BYTES);
      }
      case GETFPREGS -> fpRegs(t, target, data, FXSAVE_BYTES, false) < 0 ? -EIO : 0;
      case SETFPREGS -> fpRegs(t, target, data, FXSAVE_BYTES, true) < 0 ? -EIO : 0;
      case GETREGSET -> regset(t, target, address, data, false);
      case SETREGSET -> regset(t, target, address, data, true);
      case GET_SYSCALL_INFO -> syscallInfo(t, target, tr, address, data);
      case ARCH_PRCTL -> archPrctl(t, target, address, data);
      default -> -EIO;
    };
  }

  private static long resume(Task target, Tracing tr, long signo, Tracing.Mode mode, boolean step) {
    if (signo < 0 || signo > 64) {
      return -EIO;
    }
    return Ptrace.resume(target, tr, (int) signo, mode, step);
  }

  private static long setOptions(Task t, Tracing tr, long options) {
    if ((options & ~(long) Tracing.O_MASK) != 0) {
      return -EINVAL;
    }
    if ((options & Tracing.O_SUSPEND_SECCOMP) != 0 && !t.hasCapability(Caps.CAP_SYS_ADMIN)) {
      return -EPERM;
    }
    tr.setOptions((int) options);
    return 0;
  }

  // ---- memory ----

  private static long peek(Task t, Task target, long address, long data) {
    MemorySegment s = t.scratch();
    if (target.mm().forceCopyIn(target.context()::copyIn, address, s, 0, 8) != 8) {
      return -EIO;
    }
    return t.copyOutScratch(data, 8);
  }

  private static long poke(Task t, Task target, long address, long data) {
    MemorySegment s = t.scratch();
    s.set(Memory.LONG, 0, data);
    return target.mm().forceCopyOut(target.context()::copyOut, address, s, 0, 8) == 8 ? 0 : -EIO;
  }

  // ---- struct user ----

  private static final int USER_DEBUGREG = 848;
  private static final int USER_BYTES = 928;

  private static long peekUser(Task t, Task target, long offset, long data) {
    if ((offset & 7) != 0 || offset < 0 || offset >= USER_BYTES) {
      return -EIO;
    }
    MemorySegment s = t.scratch();
    long v = 0;
    if (offset < UserRegs.BYTES) {
      UserRegs.write(target, s, 0);
      v = s.get(Memory.LONG, offset);
    }
    s.set(Memory.LONG, 0, v); // no hardware breakpoints: the debug registers are 0
    return t.copyOutScratch(data, 8);
  }

  private static long pokeUser(Task target, long offset, long value) {
    if ((offset & 7) != 0 || offset < 0 || offset >= USER_BYTES) {
      return -EIO;
    }
    if (offset < UserRegs.BYTES) {
      return UserRegs.set(target, (int) offset / 8, value);
    }
    return offset >= USER_DEBUGREG && value == 0 ? 0 : -EIO;
  }

  private static long archPrctl(Task t, Task target, long address, long code) {
    GuestContext c = target.context();
    return switch ((int) code) {
      case ARCH_GET_FS -> t.copyOutLong(address, c.reg(GuestContext.FS_BASE));
      case ARCH_GET_GS -> t.copyOutLong(address, c.reg(GuestContext.GS_BASE));
      case ARCH_SET_FS -> UserRegs.set(target, UserRegs.FS_BASE, address);
      case ARCH_SET_GS -> UserRegs.set(target, UserRegs.GS_BASE, address);
      default -> -EINVAL;
    };
  }

  // ---- register sets ----

  private static long regset(Task t, Task target, long type, long uiov, boolean set) {
    MemorySegment s = t.scratch();
    long r = t.copyIn(uiov, s, 0, 16);
    if (r < 0) {
      return r;
    }
    long base = s.get(Memory.LONG, 0);
    long length = s.get(Memory.LONG, 8);
    switch ((int) type) {
      case NT_PRSTATUS -> {
        if ((length & 7) != 0) {
          return -EINVAL;
        }
        long n = Math.min(length, UserRegs.BYTES);
        if (set) {
          r = t.copyInScratch(base, n);
          r = r < 0 ? r : UserRegs.read(target, s, n);
        } else {
          UserRegs.write(target, s, 0);
          r = t.copyOutNow(base, s, 0, n);
        }
        return r < 0 ? r : length(t, uiov, n);
      }
      case NT_PRFPREG -> {
        if ((length & 7) != 0) {
          return -EINVAL;
        }
        r = fpRegs(t, target, base, Math.min(length, FXSAVE_BYTES), set);
        return r < 0 ? r : length(t, uiov, Math.min(length, FXSAVE_BYTES));
      }
      case NT_X86_XSTATE -> {
        if ((length & 7) != 0) {
          return -EINVAL;
        }
        long size = t.kernel().platform().fpStateBytes();
        size = size > FXSAVE_BYTES ? size - 4 : size;
        long n = Math.min(length, size & ~7L);
        r = fpRegs(t, target, base, n, set);
        return r < 0 ? r : length(t, uiov, n);
      }
      default -> {
        return -EINVAL;
      }
    }
  }

  private static long length(Task t, long uiov, long n) {
    t.scratch().set(Memory.LONG, 0, n);
    return t.copyOutNow(uiov + 8, t.scratch(), 0, 8);
  }

  /** Offset of the software-reserved words in a signal frame's state, and in ptrace's. */
  private static final int SW_RESERVED = 464;

  /** The FXSAVE area, and behind it what XSAVE adds. */
  private static long fpRegs(Task t, Task target, long uaddr, long length, boolean set) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment fp = arena.allocate(GuestContext.FP_LIMIT, 64);
      int have = target.context().saveFpState(fp, 0);
      long features = fp.get(Memory.LONG, SW_RESERVED + 8);
      if (set) {
        long r = t.copyIn(uaddr, fp, 0, length);
        if (r < 0) {
          return r;
        }
        if (have > FXSAVE_BYTES) {
          // Only what the processor has: XRSTOR would fault on anything else.
          long used = fp.get(Memory.LONG, FXSAVE_BYTES);
          fp.set(Memory.LONG, FXSAVE_BYTES, (used & features) | (length <= FXSAVE_BYTES ? 3 : 0));
          fp.asSlice(FXSAVE_BYTES + 8, 56).fill((byte) 0);
        }
        fp.set(Memory.INT, 24, fp.get(Memory.INT, 24) & 0xffff); // MXCSR's reserved bits fault
        target.context().loadFpState(fp, 0, have);
        return 0;
      }
      fp.asSlice(SW_RESERVED, FXSAVE_BYTES - SW_RESERVED).fill((byte) 0);
      fp.set(Memory.LONG, SW_RESERVED, features);
      return t.copyOutNow(uaddr, fp, 0, length);
    }
  }

  // ---- signals ----

  private static long getSigInfo(Task t, Tracing tr, long uaddr) {
    SignalInfo i = tr.info();
    if (i == null) {
      return -EINVAL;
    }
    i.write(t.scratch(), 0);
    return t.copyOutScratch(uaddr, Signal.SIZEOF_SIGINFO);
  }

  private static long setSigInfo(Task t, Tracing tr, long uaddr) {
    if (tr.info() == null) {
      return -EINVAL;
    }
    long r = t.copyInScratch(uaddr, Signal.SIZEOF_SIGINFO);
    if (r < 0) {
      return r;
    }
    int signo = t.scratch().get(Memory.INT, 0);
    if (signo < 0 || signo > 64) {
      return -EINVAL;
    }
    tr.setInfo(SignalInfo.raw(signo, t.scratch()));
    return 0;
  }

  private static long peekSigInfo(Task t, Task target, long uargs, long data) {
    MemorySegment s = t.scratch();
    long r = t.copyInScratch(uargs, 16);
    if (r < 0) {
      return r;
    }
    long from = s.get(Memory.LONG, 0);
    int flags = s.get(Memory.INT, 8);
    int count = s.get(Memory.INT, 12);
    if ((flags & ~PEEKSIGINFO_SHARED) != 0 || count < 0) {
      return -EINVAL;
    }
    List<SignalInfo> waiting = Signals.waiting(target, (flags & PEEKSIGINFO_SHARED) != 0);
    int n = 0;
    for (long i = from; i >= 0 && i < waiting.size() && n < count; i++, n++) {
      waiting.get((int) i).write(s, 0);
      if (t.copyOutNow(data + (long) n * Signal.SIZEOF_SIGINFO, s, 0, Signal.SIZEOF_SIGINFO) < 0) {
        return n > 0 ? n : -EFAULT;
      }
    }
    return n;
  }

  /** struct ptrace_syscall_info. */
  private static long syscallInfo(Task t, Task target, Tracing tr, long size, long uaddr) {
    MemorySegment s = t.scratch();
    s.asSlice(0, 96).fill((byte) 0);
    GuestContext c = target.context();
    s.set(Memory.INT, 4, AUDIT_ARCH_X86_64);
    s.set(Memory.LONG, 8, c.reg(GuestContext.RIP));
    s.set(Memory.LONG, 16, c.reg(GuestContext.RSP));
    int actual = 24;
    switch (tr.place()) {
      case NONE -> {}
      case ENTRY, SECCOMP -> {
        boolean seccomp = tr.place() == Tracing.Place.SECCOMP;
        s.set(Memory.BYTE, 0, (byte) (seccomp ? 3 : 1));
        s.set(Memory.LONG, 24, target.originalCall());
        int[] order = {
          GuestContext.RDI,
          GuestContext.RSI,
          GuestContext.RDX,
          GuestContext.R10,
          GuestContext.R8,
          GuestContext.R9
        };
        for (int i = 0; i < order.length; i++) {
          s.set(Memory.LONG, 32 + 8L * i, c.reg(order[i]));
        }
        actual = 80;
        if (seccomp) {
          s.set(Memory.INT, 80, (int) tr.message());
          actual = 84;
        }
      }
      case EXIT -> {
        s.set(Memory.BYTE, 0, (byte) 2);
        long r = c.reg(GuestContext.RAX);
        s.set(Memory.LONG, 24, r);
        s.set(Memory.BYTE, 32, (byte) (r < 0 && r >= -4095 ? 1 : 0));
        actual = 33;
      }
    }
    long n = Math.min(actual, size);
    return n < 0 || t.copyOutNow(uaddr, s, 0, n) < 0 ? -EFAULT : actual;
  }
}
