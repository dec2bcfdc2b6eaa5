package redoubt.cli;

import java.util.List;
import redoubt.oci.Json;
import redoubt.sandbox.Sandbox;
import redoubt.sentry.control.ProcessInfo;

/** List the processes in a container. */
final class Ps implements Verb {
  @Override
  public String arguments() {
    return "ID";
  }

  @Override
  public String summary() {
    return "List the processes in a container.";
  }

  @Override
  public String examples() {
    return """
      redoubt ps c1
      redoubt ps --format json c1
    """;
  }

  @Override
  public void declare(Flags flags) {
    flags.value("format|f", "FORMAT", "table (default) or json (pids only)");
  }

  @Override
  public int run(Context context, Flags flags) {

    String id = flags.argument(0, "container id");
    // runc hands further words to ps(1) of the host; the sandbox has its own processes.
    List<ProcessInfo> processes;
    try (Sandbox sandbox = Sandbox.connect(context.directory(id))) {
      processes = sandbox.processes();
    }
    var out = new StringBuilder();
    switch (flags.get("format", "table")) {
      case "json" -> {
        var array = new Json.Arr();
        for (ProcessInfo process : processes) {
          array.add(new Json.Num(Integer.toString(process.pid())));
        }
        out.append(array.compact()).append('\n');
      }
      case "table" -> table(processes).print(out);
      default -> throw new UsageException("--format: give table or json");
    }
    Context.print(out.toString());
    return 0;
  }

  static Table table(List<ProcessInfo> processes) {
    var table = new Table("UID", "PID", "PPID", "S", "THR", "RSS", "TTY", "TIME", "CMD");
    for (ProcessInfo p : processes) {
      table.row(
          Integer.toUnsignedString(p.uid()),
          Integer.toString(p.pid()),
          Integer.toString(p.ppid()),
          Context.safe(p.state()),
          Integer.toString(p.threads()),
          (p.rssBytes() >> 10) + "k",
          Context.safe(p.terminal()),
          time(p.cpuTimeNs()),
          Context.safe(p.command()));
    }
    return table;
  }

  /** {@return as 00:00:00.00} */
  private static String time(long ns) {
    long hundredths = ns / 10_000_000;
    return two(hundredths / 360_000)
        + ":"
        + two(hundredths / 6000 % 60)
        + ":"
        + two(hundredths / 100 % 60)
        + "."
        + two(hundredths % 100);
  }

  private static String two(long n) {
    return n < 10 ? "0" + n : Long.toString(n);
  }
}
