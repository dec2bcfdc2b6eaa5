package redoubt.sentry.kernel;

/**
 * What a task does for others before it goes back to the guest: Linux's task_work. Set in {@link
 * Task#taskWork}, and called for with {@link Task#interrupt}.
 */
public interface TaskWork {
  /** Runs on the task's thread, between two entries of the guest. */
  void run(Task t);

  /** The task is at its end, on its own thread. */
  void taskEnds(Task t);
}
