package redoubt.sentry.kernel;

import org.jspecify.annotations.Nullable;

/** A directory of procfs that stands for a process: tgid_pidfd_to_pid. */
public interface ProcessDirectory {
  /** {@return the process}, or null for a task's directory; ESRCH when the process has gone */
  @Nullable ThreadGroup process();
}
