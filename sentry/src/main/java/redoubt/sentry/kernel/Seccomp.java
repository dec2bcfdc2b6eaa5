package redoubt.sentry.kernel;

import static redoubt.abi.Errno.EACCES;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ENOSYS;
import static redoubt.abi.Seccomp.*;

import java.util.List;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Caps;
import redoubt.abi.Nr;
import redoubt.abi.Signal;
import redoubt.sentry.platform.GuestContext;

/**
 * Filters on a task's own calls: <a
 * href="https://man7.org/linux/man-pages/man2/seccomp.2.html">seccomp(2)</a>, kernel/seccomp.c.
 */
public final class Seccomp {
  private static final int MAX_ERRNO = 4095;

  private static final int[] ARGUMENTS = {
    GuestContext.RDI,
    GuestContext.RSI,
    GuestContext.RDX,
    GuestContext.R10,
    GuestContext.R8,
    GuestContext.R9
  };

  /** What becomes of a call. */
  enum Verdict {
    /** It is made. */
    ALLOW,
    /** It is not; RAX is the result. */
    SKIP
  }

  private Seccomp() {}

  /** SECCOMP_MODE_STRICT from now on. Returns 0 or -EINVAL. */
  public static long strict(Task t) {
    synchronized (t.kernel().tasks().mu) {
      if (t.seccompMode == SECCOMP_MODE_FILTER) {
        return -EINVAL;
      }
      enable(t, SECCOMP_MODE_STRICT, null);
    }
    t.publishAnswers();
    return 0;
  }

  /** Who may put a filter on itself. Returns 0 or -EACCES. */
  public static long mayFilter(Task t) {
    return t.creds().noNewPrivs || t.creds().hasOwnCapability(Caps.CAP_SYS_ADMIN) ? 0 : -EACCES;
  }

  /**
   * Puts {@code f}, whose previous is the caller's filter, in force.
   *
   * @param everywhere SECCOMP_FILTER_FLAG_TSYNC: in all threads of the process
   * @return 0, the number of a thread that cannot take it, or -errno
   */
  public static long attach(Task t, SeccompFilter f, boolean everywhere) {
    List<Task> threads = everywhere ? t.threadGroup().tasks() : List.of(t);
    synchronized (t.kernel().tasks().mu) {
      if (t.seccompMode == SECCOMP_MODE_STRICT || f.previous != t.seccomp) {
        return -EINVAL;
      }
      for (Task o : threads) {
        SeccompFilter mine = t.seccomp;
        boolean fits =
            o.seccompMode == SECCOMP_MODE_DISABLED
                || (o.seccompMode == SECCOMP_MODE_FILTER
                    && (mine == null ? o.seccomp == null : mine.descendsFrom(o.seccomp)));
        if (o != t && !fits) {
          return o.tidIn(t.pidNamespace());
        }
      }
      for (Task o : threads) {
        enable(o, SECCOMP_MODE_FILTER, f);
        if (o != t && t.creds().noNewPrivs && !o.creds().noNewPrivs) {
          Credentials.Builder b = o.creds().toBuilder();
          b.noNewPrivs = true;
          o.setCreds(b.build());
        }
      }
    }
    for (Task o : threads) {
      o.publishAnswers();
    }
    return 0;
  }

  private static void enable(Task t, int mode, @Nullable SeccompFilter f) {
    SeccompFilter old = t.seccomp;
    if (f != null) {
      f.hold();
    }
    t.seccomp = f;
    t.seccompMode = mode;
    if (old != null) {
      old.drop();
    }
    t.watched(Task.WATCHED_FILTER, true);
  }

  /** A new task has its maker's filters. */
  static void inherit(Task t, Task child) {
    if (t.seccompMode != SECCOMP_MODE_DISABLED) {
      enable(child, t.seccompMode, t.seccomp);
    }
  }

  static void taskEnds(Task t) {
    SeccompFilter f = t.seccomp;
    if (f != null) {
      f.drop();
    }
  }

  // ---- a call ----

