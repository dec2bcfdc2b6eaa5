package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.EAGAIN;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EPERM;
import static redoubt.abi.Errno.ERESTARTNOHAND;
import static redoubt.abi.Errno.ESRCH;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Caps;
import redoubt.abi.Signal;
import redoubt.host.Memory;
import redoubt.sentry.arch.SignalFrame;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.Credentials;
import redoubt.sentry.kernel.Pid;
import redoubt.sentry.kernel.SignalHandlers;
import redoubt.sentry.kernel.SignalInfo;
import redoubt.sentry.kernel.Signals;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.ThreadGroup;
import redoubt.sentry.kernel.Waiter;
import redoubt.sentry.platform.GuestContext;

/** Signals: <a href="https://man7.org/linux/man-pages/man7/signal.7.html">signal(7)</a>. */
final class SignalCalls {
  private SignalCalls() {}

  static long rtSigaction(Task t, Args a) {
    int signo = a.int0();
    if (a.long3() != Signal.SIGSET_SIZE) {
      return -EINVAL;
    }
    MemorySegment s = t.scratch();
    boolean change = a.long1() != 0;
    if (change) {
      long e = t.copyInScratch(a.long1(), Signal.SIZEOF_SIGACTION);
      if (e < 0) {
        return e;
      }
    }
    if (signo < 1
        || signo > 64
        || (change && (signo == Signal.SIGKILL || signo == Signal.SIGSTOP))) {
      return -EINVAL;
    }
    SignalHandlers h = t.threadGroup().handlers();
    long oldHandler;
    long oldFlags;
    long oldRestorer;
    long oldMask;
    synchronized (h.mu) {
      SignalHandlers.Action action = h.action(signo);
      oldHandler = action.handler;
      oldFlags = action.flags;
      oldRestorer = action.restorer;
      oldMask = action.mask;
      if (change) {
        action.handler = s.get(Memory.LONG, Signal.SIGACTION_SA_HANDLER);
        action.flags =
            s.get(Memory.LONG, Signal.SIGACTION_SA_FLAGS)
                & 0xffffffffL
                & ~(long) Signal.SA_UNSUPPORTED;
        action.restorer = s.get(Memory.LONG, Signal.SIGACTION_SA_RESTORER);
        action.mask = s.get(Memory.LONG, Signal.SIGACTION_SA_MASK) & ~Signals.UNBLOCKABLE;
        Signals.discardIfIgnored(t.threadGroup(), signo);
      }
    }
    if (a.long2() == 0) {
      return 0;
    }
    s.set(Memory.LONG, Signal.SIGACTION_SA_HANDLER, oldHandler);
    s.set(Memory.LONG, Signal.SIGACTION_SA_FLAGS, oldFlags);
    s.set(Memory.LONG, Signal.SIGACTION_SA_RESTORER, oldRestorer);
    s.set(Memory.LONG, Signal.SIGACTION_SA_MASK, oldMask);
    return t.copyOutScratch(a.long2(), Signal.SIZEOF_SIGACTION);
  }

  static long rtSigprocmask(Task t, Args a) {
    if (a.long3() != Signal.SIGSET_SIZE) {
      return -EINVAL;
    }
    long old = t.signalMask();
    if (a.long1() != 0) {
      long e = t.copyInScratch(a.long1(), 8);
      if (e < 0) {
        return e;
      }
      long set = t.scratch().get(Memory.LONG, 0);
      switch (a.int0()) {
        case Signal.SIG_BLOCK -> Signals.setMask(t, old | set);
        case Signal.SIG_UNBLOCK -> Signals.setMask(t, old & ~set);
        case Signal.SIG_SETMASK -> Signals.setMask(t, set);
        default -> {
          return -EINVAL;
        }
      }
    }
    return a.long2() == 0 ? 0 : t.copyOutLong(a.long2(), old);
  }

  static long rtSigpending(Task t, Args a) {
    if (a.long1() > Signal.SIGSET_SIZE) {
      return -EINVAL;
    }
    t.scratch().set(Memory.LONG, 0, Signals.pending(t) & t.signalMask());
    return t.copyOutScratch(a.long0(), a.long1());
  }

