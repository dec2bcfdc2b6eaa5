package redoubt.cli;

import redoubt.oci.Json;
import redoubt.sandbox.ContainerState;
import redoubt.sandbox.Sandbox;
import redoubt.sandbox.SandboxException;
import redoubt.sandbox.StateDirectory;
import redoubt.sandbox.Stats;
import redoubt.sentry.control.ControlException;

/** Print a container's statistics as JSON, one line at a time. */
final class Events implements Verb {
  @Override
  public String arguments() {
    return "ID";
  }

  @Override
  public String summary() {
    return "Print a container's statistics as JSON, one line at a time.";
  }

  @Override
  public String examples() {
    return """
      redoubt events --stats c1
    """;
  }

  @Override
  public void declare(Flags flags) {
    flags
        .flag("stats", "once, then end")
        .value("interval", "DURATION", "between two lines, as 5s (the default)");
  }

  @Override
  public int run(Context context, Flags flags) {

    String id = flags.argument(0, "container id");
    flags.atMost(1);
    int interval = seconds(flags.get("interval", "5s"));
    StateDirectory directory = context.directory(id);
    ContainerState state = directory.load();
    Thread oom = flags.is("stats") ? null : watchMemory(directory, id);
    try (Sandbox sandbox = Sandbox.connect(directory)) {
      while (true) {
        Json.Obj data = Stats.of(state, sandbox.stats(), sandbox.processes().size());
        Json.Obj event = new Json.Obj().put("type", "stats").put("id", id).put("data", data);
        Context.print(event.compact() + "\n");
        if (flags.is("stats")) {
          return 0;
        }
        Thread.sleep(interval * 1000L);
        if (directory.load().status().equals("stopped")) {
          if (oom != null) {
            oom.join(1000);
          }
          return 0;
        }
      }
    } catch (InterruptedException e) {
      return 130;
    } catch (SandboxException | ControlException e) {
      if (!directory.exists() || directory.load().status().equals("stopped")) {
        return 0; // it ended while we watched
      }
      throw e;
    }
  }

  /** Prints a line each time the container loses a process for want of memory. */
  private static Thread watchMemory(StateDirectory directory, String id) {
    Sandbox sandbox = Sandbox.connect(directory);
    var thread =
        new Thread(
            () -> {
              try (sandbox) {
                int seen = sandbox.awaitOom(-1);
                while (true) {
                  seen = sandbox.awaitOom(seen);
                  var event = new Json.Obj().put("type", "oom").put("id", id);
                  Context.print(
                      event.put("data", new Json.Obj().put("kills", seen)).compact() + "\n");
                }
              } catch (ControlException e) {
                // The sandbox has ended.
              }
            },
            "oom");
    thread.setDaemon(true);
    thread.start();
    return thread;
  }

  private static int seconds(String text) {
    try {
      int n = Integer.parseInt(text.endsWith("s") ? text.substring(0, text.length() - 1) : text);
      if (n > 0) {
        return n;
      }
    } catch (NumberFormatException e) {
      // Told below.
    }
    throw new UsageException("--interval " + text + ": give whole seconds, as 5s");
  }
}
