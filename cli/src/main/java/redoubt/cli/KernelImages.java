package redoubt.cli;

import redoubt.sandbox.guest.KernelFetch;

/** Gets kernels for guests. */
final class KernelImages implements Verb {
  @Override
  public String arguments() {
    return "fetch";
  }

  @Override
  public String summary() {
    return "Get the kernel that virtual machines boot.";
  }

  @Override
  public String examples() {
    return """
      redoubt kernel fetch   Debian's linux-image-cloud-amd64, unpacked below /var/cache/redoubt
    """;
  }

  @Override
  public int run(Context context, Flags flags) {
    flags.atMost(1);
    String what = flags.argument(0, "what to do: fetch");
    if (!what.equals("fetch")) {
      throw new UsageException("redoubt kernel " + Context.safe(what) + ": only fetch is there");
    }
    Context.print("unpacked into " + KernelFetch.run() + "\n");
    return 0;
  }
}
