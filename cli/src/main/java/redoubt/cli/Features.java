package redoubt.cli;

import redoubt.oci.SpecText;

/** Print what this runtime supports as JSON. */
final class Features implements Verb {
  @Override
  public String arguments() {
    return "";
  }

  @Override
  public String summary() {
    return "Print what this runtime supports as JSON.";
  }

  @Override
  public String examples() {
    return """
      redoubt features
    """;
  }

  @Override
  public int run(Context context, Flags flags) {

    flags.atMost(0);
    Context.print(SpecText.features(Main.VERSION).indented(2) + "\n");
    return 0;
  }
}
