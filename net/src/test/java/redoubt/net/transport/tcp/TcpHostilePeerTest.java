package redoubt.net.transport.tcp;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import redoubt.abi.Errno;
import redoubt.net.header.Bytes;
import redoubt.net.header.IcmpHeader;
import redoubt.net.header.Ipv4Header;
import redoubt.net.header.TcpHeader;
import redoubt.net.testing.Craft;
import redoubt.net.testing.TestNetwork;

/** What an attacker or a broken peer sends, and what must not come of it. */
class TcpHostilePeerTest {
  private static final int A = TestNetwork.A;
  private static final int B = TestNetwork.B;
  private static final long SECOND_NS = 1_000_000_000L;
  private static final int TCP_AT = Craft.IP;

  private final TestNetwork n = new TestNetwork(1);

  private void inject(int seq, int ack, int flags, TcpConnection to) {
    byte[] s = Craft.tcp(A, to.remotePort(), B, to.localPort(), seq, ack, flags);
    n.atB.inject(Craft.ip(n.atB.mac(), A, B, Ipv4Header.TCP, 1, 0, s));
  }

  /** {@return the sequence number and acknowledgement of the last segment from A} */
  private int[] lastNumbersOfA() {
    for (int i = n.seen.size() - 1; i >= 0; i--) {
      byte[] f = n.seen.get(i);
      if (Craft.isTcp(f) && Ipv4Header.source(f, Craft.ETHERNET) == A) {
        return new int[] {TcpHeader.sequence(f, TCP_AT), TcpHeader.acknowledgement(f, TCP_AT)};
      }
    }
    throw new AssertionError("A sent nothing");
  }

  private TcpConnection[] recordedConnection() {
    n.isRecording = true;
    TcpConnection[] c = TcpTransferTest.connect(n);
    n.run(SECOND_NS);
    return c;
  }

  @Test
  void shouldChallengeAResetThatOnlyGuessesTheNumber() {
    TcpConnection[] c = recordedConnection();
    int seq = lastNumbersOfA()[0];
    inject(seq + 1000, 0, TcpHeader.RST, c[1]);
    assertEquals(TcpState.ESTABLISHED, c[1].state());
    assertEquals(1, n.b.counters().tcpChallengeAcks);
    inject(seq - 1000, 0, TcpHeader.RST, c[1]);
    assertEquals(TcpState.ESTABLISHED, c[1].state());
    inject(seq, 0, TcpHeader.RST, c[1]);
    assertEquals(TcpState.CLOSED, c[1].state());
    assertEquals(-Errno.ECONNRESET, c[1].read(new byte[1], 0, 1, false));
    assertEquals(0, c[1].read(new byte[1], 0, 1, false));
  }

  @Test
  void shouldChallengeASynWithinAConnection() {
    TcpConnection[] c = recordedConnection();
    inject(lastNumbersOfA()[0] + 5, 0, TcpHeader.SYN, c[1]);
    assertEquals(TcpState.ESTABLISHED, c[1].state());
    assertEquals(1, n.b.counters().tcpChallengeAcks);
  }

  @Test
  void shouldNotTakePartInAStormOfAcknowledgements() {
    TcpConnection[] c = recordedConnection();
    int[] numbers = lastNumbersOfA();
    long before = n.atB.sent;
    for (int i = 0; i < 10_000; i++) {
      inject(numbers[0] - 70_000, numbers[1] + 1_000_000, TcpHeader.ACK, c[1]);
    }
    assertTrue(n.atB.sent - before <= 1);
  }

