package redoubt.sentry.kernel;

import redoubt.abi.Signal;

/**
 * What each signal does, shared with CLONE_SIGHAND: Linux's sighand_struct. Its {@code mu} guards
 * the actions and the pending signals of every thread group that uses it.
 */
public final class SignalHandlers {
  public static final long SIG_DFL = 0;
  public static final long SIG_IGN = 1;

  /** Signals whose default is to do nothing: CHLD, URG, WINCH; and CONT once it has continued. */
  private static final long DEFAULT_IGNORE =
      bit(Signal.SIGCHLD) | bit(Signal.SIGURG) | bit(Signal.SIGWINCH) | bit(Signal.SIGCONT);

  private static final long DEFAULT_STOP =
      bit(Signal.SIGSTOP) | bit(Signal.SIGTSTP) | bit(Signal.SIGTTIN) | bit(Signal.SIGTTOU);
  private static final long DEFAULT_CORE =
      bit(Signal.SIGQUIT)
          | bit(Signal.SIGILL)
          | bit(Signal.SIGTRAP)
          | bit(Signal.SIGABRT)
          | bit(Signal.SIGBUS)
          | bit(Signal.SIGFPE)
          | bit(Signal.SIGSEGV)
          | bit(Signal.SIGXCPU)
          | bit(Signal.SIGXFSZ)
          | bit(Signal.SIGSYS);

  /** One signal's action, as rt_sigaction(2) sets it. */
  public static final class Action {
    public long handler;
    public long flags;
    public long restorer;
    public long mask;

    void copyFrom(Action o) {
      handler = o.handler;
      flags = o.flags;
      restorer = o.restorer;
      mask = o.mask;
    }
  }

  public final Object mu = new Object();
  private final Action[] actions = new Action[65];
  int users = 1;

  public SignalHandlers() {
    for (int i = 0; i < actions.length; i++) {
      actions[i] = new Action();
    }
  }

  private static long bit(int signo) {
    return PendingSignals.bit(signo);
  }

  /** {@return the action of {@code signo}}; guarded by {@code mu} */
  public Action action(int signo) {
    return actions[signo];
  }

  SignalHandlers copy() {
    SignalHandlers h = new SignalHandlers();
    synchronized (mu) {
      for (int i = 0; i < actions.length; i++) {
        h.actions[i].copyFrom(actions[i]);
      }
    }
    return h;
  }

  /** What execve(2) does: handlers go back to the default, ignored signals stay ignored. */
  void resetForExec() {
    synchronized (mu) {
      for (Action a : actions) {
        if (a.handler != SIG_IGN) {
          a.handler = SIG_DFL;
        }
        a.flags = 0;
        a.restorer = 0;
        a.mask = 0;
      }
    }
  }

  /** CLONE_CLEAR_SIGHAND. */
  void clearHandlers() {
    synchronized (mu) {
      for (Action a : actions) {
        if (a.handler != SIG_IGN) {
          a.handler = SIG_DFL;
        }
      }
    }
  }

  /** {@return whether {@code signo} would do nothing}; under {@code mu} */
  boolean isIgnored(int signo) {
    long h = actions[signo].handler;
    return h == SIG_IGN || (h == SIG_DFL && (DEFAULT_IGNORE & bit(signo)) != 0);
  }

  static boolean stopsByDefault(int signo) {
    return (DEFAULT_STOP & bit(signo)) != 0;
  }

  static boolean ignoredByDefault(int signo) {
    return (DEFAULT_IGNORE & bit(signo)) != 0;
  }

  static boolean dumpsByDefault(int signo) {
    return (DEFAULT_CORE & bit(signo)) != 0;
  }
}
