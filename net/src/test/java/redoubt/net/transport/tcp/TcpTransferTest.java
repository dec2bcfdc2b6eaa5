package redoubt.net.transport.tcp;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import org.junit.jupiter.api.Test;
import redoubt.abi.Errno;
import redoubt.net.testing.TestNetwork;

/** Whole streams over good and bad cables. */
class TcpTransferTest {
  private static final long MINUTE_NS = 60_000_000_000L;

  /** A client at A and the connection that B accepted. */
  static TcpConnection[] connect(TestNetwork n) {
    TcpListener l = n.b.tcp().listen(0, 80, 16);
    assertNotNull(l);
    TcpConnection c = n.a.tcp().connect(0, 0, TestNetwork.B, 80).connection();
    assertNotNull(c);
    assertTrue(n.runUntil(l::isReadable, MINUTE_NS), "no handshake");
    TcpConnection s = l.accept();
    assertNotNull(s);
    return new TcpConnection[] {c, s};
  }

  /** Sends {@code length} bytes and closes; reads at the other end until the end of the stream. */
  static void transfer(TestNetwork n, TcpConnection from, TcpConnection to, int length) {
    byte[] data = new byte[length];
    new Random(7).nextBytes(data);
    byte[] got = new byte[length + 1];
    int[] at = new int[3];
    assertTrue(
        n.runUntil(
            () -> {
              pump(from, to, data, got, at);
              return at[2] != 0;
            },
            60 * MINUTE_NS),
        () -> "only " + at[1] + " of " + length + " arrived; " + from.state() + " " + to.state());
    assertEquals(length, at[1]);
    assertArrayEquals(data, java.util.Arrays.copyOf(got, length));
  }

  private static void pump(
      TcpConnection from, TcpConnection to, byte[] data, byte[] got, int[] at) {
    int w;
    do {
      w = at[0] < data.length ? from.write(data, at[0], Math.min(30_000, data.length - at[0])) : 0;
      at[0] += Math.max(w, 0);
    } while (w > 0);
    assertTrue(w == 0 || w == -Errno.EAGAIN, () -> "write: " + at[0]);
    if (at[0] == data.length && from.state().maySend()) {
      from.shutdownWrite();
    }
    int r = to.read(got, at[1], got.length - at[1], false);
    while (r > 0) {
      at[1] += r;
      r = to.read(got, at[1], got.length - at[1], false);
    }
    assertTrue(r == 0 || r == -Errno.EAGAIN, "read gave " + r);
    at[2] = r == 0 ? 1 : 0;
  }

  private static TestNetwork transferOver(long seed, double loss, double reorder, double corrupt) {
    TestNetwork n = new TestNetwork(seed);
    n.loss = loss;
    n.reorder = reorder;
    n.corrupt = corrupt;
    n.duplicate = reorder / 2;
    TcpConnection[] c = connect(n);
    transfer(n, c[0], c[1], 2_000_000);
    transfer(n, c[1], c[0], 300_000);
    closeAndCheck(n, c);
    return n;
  }

  /** Nothing may be left: no flow, no packet, no chunk. */
  static void closeAndCheck(TestNetwork n, TcpConnection[] c) {
    c[0].close();
    c[1].close();
    n.run(10 * MINUTE_NS);
    assertEquals(0, n.a.tcp().size());
    assertEquals(0, n.b.tcp().size());
    assertEquals(0, n.a.packets().outBytes());
    assertEquals(0, n.b.packets().outBytes());
    assertEquals(0, n.a.chunks().outBytes());
    assertEquals(0, n.b.chunks().outBytes());
  }

  @Test
  void shouldTransferOverAGoodCableWithoutRetransmitting() {
    TestNetwork n = transferOver(1, 0, 0, 0);
    assertEquals(0, n.a.counters().tcpRetransmitted);
    assertEquals(0, n.a.counters().tcpTimeouts);
  }

  @Test
  void shouldTransferWithLossBothWays() {
    for (int seed = 0; seed < 10; seed++) {
      transferOver(seed, 0.03, 0, 0);
    }
  }

  @Test
  void shouldTransferWithHeavyLoss() {
    transferOver(5, 0.25, 0, 0);
  }

  @Test
  void shouldTransferWithReorderingAndRepeats() {
    for (int seed = 0; seed < 10; seed++) {
      transferOver(seed, 0, 0.2, 0);
    }
  }

  @Test
  void shouldTransferWithEverythingWrongAtOnce() {
    for (int seed = 0; seed < 10; seed++) {
      TestNetwork n = transferOver(seed, 0.02, 0.05, 0.02);
      assertTrue(n.a.counters().badChecksum + n.b.counters().badChecksum > 0);
    }
  }

  @Test
  void shouldRepairOneLossWithoutATimeout() {
    TestNetwork n = new TestNetwork(1);
    TcpConnection[] c = connect(n);
    int[] count = new int[1];
    n.filter = (from, frame) -> from == n.atA && frame.length > 1000 && ++count[0] == 30;
    transfer(n, c[0], c[1], 500_000);
    assertEquals(0, n.a.counters().tcpTimeouts);
    assertEquals(1, n.a.counters().tcpFastRecoveries);
    assertEquals(1, n.a.counters().tcpRetransmitted);
  }

  @Test
  void shouldRepairALostTailByAProbe() {
    TestNetwork n = new TestNetwork(1);
    TcpConnection[] c = connect(n);
    byte[] data = new byte[20_000];
    int[] count = new int[1];
    n.filter = (from, frame) -> from == n.atA && frame.length > 100 && ++count[0] == 14;
    assertEquals(data.length, c[0].write(data, 0, data.length));
    long start = n.clock.nowNs();
    assertTrue(n.runUntil(() -> c[1].available() == data.length, MINUTE_NS));
    assertEquals(0, n.a.counters().tcpTimeouts);
    assertEquals(1, n.a.counters().tcpTailProbes);
    assertTrue(n.clock.nowNs() - start < 300_000_000L);
  }

  @Test
  void shouldTransferWithinTheStack() {
    TestNetwork n = new TestNetwork(1);
    TcpListener l = n.a.tcp().listen(0, 80, 16);
    assertNotNull(l);
    TcpConnection c = n.a.tcp().connect(0, 0, 0x7f000001, 80).connection();
    assertNotNull(c);
    TcpConnection s = l.accept();
    assertNotNull(s);
    transfer(n, c, s, 3_000_000);
    closeAndCheck(n, new TcpConnection[] {c, s});
  }

  @Test
  void shouldOpenTheWindowAgainAfterItWasShut() {
    TestNetwork n = new TestNetwork(1);
    TcpConnection[] c = connect(n);
    byte[] data = new byte[400_000];
    int sent = 0;
    for (int i = 0; i < 100; i++) {
      sent += Math.max(0, c[0].write(data, sent, data.length - sent));
      n.run(10_000_000);
    }
    assertTrue(c[1].available() <= Receiver.INITIAL_LIMIT);
    // The one acknowledgement that opens it is lost; a probe must find out.
    n.loss = 1;
    byte[] got = new byte[data.length];
    int read = c[1].read(got, 0, got.length, false);
    assertTrue(read > 60_000, "read " + read);
    n.loss = 0;
    n.run(5 * MINUTE_NS);
    assertTrue(c[1].available() > 0);
  }
}