  @Test
  void shouldSurviveAFloodOfSyns() {
    TcpListener l = n.b.tcp().listen(0, 80, 16);
    assertNotNull(l);
    for (int i = 0; i < 20_000; i++) {
      int from = 0x0a000010 + i % 100;
      byte[] s = Craft.tcp(from, 1000 + i % 60_000, B, 80, i * 77, 0, TcpHeader.SYN);
      n.atB.inject(Craft.ip(n.atB.mac(), from, B, Ipv4Header.TCP, 1, 0, s));
    }
    assertTrue(n.b.tcp().size() <= 17, "flows: " + n.b.tcp().size());
    assertTrue(n.b.counters().tcpSynCookiesSent > 19_000);
    // An honest client still gets in, by a cookie, with all its options.
    TcpConnection c = n.a.tcp().connect(0, 0, B, 80).connection();
    assertNotNull(c);
    assertTrue(n.runUntil(l::isReadable, 10 * SECOND_NS));
    assertEquals(1, n.b.counters().tcpSynCookiesGood);
    TcpConnection s = l.accept();
    assertNotNull(s);
    n.loss = 0.02;
    TcpTransferTest.transfer(n, c, s, 300_000);
    n.run(120 * SECOND_NS);
    assertEquals(0, n.a.packets().outBytes());
  }

  @Test
  void shouldRefuseAForgedCookie() {
    TcpListener l = n.b.tcp().listen(0, 80, 16);
    assertNotNull(l);
    Random random = new Random(5);
    for (int i = 0; i < 10_000; i++) {
      byte[] s = Craft.tcp(A, 1000, B, 80, random.nextInt(), random.nextInt(), TcpHeader.ACK);
      n.atB.inject(Craft.ip(n.atB.mac(), A, B, Ipv4Header.TCP, 1, 0, s));
    }
    assertEquals(0, n.b.counters().tcpSynCookiesGood);
    assertEquals(0, n.b.tcp().size());
  }

  @Test
  void shouldKeepNoMoreConnectionsThanTheBacklog() {
    TcpListener l = n.b.tcp().listen(0, 80, 3);
    assertNotNull(l);
    for (int i = 0; i < 50; i++) {
      assertNotNull(n.a.tcp().connect(0, 0, B, 80).connection());
      n.run(SECOND_NS / 10);
    }
    int count = 0;
    while (l.accept() != null) {
      count++;
    }
    assertEquals(4, count);
  }

  @Test
  void shouldSendSmallerSegmentsWhenARouterSaysSo() {
    TcpConnection[] c = recordedConnection();
    byte[] data = new byte[20_000];
    n.loss = 1;
    assertEquals(data.length, c[0].write(data, 0, data.length));
    n.loss = 0;
    byte[] tooBig = null;
    for (byte[] f : n.seen) {
      tooBig = f.length > 1400 && tooBig == null ? f : tooBig;
    }
    assertNotNull(tooBig);
    byte[] quote = java.util.Arrays.copyOf(Craft.packetOf(tooBig), 28);
    byte[] error = Craft.icmp(IcmpHeader.UNREACHABLE, 4, 600, quote);
    n.seen.clear();
    n.atA.inject(Craft.ip(n.atA.mac(), B, A, Ipv4Header.ICMP, 1, 0, error));
    assertTrue(n.runUntil(() -> c[1].available() == data.length, 10 * SECOND_NS));
    for (byte[] f : n.seen) {
      assertTrue(f.length <= 614, "frame of " + f.length);
    }
    assertEquals(0, n.a.counters().tcpTimeouts);
  }

  @Test
  void shouldIgnoreAnErrorAboutWhatWasNeverSent() {
    TcpConnection[] c = recordedConnection();
    byte[] s = Craft.tcp(A, c[0].localPort(), B, 80, 12345, 0, TcpHeader.ACK);
    byte[] forged = Craft.packetOf(Craft.ip(n.atB.mac(), A, B, Ipv4Header.TCP, 1, 0, s));
    byte[] error = Craft.icmp(IcmpHeader.UNREACHABLE, 4, 600, forged);
    n.atA.inject(Craft.ip(n.atA.mac(), B, A, Ipv4Header.ICMP, 1, 0, error));
    assertEquals(1448, c[0].segmentBytes());
  }

