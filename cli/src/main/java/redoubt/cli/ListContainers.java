package redoubt.cli;

import java.util.ArrayList;
import java.util.List;
import redoubt.oci.Json;
import redoubt.sandbox.ContainerState;
import redoubt.sandbox.SandboxException;
import redoubt.sandbox.StateDirectory;

/** List the containers. */
final class ListContainers implements Verb {
  @Override
  public String arguments() {
    return "";
  }

  @Override
  public String summary() {
    return "List the containers.";
  }

  @Override
  public String examples() {
    return """
      redoubt list --format json
    """;
  }

  @Override
  public void declare(Flags flags) {
    flags.value("format|f", "FORMAT", "table (default) or json").flag("quiet|q", "ids only");
  }

  @Override
  public int run(Context context, Flags flags) {

    flags.atMost(0);
    var states = new ArrayList<ContainerState>();
    for (String id : StateDirectory.list(context.root())) {
      try {
        states.add(context.directory(id).load());
      } catch (SandboxException e) {
        Context.warn(String.valueOf(e.getMessage())); // deleted meanwhile, or damaged
      }
    }
    var out = new StringBuilder();
    if (flags.is("quiet")) {
      for (ContainerState state : states) {
        out.append(state.id()).append('\n');
      }
    } else {
      switch (flags.get("format", "table")) {
        case "json" -> {
          var array = new Json.Arr();
          for (ContainerState state : states) {
            array.add(state.toOci());
          }
          out.append(array.compact()).append('\n');
        }
        case "table" -> table(states, out);
        default -> throw new UsageException("--format: give table or json");
      }
    }
    Context.print(out.toString());
    return 0;
  }

  private static void table(List<ContainerState> states, StringBuilder out) {
    var table = new Table("ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER");
    for (ContainerState state : states) {
      String status = state.status();
      table.row(
          state.id(),
          status.equals("stopped") ? "0" : Integer.toString(state.pid()),
          status,
          state.bundle(),
          state.created(),
          state.owner() == 0 ? "root" : Integer.toUnsignedString(state.owner()));
    }
    table.print(out);
  }
}
