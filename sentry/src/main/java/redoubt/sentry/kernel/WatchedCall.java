package redoubt.sentry.kernel;

import static redoubt.abi.Errno.ENOSYS;
import static redoubt.abi.Errno.ERESTARTNOHAND;
import static redoubt.abi.Errno.ERESTART_RESTARTBLOCK;

import redoubt.abi.Nr;
import redoubt.abi.Signal;
import redoubt.sentry.platform.GuestContext;

/**
 * One system call of a task with a tracer or a seccomp filter, and what else such a task does
 * differently on its way to the guest and back: kernel/entry/common.c.
 */
final class WatchedCall {
  private static final long TRAP_FLAG = 0x100;
  private static final int SYSCALL_BYTES = 2;

  private final Task t;
  private final GuestContext ctx;
  private boolean skipped;
  private boolean emulated;

  WatchedCall(Task t, GuestContext ctx) {
    this.t = t;
    this.ctx = ctx;
  }

  /** The call begins. Returns false if the task is to end. */
  boolean enter() {
    t.setOriginalCall((int) ctx.reg(GuestContext.RAX));
    ctx.setReg(GuestContext.RAX, -ENOSYS);
    Tracing tr = t.tracing;
    if (tr != null && tr.mode != Tracing.Mode.CONTINUE) {
      emulated = tr.mode == Tracing.Mode.SYSEMU;
      Ptrace.syscall(t, Tracing.Place.ENTRY);
    }
    if (t.killed) {
      return false;
    }
    long nr = t.originalCall();
    skipped = emulated || (int) nr == -1;
    if (!skipped && t.seccompMode != 0) {
      skipped = Seccomp.check(t, ctx) == Seccomp.Verdict.SKIP;
      if (t.killed) {
        return false;
      }
      nr = t.originalCall();
    }
    if (!skipped) {
      ctx.setReg(GuestContext.RAX, nr);
    }
    return true;
  }

  /** {@return whether the call is not made}: RAX is the result already */
  boolean isSkipped() {
    return skipped;
  }

  /** The call has ended, and RAX says how. */
  void exit(boolean replaced) {
    if (t.execed) {
      t.execed = false;
      execed();
    }
    Tracing tr = t.tracing;
    if (tr == null || emulated) {
      return;
    }
    if (tr.singleStep) {
      Ptrace.stepped(t);
    } else if (tr.mode == Tracing.Mode.SYSCALL && !t.killed) {
      Ptrace.syscall(t, Tracing.Place.EXIT);
    }
  }

  private void execed() {
    Tracing tr = t.tracing;
    if (tr == null) {
      return;
    }
    if (tr.wants(Tracing.O_TRACEEXEC)) {
      int old = Ptrace.numberForTracer(t, t.pid());
      Ptrace.event(t, Tracing.O_TRACEEXEC, Tracing.EVENT_EXEC, old);
    } else if (!tr.seized) {
      Signals.send(t, Ptrace.execTrap());
    }
  }

  /**
   * An interrupted call is made again: by its own instruction, so that it is seen again.
   *
   * @param result the internal result, in RAX too
   */
  static void again(Task t, long result) {
    GuestContext c = t.context();
    if (c.reg(GuestContext.RAX) != result || (int) t.originalCall() == -1) {
      return; // the tracer wants something else
    }
    c.setReg(
        GuestContext.RAX, result == -ERESTART_RESTARTBLOCK ? Nr.RESTART_SYSCALL : t.originalCall());
    c.setReg(GuestContext.RIP, c.reg(GuestContext.RIP) - SYSCALL_BYTES);
  }

  /**
   * Before a handler's frame is made of an interrupted call: {@return the result that the frame is
   * to heed}, with the call's number in RAX where the frame may make it again
   */
  static long resultForFrame(Task t, long result) {
    GuestContext c = t.context();
    if (c.reg(GuestContext.RAX) != result || (int) t.originalCall() == -1) {
      return 0;
    }
    if (result != -ERESTARTNOHAND) {
      c.setReg(GuestContext.RAX, t.originalCall());
    }
    return result;
  }

  /** A handler was put in the way of a step: that counts as one. */
  static void handlerBegins(Task t) {
    Tracing tr = t.tracing;
    if (tr != null && tr.singleStep) {
      Ptrace.stop(
          t, Signal.SIGTRAP, new SignalInfo(Signal.SIGTRAP, Signal.SIGTRAP), 0, Tracing.Place.NONE);
    }
  }

  /** Sets the trap flag if the tracer let {@code t} take one step. {@return whether it did} */
  static boolean stepBegins(Task t, GuestContext c) {
    Tracing tr = t.tracing;
    if (tr == null || !tr.singleStep || (c.reg(GuestContext.RFLAGS) & TRAP_FLAG) != 0) {
      return false;
    }
    c.setReg(GuestContext.RFLAGS, c.reg(GuestContext.RFLAGS) | TRAP_FLAG);
    return true;
  }

  /** The guest was left, by {@code event}. */
  static void left(Task t, GuestContext c, int event, boolean stepped) {
    if (event == GuestContext.DEAD) {
      return;
    }
    if (stepped) {
      c.setReg(GuestContext.RFLAGS, c.reg(GuestContext.RFLAGS) & ~TRAP_FLAG);
    }
    if (event != GuestContext.SYSCALL) {
      t.setOriginalCall(-1);
    }
  }
}