  static long rtSigsuspend(Task t, Args a) {
    if (a.long1() != Signal.SIGSET_SIZE) {
      return -EINVAL;
    }
    long e = t.copyInScratch(a.long0(), 8);
    if (e < 0) {
      return e;
    }
    t.setTemporaryMask(t.scratch().get(Memory.LONG, 0));
    while (t.block(Waiter.FOREVER) == 0) {
      // A stale token: only a signal ends this wait.
    }
    return -ERESTARTNOHAND;
  }

  static long pause(Task t, Args a) {
    while (t.block(Waiter.FOREVER) == 0) {
      // As above.
    }
    return -ERESTARTNOHAND;
  }

  static long rtSigreturn(Task t, Args a) {
    if (!SignalFrame.pop(t)) {
      Signals.force(t, SignalInfo.kernel(Signal.SIGSEGV));
    }
    t.registersReplaced = true;
    return 0;
  }

  static long sigaltstack(Task t, Args a) {
    long sp = t.context().reg(GuestContext.RSP);
    MemorySegment s = t.scratch();
    t.writeAltStack(s, 64, sp);
    if (a.long0() != 0) {
      long e = t.copyInScratch(a.long0(), Signal.SIZEOF_STACK);
      if (e < 0) {
        return e;
      }
      if (t.isOnAltStack(sp)) {
        return -EPERM;
      }
      e = t.setAltStack(s.get(Memory.LONG, 0), s.get(Memory.INT, 8), s.get(Memory.LONG, 16));
      if (e < 0) {
        return e;
      }
    }
    return a.long1() == 0 ? 0 : t.copyOut(a.long1(), s, 64, Signal.SIZEOF_STACK);
  }

  static long rtSigtimedwait(Task t, Args a) {
    if (a.long3() != Signal.SIGSET_SIZE) {
      return -EINVAL;
    }
    MemorySegment s = t.scratch();
    long e = t.copyInScratch(a.long0(), 8);
    if (e < 0) {
      return e;
    }
    long set = s.get(Memory.LONG, 0) & ~Signals.UNBLOCKABLE;
    long deadline = Waiter.FOREVER;
    if (a.long2() != 0) {
      e = t.copyInScratch(a.long2(), 16);
      if (e < 0) {
        return e;
      }
      long sec = s.get(Memory.LONG, 0);
      long nsec = s.get(Memory.LONG, 8);
      if (sec < 0 || nsec < 0 || nsec >= 1_000_000_000) {
        return -EINVAL;
      }
      deadline = Deadlines.after(sec, nsec);
    }
    SignalInfo info = Signals.await(t, set, deadline);
    if (info == null) {
      return System.nanoTime() < deadline ? -redoubt.abi.Errno.EINTR : -EAGAIN;
    }
    if (a.long1() != 0) {
      info.write(s, 0);
      e = t.copyOutScratch(a.long1(), Signal.SIZEOF_SIGINFO);
      if (e < 0) {
        return e;
      }
    }
    return info.signo;
  }

  static long kill(Task t, Args a) {
    int pid = a.int0();
    int signo = a.int1();
    if (signo < 0 || signo > 64) {
      return -EINVAL;
    }
    SignalInfo info = SignalInfo.user(signo, Signal.SI_USER, t);
    if (pid > 0) {
      ThreadGroup g = groupOf(t, pid);
      return g == null ? -ESRCH : sendChecked(t, g, null, signo, info);
    }
    if (pid == -1) {
      return killAll(t, signo, info);
    }
    if (pid == Integer.MIN_VALUE) {
      return -ESRCH;
    }
    Pid pgrp = pid == 0 ? t.threadGroup().pgrp() : pidOf(t, -pid);
    return pgrp == null ? -ESRCH : sendToGroup(t, pgrp, signo, info);
  }

  /**
   * Sends to every process of a group that the caller may signal: -ESRCH or -EPERM if there is
   * none.
   */
  static long sendToGroup(Task t, Pid pgrp, int signo, SignalInfo info) {
    long result = -ESRCH;
    for (ThreadGroup g : Signals.groupMembers(t.kernel(), pgrp)) {
      long r = sendChecked(t, g, null, signo, info);
      if (r == 0 || result == -ESRCH) {
        result = r;
      }
    }
    return result;
  }

