package redoubt.sandbox;

import java.nio.charset.StandardCharsets;
import java.util.List;
import redoubt.host.Fd;
import redoubt.host.HostException;
import redoubt.host.HostFiles;
import redoubt.host.Spawn;
import redoubt.oci.Json;
import redoubt.oci.Spec;

/** Runs hooks of config.json on the host, with the container's state on their standard input. */
final class HookRunner {
  private static final int SIGKILL = 9;
  private static final int OUTPUT_LIMIT = 4096;

  private HookRunner() {}

  /**
   * @throws SandboxException at the first hook that fails or takes longer than its timeout
   */
  static void run(String kind, List<Spec.Hook> hooks, Json.Obj state) {
    for (int i = 0; i < hooks.size(); i++) {
      run(kind + " hook " + i, hooks.get(i), state);
    }
  }

  private static void run(String what, Spec.Hook hook, Json.Obj state) {
    byte[] input = state.compact().getBytes(StandardCharsets.UTF_8);
    // Files, not pipes: a hook that leaves a daemon behind must not keep us waiting.
    try (Fd in = HostFiles.memoryFile("state", input);
        Fd out = HostFiles.memoryFile("output", new byte[0])) {
      List<String> argv = hook.args().isEmpty() ? List.of(hook.path()) : hook.args();
      int[] fds = {in.number(), out.number(), out.number()};
      int pid;
      try {
        pid = Spawn.spawn(hook.path(), argv, hook.env(), fds);
      } catch (HostException e) {
        throw new SandboxException(what + ": " + e.getMessage());
      }
      await(what, hook, pid, out);
    }
  }

  private static void await(String what, Spec.Hook hook, int pid, Fd out) {
    Thread timer = null;
    boolean[] late = new boolean[1];
    if (hook.timeout() > 0) {
      timer = new Thread(() -> killAfter(pid, hook.timeout(), late), "hook-timeout");
      timer.setDaemon(true);
      timer.start();
    }
    int code = Spawn.waitFor(pid);
    String text = HostFiles.readText("/proc/self/fd/" + out.number(), OUTPUT_LIMIT);
    if (timer != null) {
      timer.interrupt();
    }
    if (late[0]) {
      throw new SandboxException(
          what + " (" + hook.path() + ") did not end within " + hook.timeout() + " s");
    }
    if (code != 0) {
      throw new SandboxException(
          what
              + " ("
              + hook.path()
              + ") failed with exit code "
              + code
              + (text == null || text.isBlank() ? "" : ": " + text.strip().replace('\n', ' ')));
    }
  }

  private static void killAfter(int pid, int seconds, boolean[] late) {
    try {
      Thread.sleep(seconds * 1000L);
      late[0] = true;
      HostFiles.kill(pid, SIGKILL);
    } catch (InterruptedException e) {
      // The hook ended in time.
    }
  }
}
