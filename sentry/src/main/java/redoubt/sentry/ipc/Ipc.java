package redoubt.sentry.ipc;

import redoubt.sentry.fs.proc.ProcTexts;
import redoubt.sentry.ipc.sysv.Messages;
import redoubt.sentry.ipc.sysv.Semaphores;
import redoubt.sentry.ipc.sysv.SharedMemory;
import redoubt.sentry.kernel.Kernel;

/** Puts pipes, event files, epoll and sockets into a kernel. */
public final class Ipc {
  private Ipc() {}

  /** Registers what this package keeps once per kernel; call at boot, before the first task. */
  public static void install(Kernel kernel) {
    kernel.register(AnonymousFiles.class, new AnonymousFiles(kernel));
    ProcTexts texts = ProcTexts.of(kernel);
    texts.set("sysvipc/sem", Semaphores::list);
    texts.set("sysvipc/msg", Messages::list);
    texts.set("sysvipc/shm", SharedMemory::list);
    kernel.specialFiles().registerFifo(PipeFile::openFifo);
    redoubt.sentry.socket.Sockets.install(kernel);
  }
}
