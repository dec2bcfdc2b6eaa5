package redoubt.cli;

import java.util.List;
import redoubt.host.HostFiles;
import redoubt.sandbox.Sandbox;
import redoubt.sandbox.StateDirectory;

/** Look inside a sandbox's kernel. */
final class Debug implements Verb {
  @Override
  public String arguments() {
    return "ID";
  }

  @Override
  public String summary() {
    return "Look inside a sandbox's kernel.";
  }

  @Override
  public String examples() {
    return """
      redoubt debug --stacks c1
    """;
  }

  @Override
  public void declare(Flags flags) {
    flags
        .flag("stacks", "what every thread of the kernel and every guest task is doing")
        .flag("console", "what a guest kernel of Linux wrote on its console, and how it booted")
        .flag("ps", "the processes")
        .flag("log", "the kernel's log");
  }

  @Override
  public int run(Context context, Flags flags) {

    String id = flags.argument(0, "container id");
    flags.atMost(1);
    StateDirectory directory = context.directory(id);
    boolean asked = false;
    if (flags.is("log")) {
      String log = HostFiles.readText(directory.logPath(), 64 << 20);
      Context.print(lines(log == null ? "" : log));
      asked = true;
    }
    if (flags.is("ps") || flags.is("stacks") || flags.is("console")) {
      try (Sandbox sandbox = Sandbox.connect(directory)) {
        if (flags.is("ps")) {
          var out = new StringBuilder();
          Ps.table(sandbox.processes()).print(out);
          Context.print(out.toString());
        }
        if (flags.is("console")) {
          List<String> console = sandbox.console();
          Context.print(lines(console.get(0)) + lines(console.get(1)));
        }
        if (flags.is("stacks")) {
          Context.print(lines(sandbox.stacks()));
        }
      }
      asked = true;
    }
    if (!asked) {
      throw new UsageException("give --stacks, --console, --ps or --log");
    }
    return 0;
  }

  private static String lines(String text) {
    var out = new StringBuilder();
    for (String line : text.split("\n", -1)) {
      out.append(Context.safe(line.replace("\t", "        "))).append('\n');
    }
    return out.toString();
  }
}
