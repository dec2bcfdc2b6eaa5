package redoubt.sandbox;

import java.util.List;
import redoubt.host.Fd;
import redoubt.host.HostException;
import redoubt.sentry.control.ContainerConfig;
import redoubt.sentry.control.ControlClient;
import redoubt.sentry.control.ProcessConfig;
import redoubt.sentry.control.ProcessInfo;
import redoubt.sentry.control.SandboxStats;

/**
 * A running or created container of a sandbox, reached over its control socket, whatever kernel it
 * has: the sentry serves that socket, or the warden of a guest kernel. The kinds differ in how they
 * are launched only. Refusals are {@link SandboxException} or {@link
 * redoubt.sentry.control.ControlException}. For one thread.
 */
public abstract sealed class Sandbox implements AutoCloseable
    permits SentrySandbox, VmSandbox, UmlSandbox {
  private final String id;
  private int pid;
  private final ControlClient client;

  Sandbox(String id, int pid, ControlClient client) {
    this.id = id;
    this.pid = pid;
    this.client = client;
  }

  /** Makes the sandbox's object for a kind of kernel: {@code sentry}, {@code vm} or {@code uml}. */
  static Sandbox of(String kernel, String id, int pid, ControlClient client) {
    return switch (kernel) {
      case "vm" -> new VmSandbox(id, pid, client);
      case "uml" -> new UmlSandbox(id, pid, client);
      default -> new SentrySandbox(id, pid, client);
    };
  }

  /** {@return the kind of its kernel}: {@code sentry}, {@code vm} or {@code uml} */
  public abstract String kernel();

  /**
   * Adds to the launcher's plan what stands for the kernel: the sentry and its keeper, or a warden
   * and its VMM.
   *
   * @throws SandboxException if this host lacks something, which the message names
   */
  abstract void describe(Plan plan, Installation installation, Machine machine);

  /** The pid is known now. */
  final void runsAs(int host) {
    this.pid = host;
  }

  /**
   * Connects to a container.
   *
   * @throws SandboxException if it does not run
   */
  public static Sandbox connect(StateDirectory directory) {
    ContainerState state = directory.load();
    if (state.status().equals("stopped")) {
      throw new SandboxException("container '" + state.id() + "' is not running (it has stopped)");
    }
    try {
      String socket = directory.sibling(state.sandbox()).path();
      return of(state.kernel(), state.id(), state.pid(), ControlClient.connect(socket));
    } catch (HostException e) {
      throw new SandboxException(
          "container '" + state.id() + "' does not answer: " + e.getMessage());
    }
  }

  public String id() {
    return id;
  }

  /** {@return the host pid whose exit code is the container's} */
  public int pid() {
    return pid;
  }

  /** {@return the connection}, for what outlives this process */
  public Fd socket() {
    return client.socket();
  }

  /** Lets the first process run. */
  public void start() {
    client.start(id);
  }

  /** Adds a container to the sandbox. */
  void create(ContainerConfig config, List<Fd> fds) {
    client.create(config, fds);
  }

  /** Kills this further container and has the sandbox forget it. */
  void delete() {
    client.delete(id);
  }

  /** Hands a network over. */
  void network(PodNetwork network) {
    client.network(network.config(), network.sockets());
  }

  /** {@return interfaces, connections and counters of the sandbox's own network, as text} */
  public String networkReport() {
    return client.networkReport();
  }

  /** Has each frame of the links copied to {@code socket}, a SOCK_SEQPACKET one. */
  public void capture(Fd socket) {
    client.capture(socket);
  }

  /**
   * Connects to a port of a container's loopback: bytes come from the pipe {@code in} and go to the
   * pipe {@code out}. Both stay the caller's to close.
   */
  public void forward(String id, int port, Fd in, Fd out) {
    client.forward(id, port, in, out);
  }

  /** From now on the sandbox outlives this connection, if it was the owner's. */
  public void detach() {
    client.detach();
  }

  /**
   * Starts one more process; returns its pid in the container.
   *
   * @param killOnDisconnect whether the process ends with this connection
   */
  public int exec(ProcessConfig process, List<Fd> fds, boolean killOnDisconnect) {
    return client.exec(id, process, killOnDisconnect, fds);
  }

  /**
   * @param guestPid in the container; 0 for the first process, -1 for all
   */
  public void signal(int guestPid, int signal) {
    client.signal(id, guestPid, signal);
  }

  /** Waits for a process of the container; returns its status or 128 + signal. */
  public int await(int guestPid) {
    return ControlClient.exitCode(client.await(client.sendWait(id, guestPid)));
  }

  /** Waits until more than {@code seen} processes were killed for want of memory; how many. */
  public int awaitOom(int seen) {
    return client.awaitOom(id, seen);
  }

  public void pause() {
    client.pause(id);
  }

  public void resume() {
    client.resume(id);
  }

  public void resize(int guestPid, int rows, int columns) {
    client.resize(id, guestPid, rows, columns);
  }

  public List<ProcessInfo> processes() {
    return client.ps(id);
  }

  public SandboxStats stats() {
    return client.stats(id);
  }

  /** {@return the kernel's and the guest's stacks as text} */
  public String stacks() {
    return client.stacks();
  }

  /**
   * {@return a guest kernel's console, and when its boot reached its stages; empty for a sentry}
   */
  public List<String> console() {
    return client.console();
  }

  /** Ends all processes. */
  public void destroy() {
    client.destroy();
  }

  /** Gives up the connection; the sandbox stays. */
  @Override
  public void close() {
    client.close();
  }
}
