package redoubt.sandbox;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import redoubt.host.Fd;
import redoubt.host.HostFiles;
import redoubt.host.NetworkNamespace;
import redoubt.host.SeqpacketSocket;
import redoubt.host.Spawn;
import redoubt.sentry.control.BootFds;

/**
 * The gofer of a further container of a sandbox: a process in the sandbox's pid namespace and
 * control groups, a child of its first process. The running gofer cannot take its attach points:
 * Landlock has shut everything else out for good.
 *
 * @param socket the other end of its socket
 * @param pid in the sandbox's pid namespace
 */
record FurtherGofer(Fd socket, int pid, int launcher) implements AutoCloseable {
  /** The launcher's descriptor of the first attach point. */
  static final int FIRST_ATTACH = 16;

  private static final int RLIMIT_CORE = 4;
  private static final int RLIMIT_NOFILE = 7;
  private static final int STATUS_LIMIT = 1 << 16;

  /** {@return a gofer's argument vector without its attach points} */
  static List<String> command(Installation installation) {
    var gofer = new ArrayList<>(installation.goferCommand());
    gofer.add("--socket=" + BootFds.GOFER_SOCKET);
    gofer.add("--log=" + BootFds.GOFER_LOG);
    gofer.add("--ready=" + BootFds.GOFER_READY);
    return gofer;
  }

  /** Adds attach points to the launcher's descriptors and plan and to a gofer's arguments. */
  static void attach(
      List<AttachPoint> points, int first, int[] fds, Plan plan, List<String> gofer) {
    for (int i = 0; i < points.size(); i++) {
      AttachPoint point = points.get(i);
      int to = BootFds.GOFER_FIRST_ATTACH + i;
      fds[first + i] = point.fd().number();
      plan.add("attach", (first + i) + " " + to);
      gofer.add("--attach=" + point.name() + ":" + to + ":" + (point.readonly() ? "ro" : "rw"));
    }
  }

  /** Adds the resource limits that each process of a sandbox has. */
  static void limit(Plan plan) {
    plan.add("rlimit", RLIMIT_NOFILE + " 1048576 1048576").add("rlimit", RLIMIT_CORE + " 0 0");
  }

  /**
   * Starts a gofer.
   *
   * @param sandbox directory of the sandbox, whose state is {@code first}
   * @param own directory of the new container, on which the gofer's root is mounted for a moment
   */
  static FurtherGofer start(
      Installation installation,
      StateDirectory sandbox,
      ContainerState first,
      StateDirectory own,
      List<AttachPoint> points) {
    int[] fds = new int[FIRST_ATTACH + points.size()];
    Arrays.fill(fds, -1);
    var plan = new Plan();
    List<String> gofer = command(installation);
    attach(points, FIRST_ATTACH, fds, plan, gofer);
    plan.add("log", 2).add("join", 5).add("gofer-socket", 6).add("root", own.path());
    plan.addAll("bind", installation.binds()).addAll("cgroup", Cgroups.leaves(first.cgroups()));
    limit(plan);
    plan.addAll("gofer", gofer);
    Fd[] pair = SeqpacketSocket.pair();
    Fd[] status = HostFiles.pipe();
    int launcher;
    try (Fd end = pair[1];
        Fd namespace = NetworkNamespace.open("/proc/" + first.pid() + "/ns/pid");
        Fd planFile = plan.toFile();
        Fd nothing = HostFiles.open("/dev/null", HostFiles.O_RDWR, 0);
        Fd log = sandbox.openLog();
        Fd statusEnd = status[1]) {
      fds[0] = nothing.number();
      fds[1] = nothing.number();
      fds[2] = log.number();
      fds[3] = planFile.number();
      fds[4] = statusEnd.number();
      fds[5] = namespace.number();
      fds[6] = end.number();
      launcher = Spawn.spawn(installation.launcher(), List.of("launcher"), List.of(), fds);
    } catch (RuntimeException e) {
      pair[0].close();
      status[0].close();
      throw e;
    }
    try {
      return new FurtherGofer(pair[0], readStatus(status[0]), launcher);
    } catch (RuntimeException e) {
      pair[0].close();
      Spawn.waitFor(launcher);
      throw e;
    }
  }

  /** Reads the launcher's answer, to its end; returns the pid that it names. */
  static int readStatus(Fd status) {
    String text;
    try (status) {
      text = new String(HostFiles.readAll(status, STATUS_LIMIT), StandardCharsets.UTF_8);
    }
    int pid = 0;
    String error = "";
    for (String line : text.split("\n")) {
      if (line.startsWith("pid ")) {
        pid = Integer.parseInt(line.substring(4));
      } else if (line.startsWith("error ") && error.isEmpty()) {
        error = line.substring(6);
      }
    }
    if (!error.isEmpty() || pid == 0) {
      throw new SandboxException(error.isEmpty() ? "the launcher ended without a word" : error);
    }
    return pid;
  }

  /** The sandbox has the socket, or nobody: the gofer ends with it. */
  @Override
  public void close() {
    socket.close();
    Spawn.waitFor(launcher);
  }
}
