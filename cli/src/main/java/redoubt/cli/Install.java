package redoubt.cli;

import java.io.File;
import java.nio.charset.StandardCharsets;
import redoubt.host.Fd;
import redoubt.host.HostException;
import redoubt.host.HostFiles;
import redoubt.oci.Json;
import redoubt.oci.JsonException;
import redoubt.sandbox.SandboxException;

/** Registers redoubt with Docker and containerd. */
final class Install implements Verb {
  private static final int LIMIT = 16 << 20;
  private static final String MARK = "# redoubt: written by 'redoubt install'\n";

  @Override
  public String arguments() {
    return "";
  }

  @Override
  public String summary() {
    return "Register redoubt with Docker and containerd.";
  }

  @Override
  public String examples() {
    return """
      redoubt install && systemctl reload docker
      docker run --runtime=redoubt debian true
    """;
  }

  @Override
  public void declare(Flags flags) {
    flags
        .value("runtime", "NAME", "name of the runtime (default redoubt)")
        .value("command", "PATH", "the redoubt script (default: the one that was run)")
        .value("docker-config", "FILE", "default /etc/docker/daemon.json")
        .value("containerd-config", "FILE", "default /etc/containerd/config.toml, if it exists")
        .flag("clobber", "replace a registration of the same name");
  }

  @Override
  public int run(Context context, Flags flags) {
    flags.atMost(0);
    String name = flags.get("runtime", "redoubt");
    String command = flags.get("command", System.getProperty("redoubt.command", ""));
    if (command.isEmpty() || !HostFiles.isFile(command)) {
      throw new UsageException("give --command=PATH of the redoubt script");
    }
    command = new File(command).getAbsolutePath();
    String docker = flags.get("docker-config", "/etc/docker/daemon.json");
    docker(docker, name, command, flags.is("clobber"));
    Context.print("registered runtime '" + name + "' in " + docker + "\n");
    String containerd = flags.get("containerd-config", "/etc/containerd/config.toml");
    if (HostFiles.isFile(containerd)) {
      containerd(containerd, name, command, flags.is("clobber"));
      Context.print("registered runtime '" + name + "' in " + containerd + "\n");
    } else if (!flags.get("containerd-config", "").isEmpty()) {
      throw new SandboxException(containerd + " does not exist");
    }
    return 0;
  }

  private static void docker(String path, String name, String command, boolean clobber) {
    String text = HostFiles.readText(path, LIMIT);
    Json.Obj config;
    try {
      Json json = text == null || text.isBlank() ? new Json.Obj() : Json.parse(text);
      if (!(json instanceof Json.Obj object)) {
        throw new SandboxException(path + " is not a JSON object");
      }
      config = object;
    } catch (JsonException e) {
      throw new SandboxException(path + ": " + e.getMessage());
    }
    Json.Obj runtimes =
        config.get("runtimes") instanceof Json.Obj present ? present : new Json.Obj();
    if (runtimes.get(name) != null && !clobber) {
      throw new SandboxException(
          path + " has a runtime '" + name + "' already; use --clobber to replace it");
    }
    runtimes.put(name, new Json.Obj().put("path", command));
    config.put("runtimes", runtimes);
    replace(path, config.indented(4) + "\n");
  }

  private static void containerd(String path, String name, String command, boolean clobber) {
    String text = HostFiles.readText(path, LIMIT);
    text = text == null ? "" : text;
    int start = text.indexOf(MARK);
    if (start >= 0) {
      if (!clobber) {
        throw new SandboxException(path + " has redoubt already; use --clobber to replace it");
      }
      text = text.substring(0, start);
    }
    String table = "plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes." + name;
    String entry =
        MARK
            + "["
            + table
            + "]\n  runtime_type = \"io.containerd.runc.v2\"\n["
            + table
            + ".options]\n  BinaryName = \""
            + command
            + "\"\n";
    replace(path, text + (text.isEmpty() || text.endsWith("\n") ? "" : "\n") + entry);
  }

  private static void replace(String path, String text) {
    File parent = new File(path).getAbsoluteFile().getParentFile();
    if (parent != null && !parent.isDirectory() && !parent.mkdirs()) {
      throw new SandboxException("cannot make directory " + parent);
    }
    String temporary = path + ".redoubt";
    int flags = HostFiles.O_WRONLY | HostFiles.O_CREAT | HostFiles.O_TRUNC;
    try (Fd fd = HostFiles.open(temporary, flags, 0644)) {
      HostException.check(
          "write " + temporary, HostFiles.write(fd, text.getBytes(StandardCharsets.UTF_8)));
    }
    HostException.check("rename to " + path, HostFiles.rename(temporary, path));
  }
}
