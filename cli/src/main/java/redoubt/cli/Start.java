package redoubt.cli;

import redoubt.sandbox.Lifecycle;

/** Let a created container run. */
final class Start implements Verb {
  @Override
  public String arguments() {
    return "ID";
  }

  @Override
  public String summary() {
    return "Let a created container run.";
  }

  @Override
  public String examples() {
    return """
      redoubt start c1
    """;
  }

  @Override
  public int run(Context context, Flags flags) {

    String id = flags.argument(0, "container id");
    flags.atMost(1);
    Lifecycle.start(context.directory(id), context.installation());
    return 0;
  }
}