  private static long killAll(Task t, int signo, SignalInfo info) {
    long result = -ESRCH;
    java.util.List<ThreadGroup> all;
    synchronized (t.kernel().tasks().mu) {
      all = t.pidNamespace().threadGroups();
    }
    for (ThreadGroup g : all) {
      if (g.tgidIn(t.pidNamespace()) == 1 || g == t.threadGroup() || g.isZombie()) {
        continue;
      }
      long r = sendChecked(t, g, null, signo, info);
      if (result != 0) {
        result = r;
      }
    }
    return result;
  }

  static long tgkill(Task t, Args a) {
    int tgid = a.int0();
    int tid = a.int1();
    if (tgid <= 0 || tid <= 0) {
      return -EINVAL;
    }
    return sendToTask(t, tgid, tid, a.int2());
  }

  static long tkill(Task t, Args a) {
    return a.int0() <= 0 ? -EINVAL : sendToTask(t, 0, a.int0(), a.int1());
  }

  private static long sendToTask(Task t, int tgid, int tid, int signo) {
    if (signo < 0 || signo > 64) {
      return -EINVAL;
    }
    Task target = taskOf(t, tid);
    if (target == null || (tgid != 0 && target.threadGroup().tgidIn(t.pidNamespace()) != tgid)) {
      return -ESRCH;
    }
    SignalInfo info = SignalInfo.user(signo, Signal.SI_TKILL, t);
    return sendChecked(t, target.threadGroup(), target, signo, info);
  }

  static long rtSigqueueinfo(Task t, Args a) {
    return queueInfo(t, a.int0(), 0, a.int1(), a.long2());
  }

  static long rtTgsigqueueinfo(Task t, Args a) {
    if (a.int0() <= 0 || a.int1() <= 0) {
      return -EINVAL;
    }
    return queueInfo(t, a.int0(), a.int1(), a.int2(), a.long3());
  }

  private static long queueInfo(Task t, int tgid, int tid, int signo, long uinfo) {
    long e = t.copyInScratch(uinfo, Signal.SIZEOF_SIGINFO);
    if (e < 0) {
      return e;
    }
    int code = t.scratch().get(Memory.INT, Signal.SIGINFO_SI_CODE);
    if ((code >= 0 || code == Signal.SI_TKILL) && tgid != t.tgid()) {
      return -EPERM;
    }
    if (signo < 0 || signo > 64) {
      return -EINVAL;
    }
    Task target = tid == 0 ? null : taskOf(t, tid);
    ThreadGroup g = groupOf(t, tgid);
    if (g == null || (tid != 0 && (target == null || target.threadGroup() != g))) {
      return -ESRCH;
    }
    return sendChecked(t, g, target, signo, SignalInfo.raw(signo, t.scratch()));
  }

  private static @Nullable ThreadGroup groupOf(Task t, int pid) {
    synchronized (t.kernel().tasks().mu) {
      Task target = t.pidNamespace().task(pid);
      return target == null ? null : target.threadGroup();
    }
  }

  private static @Nullable Pid pidOf(Task t, int number) {
    synchronized (t.kernel().tasks().mu) {
      return t.pidNamespace().pid(number);
    }
  }

  private static @Nullable Task taskOf(Task t, int tid) {
    synchronized (t.kernel().tasks().mu) {
      return t.pidNamespace().task(tid);
    }
  }

  static long sendChecked(
      Task t, ThreadGroup g, @Nullable Task target, int signo, SignalInfo info) {
    if (!maySignal(t, g, signo)) {
      return -EPERM;
    }
    if (signo == 0 || g.isZombie()) {
      return 0;
    }
    return target != null ? Signals.send(target, info) : Signals.send(g, info);
  }

  /** kernel/signal.c kill_ok_by_cred, and SIGCONT within a session. */
  private static boolean maySignal(Task t, ThreadGroup g, int signo) {
    Credentials c = t.creds();
    Credentials o = g.leader().creds();
    if (g == t.threadGroup()
        || c.euid == o.suid
        || c.euid == o.ruid
        || c.ruid == o.suid
        || c.ruid == o.ruid
        || c.hasCapability(o.userNs, Caps.CAP_KILL)) {
      return true;
    }
    return signo == Signal.SIGCONT && g.session() == t.threadGroup().session();
  }

  static long restartSyscall(Task t, Args a) {
    Task.RestartBlock block = t.restartBlock;
    return block == null ? -redoubt.abi.Errno.EINTR : block.restart(t);
  }
}
