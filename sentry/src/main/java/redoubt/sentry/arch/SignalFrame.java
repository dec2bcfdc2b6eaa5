package redoubt.sentry.arch;

import static redoubt.sentry.platform.GuestContext.*;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import redoubt.abi.Errno;
import redoubt.abi.Signal;
import redoubt.host.Memory;
import redoubt.sentry.kernel.SignalInfo;
import redoubt.sentry.kernel.Signals;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.platform.GuestContext;

/**
 * Builds and takes down the x86-64 signal frame: struct rt_sigframe of
 * arch/x86/include/asm/sigframe.h, with the FP state above it.
 */
public final class SignalFrame {
  /** Flags that a guest may set: what Linux's FIX_EFLAGS lets through. */
  private static final long USER_FLAGS = 0x50dd5L;

  private static final long CLEARED_FOR_HANDLER = 0x400 | 0x10000 | 0x100; // DF, RF, TF
  private static final int[] CONTEXT_ORDER = {
    R8, R9, R10, R11, R12, R13, R14, R15, RDI, RSI, RBP, RBX, RDX, RAX, RCX, RSP, RIP, RFLAGS
  };
  private static final long REDZONE = 128;
  private static final int USER_CS = 0x33;
  private static final int USER_SS = 0x2b;
  private static final ThreadLocal<MemorySegment> FRAME =
      ThreadLocal.withInitial(() ->
          Arena.ofAuto().allocate(Signal.SIZEOF_RT_SIGFRAME + GuestContext.FP_LIMIT + 64, 64));

  private SignalFrame() {}

  /**
   * Makes the task run {@code handler} next.
   *
   * @param mask the signal mask that sigreturn restores
   * @param restart 0 leaves RAX, 1 makes the interrupted call return EINTR, 2 makes it start again
   * @return false if the stack cannot take the frame
   */
  public static boolean push(
      Task t, SignalInfo info, long handler, long flags, long restorer, long mask, int restart) {
    GuestContext c = t.context();
    MemorySegment f = FRAME.get();
    long sp = c.reg(RSP);
    boolean onAlt = t.isOnAltStack(sp);
    if ((flags & Signal.SA_ONSTACK) != 0 && t.hasAltStack() && !onAlt) {
      sp = t.altStackTop();
    } else {
      sp -= REDZONE;
    }
    int fpBytes = c.saveFpState(f, 512);
    sp = (sp - fpBytes) & ~63L;
    long fpAddress = sp;
    sp = ((sp - Signal.SIZEOF_RT_SIGFRAME) & ~15L) - 8;
    if (onAlt && !t.isOnAltStack(sp)) {
      return false; // the alternate stack has overflown
    }
    writeFrame(t, f, info, restorer, mask, restart, fpBytes > 0 ? fpAddress : 0);
    if (c.copyOut(fpAddress, f, 512, fpBytes) != fpBytes
        || c.copyOut(sp, f, 0, Signal.SIZEOF_RT_SIGFRAME) != Signal.SIZEOF_RT_SIGFRAME) {
      return false;
    }
    t.autoDisarmAltStack();
    c.setReg(RDI, info.signo);
    c.setReg(RSI, sp + Signal.RT_SIGFRAME_INFO);
    c.setReg(RDX, sp + Signal.RT_SIGFRAME_UC);
    c.setReg(RAX, 0);
    c.setReg(RIP, handler);
    c.setReg(RSP, sp);
    c.setReg(RFLAGS, c.reg(RFLAGS) & ~CLEARED_FOR_HANDLER);
    c.loadFpState(f, 512, 0);
    return true;
  }

