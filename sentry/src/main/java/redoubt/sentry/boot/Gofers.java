package redoubt.sentry.boot;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Nr;
import redoubt.host.Fd;
import redoubt.host.RawSyscall;
import redoubt.p9.P9;
import redoubt.p9.P9Client;
import redoubt.sentry.kernel.Container;

/** The sandbox's gofer, and those of further containers: each has its attach points with it. */
final class Gofers {
  private static final int WNOHANG = 1;

  private record Further(P9Client client, int pid) {}

  private final Map<String, Further> further = new ConcurrentHashMap<>(); // by container id
  private final Consumer<String> log;
  private volatile @Nullable P9Client first;

  Gofers(Consumer<String> log) {
    this.log = log;
  }

  void setFirst(P9Client client) {
    first = client;
  }

  P9Client of(Container container) {
    Further own = further.get(container.id);
    P9Client client = own == null ? first : own.client;
    if (client == null) {
      throw new IllegalStateException("no gofer yet");
    }
    return client;
  }

  /**
   * @param pid of the gofer, in the sandbox's pid namespace
   * @param lost runs once when it is gone before it was dropped
   */
  void add(String container, Fd socket, int pid, Runnable lost) {
    var client =
        new P9Client(
            socket,
            P9.MSIZE_MAX,
            new P9Client.Listener() {
              @Override
              public void log(String line) {
                if (further.containsKey(container)) {
                  log.accept("container " + container + ": " + line);
                }
              }

              @Override
              public void disconnected() {
                if (further.containsKey(container)) {
                  lost.run();
                }
              }
            });
    client.startWatcher();
    further.put(container, new Further(client, pid));
  }

  /** Ends the container's own gofer, if it has one. Its files give EIO from now on. */
  void drop(String container) {
    Further own = further.remove(container);
    if (own != null) {
      new Thread(null, () -> end(own), "gofer-end", 96 << 10).start();
    }
  }

  /** The gofer ends with its socket; it is this process's child. */
  private static void end(Further own) {
    own.client.close();
    for (int i = 0; i < 500; i++) {
      if (RawSyscall.syscall(Nr.WAIT4, own.pid, 0, WNOHANG, 0) != 0) {
        return;
      }
      LockSupport.parkNanos(20_000_000);
    }
  }
}
