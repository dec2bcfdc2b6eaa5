package redoubt.sentry.control;

/**
 * A control message: a header of 16 bytes, then the payload.
 *
 * <pre>
 *   0        4        6        8        12       16
 *   | u32    | u16    | u16    | u32    | u32    |
 *   | length | type   | fds    | tag    | magic  | payload of length bytes
 * </pre>
 *
 * All little-endian. {@code fds} is the count of descriptors that came with the header's first
 * byte. Every request has one answer with the same {@code tag}: OK or ERROR. Answers may come in
 * any order.
 */
public final class Frame {
  public static final int HEADER_BYTES = 16;
  public static final int MAGIC = 0x31444252; // "RBD1"

  /** Most bytes of a payload. */
  public static final int PAYLOAD_LIMIT = 8 << 20;

  /** Most descriptors of a frame: the kernel's SCM_MAX_FD. */
  public static final int FDS_LIMIT = 253;

  // Requests. In parentheses: payload -> payload of the answer; see SandboxOperations for meanings.

  /**
   * (1 SandboxConfig, fds of the first container -> nothing). Once, first, on the owner connection.
   */
  public static final int BOOT = 1;

  /** (1 ContainerConfig, fds -> nothing). */
  public static final int CREATE = 2;

  /** (1 container id -> nothing). */
  public static final int START = 3;

  /** (1 container id, 2 ProcessConfig, 3 kill when this connection ends, fds -> 1 pid). */
  public static final int EXEC = 4;

  /** (1 container id, 2 pid: 0 the first process, -1 all, 3 signal -> nothing). */
  public static final int SIGNAL = 5;

  /**
   * (1 container id, 2 pid: 0 the first process -> 1 exit code: status or 128+signal). Deferred.
   */
  public static final int WAIT = 6;

  /** (1 container id -> repeated 1 ProcessInfo). */
  public static final int PS = 7;

  /** (1 container id -> nothing). */
  public static final int PAUSE = 8;

  /** (1 container id -> nothing). */
  public static final int RESUME = 9;

  /** (1 container id, 2 pid: 0 the first process, 3 rows, 4 columns -> nothing). */
  public static final int RESIZE = 10;

  /** (1 container id -> 1 SandboxStats). */
  public static final int STATS = 11;

  /** (nothing -> 1 text): Java and guest stacks. */
  public static final int STACKS = 12;

  /** (nothing -> nothing): the sentry ends after the answer. */
  public static final int DESTROY = 13;

  /** (1 container id -> 1 state name, 2 pid). */
  public static final int STATE = 14;

  /** (nothing -> nothing): from now on the sandbox outlives its owner connection. */
  public static final int DETACH = 15;

  /**
   * (1 NetworkConfig, a packet socket for each interface -> nothing). At most once, before any
   * container is started.
   */
  public static final int NETWORK = 16;

  /**
   * (nothing -> 1 text, 2 text): a guest kernel's console, and when its boot reached its stages.
   */
  public static final int CONSOLE = 17;

  /** (nothing -> 1 text): interfaces, connections and counters of the sandbox's own network. */
  public static final int NET = 18;

  /**
   * (a SOCK_SEQPACKET socket -> nothing): from now on each frame of the links is sent there, as a
   * record of a pcap file, until the other end is closed.
   */
  public static final int CAPTURE = 19;

  /**
   * (1 container id -> nothing): kills a further container and forgets it. The first one goes with
   * the sandbox.
   */
  public static final int DELETE = 20;

  /**
   * (1 container id, 2 port; a pipe's reading end and another's writing end -> nothing): connects
   * to the port of the container's loopback, and carries bytes between it and the pipes.
   */
  public static final int FORWARD = 21;

  /**
   * (1 container id, 2 count -> 1 count): how many of the container's processes were killed for
   * want of memory, once they are more than the count given. Deferred.
   */
  public static final int OOM = 22;

  // Answers.
  public static final int OK = 0x100;

  /** (1 errno, 2 message). */
  public static final int ERROR = 0x101;

  private final int type;
  private final int tag;
  private final byte[] payload;

  public Frame(int type, int tag, byte[] payload) {
    this.type = type;
    this.tag = tag;
    this.payload = payload;
  }

  public int type() {
    return type;
  }

  public int tag() {
    return tag;
  }

  public byte[] payload() {
    return payload;
  }

  /** {@return a reader over the payload} */
  public WireReader reader() {
    return new WireReader(payload);
  }
}
