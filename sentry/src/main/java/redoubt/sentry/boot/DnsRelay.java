package redoubt.sentry.boot;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import redoubt.abi.Errno;
import redoubt.host.Fd;
import redoubt.host.HostIo;
import redoubt.host.HostRandom;
import redoubt.host.Memory;
import redoubt.net.stack.NetworkStack;
import redoubt.net.transport.UdpEndpoint;

/**
 * Docker's resolver within the sandbox: on networks that users make, its daemon answers for the
 * names of containers at 127.0.0.11 of the container's namespace, which a sandbox with a loopback
 * of its own cannot reach. What guests send there goes to the daemon through a socket that is
 * connected to it and can reach nothing else; answers are told apart by their numbers (RFC 1035,
 * section 4.1.1), which are replaced on the way. Over UDP only: an answer that is too long for it
 * stays cut off.
 */
final class DnsRelay {
  /** Queries under way; the oldest is forgotten. A power of two. */
  private static final int QUERIES = 1024;

  private static final int MAX_MESSAGE = 4096;
  private static final int HEADER = 12;

  private final UdpEndpoint endpoint;
  private final Fd daemon;
  private final MemorySegment query = Arena.global().allocate(MAX_MESSAGE, 8);
  private final MemorySegment answer = Arena.global().allocate(MAX_MESSAGE, 8);
  private final UdpEndpoint.Info from = new UdpEndpoint.Info();

  // Guarded by this.
  private final int[] address = new int[QUERIES];
  private final int[] port = new int[QUERIES];
  private final int[] guestsId = new int[QUERIES];
  private final int[] ourId = new int[QUERIES];
  private int last;

  DnsRelay(NetworkStack stack, Fd daemon) {
    this.endpoint = stack.udp().open();
    this.daemon = daemon;
  }

  /** Answers at {@code address} of the loopback from now on. {@return 0 or -errno} */
  int start(int at, int atPort) {
    int r = endpoint.bind(at, atPort);
    if (r >= 0) {
      endpoint.readiness().listen(events -> ask());
      Thread.ofPlatform().daemon().name("dns relay").start(this::answerAll);
    }
    return Math.min(r, 0);
  }

  /** Passes on what guests ask. Runs on the asking task's thread: never waits. */
  private synchronized void ask() {
    byte[] bytes = new byte[MAX_MESSAGE];
    for (int n = endpoint.receive(bytes, 0, MAX_MESSAGE, from, false);
        n >= 0;
        n = endpoint.receive(bytes, 0, MAX_MESSAGE, from, false)) {
      if (n < HEADER) {
        continue;
      }
      int i = ++last & (QUERIES - 1);
      address[i] = from.source;
      port[i] = from.sourcePort;
      guestsId[i] = (bytes[0] & 0xff) << 8 | bytes[1] & 0xff;
      // Ten bits say which query it is; the rest is not to be guessed from the last.
      ourId[i] = ((int) HostRandom.number() & 0xffff & -QUERIES) | i;
      MemorySegment.copy(bytes, 0, query, Memory.BYTE, 0, n);
      putId(query, ourId[i]);
      HostIo.send(daemon.number(), query, n);
    }
  }

  private static void putId(MemorySegment message, int id) {
    message.set(Memory.BYTE, 0, (byte) (id >> 8));
    message.set(Memory.BYTE, 1, (byte) id);
  }

  private void answerAll() {
    for (; ; ) {
      HostIo.awaitReadable(daemon.number(), -1);
      long n = HostIo.receive(daemon.number(), answer, MAX_MESSAGE);
      if (n >= HEADER) {
        answer((int) n);
      } else if (n < 0
          && n != -Errno.EAGAIN
          && n != -Errno.EINTR
          && n != -Errno.ECONNREFUSED
          && n != -Errno.ENETUNREACH) {
        return;
      }
    }
  }

  private synchronized void answer(int n) {
    int id = (answer.get(Memory.BYTE, 0) & 0xff) << 8 | answer.get(Memory.BYTE, 1) & 0xff;
    int i = id & (QUERIES - 1);
    if (ourId[i] == id && port[i] != 0) {
      putId(answer, guestsId[i]);
      endpoint.sendTo(answer, 0, n, address[i], port[i]);
      port[i] = 0;
    }
  }
}
