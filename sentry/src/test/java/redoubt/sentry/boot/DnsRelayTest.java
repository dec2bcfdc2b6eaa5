package redoubt.sentry.boot;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import redoubt.host.Fd;
import redoubt.net.stack.NetworkStack;
import redoubt.net.stack.TimerThread;
import redoubt.net.transport.UdpEndpoint;

/** The relay between guests, a daemon on the host's loopback and a server in the stack's. */
@Timeout(20)
final class DnsRelayTest {
  private static final int LOOPBACK = 0x7f00_0001;
  private static final int RESOLVER = 0x7f00_000b;

  private final NetworkStack stack = new NetworkStack(System::nanoTime);
  private final TimerThread timers = new TimerThread(stack);
  private final UdpEndpoint server = stack.udp().open();
  private final UdpEndpoint guest = stack.udp().open();
  private final UdpEndpoint.Info info = new UdpEndpoint.Info();
  private DatagramSocket daemon;
  private DatagramPacket asked;

  @BeforeEach
  void setUp() throws Exception {
    daemon = new DatagramSocket(0, InetAddress.getLoopbackAddress());
    daemon.setSoTimeout(10_000);
    Fd fd = redoubt.host.DatagramSocket.connected(LOOPBACK, daemon.getLocalPort());
    assertEquals(0, server.bind(LOOPBACK, 53));
    assertEquals(0, new DnsRelay(stack, fd, List.of(LOOPBACK)).start(RESOLVER));
    assertEquals(0, guest.connect(RESOLVER, 53));
  }

  @AfterEach
  void tearDown() {
    daemon.close();
    timers.close();
  }

  private static byte[] message(int id, int code, String text) {
    byte[] m = new byte[12 + text.length()];
    m[0] = (byte) (id >> 8);
    m[1] = (byte) id;
    m[3] = (byte) code;
    for (int i = 0; i < text.length(); i++) {
      m[12 + i] = (byte) text.charAt(i);
    }
    return m;
  }

  private byte[] askDaemon(String text) throws Exception {
    byte[] m = message(0x1234, 0, text);
    assertEquals(m.length, guest.send(m, 0, m.length));
    asked = new DatagramPacket(new byte[100], 100);
    daemon.receive(asked);
    byte[] got = Arrays.copyOf(asked.getData(), asked.getLength());
    assertArrayEquals(Arrays.copyOfRange(m, 2, m.length), Arrays.copyOfRange(got, 2, got.length));
    return got;
  }

  private void daemonSays(byte[] m) throws Exception {
    daemon.send(new DatagramPacket(m, m.length, asked.getSocketAddress()));
  }

  private byte[] receive(UdpEndpoint e, int length) throws Exception {
    while (!e.isReadable()) {
      Thread.sleep(2);
    }
    byte[] b = new byte[100];
    assertEquals(length, e.receive(b, 0, 100, info, false));
    return Arrays.copyOf(b, length);
  }

  @Test
  void shouldPassOnWhatTheDaemonKnows() throws Exception {
    byte[] q = askDaemon("name");
    byte[] forged = message((q[0] & 0xff) << 8 | (q[1] ^ 0x80) & 0xff, 0, "forged");
    forged[0] ^= 0x40;
    daemonSays(forged);
    byte[] a = message((q[0] & 0xff) << 8 | q[1] & 0xff, 0, "answer");
    daemonSays(a);
    assertArrayEquals(message(0x1234, 0, "answer"), receive(guest, 18));
    daemonSays(a);
    Thread.sleep(400);
    assertFalse(guest.isReadable());
    assertFalse(server.isReadable());
  }

  @Test
  void shouldAskTheHostsServersWhenTheDaemonIsSilent() throws Exception {
    long begin = System.nanoTime();
    askDaemon("other");
    byte[] q = receive(server, 17);
    assertTrue(System.nanoTime() - begin > 250_000_000L);
    assertArrayEquals(message(0, 0, "other"), withoutId(q));
    byte[] a = message((q[0] & 0xff) << 8 | q[1] & 0xff, 0, "found");
    assertEquals(17, server.sendTo(a, 0, 17, info.source, info.sourcePort));
    assertArrayEquals(message(0x1234, 0, "found"), receive(guest, 17));
  }

  @Test
  void shouldAskTheHostsServersAtOnceWhenTheDaemonFails() throws Exception {
    byte[] q = askDaemon("other");
    daemonSays(message((q[0] & 0xff) << 8 | q[1] & 0xff, 2, ""));
    q = receive(server, 17);
    byte[] wrong = message(((q[0] & 0xff) << 8 | q[1] & 0xff) ^ 1, 0, "wrong");
    assertEquals(17, server.sendTo(wrong, 0, 17, info.source, info.sourcePort));
    byte[] a = message((q[0] & 0xff) << 8 | q[1] & 0xff, 0, "found");
    assertEquals(17, server.sendTo(a, 0, 17, info.source, info.sourcePort));
    assertArrayEquals(message(0x1234, 0, "found"), receive(guest, 17));
    assertFalse(guest.isReadable());
  }

  private static byte[] withoutId(byte[] m) {
    byte[] copy = m.clone();
    copy[0] = 0;
    copy[1] = 0;
    return copy;
  }
}
