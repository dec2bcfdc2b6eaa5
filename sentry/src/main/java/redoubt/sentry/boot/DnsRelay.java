package redoubt.sentry.boot;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Errno;
import redoubt.host.Fd;
import redoubt.host.HostIo;
import redoubt.host.HostRandom;
import redoubt.host.Memory;
import redoubt.net.stack.NetworkStack;
import redoubt.net.stack.Timer;
import redoubt.net.transport.UdpEndpoint;

/**
 * Docker's resolver within the sandbox: on networks that users make, its daemon answers for the
 * names of containers at 127.0.0.11 of the container's namespace, which a sandbox with a loopback
 * of its own cannot reach. What guests send there goes to the daemon through a socket that is
 * connected to it and can reach nothing else; answers are told apart by their numbers (RFC 1035,
 * section 4.1.1), which are replaced on the way.
 *
 * <p>The daemon asks for other names from within the namespace, whose addresses are the sandbox's
 * now. So what it does not answer soon, or cannot, goes to the host's name servers, from the
 * sandbox.
 *
 * <p>Over UDP only: an answer that is too long for it stays cut off. All is guarded by the stack's
 * lock.
 */
final class DnsRelay {
  /** Queries under way; the oldest is forgotten. A power of two. */
  private static final int QUERIES = 1024;

  private static final int MAX_MESSAGE = 4096;
  private static final int HEADER = 12;
  private static final int PORT = 53;

  /** So long the daemon has, which answers for containers from memory. */
  private static final long PATIENCE_NS = 300_000_000L;

  private static final int SERVFAIL = 2;
  private static final int REFUSED = 5;

  private final NetworkStack stack;
  private final UdpEndpoint inside;
  private final UdpEndpoint outside;
  private final Fd daemon;
  private final int[] servers;
  private final MemorySegment scratch = Arena.global().allocate(MAX_MESSAGE, 8);
  private final byte[] bytes = new byte[MAX_MESSAGE];
  private final UdpEndpoint.Info from = new UdpEndpoint.Info();
  private final @Nullable Query[] queries = new Query[QUERIES];
  private int last;

  /** A guest's query; its timer runs until the daemon has had its time. */
  private final class Query extends Timer {
    final int address;
    final int port;
    final int guestsId;
    final int daemonsId;
    final byte[] message;

    /** Its number outside, or -1 while it is the daemon's alone. */
    int serversId = -1;

    Query(int slot, byte[] message) {
      super(stack.timers());
      this.address = from.source;
      this.port = from.sourcePort;
      this.message = message;
      this.guestsId = id(message);
      // Ten bits say which query it is; the rest is not to be guessed from the last.
      this.daemonsId = ((int) HostRandom.number() & 0xffff & -QUERIES) | slot;
    }

    @Override
    protected void expire() {
      if (serversId < 0 && servers.length > 0) {
        serversId = (int) HostRandom.number() & 0xffff;
        putId(message, serversId);
        for (int server : servers) {
          outside.sendTo(message, 0, message.length, server, PORT);
        }
      }
    }
  }

  /**
   * @param servers the host's name servers
   */
  DnsRelay(NetworkStack stack, Fd daemon, List<Integer> servers) {
    this.stack = stack;
    this.inside = stack.udp().open();
    this.outside = stack.udp().open();
    this.daemon = daemon;
    this.servers = servers.stream().mapToInt(Integer::intValue).toArray();
  }

  /** Answers at an address of the loopback from now on. {@return 0 or -errno} */
  int start(int address) {
    int r = inside.bind(address, PORT);
    if (r >= 0) {
      inside.readiness().listen(events -> ask());
      outside.readiness().listen(events -> takeAnswers());
      Thread.ofPlatform().daemon().name("dns relay").start(this::relayDaemon);
    }
    return Math.min(r, 0);
  }

  private static int id(byte[] message) {
    return (message[0] & 0xff) << 8 | message[1] & 0xff;
  }

  private static void putId(byte[] message, int id) {
    message[0] = (byte) (id >> 8);
    message[1] = (byte) id;
  }

  /** Passes on what guests ask. Runs on the asking task's thread: never waits. */
  private void ask() {
    stack.enter();
    try {
      int n;
      while ((n = inside.receive(bytes, 0, MAX_MESSAGE, from, false)) != -Errno.EAGAIN) {
        if (n < HEADER) {
          continue;
        }
        int slot = ++last & (QUERIES - 1);
        forget(slot);
        Query q = new Query(slot, java.util.Arrays.copyOf(bytes, n));
        queries[slot] = q;
        putId(q.message, q.daemonsId);
        MemorySegment.copy(q.message, 0, scratch, Memory.BYTE, 0, n);
        HostIo.send(daemon.number(), scratch, n);
        q.arm(stack.nowNs() + PATIENCE_NS);
      }
    } finally {
      stack.exit();
    }
  }

  private void forget(int slot) {
    Query q = queries[slot];
    if (q != null) {
      q.disarm();
      queries[slot] = null;
    }
  }

  private void answer(int slot, Query q, byte[] message, int n) {
    putId(message, q.guestsId);
    forget(slot);
    inside.sendTo(message, 0, n, q.address, q.port);
  }

  // ---- the daemon ----

  private void relayDaemon() {
    MemorySegment answer = Arena.global().allocate(MAX_MESSAGE, 8);
    byte[] message = new byte[MAX_MESSAGE];
    for (; ; ) {
      HostIo.awaitReadable(daemon.number(), -1);
      long n = HostIo.receive(daemon.number(), answer, MAX_MESSAGE);
      if (n >= HEADER) {
        MemorySegment.copy(answer, Memory.BYTE, 0, message, 0, (int) n);
        takeDaemons(message, (int) n);
      } else if (n < 0
          && n != -Errno.EAGAIN
          && n != -Errno.EINTR
          && n != -Errno.ECONNREFUSED
          && n != -Errno.ENETUNREACH) {
        return;
      }
    }
  }

  private void takeDaemons(byte[] message, int n) {
    stack.enter();
    try {
      int slot = id(message) & (QUERIES - 1);
      Query q = queries[slot];
      if (q == null || q.daemonsId != id(message)) {
        return;
      }
      int code = message[3] & 15;
      if ((code == SERVFAIL || code == REFUSED) && servers.length > 0) {
        q.disarm();
        q.expire();
      } else {
        answer(slot, q, message, n);
      }
    } finally {
      stack.exit();
    }
  }

  // ---- the host's name servers ----

  private void takeAnswers() {
    stack.enter();
    try {
      int n;
      // -EAGAIN when there are no more; other errors say that a server is not there.
      while ((n = outside.receive(bytes, 0, MAX_MESSAGE, from, false)) != -Errno.EAGAIN) {
        if (n >= HEADER && from.sourcePort == PORT && isServer(from.source)) {
          takeServers(n);
        }
      }
    } finally {
      stack.exit();
    }
  }

  private boolean isServer(int address) {
    for (int s : servers) {
      if (s == address) {
        return true;
      }
    }
    return false;
  }

  private void takeServers(int n) {
    for (int slot = 0; slot < QUERIES; slot++) {
      Query q = queries[slot];
      if (q != null && q.serversId == id(bytes)) {
        answer(slot, q, bytes, n);
        return;
      }
    }
  }
}