  /** Decides about the call whose number is {@link Task#originalCall}. */
  static Verdict check(Task t, GuestContext c) {
    if (t.seccompMode == SECCOMP_MODE_STRICT) {
      return checkStrict(t);
    }
    SeccompFilter f = t.seccomp;
    Tracing tr = t.tracing;
    if (f == null || (tr != null && tr.wants(Tracing.O_SUSPEND_SECCOMP))) {
      return Verdict.ALLOW;
    }
    int[] data = data(t, c);
    for (boolean traced = false; ; traced = true) {
      SeccompFilter decisive = f;
      int[] scratch = t.bpfScratch();
      int result = SECCOMP_RET_ALLOW;
      boolean first = true;
      for (SeccompFilter x = f; x != null; x = x.previous) {
        int r = x.program.run(data, scratch);
        // The action with the lowest number counts, of equals the newest filter's.
        if (first || (r & SECCOMP_RET_ACTION_FULL) < (result & SECCOMP_RET_ACTION_FULL)) {
          result = r;
          decisive = x;
          first = false;
        }
      }
      int action = result & SECCOMP_RET_ACTION_FULL;
      if (action == SECCOMP_RET_TRACE && !traced) {
        if (!askTracer(t, c, result & SECCOMP_RET_DATA)) {
          return Verdict.SKIP;
        }
        data = data(t, c);
        continue; // what the tracer made of it is checked again
      }
      return act(t, c, decisive, action, result & SECCOMP_RET_DATA, data);
    }
  }

  private static Verdict checkStrict(Task t) {
    switch ((int) t.originalCall()) {
      case Nr.READ, Nr.WRITE, Nr.EXIT, Nr.RT_SIGRETURN -> {
        return Verdict.ALLOW;
      }
      default -> {
        t.exit(Signal.SIGKILL);
        return Verdict.SKIP;
      }
    }
  }

  private static int[] data(Task t, GuestContext c) {
    int[] d = t.seccompData();
    d[0] = (int) t.originalCall();
    d[1] = AUDIT_ARCH_X86_64;
    long ip = c.reg(GuestContext.RIP);
    d[2] = (int) ip;
    d[3] = (int) (ip >>> 32);
    for (int i = 0; i < ARGUMENTS.length; i++) {
      long v = c.reg(ARGUMENTS[i]);
      d[4 + 2 * i] = (int) v;
      d[5 + 2 * i] = (int) (v >>> 32);
    }
    return d;
  }

  /** Returns whether the call goes on to be decided about. */
  private static boolean askTracer(Task t, GuestContext c, int data) {
    Tracing tr = t.tracing;
    if (tr == null || !tr.wants(Tracing.O_TRACESECCOMP)) {
      c.setReg(GuestContext.RAX, -ENOSYS);
      return false;
    }
    Ptrace.seccomp(t, data);
    return !t.killed && (int) t.originalCall() != -1;
  }

  private static Verdict act(
      Task t, GuestContext c, SeccompFilter f, int action, int value, int[] data) {
    switch (action) {
      case SECCOMP_RET_ALLOW, SECCOMP_RET_TRACE -> {
        return Verdict.ALLOW;
      }
      case SECCOMP_RET_LOG -> {
        note(t, "logged");
        return Verdict.ALLOW;
      }
      case SECCOMP_RET_ERRNO -> {
        c.setReg(GuestContext.RAX, -Math.min(value, MAX_ERRNO));
        if (f.logs) {
          note(t, "refused");
        }
      }
      case SECCOMP_RET_TRAP -> trap(t, c, value);
      case SECCOMP_RET_USER_NOTIF -> {
        boolean[] goOn = {false};
        SeccompNotifier n = f.notifier;
        long r = n == null ? -ENOSYS : n.ask(t, data, goOn);
        if (goOn[0]) {
          return Verdict.ALLOW;
        }
        c.setReg(GuestContext.RAX, r);
      }
      case SECCOMP_RET_KILL_THREAD -> {
        note(t, "killed");
        if (t.threadGroup().taskCount() > 1) {
          t.exit(Signal.SIGSYS);
        } else {
          GroupExit.fatal(t, Signal.SIGSYS);
        }
      }
      default -> {
        note(t, "killed"); // SECCOMP_RET_KILL_PROCESS and what nobody knows
        GroupExit.fatal(t, Signal.SIGSYS);
      }
    }
    return Verdict.SKIP;
  }

  private static void trap(Task t, GuestContext c, int value) {
    long nr = t.originalCall();
    c.setReg(GuestContext.RAX, nr);
    SignalInfo i = new SignalInfo(Signal.SIGSYS, Signal.SYS_SECCOMP);
    i.errno = value;
    i.setSystemCall(c.reg(GuestContext.RIP), (int) nr, AUDIT_ARCH_X86_64);
    Signals.force(t, i);
  }

  private static void note(Task t, String what) {
    t.kernel().log().log(5, "redoubt: seccomp " + what + ": call " + t.originalCall() + " of " + t);
  }
}
