package redoubt.net.interop;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.Random;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import redoubt.abi.Errno;
import redoubt.net.stack.Readiness;
import redoubt.net.transport.UdpEndpoint;
import redoubt.net.transport.tcp.TcpConnection;
import redoubt.net.transport.tcp.TcpListener;

/** The stack against Linux's own, over real frames. */
class LinuxInteropTest {
  /** A gigabyte fits with -Dredoubt.interop.bytes and heap enough; the default is for every day. */
  private static final int FRAMES = 10_000;

  private static final int BYTES = Integer.getInteger("redoubt.interop.bytes", 8 << 20);

  // Sends what it was told to, then says the hash of what comes back.
  private static final String CLIENT =
      """
      import hashlib, socket, sys
      s = socket.create_connection(("10.213.0.1", 7000), timeout=60)
      data = bytes((i * 7 + (i >> 8)) & 255 for i in range(65536))
      for i in range(int(sys.argv[1]) // 65536):
          s.sendall(data)
      s.shutdown(socket.SHUT_WR)
      h = hashlib.sha256()
      n = 0
      while True:
          b = s.recv(65536)
          if not b:
              break
          h.update(b)
          n += len(b)
      print(n, h.hexdigest())
      """;

  @BeforeEach
  void needNamespaces() throws Exception {
    LinuxPeer.assumePossible();
  }

  @Test
  void shouldAnswerPing() throws Exception {
    try (var peer = new LinuxPeer(0)) {
      String small = peer.in("ping", "-c", "3", "-i", "0.2", "-W", "5", "10.213.0.1");
      assertTrue(small.contains("3 received"), small);
      // Longer than the MTU: fragments both ways.
      String large = peer.in("ping", "-c", "3", "-i", "0.2", "-W", "5", "-s", "9000", "10.213.0.1");
      assertTrue(large.contains("3 received"), large);
    }
  }

  @Test
  void shouldEchoDatagrams() throws Exception {
    String client =
        """
        import socket
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.settimeout(10)
        for size in (0, 1, 100, 1472, 1473, 5000, 65507):
            data = bytes(i & 255 for i in range(size))
            s.sendto(data, ("10.213.0.1", 7001))
            back, who = s.recvfrom(70000)
            assert back == data and who == ("10.213.0.1", 7001), (size, len(back), who)
        s.connect(("10.213.0.1", 7002))
        s.send(b"nobody")
        try:
            s.recv(10)
        except ConnectionRefusedError:
            print("refused")
        """;
    try (var peer = new LinuxPeer(0)) {
      UdpEndpoint echo = peer.stack.udp().open();
      assertEquals(0, echo.bind(0, 7001));
      var info = new UdpEndpoint.Info();
      byte[] buffer = new byte[65_536];
      echo.readiness()
          .listen(events -> {
            int n = echo.receive(buffer, 0, buffer.length, info, false);
            if (n >= 0) {
              echo.sendTo(buffer, 0, n, info.source, info.sourcePort);
            }
          });
      assertEquals("refused\n", peer.in("python3", "-c", client));
    }
  }

  @Test
  void shouldTransferBothWaysWithLinux() throws Exception {
    transferBothWays(0, BYTES);
  }

  @Test
  void shouldTransferBothWaysWithLinuxUnderLoss() throws Exception {
    transferBothWays(0.01, BYTES / 2);
  }

  @Test
  void shouldTransferWithALinuxThatKnowsNoOptions() throws Exception {
    try (var peer = new LinuxPeer(0.01)) {
      for (String option : new String[] {"sack", "timestamps", "window_scaling"}) {
        peer.in("sysctl", "-w", "net.ipv4.tcp_" + option + "=0");
      }
      transferBothWays(peer, 1 << 20);
    }
  }

  @Test
  void shouldConnectToLinux() throws Exception {
    String server =
        """
        import socket
        l = socket.create_server(("10.213.0.2", 7003))
        print("ready", flush=True)
        c, _ = l.accept()
        n = 0
        while True:
            b = c.recv(65536)
            if not b:
                break
            n += len(b)
        c.sendall(b"%d" % n)
        c.close()
        print(n)
        """;
    try (var peer = new LinuxPeer(0)) {
      Process p = peer.start("python3", "-u", "-c", server);
      assertEquals('r', p.getInputStream().read());
      TcpConnection c = peer.stack.tcp().connect(0, 0, LinuxPeer.THEIRS, 7003).connection();
      assertNotNull(c);
      Wait wait = new Wait(c.readiness());
      writeAll(c, wait, new byte[BYTES / 4]);
      c.shutdownWrite();
      byte[] answer = new byte[20];
      int n = readSome(c, wait, answer);
      assertEquals(String.valueOf(BYTES / 4), new String(answer, 0, n, "US-ASCII"));
      c.close();
      assertEquals("eady\n" + BYTES / 4 + "\n", LinuxPeer.finish(p, "server"));
    }
  }

