package redoubt.sentry.kernel;

/** The tree of tasks; {@code mu} guards parents, children, groups, sessions and exit states. */
public final class TaskSet {
  public final Object mu = new Object();

  /** Live tasks, for limits and sysinfo; guarded by {@code mu}. */
  int count;

  /** Forks since boot, for /proc/stat; guarded by {@code mu}. */
  long forks;

  public int count() {
    synchronized (mu) {
      return count;
    }
  }

  public long forks() {
    synchronized (mu) {
      return forks;
    }
  }
}
