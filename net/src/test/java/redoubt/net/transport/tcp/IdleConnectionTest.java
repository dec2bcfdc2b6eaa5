package redoubt.net.transport.tcp;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import redoubt.net.testing.TestNetwork;

/** What connections cost that are open and have nothing to say. */
class IdleConnectionTest {
  private static final int CONNECTIONS = 10_000;
  private static final long BAR_BYTES = 8 << 10;

  /** Both ends are in this heap, so the figure is for two connections. */
  @Test
  void shouldKeepAnIdleConnectionSmall() {
    TestNetwork n = new TestNetwork(1);
    n.delayNs = 100_000;
    List<TcpListener> listeners = new ArrayList<>();
    for (int port = 80; port < 90; port++) {
      listeners.add(assertNotNull2(n.b.tcp().listen(0, port, 4096)));
    }
    connect(n, listeners, 100); // warms up
    long before = usedBytes();
    List<TcpConnection> kept = connect(n, listeners, CONNECTIONS);
    long each = (usedBytes() - before) / (2L * CONNECTIONS);
    assertEquals(2 * CONNECTIONS, kept.size());
    assertEquals(0, n.a.chunks().outBytes() + n.b.chunks().outBytes());
    assertTrue(each < BAR_BYTES, each + " bytes for an idle connection");
    java.lang.ref.Reference.reachabilityFence(kept);
    java.lang.ref.Reference.reachabilityFence(n);
  }

  private static TcpListener assertNotNull2(TcpListener l) {
    assertNotNull(l);
    return l;
  }

  /** Opens them, and lets each say and hear something before it falls silent. */
  private static List<TcpConnection> connect(
      TestNetwork n, List<TcpListener> listeners, int count) {
    List<TcpConnection> all = new ArrayList<>(2 * count);
    byte[] word = new byte[100];
    for (int i = 0; i < count; i++) {
      TcpListener l = listeners.get(i % listeners.size());
      TcpConnection c = n.a.tcp().connect(0, 0, TestNetwork.B, l.port()).connection();
      assertNotNull(c);
      TcpConnection[] s = new TcpConnection[1];
      assertTrue(n.runUntil(() -> (s[0] = l.accept()) != null, 1_000_000_000L));
      all.add(c);
      all.add(s[0]);
      assertEquals(word.length, c.write(word, 0, word.length));
      TcpConnection server = s[0];
      assertTrue(n.runUntil(() -> server.read(word, 0, word.length, false) > 0, 1_000_000_000L));
      assertEquals(word.length, server.write(word, 0, word.length));
      assertTrue(n.runUntil(() -> c.read(word, 0, word.length, false) > 0, 1_000_000_000L));
    }
    n.run(5_000_000_000L);
    return all;
  }

  private static long usedBytes() {
    for (int i = 0; i < 3; i++) {
      System.gc();
    }
    Runtime r = Runtime.getRuntime();
    return r.totalMemory() - r.freeMemory();
  }
}
