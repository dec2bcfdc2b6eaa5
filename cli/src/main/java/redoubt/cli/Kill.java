package redoubt.cli;

import redoubt.sandbox.Lifecycle;

/** Send a signal to a container (default TERM). */
final class Kill implements Verb {
  @Override
  public String arguments() {
    return "ID [SIGNAL]";
  }

  @Override
  public String summary() {
    return "Send a signal to a container (default TERM).";
  }

  @Override
  public String examples() {
    return """
      redoubt kill c1 KILL
      redoubt kill --all c1 15
    """;
  }

  @Override
  public void declare(Flags flags) {
    flags
        .flag("all|a", "to every process of the container, not only the first")
        .value("signal|s", "SIGNAL", "name or number");
  }

  @Override
  public int run(Context context, Flags flags) {

    String id = flags.argument(0, "container id");
    flags.atMost(2);
    String name = flags.rest().size() > 1 ? flags.rest().get(1) : flags.get("signal", "TERM");
    Lifecycle.kill(context.directory(id), Signals.number(name), flags.is("all"));
    return 0;
  }
}
