package redoubt.sentry.kernel;

import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.EIO;
import static redoubt.abi.Errno.ENOMEM;
import static redoubt.abi.Errno.ERESTARTNOHAND;
import static redoubt.abi.Errno.ERESTARTSYS;
import static redoubt.abi.Errno.ERESTART_RESTARTBLOCK;

import redoubt.abi.Signal;
import redoubt.sentry.platform.GuestContext;

/**
 * A task's life on its Java thread: run the guest, answer its calls and faults, deliver signals,
 * until it is killed or exits. What Linux does in entry_64.S and exit_to_user_mode.
 */
final class TaskLoop implements Runnable {
  private final Task t;
  private final Kernel kernel;
  private boolean handlerPushed;

  TaskLoop(Task t) {
    this.t = t;
    this.kernel = t.kernel();
  }

  @Override
  public void run() {
    t.beginsHere();
    Task.setCurrent(t);
    t.publishAnswers();
    try {
      while (!t.killed) {
        handlerPushed = false;
        if (needsAttention() && !attend(0)) {
          break;
        }
        step();
      }
    } catch (Throwable e) {
      InternalError.report(t, "task loop", e);
      GroupExit.kill(t.threadGroup(), Signal.SIGKILL);
    }
    try {
      TaskWork work = t.taskWork;
      if (work != null) {
        work.taskEnds(t);
      }
      GroupExit.taskExits(t, t.exitStatus);
    } catch (Throwable e) {
      InternalError.report(t, "exit", e);
    }
    Task.setCurrent(null);
    t.endsHere();
  }

  private boolean needsAttention() {
    return t.waiter().isInterrupted() || t.isHalted();
  }

  private void step() {
    GuestContext ctx = t.context();
    boolean watched = t.isWatched();
    boolean steps = watched && WatchedCall.stepBegins(t, ctx);
    int event = ctx.run();
    if (watched) {
      WatchedCall.left(t, ctx, event, steps);
    }
    switch (event) {
      case GuestContext.SYSCALL -> {
        if (t.isWatched()) {
          watchedSyscall(ctx);
        } else {
          syscall(ctx);
        }
      }
      case GuestContext.FAULT -> fault(ctx);
      case GuestContext.INTERRUPTED -> {}
      case GuestContext.SYSCALL_COPY_FAULT -> ctx.setReg(GuestContext.RAX, -EFAULT);
      default -> GroupExit.hostEnded(t);
    }
  }

  private void syscall(GuestContext ctx) {
    t.syscalls++;
    long r = dispatch(ctx);
    while (r <= -ERESTARTSYS && r >= -ERESTART_RESTARTBLOCK && !t.registersReplaced) {
      handlerPushed = false;
      if (!attend(r) || handlerPushed) {
        return; // a handler runs first; its frame knows whether the call is restarted
      }
      Task.RestartBlock block = t.restartBlock;
      r = r == -ERESTART_RESTARTBLOCK && block != null ? restart(block) : dispatch(ctx);
    }
    if (t.restoreMask) {
      t.restoreMask = false;
      Signals.setMask(t, t.savedMask);
    }
    if (t.registersReplaced) {
      t.registersReplaced = false;
      return;
    }
    t.context().setReg(GuestContext.RAX, r);
  }

  /** As {@link #syscall}, where a tracer or a filter sees every call: syscall_trace_enter. */
  private void watchedSyscall(GuestContext ctx) {
    t.syscalls++;
    t.execed = false;
    WatchedCall call = new WatchedCall(t, ctx);
    if (!call.enter()) {
      return; // killed
    }
    t.copiesNow = true; // the tracer looks before the guest goes on
    long r = call.isSkipped() ? ctx.reg(GuestContext.RAX) : dispatch(ctx);
    t.copiesNow = false;
    boolean replaced = t.registersReplaced;
    t.registersReplaced = false;
    if (!replaced) {
      t.context().setReg(GuestContext.RAX, r);
    } else if (t.execed) {
      t.context().setReg(GuestContext.RAX, 0);
    }
    if (t.restoreMask && (r > -ERESTARTSYS || r < -ERESTART_RESTARTBLOCK)) {
      t.restoreMask = false;
      Signals.setMask(t, t.savedMask);
    }
    call.exit(replaced);
    GuestContext now = t.context();
    if (replaced
        || r > -ERESTARTSYS
        || r < -ERESTART_RESTARTBLOCK
        || now.reg(GuestContext.RAX) != r) {
      return;
    }
    handlerPushed = false;
    if (attend(r) && !handlerPushed) {
      WatchedCall.again(t, r);
    }
  }

  private long restart(Task.RestartBlock block) {
    try {
      return block.restart(t);
    } catch (ErrnoException e) {
      return -e.errno();
    }
  }

  private long dispatch(GuestContext ctx) {
    Args a = t.args;
    ctx.readCall(a);
    t.currentSyscall = a.nr;
    SyscallObserver observer = kernel.observer;
    if (observer != null) {
      return observed(observer, a);
    }
    long r = call(a);
    t.currentSyscall = -1;
    return r;
  }

  private long observed(SyscallObserver observer, Args a) {
    long start = System.nanoTime();
    observer.enter(t, a);
    t.copiesNow = true;
    long r = call(a);
    t.copiesNow = false;
    observer.exit(t, a, r, System.nanoTime() - start);
    t.currentSyscall = -1;
    return r;
  }

  private long call(Args a) {
    try {
      return kernel.dispatcher().dispatch(t, a);
    } catch (ErrnoException e) {
      t.context().clearQueuedCopies();
      return -e.errno();
    } catch (RuntimeException | java.lang.Error e) {
      InternalError.report(t, "system call " + a.nr, e);
      t.context().clearQueuedCopies();
      return e instanceof OutOfMemoryError ? -ENOMEM : -EIO;
    }
  }

