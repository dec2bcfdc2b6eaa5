package redoubt.cli;

import java.util.List;
import redoubt.sandbox.Container;

/** Creates a container and starts it. */
final class Run implements Verb {
  @Override
  public String arguments() {
    return "ID";
  }

  @Override
  public String summary() {
    return "Create and start a container.";
  }

  @Override
  public String examples() {
    return """
      redoubt run --bundle /my/bundle c1     in the foreground; the exit code is the container's
      redoubt run --detach --pid-file /run/c1.pid --bundle /my/bundle c1
    """;
  }

  static void declareCreate(Flags flags) {
    flags
        .value("bundle|b", "DIR", "directory of config.json (default: the current one)")
        .value("console-socket", "PATH", "socket that receives the terminal's master")
        .value("pid-file", "FILE", "where the container's host pid is written")
        .value("preserve-fds", "N", "hand N more descriptors, from 3 on, to the container")
        .flag("no-pivot", "accepted for compatibility")
        .flag("no-new-keyring", "accepted for compatibility");
  }

  @Override
  public void declare(Flags flags) {
    declareCreate(flags);
    flags
        .flag("detach|d", "leave the container in the background")
        .flag("keep", "do not delete the container when it ends")
        .flag("no-subreaper", "accepted for compatibility");
  }

  @Override
  public int run(Context context, Flags flags) {
    String id = flags.argument(0, "container id");
    flags.atMost(1);
    Bundle bundle = Bundle.read(flags);
    boolean detach = flags.is("detach");
    Container container =
        Container.create(
            context.directory(id),
            bundle.spec(),
            context.createOptions(
                bundle.path(),
                bundle.spec().annotations(),
                flags.get("console-socket", ""),
                flags.number("preserve-fds", 0),
                !detach,
                true),
            context.installation());
    container.writePidFile(flags.get("pid-file", ""));
    container.start();
    if (detach) {
      container.detach();
      return 0;
    }
    boolean hooks = !bundle.spec().hooks().poststop().isEmpty();
    container.hold(hooks ? context.again(List.of("delete", "--force", id)) : List.of());
    return 0;
  }
}
