package redoubt.cli;

import java.util.List;
import redoubt.sandbox.guest.HostCheck;
import redoubt.sandbox.guest.HostCheck.Finding;
import redoubt.sandbox.guest.HostCheck.Verdict;

/** Says what this host has and lacks for each kind of kernel. */
final class Doctor implements Verb {
  private static final List<String> KERNELS = List.of("sentry", "uml", "vm");

  @Override
  public String arguments() {
    return "";
  }

  @Override
  public String summary() {
    return "Say what this host has and lacks for each kind of kernel.";
  }

  @Override
  public String examples() {
    return """
      redoubt doctor       exit code 1 if not even --kernel=sentry works here
    """;
  }

  @Override
  public int run(Context context, Flags flags) {
    flags.atMost(0);
    var check = new HostCheck(context.installation());
    String chosen = check.choose();
    List<Finding> findings = check.all();
    var out = new StringBuilder();
    for (String kernel : KERNELS) {
      out.append("--kernel=")
          .append(kernel)
          .append(check.works(kernel) ? ": works" : ": does not work");
      out.append(kernel.equals(chosen) ? "; --kernel=auto takes it\n" : "\n");
      for (Finding f : findings) {
        if (f.kernel().equals(kernel)) {
          out.append(
              f.verdict() == Verdict.GOOD
                  ? "  ok       "
                  : f.verdict() == Verdict.LESSER ? "  without  " : "  missing  ");
          out.append(Context.safe(f.text())).append('\n');
        }
      }
    }
    Context.print(out.toString());
    return check.works("sentry") ? 0 : 1;
  }
}
