package redoubt.sandbox;

import java.util.List;
import redoubt.host.Fd;
import redoubt.host.HostException;
import redoubt.sentry.control.ControlClient;
import redoubt.sentry.control.ProcessConfig;
import redoubt.sentry.control.ProcessInfo;
import redoubt.sentry.control.SandboxStats;

/** A container whose kernel is a sentry, reached over its control socket. For one thread. */
public final class SentrySandbox implements Sandbox {
  private final String id;
  private final int pid;
  private final ControlClient client;

  SentrySandbox(String id, int pid, ControlClient client) {
    this.id = id;
    this.pid = pid;
    this.client = client;
  }

  /**
   * Connects to a container.
   *
   * @throws SandboxException if it does not run
   */
  public static SentrySandbox connect(StateDirectory directory) {
    ContainerState state = directory.load();
    if (state.status().equals("stopped")) {
      throw new SandboxException("container '" + state.id() + "' is not running (it has stopped)");
    }
    try {
      return new SentrySandbox(state.id(), state.pid(), ControlClient.connect(directory.path()));
    } catch (HostException e) {
      throw new SandboxException(
          "container '" + state.id() + "' does not answer: " + e.getMessage());
    }
  }

  @Override
  public String id() {
    return id;
  }

  @Override
  public int pid() {
    return pid;
  }

  /** {@return the connection}, for what outlives this process */
  public Fd socket() {
    return client.socket();
  }

  /** Hands a network over. */
  void network(PodNetwork network) {
    client.network(network.config(), network.sockets());
  }

  @Override
  public void start() {
    client.start(id);
  }

  /** From now on the sandbox outlives this connection, if it was the owner's. */
  public void detach() {
    client.detach();
  }

  @Override
  public int exec(ProcessConfig process, List<Fd> fds, boolean killOnDisconnect) {
    return client.exec(id, process, killOnDisconnect, fds);
  }

  @Override
  public void signal(int guestPid, int signal) {
    client.signal(id, guestPid, signal);
  }

  @Override
  public int await(int guestPid) {
    return ControlClient.exitCode(client.await(client.sendWait(id, guestPid)));
  }

  @Override
  public void pause() {
    client.pause(id);
  }

  @Override
  public void resume() {
    client.resume(id);
  }

  @Override
  public void resize(int guestPid, int rows, int columns) {
    client.resize(id, guestPid, rows, columns);
  }

  @Override
  public List<ProcessInfo> processes() {
    return client.ps(id);
  }

  @Override
  public SandboxStats stats() {
    return client.stats(id);
  }

  @Override
  public String stacks() {
    return client.stacks();
  }

  @Override
  public void destroy() {
    client.destroy();
  }

  @Override
  public void close() {
    client.close();
  }
}
