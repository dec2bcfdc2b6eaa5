package redoubt.sandbox;

import java.util.List;
import redoubt.host.Fd;
import redoubt.host.HostException;
import redoubt.host.HostFiles;
import redoubt.host.Pty;
import redoubt.host.Spawn;

/**
 * The small C program that stands on the host for a process of a sandbox: it has the pid that a
 * supervisor waits for and exits with the process's code.
 */
public final class Holder {
  private Holder() {}

  /** Turns this process into the holder of {@code plan}. */
  static void become(Installation installation, Plan plan) {
    Fd file = plan.toFile();
    HostFiles.keepOverExec(file);
    long r =
        Spawn.replace(
            installation.launcher(),
            List.of("redoubt-hold", "hold", Integer.toString(file.number())),
            List.of("LANG=C.UTF-8"));
    throw new HostException("execute " + installation.launcher(), r);
  }

  /**
   * Turns this process into the holder of an executed process, in the foreground.
   *
   * @param stdio closed here, but for the terminal's master, which is connected with 0 and 1
   */
  public static void becomeExec(
      Installation installation, Sandbox sandbox, int guestPid, Stdio stdio) {
    var plan = new Plan();
    HostFiles.keepOverExec(sandbox.socket());
    plan.add("control", sandbox.socket().number()).add("id", sandbox.id()).add("pid", guestPid);
    Pty pty = stdio.pty();
    if (pty != null) {
      HostFiles.keepOverExec(pty.master());
      plan.add("proxy", pty.master().number());
    }
    become(installation, plan);
  }

  /**
   * Starts a holder for an executed process, in the background.
   *
   * @return its host pid
   */
  public static int spawnExec(
      Installation installation, Sandbox sandbox, int guestPid, Stdio stdio) {
    Pty pty = stdio.pty();
    int[] fds = new int[pty == null ? 5 : 6];
    var plan = new Plan();
    plan.add("control", 4).add("id", sandbox.id()).add("pid", guestPid);
    if (pty != null) {
      plan.add("tty", 5);
      fds[5] = pty.slave().number();
    }
    try (Fd nothing = HostFiles.open("/dev/null", HostFiles.O_RDWR, 0);
        Fd file = plan.toFile()) {
      fds[0] = nothing.number();
      fds[1] = nothing.number();
      fds[2] = nothing.number();
      fds[3] = file.number();
      fds[4] = sandbox.socket().number();
      return Spawn.spawn(
          installation.launcher(), List.of("redoubt-hold", "hold", "3"), List.of(), fds);
    }
  }
}
