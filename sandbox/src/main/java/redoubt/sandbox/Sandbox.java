package redoubt.sandbox;

import java.util.List;
import redoubt.host.Fd;
import redoubt.sentry.control.ProcessConfig;
import redoubt.sentry.control.ProcessInfo;
import redoubt.sentry.control.SandboxStats;

/**
 * A running or created container of a sandbox, whatever kernel it has. Refusals are {@link
 * SandboxException} or {@link redoubt.sentry.control.ControlException}.
 */
public interface Sandbox extends AutoCloseable {
  String id();

  /** {@return the host pid whose exit code is the container's} */
  int pid();

  /** Lets the first process run. */
  void start();

  /**
   * Starts one more process; returns its pid in the container.
   *
   * @param killOnDisconnect whether the process ends with this connection
   */
  int exec(ProcessConfig process, List<Fd> fds, boolean killOnDisconnect);

  /**
   * @param pid in the container; 0 for the first process, -1 for all
   */
  void signal(int pid, int signal);

  /** Waits for a process of the container; returns its status or 128 + signal. */
  int await(int pid);

  void pause();

  void resume();

  void resize(int pid, int rows, int columns);

  List<ProcessInfo> processes();

  SandboxStats stats();

  /** {@return the kernel's and the guest's stacks as text} */
  String stacks();

  /** Ends all processes. */
  void destroy();

  /** Gives up the connection; the sandbox stays. */
  @Override
  void close();
}
