package redoubt.sentry.control;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Errno;
import redoubt.host.Fd;
import redoubt.host.UnixStream;

/**
 * Serves the control protocol: one thread for each connection, which carries out the requests in
 * order and answers each; WAIT is answered when the process ends, by the thread that sees it end.
 */
public final class ControlServer {
  /** Most connections at a time; further ones are closed at once. */
  private static final int CONNECTIONS_LIMIT = 256;

  private final SandboxOperations operations;
  private final Consumer<String> log;
  private final Runnable ownerGone;
  private volatile boolean detached;
  private final Object mu = new Object();
  private int connections; // guarded by mu

  /**
   * @param ownerGone runs when the owner connection ends without DETACH: end the sandbox
   * @param log takes one line about a failure
   */
  public ControlServer(SandboxOperations operations, Runnable ownerGone, Consumer<String> log) {
    this.operations = operations;
    this.ownerGone = ownerGone;
    this.log = log;
  }

  /**
   * Serves the owner on the calling thread, BOOT first. Once BOOT is answered, {@code listener} is
   * served by threads of its own. Returns when the owner connection has ended.
   */
  public void serve(Fd owner, Fd listener) {
    var peer = new Peer(new ControlConnection(owner, true));
    try {
      var fds = new ArrayList<Fd>();
      Frame frame = peer.connection.receive(fds);
      if (frame == null || frame.type() != Frame.BOOT) {
        log.accept("control: the owner left without a boot request");
        ownerGone.run();
        return;
      }
      if (!peer.handle(frame, fds)) {
        ownerGone.run();
        return;
      }
      var acceptor = new Thread(() -> accept(listener), "control-accept");
      acceptor.setDaemon(true);
      acceptor.start();
      peer.serve();
      if (!detached) {
        ownerGone.run();
      }
    } catch (ControlException e) {
      log.accept("control: owner: " + e.getMessage());
      ownerGone.run();
    } finally {
      peer.connection.close();
    }
  }

  private void accept(Fd listener) {
    while (true) {
      long n = UnixStream.accept(listener);
      if (n == -Errno.EINTR || n == -Errno.ECONNABORTED) {
        continue;
      }
      if (n < 0) {
        log.accept("control: accept: " + Errno.name((int) -n));
        if (n != -Errno.EMFILE && n != -Errno.ENFILE && n != -Errno.ENOMEM) {
          return;
        }
        try {
          Thread.sleep(100);
        } catch (InterruptedException e) {
          return;
        }
        continue;
      }
      var connection = new ControlConnection(new Fd((int) n), true);
      synchronized (mu) {
        if (connections == CONNECTIONS_LIMIT) {
          connection.close();
          continue;
        }
        connections++;
      }
      var thread = new Thread(() -> serveConnection(connection), "control");
      thread.setDaemon(true);
      try {
        thread.start();
      } catch (OutOfMemoryError e) {
        // A guest may hold all threads that the host allows; later it may not.
        synchronized (mu) {
          connections--;
        }
        connection.close();
      }
    }
  }

  private void serveConnection(ControlConnection connection) {
    var peer = new Peer(connection);
    try (connection) {
      peer.serve();
    } catch (ControlException e) {
      log.accept("control: " + e.getMessage());
    } finally {
      synchronized (mu) {
        connections--;
      }
    }
  }

  /** One connection's requests. */
  private final class Peer {
    private final ControlConnection connection;
    private final List<Executed> killAtEnd = new ArrayList<>();

    private Peer(ControlConnection connection) {
      this.connection = connection;
    }

    private void serve() {
      try {
        while (true) {
          var fds = new ArrayList<Fd>();
          Frame frame;
          try {
            frame = connection.receive(fds);
          } catch (ControlException e) {
            closeAll(fds);
            throw e;
          }
          if (frame == null) {
            closeAll(fds);
            return;
          }
          handle(frame, fds);
        }
      } finally {
        for (Executed executed : killAtEnd) {
          executed.killIfAlive();
        }
      }
    }

    /** Carries out a request and answers it; false when it was refused. */
    private boolean handle(Frame frame, List<Fd> fds) {
      byte[] answer;
      try {
        answer = perform(frame, fds);
      } catch (ControlException e) {
        closeAll(fds);
        String message = e.getMessage();
        refuse(frame, e.errno(), message == null ? Errno.name(e.errno()) : message);
        return false;
      } catch (RuntimeException | LinkageError | StackOverflowError | OutOfMemoryError e) {
        closeAll(fds);
        log.accept("control: request " + frame.type() + " failed: " + e);
        for (StackTraceElement element : e.getStackTrace()) {
          log.accept("    at " + element);
        }
        refuse(frame, Errno.EIO, "internal error in the sentry: " + e);
        return false;
      }
      if (answer != null) {
        connection.send(Frame.OK, frame.tag(), answer, List.of(), true);
      }
      return true;
    }

    private void refuse(Frame frame, int errno, String message) {
      byte[] payload = new WireWriter().number(1, errno).string(2, message).toBytes();
      connection.send(Frame.ERROR, frame.tag(), payload, List.of(), true);
    }

