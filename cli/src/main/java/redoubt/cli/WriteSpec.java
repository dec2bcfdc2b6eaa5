package redoubt.cli;

import java.io.File;
import java.nio.charset.StandardCharsets;
import redoubt.abi.Errno;
import redoubt.host.Fd;
import redoubt.host.HostException;
import redoubt.host.HostFiles;
import redoubt.oci.SpecText;
import redoubt.sandbox.SandboxException;

/** Write a config.json to start from. */
final class WriteSpec implements Verb {
  @Override
  public String arguments() {
    return "";
  }

  @Override
  public String summary() {
    return "Write a config.json to start from.";
  }

  @Override
  public String examples() {
    return """
      cd /my/bundle && mkdir rootfs && redoubt spec
    """;
  }

  @Override
  public void declare(Flags flags) {
    flags
        .value("bundle|b", "DIR", "where to write it (default: the current directory)")
        .flag("rootless", "for a user who is not root");
  }

  @Override
  public int run(Context context, Flags flags) {

    flags.atMost(0);
    String path = new File(flags.get("bundle", ".")).getAbsolutePath() + "/config.json";
    int how = HostFiles.O_WRONLY | HostFiles.O_CREAT | HostFiles.O_EXCL;
    long n = HostFiles.tryOpen(path, how, 0644);
    if (n == -Errno.EEXIST) {
      throw new SandboxException(path + " exists already; remove it first");
    }
    try (Fd fd = new Fd((int) HostException.check("create " + path, n))) {
      String text = SpecText.defaultSpec(flags.is("rootless")).indented(2) + "\n";
      HostException.check(
          "write " + path, HostFiles.write(fd, text.getBytes(StandardCharsets.UTF_8)));
    }
    return 0;
  }
}
