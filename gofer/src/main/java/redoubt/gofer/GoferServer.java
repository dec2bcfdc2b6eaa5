package redoubt.gofer;

import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Errno;
import redoubt.host.FileSystemCalls;
import redoubt.host.SeqpacketSocket;

/**
 * What the workers of one gofer share: the socket, the attach points, the fids and what the host
 * can do.
 */
public final class GoferServer {
  final int socket;

  /** A directory descriptor of /proc/self/fd, to open what an O_PATH descriptor stands for. */
  final int procFd;

  final FidTable fids;
  final Log log;

  /** Whether the host has openat2(2), Linux 5.6. */
  final boolean hasOpenat2;

  /** The largest message, once agreed. */
  volatile int msize;

  private final Attach[] attaches;
  private final AtomicBoolean ended = new AtomicBoolean();

  GoferServer(
      int socket,
      int procFd,
      Attach[] attaches,
      int maxFids,
      Log log,
      boolean hasOpenat2) {
    this.socket = socket;
    this.procFd = procFd;
    this.attaches = attaches;
    this.fids = new FidTable(maxFids);
    this.log = log;
    this.hasOpenat2 = hasOpenat2;
  }

  @Nullable Attach attach(byte[] name) {
    for (Attach a : attaches) {
      if (java.util.Arrays.equals(a.name, name)) {
        return a;
      }
    }
    return null;
  }

  @Nullable Attach firstAttach() {
    return attaches.length > 0 ? attaches[0] : null;
  }

  /** Starts workers on threads of their own, and works on this one until the client is gone. */
  void serve(Worker[] workers) {
    Thread[] threads = new Thread[workers.length - 1];
    for (int i = 1; i < workers.length; i++) {
      Worker w = workers[i];
      Thread t = new Thread(null, w, "gofer-" + i, 128 * 1024);
      threads[i - 1] = t;
      t.setDaemon(true);
      t.start();
    }
    workers[0].run();
    for (Thread t : threads) {
      while (t.isAlive()) {
        try {
          t.join();
        } catch (InterruptedException e) {
          // Nobody interrupts us; wait on.
        }
      }
    }
    fids.clear();
    FileSystemCalls.close(socket);
  }

  /** Ends the connection: all workers return. Only the first reason is logged. */
  void end(String why) {
    if (ended.compareAndSet(false, true)) {
      log.line(why);
      SeqpacketSocket.shutdown(socket);
    }
  }

  /** As {@link #end}, for a failed receive or send. */
  void end(String what, long result) {
    end(what + ": " + Errno.name((int) -result));
  }

  /** The client closed its end: the usual way out, nothing to say. */
  void clientGone() {
    if (ended.compareAndSet(false, true)) {
      SeqpacketSocket.shutdown(socket);
    }
  }
}
