package redoubt.cli;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Map;
import redoubt.host.Pty;
import redoubt.sandbox.Sandbox;
import redoubt.sentry.control.ProcessInfo;
import redoubt.sentry.control.SandboxStats;

/** Show the processes in a container, the busiest first, again and again. */
final class Top implements Verb {
  @Override
  public String arguments() {
    return "ID";
  }

  @Override
  public String summary() {
    return "Show the processes in a container, the busiest first, again and again.";
  }

  @Override
  public String examples() {
    return """
      redoubt top c1
      redoubt top -b -n1 c1 >processes
    """;
  }

  @Override
  public void declare(Flags flags) {
    flags
        .flag("batch|b", "do not clear the screen, as for a file")
        .value("count|n", "N", "end after N screens (default: go on until interrupted)")
        .value("interval|i", "SECONDS", "between two screens (default 2)");
  }

  @Override
  public int run(Context context, Flags flags) {

    String id = flags.argument(0, "container id");
    flags.atMost(1);
    int count = flags.number("count", 0);
    int interval = Math.max(1, flags.number("interval", 2));
    String clear = Pty.isTerminal(1) && !flags.is("batch") ? "\033[H\033[J" : "";
    try (Sandbox sandbox = Sandbox.connect(context.directory(id))) {
      var before = new HashMap<Integer, Long>();
      for (int round = 0; count == 0 || round < count; round++) {
        if (round > 0) {
          Thread.sleep(interval * 1000L);
        }
        Context.print(clear);
        show(sandbox, before, round == 0 ? 0 : interval);
      }
    } catch (InterruptedException e) {
      return 130;
    }
    return 0;
  }

  private static void show(Sandbox sandbox, Map<Integer, Long> before, int seconds) {
    SandboxStats stats = sandbox.stats();
    var busy = new ArrayList<ProcessInfo>(sandbox.processes());
    var used = new HashMap<Integer, Long>();
    for (ProcessInfo process : busy) {
      used.put(
          process.pid(),
          process.cpuTimeNs() - before.getOrDefault(process.pid(), process.cpuTimeNs()));
    }
    busy.sort(Comparator.comparingLong((ProcessInfo p) -> -used.getOrDefault(p.pid(), 0L)));
    var out = new StringBuilder();
    out.append(sandbox.id()).append(": ").append(stats.processes()).append(" processes, ");
    out.append(stats.threads()).append(" threads, ");
    out.append(stats.guestMemoryBytes() >> 20).append(" MiB of guests, ");
    out.append(stats.sentryHeapBytes() >> 20).append(" MiB of kernel heap, ");
    out.append(stats.syscalls()).append(" system calls\n\n");
    var table = new Table("PID", "UID", "S", "%CPU", "RSS", "CMD");
    for (ProcessInfo p : busy) {
      long share = seconds == 0 ? 0 : used.getOrDefault(p.pid(), 0L) / (seconds * 10_000_000L);
      table.row(
          Integer.toString(p.pid()),
          Integer.toUnsignedString(p.uid()),
          Context.safe(p.state()),
          Long.toString(share),
          (p.rssBytes() >> 10) + "k",
          Context.safe(p.command()));
      before.put(p.pid(), p.cpuTimeNs());
    }
    table.print(out);
    Context.print(out.append('\n').toString());
  }
}
