package redoubt.cli;

import redoubt.oci.Json;
import redoubt.sandbox.ContainerState;
import redoubt.sandbox.Sandbox;
import redoubt.sandbox.StateDirectory;

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
  public void declare(Flags flags) {
    flags.flag("verbose", "with the kind of its kernel and how that booted");
  }

  @Override
  public int run(Context context, Flags flags) {

    String id = flags.argument(0, "container id");
    flags.atMost(1);
    StateDirectory directory = context.directory(id);
    ContainerState state = directory.load();
    Json.Obj json = state.toOci();
    if (flags.is("verbose")) {
      json.put("kernel", state.kernel());
      if (!state.kernel().equals("sentry") && !state.status().equals("stopped")) {
        try (Sandbox sandbox = Sandbox.connect(directory)) {
          json.put("boot", Context.safe(sandbox.console().get(1)));
        }
      }
    }
    Context.print(json.indented(2) + "\n");
    return 0;
  }
}