  @Test
  void shouldBeRefusedByLinux() throws Exception {
    try (var peer = new LinuxPeer(0)) {
      TcpConnection c = peer.stack.tcp().connect(0, 0, LinuxPeer.THEIRS, 9).connection();
      assertNotNull(c);
      assertEquals(-Errno.ECONNREFUSED, readSome(c, new Wait(c.readiness()), new byte[1]));
    }
  }

  private static void transferBothWays(double loss, int bytes) throws Exception {
    try (var peer = new LinuxPeer(loss)) {
      transferBothWays(peer, bytes);
    }
  }

  private static void transferBothWays(LinuxPeer peer, int bytes) throws Exception {
    TcpListener l = peer.stack.tcp().listen(0, 7000, 8);
    assertNotNull(l);
    Wait arrival = new Wait(l.readiness());
    Process p = peer.start("python3", "-c", CLIENT, String.valueOf(bytes));
    TcpConnection c = l.accept();
    while (c == null) {
      arrival.await();
      c = l.accept();
    }
    Wait wait = new Wait(c.readiness());
    assertEquals(hash(pattern(bytes)), hash(readAll(c, wait, bytes)));
    byte[] answer = new byte[bytes];
    new Random(3).nextBytes(answer);
    writeAll(c, wait, answer);
    c.close();
    l.close();
    assertEquals(bytes + " " + hash(answer) + "\n", LinuxPeer.finish(p, "client"));
  }

  /** From the link to the link: TcpStateTest has the rest of the way. */
  @Test
  void shouldAllocateNothingForAFrame() throws Exception {
    var threads =
        (com.sun.management.ThreadMXBean) java.lang.management.ManagementFactory.getThreadMXBean();
    try (var peer = new LinuxPeer(0)) {
      long id = peer.linkThreadId();
      flood(peer, 40_000);
      long before = threads.getThreadAllocatedBytes(id);
      flood(peer, FRAMES);
      long bytes = threads.getThreadAllocatedBytes(id) - before;
      assertTrue(bytes < FRAMES, bytes + " bytes for " + FRAMES + " frames");
    }
  }

  private static void flood(LinuxPeer peer, int frames) throws Exception {
    String all = peer.in("ping", "-f", "-q", "-c", String.valueOf(frames), "10.213.0.1");
    assertTrue(all.contains(frames + " received"), all);
  }

  private static byte[] pattern(int bytes) {
    byte[] all = new byte[bytes];
    for (int i = 0; i < bytes; i++) {
      int in = i & 65_535;
      all[i] = (byte) (in * 7 + (in >> 8));
    }
    return all;
  }

  private static String hash(byte[] b) throws Exception {
    return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(b));
  }

  private static byte[] readAll(TcpConnection c, Wait wait, int most) throws Exception {
    byte[] all = new byte[most + 1];
    int at = 0;
    while (true) {
      int n = c.read(all, at, all.length - at, false);
      if (n == -Errno.EAGAIN) {
        wait.await();
      } else if (n <= 0) {
        assertEquals(0, n, "read");
        return java.util.Arrays.copyOf(all, at);
      } else {
        at += n;
      }
    }
  }

  private static int readSome(TcpConnection c, Wait wait, byte[] to) throws Exception {
    int n = c.read(to, 0, to.length, false);
    while (n == -Errno.EAGAIN) {
      wait.await();
      n = c.read(to, 0, to.length, false);
    }
    return n;
  }

  private static void writeAll(TcpConnection c, Wait wait, byte[] data) throws Exception {
    int at = 0;
    while (at < data.length) {
      int n = c.write(data, at, data.length - at);
      if (n == -Errno.EAGAIN) {
        wait.await();
      } else {
        assertTrue(n > 0, "write gave " + n);
        at += n;
      }
    }
  }

  /** Blocks until a bell rings. */
  private static final class Wait {
    private final Semaphore rings = new Semaphore(0);

    Wait(Readiness r) {
      r.listen(events -> rings.release());
    }

    void await() throws InterruptedException {
      assertTrue(rings.tryAcquire(60, TimeUnit.SECONDS), "nothing happened for a minute");
      rings.drainPermits();
    }
  }
}
