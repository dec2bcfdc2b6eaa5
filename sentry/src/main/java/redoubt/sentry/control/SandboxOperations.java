package redoubt.sentry.control;

import java.util.List;
import redoubt.abi.Errno;
import redoubt.host.Fd;

/**
 * What the kernel does for {@link ControlServer}. Calls come from the server's threads, several at
 * once. A refusal is a {@link ControlException}, whose message is shown to the user. Descriptors
 * handed over belong to the callee, also when it throws.
 */
public interface SandboxOperations {
  /** Told once how a process ended. */
  @FunctionalInterface
  interface ExitListener {
    /**
     * @param exitCode the status, or 128 + the signal's number
     */
    void exited(int exitCode);
  }

  /**
   * Builds the kernel and the first container, loads its program, and confines this process: when
   * it returns, all that is left is to run guest code. Called once, before all others.
   */
  void boot(SandboxConfig config, List<Fd> fds);

  /**
   * Takes over what a network namespace of the host had: the sockets reach it from now on.
   *
   * @param fds a packet socket for each interface
   */
  void network(NetworkConfig config, List<Fd> fds);

  /** Adds a container to a running sandbox. */
  void create(ContainerConfig config, List<Fd> fds);

  /**
   * Kills a further container's processes, if any are left, and forgets it with its gofer. Its name
   * can be used again.
   */
  void delete(String containerId);

  /** Lets the first process of a created container run. */
  void start(String containerId);

  /** Starts one more process in a container; returns its pid in the container's pid namespace. */
  int exec(String containerId, ProcessConfig process, List<Fd> fds);

  /**
   * Sends a signal.
   *
   * @param pid in the container's pid namespace; 0 for the first process, -1 for every process
   */
  void signal(String containerId, int pid, int signal);

  /**
   * Calls {@code listener} once when the process has ended, at once if it has already. The listener
   * does not block.
   *
   * @param pid 0 for the first process, else the result of {@link #exec}
   */
  void onExit(String containerId, int pid, ExitListener listener);

  /** {@return how often the container lost a process for want of memory} */
  OomKills oomKills(String containerId);

  List<ProcessInfo> ps(String containerId);

  /** Stops all guest threads of the container. */
  void pause(String containerId);

  void resume(String containerId);

  /** Sets the window size of a process's terminal. */
  void resize(String containerId, int pid, int rows, int columns);

  SandboxStats stats(String containerId);

  /** {@return {@code created}, {@code running}, {@code paused} or {@code stopped}} */
  String state(String containerId);

  /** {@return the stacks of the sentry's threads with what each guest task is doing, as text} */
  String stacks();

  /** {@return the last of what a guest kernel of Linux wrote on its console} */
  default String console() {
    return "";
  }

  /** {@return interfaces, connections and counters of the sandbox's own network, as text} */
  default String networkReport() {
    throw new ControlException(Errno.EOPNOTSUPP, "this kind of sandbox has no network of its own");
  }

  /** Copies each frame of the links to a SOCK_SEQPACKET socket, which it owns from now on. */
  default void capture(Fd socket) {
    socket.close();
    throw new ControlException(Errno.EOPNOTSUPP, "this kind of sandbox has no network of its own");
  }

  /** Connects two pipes, which it owns from now on, to a port of a container's loopback. */
  default void forward(String containerId, int port, Fd in, Fd out) {
    in.close();
    out.close();
    throw new ControlException(
        Errno.EOPNOTSUPP, "this kind of sandbox cannot forward ports; use its own address");
  }

  /** {@return when a guest kernel of Linux reached the stages of its boot} */
  default String timeline() {
    return "";
  }

  /**
   * Ends the sandbox: kills every guest process; the sentry then exits with the first container's
   * exit code (137 if it was killed by this).
   */
  void destroy();
}
