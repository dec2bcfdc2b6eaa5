package redoubt.sentry.syscalls;

import java.util.concurrent.atomic.AtomicIntegerArray;
import redoubt.abi.Nr;
import redoubt.sentry.kernel.Kernel;
import redoubt.sentry.kernel.Task;

/**
 * Names each system call that is not there in the kernel's log, the first time that somebody makes
 * it.
 */
final class AbsentCalls {
  /** One log line a number; those past the table share one. */
  private static final class Seen {
    final AtomicIntegerArray numbers = new AtomicIntegerArray(Nr.LIMIT + 1);
  }

  private AbsentCalls() {}

  /** Call {@code nr} of {@code t} gave ENOSYS. */
  static void note(Task t, int nr) {
    Kernel k = t.kernel();
    Seen seen = k.subsystemOrNew(Seen.class, Seen::new);
    int slot = nr >= 0 && nr < Nr.LIMIT ? nr : Nr.LIMIT;
    if (seen.numbers.get(slot) != 0 || !seen.numbers.compareAndSet(slot, 0, 1)) {
      return;
    }
    // Every program of glibc's asks for rseq: its name must not cost the reading of the table.
    String name = nr == Nr.RSEQ ? "rseq" : SyscallTable.get().name(nr);
    k.log().log(
        5, "redoubt: no system call " + name + " (" + nr + "); " + t.comm() + " got ENOSYS");
  }
}
