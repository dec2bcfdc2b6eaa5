package redoubt.cli;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import redoubt.host.HostFiles;
import redoubt.oci.Capabilities;
import redoubt.oci.JsonException;
import redoubt.oci.Process;
import redoubt.oci.Spec;
import redoubt.oci.SpecException;
import redoubt.sandbox.ContainerState;
import redoubt.sandbox.Holder;
import redoubt.sandbox.Lifecycle;
import redoubt.sandbox.PidFile;
import redoubt.sandbox.Sandbox;
import redoubt.sandbox.SandboxException;
import redoubt.sandbox.StateDirectory;
import redoubt.sandbox.Stdio;

/** Starts one more process in a running container. */
final class Exec implements Verb {
  @Override
  public String arguments() {
    return "ID PROGRAM [ARGUMENT...]";
  }

  @Override
  public String summary() {
    return "Run a program in a running container.";
  }

  @Override
  public String examples() {
    return """
      redoubt exec c1 ls -l /
      redoubt exec --tty c1 bash
      redoubt exec --detach --pid-file /run/e.pid --process process.json c1
    """;
  }

  @Override
  public void declare(Flags flags) {
    flags
        .value("cwd", "DIR", "where the program starts")
        .value("env|e", "NAME=VALUE", "add to the environment; repeats")
        .flag("tty|t", "give it a terminal")
        .value("user|u", "UID[:GID]", "run as this user")
        .value("additional-gids|g", "GID", "a further group; repeats")
        .value("cap|c", "CAPABILITY", "add a capability; repeats")
        .value("process|p", "FILE", "process of config.json as a file of its own")
        .flag("detach|d", "leave it in the background")
        .value("pid-file", "FILE", "where its host pid is written")
        .value("console-socket", "PATH", "socket that receives the terminal's master")
        .value("preserve-fds", "N", "hand N more descriptors, from 3 on, to it")
        .flag("no-new-privs", "it can gain no privileges")
        .flag("ignore-paused", "accepted for compatibility")
        .value("apparmor", "PROFILE", "accepted for compatibility")
        .value("process-label", "LABEL", "accepted for compatibility")
        .value("cgroup", "PATH", "accepted for compatibility");
  }

  @Override
  public boolean interleaved() {
    return false;
  }

  @Override
  public int run(Context context, Flags flags) {
    StateDirectory directory = context.directory(flags.argument(0, "container id"));
    ContainerState state = directory.load();
    if (state.status().equals("paused")) {
      throw new SandboxException(
          "cannot exec in container '" + state.id() + "': it is paused; resume it first");
    }
    Process process = process(flags, state);
    boolean detach = flags.is("detach");
    String consoleSocket = flags.get("console-socket", "");
    if (process.terminal() && detach && consoleSocket.isEmpty()) {
      throw new UsageException("--tty with --detach needs --console-socket");
    }
    if (!process.terminal() && !consoleSocket.isEmpty()) {
      throw new UsageException("--console-socket needs --tty");
    }
    try (Sandbox sandbox = Sandbox.connect(directory);
        Stdio stdio =
            process.terminal()
                ? Stdio.terminal(consoleSocket, process.rows(), process.columns())
                : Stdio.inherited(flags.number("preserve-fds", 0))) {
      int guestPid = Lifecycle.exec(sandbox, state, process, stdio, true);
      if (detach) {
        int pid = Holder.spawnExec(context.installation(), sandbox, guestPid, stdio);
        PidFile.write(flags.get("pid-file", ""), pid);
        return 0;
      }
      PidFile.write(flags.get("pid-file", ""), HostFiles.processId());
      Holder.becomeExec(context.installation(), sandbox, guestPid, stdio);
    }
    return 0;
  }

  private static Process process(Flags flags, ContainerState state) {
    String file = flags.get("process", "");
    if (!file.isEmpty()) {
      flags.atMost(1);
      String text = HostFiles.readText(file, 16 << 20);
      if (text == null) {
        throw new SpecException(file + " cannot be read");
      }
      try {
        return override(Process.parse(text), flags);
      } catch (SpecException | JsonException e) {
        throw new SpecException(file + ": " + e.getMessage());
      }
    }
    flags.argument(1, "program to run");
    Process base = containerProcess(state);
    List<String> args = flags.rest().subList(1, flags.rest().size());
    var process =
        new Process(
            args,
            base.env(),
            base.cwd(),
            false,
            0,
            0,
            base.uid(),
            base.gid(),
            base.umask(),
            base.additionalGids(),
            base.bounding(),
            base.effective(),
            base.permitted(),
            base.inheritable(),
            base.ambient(),
            base.rlimits(),
            base.noNewPrivileges(),
            base.oomScoreAdj());
    return override(process, flags);
  }

  /**
   * {@return the container's own process}, whose environment and rights an executed one takes over
   */
  private static Process containerProcess(ContainerState state) {
    String text = HostFiles.readText(state.bundle() + "/config.json", 16 << 20);
    Process process = text == null ? null : parsed(text);
    if (process == null) {
      return new Process(
          List.of("none"),
          List.of("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
          "/",
          false,
          0,
          0,
          0,
          0,
          -1,
          List.of(),
          Capabilities.ALL,
          Capabilities.ALL,
          Capabilities.ALL,
          0,
          0,
          List.of(),
          false,
          0);
    }
    return process;
  }

  private static @Nullable Process parsed(String text) {
    try {
      return Spec.parse(text).process();
    } catch (SpecException | JsonException e) {
      return null; // changed since the container was created
    }
  }

  private static Process override(Process p, Flags flags) {
    var env = new ArrayList<>(p.env());
    for (String variable : flags.all("env")) {
      String prefix = variable.substring(0, variable.indexOf('=') + 1);
      env.removeIf(old -> !prefix.isEmpty() && old.startsWith(prefix));
      env.add(variable);
    }
    int[] user = {p.uid(), p.gid()};
    if (!flags.get("user", "").isEmpty()) {
      user = user(flags.get("user", ""));
    }
    var gids = new ArrayList<>(p.additionalGids());
    for (String gid : flags.all("additional-gids")) {
      gids.add(id(gid, "--additional-gids " + gid));
    }
    long caps = 0;
    for (String name : flags.all("cap")) {
      int bit = Capabilities.bit(name);
      if (bit < 0) {
        throw new UsageException("--cap " + name + " is no capability");
      }
      caps |= 1L << bit;
    }
    boolean terminal = p.terminal() || flags.is("tty");
    return new Process(
        p.args(),
        env,
        flags.get("cwd", p.cwd()),
        terminal,
        p.rows(),
        p.columns(),
        user[0],
        user[1],
        p.umask(),
        gids,
        p.bounding() | caps,
        p.effective() | caps,
        p.permitted() | caps,
        p.inheritable(),
        p.ambient(),
        p.rlimits(),
        p.noNewPrivileges() || flags.is("no-new-privs"),
        p.oomScoreAdj());
  }

  /** {@return uid and gid of {@code UID[:GID]}} */
  static int[] user(String text) {
    int colon = text.indexOf(':');
    String uid = colon < 0 ? text : text.substring(0, colon);
    String gid = colon < 0 ? "0" : text.substring(colon + 1);
    return new int[] {id(uid, "--user " + text), id(gid, "--user " + text)};
  }

  private static int id(String text, String flag) {
    try {
      return Integer.parseUnsignedInt(text);
    } catch (NumberFormatException e) {
      throw new UsageException(flag + ": '" + text + "' is not a number; names are not looked up");
    }
  }
}
