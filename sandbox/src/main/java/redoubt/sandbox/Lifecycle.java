package redoubt.sandbox;

import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Errno;
import redoubt.host.Fd;
import redoubt.host.HostException;
import redoubt.host.HostFiles;
import redoubt.host.NetworkNamespace;
import redoubt.oci.Process;
import redoubt.oci.Spec;
import redoubt.sentry.control.ControlClient;
import redoubt.sentry.control.ControlException;

/** What happens to a container after its creation, whoever created it. */
public final class Lifecycle {
  private static final int SIGKILL = 9;
  private static final int STOP_ATTEMPTS = 1000;

  private Lifecycle() {}

  /** Starts a created container: startContainer hooks inside it, its program, poststart hooks. */
  public static void start(StateDirectory directory, Installation installation) {
    try (Fd lock = directory.lock();
        Sandbox sandbox = Sandbox.connect(directory)) {
      String status = directory.load().status();
      if (!status.equals("created")) {
        throw new SandboxException(
            "cannot start container '" + directory.id() + "': it is " + status + ", not created");
      }
      PodNetwork network = start(directory, sandbox, installation);
      if (network != null) {
        network.close();
      }
    }
  }

  /** Returns the network that the sandbox took over from a namespace that was given, or null. */
  static @Nullable PodNetwork start(
      StateDirectory directory, Sandbox sandbox, Installation installation) {
    PodNetwork network = attachNetwork(directory, sandbox, installation);
    try {
      startProgram(directory, sandbox);
      return network;
    } catch (RuntimeException e) {
      if (network != null) {
        network.close();
      }
      throw e;
    }
  }

  private static @Nullable PodNetwork attachNetwork(
      StateDirectory directory, Sandbox sandbox, Installation installation) {
    ContainerState state = directory.load();
    if (!state.network().equals("sandbox")) {
      return null;
    }
    boolean isGiven = !state.netns().isEmpty();
    String path = isGiven ? state.netns() : "/proc/" + state.pid() + "/ns/net";
    if (isGiven) {
      refuseSharing(directory, path);
    }
    boolean isGuest = !state.kernel().equals("sentry");
    PodNetwork network = PodNetwork.read(path, isGuest);
    try {
      if (network.isEmpty()) {
        network.close();
        return null;
      }
      if (isGiven) {
        // In this order: whoever of us is killed, somebody left knows how to give them back.
        if (!path.equals(NetworkNamespace.OWN)) {
          directory.save(state.withRestore(network.restoring()));
        }
        network.startWarden(installation, state.pid());
      }
      if (isGuest) {
        // The launcher left the devices in the namespace of the warden.
        try (Fd waiting = NetworkNamespace.open("/proc/" + state.pid() + "/ns/net")) {
          network.joinTaps(waiting);
        }
      } else {
        network.takeAddresses();
      }
      sandbox.network(network);
      if (!isGiven) {
        network.close();
        return null;
      }
      return network;
    } catch (RuntimeException e) {
      network.close();
      throw e;
    }
  }

  /** The addresses of a namespace can be one sandbox's only. */
  private static void refuseSharing(StateDirectory directory, String path) {
    ContainerState other = directory.otherWith(path);
    if (other != null) {
      throw new SandboxException(
          "network namespace "
              + path
              + ": the running container '"
              + other.id()
              + "' has taken it over; a sandbox shares its network with none");
    }
  }

  /** Gives back the addresses of a container that has ended, unless another one has them now. */
  static void giveNetworkBack(StateDirectory directory) {
    if (!directory.exists()) {
      return;
    }
    ContainerState state;
    try {
      state = directory.load();
    } catch (SandboxException e) {
      return;
    }
    if (!state.restore().isEmpty() && directory.otherWith(state.netns()) == null) {
      PodNetwork.giveBack(state.netns(), state.restore());
    }
  }

  private static void startProgram(StateDirectory directory, Sandbox sandbox) {
    ContainerState state = directory.load();
    for (Spec.Hook hook : state.hooks().startContainer()) {
      startContainerHook(hook, sandbox);
    }
    sandbox.start();
    ContainerState started = state.withStarted(true, false);
    directory.save(started);
    HookRunner.run("poststart", state.hooks().poststart(), started.toOci());
  }

  /** Runs in the container, as the specification asks. */
  private static void startContainerHook(Spec.Hook hook, Sandbox sandbox) {
    List<String> args = hook.args().isEmpty() ? List.of(hook.path()) : hook.args();
    var process =
        new redoubt.sentry.control.ProcessConfig(
            args,
            hook.env(),
            "/",
            0,
            0,
            List.of(),
            -1,
            0,
            0,
            0,
            0,
            0,
            List.of(),
            false,
            false,
            0,
            0,
            0);
    try (Stdio stdio = Stdio.inherited(0)) {
      int pid = sandbox.exec(process, stdio.fds(), true);
      int code = sandbox.await(pid);
      if (code != 0) {
        throw new SandboxException(
            "startContainer hook (" + hook.path() + ") failed with exit code " + code);
      }
    }
  }