  private static void writeFrame(
      Task t,
      MemorySegment f,
      SignalInfo info,
      long restorer,
      long mask,
      int restart,
      long fpAddress) {
    GuestContext c = t.context();
    f.asSlice(0, Signal.SIZEOF_RT_SIGFRAME).fill((byte) 0);
    f.set(Memory.LONG, Signal.RT_SIGFRAME_PRETCODE, restorer);
    long uc = Signal.RT_SIGFRAME_UC;
    f.set(
        Memory.LONG,
        uc + Signal.UCONTEXT_UC_FLAGS,
        (fpAddress != 0 ? Signal.UC_FP_XSTATE : 0)
            | Signal.UC_SIGCONTEXT_SS
            | Signal.UC_STRICT_RESTORE_SS);
    t.writeAltStack(f, uc + Signal.UCONTEXT_UC_STACK, c.reg(RSP));
    long mc = uc + Signal.UCONTEXT_UC_MCONTEXT;
    for (int i = 0; i < CONTEXT_ORDER.length; i++) {
      f.set(Memory.LONG, mc + 8L * i, c.reg(CONTEXT_ORDER[i]));
    }
    if (restart == 1) {
      f.set(Memory.LONG, mc + Signal.SIGCONTEXT_RAX, -Errno.EINTR);
    } else if (restart == 2) {
      f.set(Memory.LONG, mc + Signal.SIGCONTEXT_RIP, c.reg(RIP) - 2);
    }
    f.set(Memory.SHORT, mc + Signal.SIGCONTEXT_CS, (short) USER_CS);
    f.set(Memory.SHORT, mc + Signal.SIGCONTEXT_SS, (short) USER_SS);
    f.set(Memory.LONG, mc + Signal.SIGCONTEXT_ERR, c.faultErrorCode());
    f.set(Memory.LONG, mc + Signal.SIGCONTEXT_TRAPNO, c.faultTrap());
    f.set(Memory.LONG, mc + Signal.SIGCONTEXT_OLDMASK, mask);
    f.set(Memory.LONG, mc + Signal.SIGCONTEXT_CR2, c.faultAddress());
    f.set(Memory.LONG, mc + Signal.SIGCONTEXT_FPSTATE, fpAddress);
    f.set(Memory.LONG, uc + Signal.UCONTEXT_UC_SIGMASK, mask);
    info.write(f, Signal.RT_SIGFRAME_INFO);
  }

  /**
   * Returns from a handler: <a
   * href="https://man7.org/linux/man-pages/man2/rt_sigreturn.2.html">rt_sigreturn(2)</a>.
   *
   * @return false if the frame is bad: SIGSEGV
   */
  public static boolean pop(Task t) {
    GuestContext c = t.context();
    MemorySegment f = FRAME.get();
    long sp = c.reg(RSP) - 8; // the handler's ret took pretcode
    if (c.copyIn(sp, f, 0, Signal.SIZEOF_RT_SIGFRAME) != Signal.SIZEOF_RT_SIGFRAME) {
      return false;
    }
    long uc = Signal.RT_SIGFRAME_UC;
    long mc = uc + Signal.UCONTEXT_UC_MCONTEXT;
    long fpAddress = f.get(Memory.LONG, mc + Signal.SIGCONTEXT_FPSTATE);
    long mask = f.get(Memory.LONG, uc + Signal.UCONTEXT_UC_SIGMASK);
    if (fpAddress != 0) {
      if (!loadFp(c, f, fpAddress)) {
        return false;
      }
    } else {
      c.loadFpState(f, 512, 0);
    }
    for (int i = 0; i < CONTEXT_ORDER.length; i++) {
      int reg = CONTEXT_ORDER[i];
      long v = f.get(Memory.LONG, mc + 8L * i);
      if (reg == RFLAGS) {
        v = (c.reg(RFLAGS) & ~USER_FLAGS) | (v & USER_FLAGS);
      }
      c.setReg(reg, v);
    }
    t.restoreAltStack(f, uc + Signal.UCONTEXT_UC_STACK);
    Signals.setMask(t, mask);
    return true;
  }

  private static boolean loadFp(GuestContext c, MemorySegment f, long fpAddress) {
    long at = 512; // 64-byte aligned in our buffer
    if (c.copyIn(fpAddress, f, at, Signal.SIZEOF_FPSTATE) != Signal.SIZEOF_FPSTATE) {
      return false;
    }
    long sw = at + Signal.SIZEOF_FPSTATE - Signal.SIZEOF_FPX_SW_BYTES;
    int length = Signal.SIZEOF_FPSTATE;
    if (f.get(Memory.INT, sw + Signal.FPX_SW_BYTES_MAGIC1) == Signal.FP_XSTATE_MAGIC1) {
      int extended = f.get(Memory.INT, sw + Signal.FPX_SW_BYTES_EXTENDED_SIZE);
      if (extended > Signal.SIZEOF_FPSTATE && extended <= GuestContext.FP_LIMIT) {
        int rest = extended - Signal.SIZEOF_FPSTATE;
        if (c.copyIn(fpAddress + Signal.SIZEOF_FPSTATE, f, at + Signal.SIZEOF_FPSTATE, rest)
            != rest) {
          return false;
        }
        length = extended;
      }
    }
    c.loadFpState(f, at, length);
    return true;
  }
}
