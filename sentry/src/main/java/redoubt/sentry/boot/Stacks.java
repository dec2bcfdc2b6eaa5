package redoubt.sentry.boot;

import java.util.Map;
import redoubt.sentry.kernel.Container;
import redoubt.sentry.kernel.Kernel;
import redoubt.sentry.kernel.KernelLog;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.platform.GuestContext;

/** What every thread is doing, for {@code redoubt debug --stacks}. */
final class Stacks {
  private static final int LOG_LINES = 50;

  private Stacks() {}

  static String describe(Kernel kernel) {
    StringBuilder out = new StringBuilder();
    for (Container c : kernel.containers().values()) {
      out.append("container ").append(c.id).append('\n');
      for (Task t : c.pids.tasks()) {
        describeTask(t, out);
      }
    }
    out.append("other threads of the sentry\n");
    for (Map.Entry<Thread, StackTraceElement[]> e : Thread.getAllStackTraces().entrySet()) {
      if (!e.getKey().getName().equals("task")) {
        out.append("  ")
            .append(e.getKey().getName())
            .append(' ')
            .append(e.getKey().getState())
            .append('\n');
        frames(e.getValue(), out);
      }
    }
    out.append("kernel log\n");
    var entries = kernel.log().since(0);
    for (KernelLog.Entry e :
        entries.subList(Math.max(0, entries.size() - LOG_LINES), entries.size())) {
      out.append("  ").append(KernelLog.format(e));
    }
    return out.toString();
  }

  private static void describeTask(Task t, StringBuilder out) {
    out.append("  ")
        .append(t)
        .append(" of process ")
        .append(t.tgid())
        .append(", state ")
        .append(t.stateLetter());
    int nr = t.currentSyscall();
    out.append(nr < 0 ? ", in the guest" : ", in " + "system call " + nr);
    GuestContext c = t.context();
    out.append(", last rip ").append(Long.toHexString(c.reg(GuestContext.RIP)));
    out.append(" rsp ").append(Long.toHexString(c.reg(GuestContext.RSP))).append('\n');
    Thread java = t.javaThread();
    if (java != null) {
      frames(java.getStackTrace(), out);
    }
  }

  private static void frames(StackTraceElement[] frames, StringBuilder out) {
    for (StackTraceElement f : frames) {
      out.append("      at ").append(f).append('\n');
    }
  }
}
