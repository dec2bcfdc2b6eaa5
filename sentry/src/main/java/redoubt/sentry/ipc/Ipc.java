package redoubt.sentry.ipc;

import redoubt.sentry.ipc.sysv.SharedSegments;
import redoubt.sentry.kernel.Kernel;

/** Puts pipes, event files, epoll and sockets into a kernel. */
public final class Ipc {
  private Ipc() {}

  /** Registers what this package keeps once per kernel; call at boot, before the first task. */
  public static void install(Kernel kernel) {
    kernel.register(AnonymousFiles.class, new AnonymousFiles(kernel));
    kernel.register(SharedSegments.class, new SharedSegments(kernel));
    kernel.specialFiles().registerFifo(PipeFile::openFifo);
    redoubt.sentry.socket.Sockets.install(kernel);
  }
}
