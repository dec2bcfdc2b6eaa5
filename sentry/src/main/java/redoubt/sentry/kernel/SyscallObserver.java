package redoubt.sentry.kernel;

/** Hears of every system call: strace. Called on the task's thread. */
public interface SyscallObserver {
  void enter(Task t, Args a);

  /**
   * @param result as the guest will see it, or a negative internal number when it is restarted
   */
  void exit(Task t, Args a, long result, long durationNs);
}
