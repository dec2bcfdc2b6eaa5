package redoubt.net.network;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import redoubt.abi.Errno;
import redoubt.net.stack.NetworkStack;
import redoubt.net.stack.Secret;
import redoubt.net.testing.TestNetwork;
import redoubt.net.transport.UdpEndpoint;
import redoubt.net.transport.tcp.TcpConnection;
import redoubt.net.transport.tcp.TcpListener;

/** IPv6 between two stacks over a cable, and against nonsense. */
class Ipv6Test {
  private static final long SECOND_NS = 1_000_000_000L;
  private static final long NET = 0xfd00_0000_0000_0001L;

  private final TestNetwork n = new TestNetwork(5);
  private final int aFromA;
  private final int bFromA;
  private final int bFromB;

  Ipv6Test() {
    n.a.addAddress6(n.nicA, NET, 1, 64);
    n.b.addAddress6(n.nicB, NET, 2, 64);
    aFromA = number(n.a, 1);
    bFromA = number(n.a, 2);
    bFromB = number(n.b, 2);
    assertTrue(n.a.isLocal(aFromA));
    assertTrue(n.b.isLocal(bFromB));
  }

  private static int number(NetworkStack stack, long low) {
    stack.enter();
    try {
      int number = stack.addresses().number(NET, low);
      stack.addresses().pin(number);
      return number;
    } finally {
      stack.exit();
    }
  }

  private TcpConnection[] connect(int port) {
    TcpListener l = n.b.tcp().listenReserved(0, port, 8, false, true);
    TcpConnection c = n.a.tcp().connect(0, 0, bFromA, port).connection();
    assertNotNull(c);
    assertTrue(n.runUntil(l::isReadable, 60 * SECOND_NS));
    TcpConnection s = l.accept();
    assertNotNull(s);
    l.close();
    return new TcpConnection[] {c, s};
  }

  private void transfer(TcpConnection from, TcpConnection to, int bytes) {
    byte[] data = new byte[bytes];
    new Random(1).nextBytes(data);
    byte[] got = new byte[bytes];
    int[] at = new int[2];
    boolean isDone =
        n.runUntil(
            () -> {
              int w = from.write(data, at[0], bytes - at[0]);
              at[0] += Math.max(w, 0);
              int r = to.read(got, at[1], bytes - at[1], false);
              at[1] += Math.max(r, 0);
              return at[1] == bytes;
            },
            600 * SECOND_NS);
    assertTrue(isDone, at[0] + " sent, " + at[1] + " received");
    org.junit.jupiter.api.Assertions.assertArrayEquals(data, got);
  }

  @Test
  void shouldCarryTcpOverALossyCable() {
    TcpConnection[] c = connect(80);
    assertEquals(1500 - 40 - 20 - 12, c[0].segmentBytes());
    n.loss = 0.02;
    n.reorder = 0.02;
    n.corrupt = 0.01;
    transfer(c[0], c[1], 300_000);
    transfer(c[1], c[0], 300_000);
    c[0].close();
    c[1].close();
    n.loss = 0;
    n.corrupt = 0;
    n.run(1000 * SECOND_NS);
    assertEquals(0, n.a.tcp().size());
    assertEquals(0, n.a.packets().outBytes());
    assertEquals(0, n.b.packets().outBytes());
  }

  @Test
  void shouldCarryDatagramsAndRefuseThoseForNobody() {
    UdpEndpoint here = n.a.udp().open();
    UdpEndpoint there = n.b.udp().open();
    there.setFamilies(false, true);
    assertEquals(0, there.bindReserved(0, 53));
    byte[] data = {1, 2, 3};
    assertEquals(3, here.sendTo(data, 0, 3, bFromA, 53));
    assertTrue(n.runUntil(there::isReadable, 10 * SECOND_NS));
    var info = new UdpEndpoint.Info();
    byte[] got = new byte[10];
    assertEquals(3, there.receive(got, 0, 10, info, true));
    assertEquals(1, n.b.addresses().low(info.source));
    assertEquals(3, there.sendTo(data, 0, 3, info.source, info.sourcePort));
    there.receive(got, 0, 10, info, false);
    here.setFamilies(true, true);
    assertTrue(n.runUntil(here::isReadable, 10 * SECOND_NS));
    assertEquals(3, here.receive(got, 0, 10, info, false));
    assertEquals(0, here.connect(bFromA, 54));
    assertEquals(3, here.send(data, 0, 3));
    n.runUntil(here::isReadable, 10 * SECOND_NS);
    assertEquals(-Errno.ECONNREFUSED, here.receive(got, 0, 10, info, false));
    here.close();
    there.close();
    assertEquals(0, n.b.packets().outBytes());
  }

