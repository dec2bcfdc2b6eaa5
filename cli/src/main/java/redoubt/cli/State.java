package redoubt.cli;

/** Print the state of a container as JSON. */
final class State implements Verb {
  @Override
  public String arguments() {
    return "ID";
  }

  @Override
  public String summary() {
    return "Print the state of a container as JSON.";
  }

  @Override
  public String examples() {
    return """
      redoubt state c1
    """;
  }

  @Override
  public int run(Context context, Flags flags) {

    String id = flags.argument(0, "container id");
    flags.atMost(1);
    Context.print(context.directory(id).load().toOci().indented(2) + "\n");
    return 0;
  }
}
