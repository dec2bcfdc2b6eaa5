package redoubt.cli;

/** Topics that are no commands. */
final class Help implements Verb {
  @Override
  public String arguments() {
    return "[platforms | syscalls | COMMAND]";
  }

  @Override
  public String summary() {
    return "Tell about platforms, system calls or a command.";
  }

  @Override
  public String examples() {
    return """
      redoubt help platforms
      redoubt help syscalls --format=csv
    """;
  }

  @Override
  public void declare(Flags flags) {
    flags.value("format", "FORMAT", "of syscalls: table (default), json or csv");
  }

  @Override
  public int run(Context context, Flags flags) {
    flags.atMost(1);
    String topic = flags.rest().isEmpty() ? "" : flags.rest().get(0);
    switch (topic) {
      case "" -> {
        var global = new Flags();
        Context.declare(global);
        Context.print(Main.overview(global));
      }
      case "platforms" ->
          Context.print(
              """
              systrap  (default) Guest code runs in host processes whose system calls are caught by
                       seccomp, or by patched call sites. Needs user namespaces and Linux 5.9 or
                       later; no virtualization, no ptrace.
              ptrace   not there yet.
              kvm      not there yet.
              """);
      case "syscalls" -> SyscallTable.print(flags.get("format", "table"));
      default -> {
        Verb verb = Main.verb(topic);
        if (verb == null) {
          throw new UsageException("no help on '" + topic + "'; there is platforms and syscalls");
        }
        var its = new Flags();
        verb.declare(its);
        Context.print(Main.help(topic, verb, its));
      }
    }
    return 0;
  }
}
