package redoubt.sentry.ipc;

import redoubt.sentry.fs.proc.ProcTexts;
import redoubt.sentry.ipc.sysv.MessageQueues;
import redoubt.sentry.ipc.sysv.Messages;
import redoubt.sentry.ipc.sysv.SemaphoreSets;
import redoubt.sentry.ipc.sysv.Semaphores;
import redoubt.sentry.ipc.sysv.SharedSegments;
import redoubt.sentry.kernel.Kernel;

/** Puts pipes, event files, epoll and sockets into a kernel. */
public final class Ipc {
  private Ipc() {}

  /** Registers what this package keeps once per kernel; call at boot, before the first task. */
  public static void install(Kernel kernel) {
    kernel.register(AnonymousFiles.class, new AnonymousFiles(kernel));
    kernel.register(SharedSegments.class, new SharedSegments(kernel));
    var semaphores = new SemaphoreSets();
    var messages = new MessageQueues();
    kernel.register(SemaphoreSets.class, semaphores);
    kernel.register(MessageQueues.class, messages);
    ProcTexts texts = ProcTexts.of(kernel);
    texts.set("sysvipc/sem", (t, out) -> Semaphores.list(semaphores, out));
    texts.set("sysvipc/msg", (t, out) -> Messages.list(messages, out));
    kernel.specialFiles().registerFifo(PipeFile::openFifo);
    redoubt.sentry.socket.Sockets.install(kernel);
  }
}