  private void fault(GuestContext ctx) {
    int signo = ctx.faultSignal();
    long address = ctx.faultAddress();
    if (signo == Signal.SIGSEGV && ctx.faultTrap() == 14) {
      long r = t.mm().handleFault(t, address, ctx.faultErrorCode());
      if (r == 0) {
        return;
      }
      if (r == redoubt.sentry.mm.MemoryManager.FAULT_USER) {
        redoubt.sentry.mm.Userfault who = t.mm().userfaultAt(address);
        if (who != null) {
          who.await(t, address, (ctx.faultErrorCode() & 2) != 0, false);
        }
        return; // it tries again, after its signals
      }
      boolean bus = r == redoubt.sentry.mm.MemoryManager.FAULT_BUS;
      int code = bus ? Signal.BUS_ADRERR : (int) r;
      Signals.force(t, SignalInfo.fault(bus ? Signal.SIGBUS : Signal.SIGSEGV, code, address));
      return;
    }
    Signals.force(t, SignalInfo.fault(signo, ctx.faultCode(), address));
  }

  /**
   * Looks at stops and signals until none is left or a handler is to run.
   *
   * @param result the interrupted call's internal result, or 0
   * @return false if the task is to end
   */
  private boolean attend(long result) {
    for (; ; ) {
      t.waiter().clearInterrupt();
      t.context().clearInterrupt();
      if (t.killed) {
        return false;
      }
      TaskWork work = t.taskWork;
      if (work != null) {
        work.run(t);
      }
      if ((t.threadGroup().isStopped() && !Ptrace.ranPastStop(t)) || t.isHalted()) {
        if (!Ptrace.groupStop(t)) {
          JobControl.waitWhileStopped(t);
        }
        continue;
      }
      if (t.tracing != null) {
        Ptrace.trap(t);
      }
      SignalInfo info = Signals.dequeue(t, ~t.signalMask);
      if (info == null) {
        if (t.restoreMask) {
          t.restoreMask = false;
          Signals.setMask(t, t.savedMask);
          continue;
        }
        return true;
      }
      if (t.tracing != null) {
        info = Ptrace.signal(t, info);
        if (info == null) {
          continue;
        }
      }
      if (!deliver(info, result)) {
        return false;
      }
      if (handlerPushed) {
        result = 0; // further signals nest on top of this handler before it runs
      }
    }
  }

  private boolean deliver(SignalInfo info, long result) {
    ThreadGroup g = t.threadGroup();
    SignalHandlers h = g.handlers;
    long handler;
    long flags;
    long restorer;
    long mask;
    synchronized (h.mu) {
      SignalHandlers.Action a = h.action(info.signo);
      handler = a.handler;
      flags = a.flags;
      restorer = a.restorer;
      mask = a.mask;
      if (handler != SignalHandlers.SIG_DFL
          && handler != SignalHandlers.SIG_IGN
          && (flags & 0x80000000L) != 0) {
        a.handler = SignalHandlers.SIG_DFL;
      }
    }
    if (handler == SignalHandlers.SIG_IGN) {
      return true;
    }
    if (handler == SignalHandlers.SIG_DFL) {
      return byDefault(info);
    }
    long maskAfter = t.restoreMask ? t.savedMask : t.signalMask;
    t.restoreMask = false;
    if (result != 0 && t.isWatched()) {
      result = WatchedCall.resultForFrame(t, result);
    }
    if (!redoubt.sentry.arch.SignalFrame.push(
        t, info, handler, flags, restorer, maskAfter, restartAction(result, flags))) {
      Signals.force(t, SignalInfo.kernel(Signal.SIGSEGV));
      if (info.signo == Signal.SIGSEGV) {
        GroupExit.kill(g, Signal.SIGSEGV);
        return false;
      }
      return true;
    }
    long blocked = t.signalMask | mask;
    if ((flags & Signal.SA_NODEFER) == 0) {
      blocked |= PendingSignals.bit(info.signo);
    }
    Signals.setMask(t, blocked);
    handlerPushed = true;
    if (t.tracing != null) {
      WatchedCall.handlerBegins(t);
    }
    return true;
  }

  /**
   * {@return what the saved registers say of an interrupted call}: 0 nothing, 1 EINTR, 2 restart
   */
  private static int restartAction(long result, long flags) {
    if (result == 0) {
      return 0;
    }
    if (result == -ERESTARTSYS) {
      return (flags & Signal.SA_RESTART) != 0 ? 2 : 1;
    }
    return result == -ERESTARTNOHAND || result == -ERESTART_RESTARTBLOCK ? 1 : 2;
  }

  private boolean byDefault(SignalInfo info) {
    ThreadGroup g = t.threadGroup();
    int signo = info.signo;
    if (SignalHandlers.ignoredByDefault(signo)) {
      return true;
    }
    if (g.isInit() && info.code <= 0 && (Signals.UNBLOCKABLE & PendingSignals.bit(signo)) == 0) {
      return true; // sent while it was blocked; init does not die of signals that it does not catch
    }
    if (SignalHandlers.stopsByDefault(signo)) {
      if (signo == Signal.SIGSTOP || !ProcessGroups.isOrphaned(g)) {
        JobControl.stop(g, signo);
      }
      return true;
    }
    boolean dumped = CoreDump.write(t, info);
    GroupExit.begin(g, dumped ? signo | redoubt.abi.Wait.WCOREFLAG : signo);
    return false;
  }
}
