package redoubt.cli;

import redoubt.sandbox.Lifecycle;

/** Stop all processes of a container until 'resume'. */
final class Pause implements Verb {
  @Override
  public String arguments() {
    return "ID";
  }

  @Override
  public String summary() {
    return "Stop all processes of a container until 'resume'.";
  }

  @Override
  public String examples() {
    return """
      redoubt pause c1
    """;
  }

  @Override
  public int run(Context context, Flags flags) {

    String id = flags.argument(0, "container id");
    flags.atMost(1);
    Lifecycle.pause(context.directory(id), true);
    return 0;
  }
}