  /** Sends a datagram too long for the link there. {@return whether it has come} */
  private boolean sendsLong(UdpEndpoint here, UdpEndpoint there, int bytes, long waitNs) {
    byte[] data = new byte[bytes];
    new Random(bytes).nextBytes(data);
    assertEquals(bytes, here.sendTo(data, 0, bytes, bFromA, 53));
    if (!n.runUntil(there::isReadable, waitNs)) {
      return false;
    }
    byte[] got = new byte[bytes + 1];
    assertEquals(bytes, there.receive(got, 0, got.length, new UdpEndpoint.Info(), false));
    org.junit.jupiter.api.Assertions.assertArrayEquals(data, java.util.Arrays.copyOf(got, bytes));
    return true;
  }

  @Test
  void shouldCutLongDatagramsAndPutThemTogether() {
    UdpEndpoint here = n.a.udp().open();
    UdpEndpoint there = n.b.udp().open();
    there.setFamilies(false, true);
    there.setReceiveLimit(1 << 20);
    assertEquals(0, there.bindReserved(0, 53));
    assertTrue(sendsLong(here, there, 1453, SECOND_NS));
    assertTrue(sendsLong(here, there, 65_000, SECOND_NS));
    n.reorder = 0.3;
    assertTrue(sendsLong(here, there, 30_000, 2 * SECOND_NS));
    assertEquals(3, n.b.counters().reassembled);
    n.reorder = 0;
    n.loss = 0.4;
    assertTrue(!sendsLong(here, there, 60_000, 5 * SECOND_NS));
    n.loss = 0;
    n.run(60 * SECOND_NS);
    assertEquals(1, n.b.counters().reassemblyFailed);
    assertEquals(0, n.b.packets().outBytes());
    assertTrue(sendsLong(here, there, 5000, SECOND_NS));
    here.close();
    there.close();
    assertEquals(0, n.a.packets().outBytes());
    assertEquals(0, n.b.packets().outBytes());
  }

  @Test
  void shouldTellWhenNobodyAnswers() {
    int nobody = number(n.a, 77);
    TcpConnection c = n.a.tcp().connect(0, 0, nobody, 80).connection();
    assertNotNull(c);
    assertTrue(n.runUntil(() -> c.poll() != 0, 60 * SECOND_NS));
    assertEquals(Errno.EHOSTUNREACH, c.takeError());
  }

  @Test
  void shouldSurviveMutatedFrames() {
    n.isRecording = true;
    TcpConnection[] c = connect(80);
    transfer(c[0], c[1], 50_000);
    UdpEndpoint here = n.a.udp().open();
    here.sendTo(new byte[100], 0, 100, bFromA, 9);
    here.sendTo(new byte[3000], 0, 3000, bFromA, 9);
    n.run(10 * SECOND_NS);
    List<byte[]> corpus = new ArrayList<>(n.seen);
    n.isRecording = false;
    Random random = new Random(11);
    for (int i = 0; i < 100_000; i++) {
      byte[] f = corpus.get(random.nextInt(corpus.size())).clone();
      for (int k = random.nextInt(5); k >= 0; k--) {
        f[Math.min(12 + random.nextInt(90), f.length - 1)] = (byte) random.nextInt();
      }
      if (random.nextInt(20) == 0) {
        f = java.util.Arrays.copyOf(f, 14 + random.nextInt(f.length - 14));
      }
      (random.nextBoolean() ? n.atA : n.atB).inject(f);
      if (i % 1000 == 0) {
        n.run(SECOND_NS);
      }
    }
    c[0].abort();
    c[1].abort();
    here.close();
    n.run(1000 * SECOND_NS);
    assertEquals(0, n.a.packets().outBytes());
    assertEquals(0, n.b.packets().outBytes());
    assertEquals(0, n.a.tcp().size());
    TcpConnection[] again = connect(81);
    transfer(again[0], again[1], 10_000);
  }

  @Test
  void shouldKeepWhatIsPinnedAndRecycleTheRest() {
    AddressTable t = new AddressTable(new Secret(1, 2));
    int kept = t.number(NET, 1);
    t.pin(kept);
    assertTrue(AddressTable.isV6(kept));
    assertEquals(kept, t.number(NET, 1));
    assertEquals(0, t.lookup(NET, 2));
    for (long i = 2; i < 300_000; i++) {
      int number = t.number(NET, i);
      assertTrue(AddressTable.isV6(number));
      assertNotEquals(kept, number);
      assertTrue((number & 0xfff_ffff) < 1 << 16);
      assertEquals(i, t.low(number));
      assertEquals(number, t.lookup(NET, i));
    }
    assertEquals(kept, t.lookup(NET, 1));
    assertEquals(0, t.lookup(NET, 5));
  }
}