  /**
   * Starts a process in a running container.
   *
   * @param process with paths and numbers of the container
   */
  public static int exec(
      Sandbox sandbox, ContainerState state, Process process, Stdio stdio, boolean kill) {
    return sandbox.exec(Translator.process(process, state.rootfs()), stdio.fds(), kill);
  }

  public static void pause(StateDirectory directory, boolean paused) {
    try (Fd lock = directory.lock();
        Sandbox sandbox = Sandbox.connect(directory)) {
      ContainerState state = directory.load();
      String status = state.status();
      if (!status.equals(paused ? "running" : "paused")) {
        throw new SandboxException(
            "cannot "
                + (paused ? "pause" : "resume")
                + " container '"
                + directory.id()
                + "': it is "
                + status);
      }
      if (paused) {
        sandbox.pause();
      } else {
        sandbox.resume();
      }
      directory.save(state.withStarted(true, paused));
    }
  }

  /** Sends a signal to the first process, or to all. */
  public static void kill(StateDirectory directory, int signal, boolean all) {
    ContainerState state = directory.load();
    if (state.status().equals("stopped")) {
      throw new SandboxException(
          "cannot kill container '" + directory.id() + "': it is not running");
    }
    try (Sandbox sandbox = Sandbox.connect(directory)) {
      sandbox.signal(all ? -1 : 0, signal);
    } catch (SandboxException | ControlException e) {
      if (e instanceof ControlException c && c.errno() == Errno.EPIPE) {
        return; // it took the signal and ended before it could answer
      }
      // A kernel that does not answer can still be ended.
      if (signal != SIGKILL || HostFiles.kill(state.pid(), SIGKILL) < 0) {
        throw e;
      }
    }
  }

  /**
   * Deletes a container and all that is left of it.
   *
   * @param force kill it first if it runs, and do not mind if it does not exist
   * @param warning takes a line about a poststop hook that failed
   */
  public static void delete(StateDirectory directory, boolean force, Consumer<String> warning) {
    if (force && !directory.exists()) {
      return;
    }
    try (Fd lock = directory.lock()) {
      ContainerState state;
      try {
        state = directory.load();
      } catch (SandboxException e) {
        if (!force) {
          throw e;
        }
        removeWithoutState(directory);
        return;
      }
      String status = state.status();
      if (!status.equals("stopped")) {
        if (!force && !status.equals("created")) {
          throw new SandboxException(
              "cannot delete container '"
                  + directory.id()
                  + "': it is "
                  + status
                  + "; kill it first, or use --force");
        }
      }
      if (state.isFurther()) {
        leaveSandbox(directory, state);
      }
      if (!status.equals("stopped")) {
        HostFiles.kill(state.pid(), SIGKILL);
        awaitEnd(state);
      }
      Cgroups.remove(state.cgroups());
      giveNetworkBack(directory);
      directory.remove();
      try {
        HookRunner.run("poststop", state.hooks().poststop(), state.toOci());
      } catch (SandboxException | HostException e) {
        warning.accept(String.valueOf(e.getMessage()));
      }
    }
  }

  /** Has a sandbox forget one of its further containers, whatever still runs in it. */
  private static void leaveSandbox(StateDirectory directory, ContainerState state) {
    try (var client = ControlClient.connect(directory.sibling(state.sandbox()).path())) {
      client.delete(state.id());
    } catch (HostException e) {
      // The sandbox has ended, and all of its containers with it.
    } catch (ControlException e) {
      if (e.errno() != Errno.ENOENT && e.errno() != Errno.EPIPE) {
        throw e;
      }
    }
  }

  /** The state is lost: the sandbox is asked to end, and is looked for where it is by default. */
  private static void removeWithoutState(StateDirectory directory) {
    try (ControlClient client = ControlClient.connect(directory.path())) {
      client.destroy();
    } catch (HostException | ControlException e) {
      // It has ended, or ends before it can answer.
    }
    Cgroups.remove(Cgroups.ofHost().existing(Cgroups.defaultPath(directory.id())));
    directory.remove();
  }

  private static void awaitEnd(ContainerState state) {
    for (int i = 0; i < STOP_ATTEMPTS && !state.status().equals("stopped"); i++) {
      try {
        Thread.sleep(i < 50 ? 2 : 10);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        return;
      }
    }
  }
}
