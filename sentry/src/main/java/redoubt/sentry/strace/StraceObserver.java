package redoubt.sentry.strace;

import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.SyscallObserver;
import redoubt.sentry.kernel.Task;

/**
 * Connects {@link Strace} to the dispatcher: {@code kernel.observer = new StraceObserver(strace)}.
 */
public final class StraceObserver implements SyscallObserver {
  private final ThreadLocal<Strace.Trace> traces;

  /** Prints the calls of all tasks through {@code strace}. */
  public StraceObserver(Strace strace) {
    // A task has one Java thread for life, so the trace ends with it.
    traces = ThreadLocal.withInitial(strace::newTrace);
  }

  @Override
  public void enter(Task t, Args a) {
    traces
        .get()
        .enter(t.context()::copyIn, t.tid(), t.comm(), a.nr, a.a0, a.a1, a.a2, a.a3, a.a4, a.a5);
  }

  @Override
  public void exit(Task t, Args a, long result, long durationNs) {
    traces.get().exit(t.context()::copyIn, t.tid(), t.comm(), result, durationNs);
  }
}