    private byte @Nullable [] perform(Frame frame, List<Fd> fds) {
      var a = new Arguments(frame.reader(), frame.type());
      var w = new WireWriter();
      switch (frame.type()) {
        case Frame.BOOT -> operations.boot(a.sandboxConfig(), taken(fds));
        case Frame.NETWORK -> operations.network(a.networkConfig(), taken(fds));
        case Frame.CREATE -> operations.create(a.containerConfig(), taken(fds));
        case Frame.START -> operations.start(a.id);
        case Frame.DELETE -> operations.delete(a.id);
        case Frame.EXEC -> {
          int pid = operations.exec(a.id, a.processConfig(), taken(fds));
          if (a.third != 0) {
            var executed = new Executed(a.id, pid);
            killAtEnd.add(executed);
            operations.onExit(a.id, pid, code -> executed.ended = true);
          }
          w.number(1, pid);
        }
        case Frame.SIGNAL -> operations.signal(a.id, a.second, a.third);
        case Frame.WAIT -> {
          operations.onExit(a.id, a.second, code -> exited(frame.tag(), code));
          return null;
        }
        case Frame.OOM -> {
          operations.oomKills(a.id).await(a.second, count -> exited(frame.tag(), count));
          return null;
        }
        case Frame.PS -> {
          for (ProcessInfo process : operations.ps(a.id)) {
            w.record(1, process.write());
          }
        }
        case Frame.PAUSE -> operations.pause(a.id);
        case Frame.RESUME -> operations.resume(a.id);
        case Frame.RESIZE -> operations.resize(a.id, a.second, a.third, a.fourth);
        case Frame.STATS -> w.record(1, operations.stats(a.id).write());
        case Frame.STACKS -> w.string(1, operations.stacks());
        case Frame.CONSOLE -> w.string(1, operations.console()).string(2, operations.timeline());
        case Frame.NET -> w.string(1, operations.networkReport());
        case Frame.CAPTURE -> {
          List<Fd> taken = taken(fds);
          if (taken.size() != 1) {
            taken.forEach(Fd::close);
            throw new ControlException(Errno.EINVAL, "a capture wants one socket");
          }
          operations.capture(taken.get(0));
        }
        case Frame.FORWARD -> {
          List<Fd> taken = taken(fds);
          if (taken.size() != 2) {
            taken.forEach(Fd::close);
            throw new ControlException(Errno.EINVAL, "a forward wants two pipes");
          }
          operations.forward(a.id, a.second, taken.get(0), taken.get(1));
        }
        case Frame.STATE -> w.string(1, operations.state(a.id));
        case Frame.DETACH -> detached = true;
        case Frame.DESTROY -> {
          // The answer first: the sentry may exit before destroy() returns.
          connection.send(Frame.OK, frame.tag(), w.toBytes(), List.of(), true);
          operations.destroy();
          return null;
        }
        default ->
            throw new ControlException(
                Errno.EOPNOTSUPP, "control request " + frame.type() + " is not known here");
      }
      return w.toBytes();
    }

    private void exited(int tag, int code) {
      byte[] payload = new WireWriter().number(1, code).toBytes();
      // The kernel's thread must not wait for a peer that does not read.
      connection.send(Frame.OK, tag, payload, List.of(), false);
    }
  }

  /** A process that ends with the connection that started it. */
  private final class Executed {
    private final String containerId;
    private final int pid;
    private volatile boolean ended;

    private Executed(String containerId, int pid) {
      this.containerId = containerId;
      this.pid = pid;
    }

    private void killIfAlive() {
      if (!ended) {
        try {
          operations.signal(containerId, pid, 9);
        } catch (ControlException e) {
          log.accept("control: kill of pid " + pid + ": " + e.getMessage());
        }
      }
    }
  }

  private static List<Fd> taken(List<Fd> fds) {
    var taken = List.copyOf(fds);
    fds.clear();
    return taken;
  }

  private static void closeAll(List<Fd> fds) {
    for (Fd fd : fds) {
      fd.close();
    }
    fds.clear();
  }

  /** The fields of a request; what each tag means depends on the type. */
  private static final class Arguments {
    private String id = "";
    private int second;
    private int third;
    private int fourth;
    private @Nullable SandboxConfig sandbox;
    private @Nullable ContainerConfig container;
    private @Nullable ProcessConfig process;
    private @Nullable NetworkConfig network;

    private Arguments(WireReader r, int type) {
      while (r.next()) {
        switch (r.tag()) {
          case 1 -> {
            switch (type) {
              case Frame.BOOT -> sandbox = SandboxConfig.read(r.record());
              case Frame.NETWORK -> network = NetworkConfig.read(r.record());
              case Frame.CREATE -> container = ContainerConfig.read(r.record());
              default -> id = r.string();
            }
          }
          case 2 -> {
            if (type == Frame.EXEC) {
              process = ProcessConfig.read(r.record());
            } else {
              second = r.int32();
            }
          }
          case 3 -> third = r.int32();
          case 4 -> fourth = r.int32();
          default -> {}
        }
      }
    }

    private SandboxConfig sandboxConfig() {
      return present(sandbox);
    }

    private NetworkConfig networkConfig() {
      return present(network);
    }

    private ContainerConfig containerConfig() {
      return present(container);
    }

    private ProcessConfig processConfig() {
      return present(process);
    }

    private static <T> T present(@Nullable T value) {
      if (value == null) {
        throw new ControlException(Errno.EPROTO, "the control request lacks its configuration");
      }
      return value;
    }
  }
}
