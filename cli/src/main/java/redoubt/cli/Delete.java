package redoubt.cli;

import redoubt.sandbox.Lifecycle;

/** Delete a stopped container and all that is left of it. */
final class Delete implements Verb {
  @Override
  public String arguments() {
    return "ID";
  }

  @Override
  public String summary() {
    return "Delete a stopped container and all that is left of it.";
  }

  @Override
  public String examples() {
    return """
      redoubt delete --force c1
    """;
  }

  @Override
  public void declare(Flags flags) {
    flags.flag("force|f", "kill it first if it runs; no error if it does not exist");
  }

  @Override
  public int run(Context context, Flags flags) {

    String id = flags.argument(0, "container id");
    flags.atMost(1);
    Lifecycle.delete(context.directory(id), flags.is("force"), Context::warn);
    return 0;
  }
}