  @Test
  void shouldGiveUpOnAPeerThatVanished() {
    TcpConnection[] c = recordedConnection();
    c[0].setUserTimeoutNs(5 * SECOND_NS);
    n.loss = 1;
    c[0].write(new byte[10], 0, 10);
    assertTrue(n.runUntil(c[0]::isReadable, 60 * SECOND_NS));
    assertEquals(Errno.ETIMEDOUT, c[0].takeError());
  }

  @Test
  void shouldNoticeByKeepAliveThatAPeerVanished() {
    TcpConnection[] c = recordedConnection();
    c[0].setKeepAlive(true, 10 * SECOND_NS, SECOND_NS, 3);
    n.run(100 * SECOND_NS);
    assertEquals(TcpState.ESTABLISHED, c[0].state());
    n.loss = 1;
    assertTrue(n.runUntil(c[0]::isReadable, 20 * SECOND_NS));
    assertEquals(Errno.ETIMEDOUT, c[0].takeError());
  }

  @Test
  void shouldLiveThroughMutatedTraffic() {
    n.isRecording = true;
    TcpConnection[] c = TcpTransferTest.connect(n);
    n.loss = 0.05;
    TcpTransferTest.transfer(n, c[0], c[1], 100_000);
    List<byte[]> corpus = new ArrayList<>(n.seen);
    n.isRecording = false;
    n.loss = 0;
    Random random = new Random(9);
    for (int i = 0; i < 100_000; i++) {
      byte[] f = corpus.get(random.nextInt(corpus.size())).clone();
      mutate(f, random);
      (random.nextBoolean() ? n.atA : n.atB).inject(f);
      if (i % 1000 == 0) {
        n.run(SECOND_NS);
      }
    }
    n.run(1000 * SECOND_NS);
    c[0].abort();
    c[1].abort();
    n.run(1000 * SECOND_NS);
    assertEquals(0, n.a.packets().outBytes());
    assertEquals(0, n.b.packets().outBytes());
    assertEquals(0, n.a.tcp().size());
    TcpTransferTest.transfer(n, reconnect()[0], last[1], 100_000);
  }

  private TcpConnection[] last = new TcpConnection[0];

  private TcpConnection[] reconnect() {
    TcpListener l = n.b.tcp().listen(0, 81, 4);
    assertNotNull(l);
    TcpConnection c = n.a.tcp().connect(0, 0, B, 81).connection();
    assertNotNull(c);
    assertTrue(n.runUntil(l::isReadable, 60 * SECOND_NS));
    TcpConnection s = l.accept();
    assertNotNull(s);
    last = new TcpConnection[] {c, s};
    return last;
  }

  /** Changes a few bytes and then makes the checksums right again, so that parsers see them. */
  private static void mutate(byte[] f, Random random) {
    for (int i = random.nextInt(4); i >= 0; i--) {
      int at = Math.min(12 + random.nextInt(60), f.length - 1);
      f[at] = (byte) random.nextInt();
    }
    if (f.length < Craft.IP + 20 || random.nextInt(10) == 0) {
      return;
    }
    int header = Ipv4Header.headerLength(f, Craft.ETHERNET);
    if (header >= 20 && Craft.ETHERNET + header + 20 <= f.length) {
      Bytes.put16(f, Craft.ETHERNET + 10, 0);
      long sum = redoubt.net.header.Checksum.add(0, f, Craft.ETHERNET, header);
      Bytes.put16(f, Craft.ETHERNET + 10, redoubt.net.header.Checksum.finish(sum));
      int tcp = Craft.ETHERNET + header;
      int end = Math.min(f.length, Craft.ETHERNET + Ipv4Header.totalLength(f, Craft.ETHERNET));
      if (end - tcp >= 20) {
        Bytes.put16(f, tcp + 16, 0);
        Craft.finishTcp(
            f,
            tcp,
            end - tcp,
            Ipv4Header.source(f, Craft.ETHERNET),
            Ipv4Header.destination(f, Craft.ETHERNET));
      }
    }
  }
}
