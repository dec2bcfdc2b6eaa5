package redoubt.sentry.kernel;

/** The interval and POSIX timers of a process; disarmed when it ends or executes a new program. */
public final class ProcessTimers {
  private final ThreadGroup group;

  ProcessTimers(ThreadGroup group) {
    this.group = group;
  }

  ThreadGroup group() {
    return group;
  }

  /** Disarms everything: the process is gone. */
  void release() {}

  /** POSIX timers do not survive execve(2); interval timers do. */
  void releaseForExec() {}
}
