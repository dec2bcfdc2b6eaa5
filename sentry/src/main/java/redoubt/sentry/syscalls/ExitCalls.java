package redoubt.sentry.syscalls;

import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.GroupExit;
import redoubt.sentry.kernel.Task;

/** Ends: <a href="https://man7.org/linux/man-pages/man2/_exit.2.html">_exit(2)</a>. */
final class ExitCalls {
  private ExitCalls() {}

  static long exit(Task t, Args a) {
    t.exit((a.int0() & 0xff) << 8);
    return 0;
  }

  static long exitGroup(Task t, Args a) {
    GroupExit.begin(t.threadGroup(), (a.int0() & 0xff) << 8);
    return 0;
  }

  static long setTidAddress(Task t, Args a) {
    t.clearChildTid = a.long0();
    return t.tid();
  }
}
