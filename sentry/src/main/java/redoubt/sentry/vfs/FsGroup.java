package redoubt.sentry.vfs;

import redoubt.sentry.kernel.Task;

/**
 * Somebody who hears of events with the whole picture and finds out by itself whether it cares:
 * fanotify's fsnotify_group. {@link FsNotify#join} makes it hear.
 */
public interface FsGroup {
  /**
   * Something happened. Runs on the thread that did it, under no lock but RENAME_MU: no waiting.
   */
  void event(FsEvent e);

  /** {@return whether it may have to be asked before files are opened or read} */
  boolean decides();

  /**
   * Asks whether something may happen; waits for the answer.
   *
   * @return 0, -EPERM, or -EINTR when the task was killed meanwhile
   */
  long ask(Task t, FsEvent e);

  /** The last mount of {@code fs} is gone. */
  void unmounted(FileSystem fs);

  /** Nothing uses {@code m} any more. */
  void mountGone(Mount m);
}
