package redoubt.cli;

import redoubt.sandbox.Lifecycle;

/** Let a paused container go on. */
final class Resume implements Verb {
  @Override
  public String arguments() {
    return "ID";
  }

  @Override
  public String summary() {
    return "Let a paused container go on.";
  }

  @Override
  public String examples() {
    return """
      redoubt resume c1
    """;
  }

  @Override
  public int run(Context context, Flags flags) {

    String id = flags.argument(0, "container id");
    flags.atMost(1);
    Lifecycle.pause(context.directory(id), false);
    return 0;
  }
}
