package redoubt.sentry.control;

import java.util.ArrayList;
import java.util.List;
import redoubt.abi.Errno;
import redoubt.host.Fd;
import redoubt.host.UnixStream;

/**
 * The caller's end of a control connection, for one thread: each call sends a request and waits for
 * its answer. What comes back is the sentry's word: bounded and decoded, to be escaped before it is
 * shown.
 */
public final class ControlClient implements AutoCloseable {
  private final ControlConnection connection;
  private int lastTag;

  /**
   * @param socket owned from now on
   */
  public ControlClient(Fd socket) {
    this.connection = new ControlConnection(socket, false);
  }

  /**
   * Connects to the sandbox whose state directory is {@code directory}.
   *
   * @throws redoubt.host.HostException if nothing listens there
   */
  public static ControlClient connect(String directory) {
    return new ControlClient(UnixStream.connect(directory, SOCKET_NAME));
  }

  /** Name of the listener in a sandbox's state directory. */
  public static final String SOCKET_NAME = "control.sock";

  /** {@return the socket}, still owned by this client */
  public Fd socket() {
    return connection.socket();
  }

  /** Sends a request without waiting; returns the tag that the answer will have. */
  public int send(int type, WireWriter payload, List<Fd> fds) {
    int tag = ++lastTag;
    if (!connection.send(type, tag, payload.toBytes(), fds, true)) {
      throw gone();
    }
    return tag;
  }

  /**
   * Waits for the answer to {@code tag}.
   *
   * @throws ControlException what the sentry answered, or EPIPE when it is gone
   */
  public WireReader await(int tag) {
    while (true) {
      var fds = new ArrayList<Fd>();
      Frame frame = connection.receive(fds);
      if (frame == null) {
        throw gone();
      }
      if (frame.tag() != tag) {
        continue;
      }
      WireReader reader = frame.reader();
      if (frame.type() == Frame.OK) {
        return reader;
      }
      int errno = Errno.EIO;
      String message = "refused";
      while (reader.next()) {
        switch (reader.tag()) {
          case 1 -> errno = reader.int32();
          case 2 -> message = reader.string();
          default -> {}
        }
      }
      throw new ControlException(errno, message);
    }
  }

  public WireReader call(int type, WireWriter payload, List<Fd> fds) {
    return await(send(type, payload, fds));
  }

  /** Sends BOOT and returns its tag: the answer comes when the sentry is up. */
  public int boot(SandboxConfig config, List<Fd> fds) {
    return send(Frame.BOOT, new WireWriter().record(1, config.write()), fds);
  }

  /** Hands a network over, with a packet socket for each interface. */
  public void network(NetworkConfig config, List<Fd> fds) {
    call(Frame.NETWORK, new WireWriter().record(1, config.write()), fds);
  }

  public void create(ContainerConfig config, List<Fd> fds) {
    call(Frame.CREATE, new WireWriter().record(1, config.write()), fds);
  }

  /** Kills a further container of the sandbox and has the sandbox forget it. */
  public void delete(String containerId) {
    call(Frame.DELETE, named(containerId), List.of());
  }

  public void start(String containerId) {
    call(Frame.START, named(containerId), List.of());
  }

  /** Starts a process; returns its pid in the container. */
  public int exec(
      String containerId, ProcessConfig process, boolean killOnDisconnect, List<Fd> fds) {
    WireWriter w = named(containerId).record(2, process.write()).flag(3, killOnDisconnect);
    return (int) firstNumber(call(Frame.EXEC, w, fds));
  }

  /**
   * @param pid 0 for the first process, -1 for all
   */
  public void signal(String containerId, int pid, int signal) {
    call(Frame.SIGNAL, named(containerId).number(2, pid).number(3, signal), List.of());
  }

  /** Sends WAIT and returns its tag; {@link #exitCode} reads the answer. */
  public int sendWait(String containerId, int pid) {
    return send(Frame.WAIT, named(containerId).number(2, pid), List.of());
  }

  /** {@return the exit code in the answer to WAIT}, 0 to 255 */
  public static int exitCode(WireReader answer) {
    return (int) firstNumber(answer) & 0xff;
  }

  /**
   * Waits until more than {@code seen} of the container's processes were killed for want of memory;
   * returns how many.
   */
  public int awaitOom(String containerId, int seen) {
    return (int) firstNumber(call(Frame.OOM, named(containerId).number(2, seen), List.of()));
  }

  public List<ProcessInfo> ps(String containerId) {
    WireReader r = call(Frame.PS, named(containerId), List.of());
    var processes = new ArrayList<ProcessInfo>();
    while (r.next()) {
      if (r.tag() == 1) {
        processes.add(ProcessInfo.read(r.record()));
      }
    }
    return processes;
  }

  public void pause(String containerId) {
    call(Frame.PAUSE, named(containerId), List.of());
  }

  public void resume(String containerId) {
    call(Frame.RESUME, named(containerId), List.of());
  }

  public void resize(String containerId, int pid, int rows, int columns) {
    WireWriter w = named(containerId).number(2, pid).number(3, rows).number(4, columns);
    call(Frame.RESIZE, w, List.of());
  }

  public SandboxStats stats(String containerId) {
    WireReader r = call(Frame.STATS, named(containerId), List.of());
    SandboxStats stats = SandboxStats.read(new WireReader(new byte[0]));
    while (r.next()) {
      if (r.tag() == 1) {
        stats = SandboxStats.read(r.record());
      }
    }
    return stats;
  }

  /** {@return interfaces, connections and counters of the sandbox's own network, as text} */
  public String networkReport() {
    return firstString(call(Frame.NET, new WireWriter(), List.of()));
  }

  /** Has each frame of the links copied to {@code socket}, a SOCK_SEQPACKET one. */
  public void capture(Fd socket) {
    call(Frame.CAPTURE, new WireWriter(), List.of(socket));
  }

  /** Connects a pipe's reading end and another's writing end to a port of a container. */
  public void forward(String containerId, int port, Fd in, Fd out) {
    call(Frame.FORWARD, named(containerId).number(2, port), List.of(in, out));
  }

  public String state(String containerId) {
    return firstString(call(Frame.STATE, named(containerId), List.of()));
  }

  public String stacks() {
    return firstString(call(Frame.STACKS, new WireWriter(), List.of()));
  }

  /** {@return a guest kernel's console, and when its boot reached its stages} */
  public List<String> console() {
    WireReader r = call(Frame.CONSOLE, new WireWriter(), List.of());
    var texts = new ArrayList<String>(List.of("", ""));
    while (r.next()) {
      if (r.tag() == 1 || r.tag() == 2) {
        texts.set(r.tag() - 1, r.string());
      }
    }
    return texts;
  }

  public void detach() {
    call(Frame.DETACH, new WireWriter(), List.of());
  }

  public void destroy() {
    call(Frame.DESTROY, new WireWriter(), List.of());
  }

  @Override
  public void close() {
    connection.close();
  }

  private static WireWriter named(String containerId) {
    return new WireWriter().string(1, containerId);
  }

  private static long firstNumber(WireReader r) {
    while (r.next()) {
      if (r.tag() == 1) {
        return r.number();
      }
    }
    throw new ControlException(Errno.EPROTO, "the sentry's answer lacks its number");
  }

  private static String firstString(WireReader r) {
    while (r.next()) {
      if (r.tag() == 1) {
        return r.string();
      }
    }
    return "";
  }

  private static ControlException gone() {
    return new ControlException(Errno.EPIPE, "the sandbox has ended");
  }
}
