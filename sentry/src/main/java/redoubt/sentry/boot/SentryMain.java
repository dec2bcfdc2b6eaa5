package redoubt.sentry.boot;

import redoubt.host.CompilerThread;
import redoubt.host.Fd;
import redoubt.host.HostLog;
import redoubt.sentry.control.BootFds;
import redoubt.sentry.control.ControlServer;

/**
 * The sentry's main class: one sandbox's kernel. Started by the launcher with the descriptors of
 * {@link BootFds} and nothing else; configured and driven over the control protocol
 * (docs/design/boot.md).
 */
public final class SentryMain {
  /**
   * Of the optimizing compiler. A call and its compilation want three threads at a time, often of
   * two cores; waiting for the other half costs a pair more than code of the first tier (ADR 0006).
   */
  private static final int COMPILER_NICE = 15;

  private SentryMain() {}

  public static void main(String[] args) {
    HostLog log = new HostLog(BootFds.LOG);
    if (!CompilerThread.makeNice(COMPILER_NICE)) {
      log.line("sentry: the compiler's thread keeps its priority: the first second will be slower");
    }
    Thread.setDefaultUncaughtExceptionHandler(
        (t, e) -> log.line("sentry: thread " + t.getName() + ": " + e));
    SentryMachine machine = new SentryMachine(log);
    SandboxKernel sandbox = new SandboxKernel(machine);
    ControlServer server = new ControlServer(sandbox, sandbox::destroy, log::line);
    server.serve(new Fd(BootFds.OWNER), new Fd(BootFds.LISTENER));
    // The owner detached: the sandbox goes on until its first container has ended.
    for (; ; ) {
      try {
        Thread.sleep(Long.MAX_VALUE);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
