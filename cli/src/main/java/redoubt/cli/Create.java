package redoubt.cli;

import redoubt.sandbox.Container;

/** Creates a container whose program waits for {@code start}. */
final class Create implements Verb {
  @Override
  public String arguments() {
    return "ID";
  }

  @Override
  public String summary() {
    return "Create a container; 'start' lets it run.";
  }

  @Override
  public String examples() {
    return """
      redoubt create --bundle /my/bundle c1
      redoubt start c1
    """;
  }

  @Override
  public void declare(Flags flags) {
    Run.declareCreate(flags);
  }

  @Override
  public int run(Context context, Flags flags) {
    String id = flags.argument(0, "container id");
    flags.atMost(1);
    Bundle bundle = Bundle.read(flags);
    Container container =
        Container.create(
            context.directory(id),
            bundle.spec(),
            context.createOptions(
                bundle.path(),
                bundle.spec().annotations(),
                flags.get("console-socket", ""),
                flags.number("preserve-fds", 0),
                false,
                true),
            context.installation());
    container.writePidFile(flags.get("pid-file", ""));
    container.detach();
    return 0;
  }
}
