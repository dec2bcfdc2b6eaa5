package redoubt.net.network;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import redoubt.abi.Errno;
import redoubt.net.header.ArpHeader;
import redoubt.net.header.EthernetHeader;
import redoubt.net.header.IcmpHeader;
import redoubt.net.header.Ipv4Header;
import redoubt.net.testing.Craft;
import redoubt.net.testing.TestNetwork;
import redoubt.net.transport.UdpEndpoint;
import redoubt.net.transport.tcp.TcpConnection;

class Ipv4Test {
  private static final int A = TestNetwork.A;
  private static final int B = TestNetwork.B;
  private static final long SECOND_NS = 1_000_000_000L;

  private final TestNetwork n = new TestNetwork(1);
  private final UdpEndpoint.Info info = new UdpEndpoint.Info();

  private UdpEndpoint bound(int port) {
    UdpEndpoint e = n.b.udp().open();
    assertEquals(0, e.bind(0, port));
    return e;
  }

  private byte[] toB(int protocol, int id, int flagsAndOffset, byte[] payload) {
    return Craft.ip(n.atB.mac(), A, B, protocol, id, flagsAndOffset, payload);
  }

  private static byte[] random(int length) {
    byte[] b = new byte[length];
    new Random(length).nextBytes(b);
    return b;
  }

  @Test
  void shouldAnswerAnEchoWithTheSameBytes() {
    n.isRecording = true;
    byte[] data = random(100);
    n.atB.inject(toB(Ipv4Header.ICMP, 1, 0, Craft.icmp(IcmpHeader.ECHO_REQUEST, 0, 0x10002, data)));
    n.run(SECOND_NS);
    byte[] reply = n.seen.getLast();
    assertArrayEquals(
        Craft.icmp(IcmpHeader.ECHO_REPLY, 0, 0x10002, data),
        Arrays.copyOfRange(reply, Craft.IP, reply.length));
  }

  @Test
  void shouldNotAnswerAnEchoToAll() {
    n.isRecording = true;
    byte[] echo = Craft.icmp(IcmpHeader.ECHO_REQUEST, 0, 1, random(10));
    n.atB.inject(Craft.ip(EthernetHeader.BROADCAST, A, 0x0a0000ff, Ipv4Header.ICMP, 1, 0, echo));
    n.run(SECOND_NS);
    assertEquals(0, n.seen.size());
  }

  @Test
  void shouldCarryLongDatagramsInFragments() {
    n.reorder = 0.5;
    UdpEndpoint to = bound(9);
    UdpEndpoint from = n.a.udp().open();
    byte[] got = new byte[70_000];
    for (int size : new int[] {0, 1472, 1473, 9000, 65_507}) {
      byte[] data = random(size);
      assertEquals(size, from.sendTo(data, 0, size, B, 9));
      assertTrue(n.runUntil(to::isReadable, SECOND_NS), "nothing came of " + size);
      assertEquals(size, to.receive(got, 0, got.length, info, false));
      assertArrayEquals(data, Arrays.copyOf(got, size));
      assertEquals(A, info.source);
    }
    assertEquals(-Errno.EMSGSIZE, from.sendTo(new byte[65_508], 0, 65_508, B, 9));
    assertEquals(0, n.b.packets().outBytes());
  }

  @Test
  void shouldDropADatagramWhoseFragmentsOverlap() {
    UdpEndpoint to = bound(9);
    byte[] whole = Craft.udp(A, 5, B, 9, random(24));
    n.atB.inject(toB(17, 7, Ipv4Header.MORE_FRAGMENTS, Arrays.copyOfRange(whole, 0, 16)));
    n.atB.inject(toB(17, 7, 1, Arrays.copyOfRange(whole, 8, 32)));
    n.atB.inject(toB(17, 7, 2, Arrays.copyOfRange(whole, 16, 32)));
    assertEquals(1, n.b.counters().reassemblyFailed);
    n.run(60 * SECOND_NS);
    assertEquals(0, n.b.counters().udpIn);
    assertEquals(0, n.b.packets().outBytes());
    to.close();
  }

  @Test
  void shouldPutFragmentsTogetherDespiteRepeats() {
    UdpEndpoint to = bound(9);
    byte[] data = random(24);
    byte[] whole = Craft.udp(A, 5, B, 9, data);
    for (int i = 0; i < 2; i++) {
      n.atB.inject(toB(17, 7, 2, Arrays.copyOfRange(whole, 16, 32)));
    }
    n.atB.inject(toB(17, 7, Ipv4Header.MORE_FRAGMENTS, Arrays.copyOfRange(whole, 0, 16)));
    byte[] got = new byte[100];
    assertEquals(24, to.receive(got, 0, 100, info, false));
    assertArrayEquals(data, Arrays.copyOf(got, 24));
  }

  @Test
  void shouldBoundWhatWaitsForFragments() {
    for (int id = 0; id < 20_000; id++) {
      n.atB.inject(toB(17, id, Ipv4Header.MORE_FRAGMENTS, new byte[1480]));
    }
    assertTrue(n.b.packets().outBytes() <= Reassembler.MAX_DATAGRAMS * 2048L);
    n.run(60 * SECOND_NS);
    assertEquals(0, n.b.packets().outBytes());
  }

  @Test
  void shouldDropSourceRouting() {
    UdpEndpoint to = bound(9);
    byte[] udp = Craft.udp(A, 5, B, 9, random(8));
    byte[] payload = new byte[8 + udp.length];
    payload[0] = (byte) 131;
    payload[1] = 7;
    payload[2] = 4;
    System.arraycopy(udp, 0, payload, 8, udp.length);
    byte[] frame = toB(17, 1, 0, payload);
    frame[Craft.ETHERNET] = 0x47;
    Ipv4Header.setUnfragmented(frame, Craft.ETHERNET, frame.length - Craft.ETHERNET);
    n.atB.inject(frame);
    assertEquals(1, n.b.counters().malformed);
    // The same with a harmless option (router alert) arrives.
    frame[Craft.IP] = (byte) 148;
    frame[Craft.IP + 1] = 4;
    Ipv4Header.setUnfragmented(frame, Craft.ETHERNET, frame.length - Craft.ETHERNET);
    n.atB.inject(frame);
    assertEquals(8, to.receive(new byte[9], 0, 9, info, false));
  }

  @Test
  void shouldNotBelieveLoopbackOrOwnAddressesFromTheWire() {
    bound(9);
    byte[] udp = Craft.udp(0x7f000001, 5, B, 9, random(8));
    n.atB.inject(Craft.ip(n.atB.mac(), 0x7f000001, B, 17, 1, 0, udp));
    n.atB.inject(Craft.ip(n.atB.mac(), A, 0x7f000001, 17, 1, 0, udp));
    n.atB.inject(Craft.ip(n.atB.mac(), B, B, 17, 1, 0, udp));
    assertEquals(3, n.b.counters().notForUs);
  }

  @Test
  void shouldSayThatAPortIsClosed() {
    UdpEndpoint from = n.a.udp().open();
    assertEquals(0, from.connect(B, 1234));
    assertEquals(1, from.send(new byte[1], 0, 1));
    assertTrue(n.runUntil(from::isReadable, SECOND_NS));
    assertEquals(-Errno.ECONNREFUSED, from.receive(new byte[1], 0, 1, info, false));
    assertEquals(-Errno.EAGAIN, from.receive(new byte[1], 0, 1, info, false));
  }

  @Test
  void shouldLimitTheRateOfErrors() {
    for (int i = 0; i < 10_000; i++) {
      n.atB.inject(toB(17, i, 0, Craft.udp(A, 5, B, 1234, new byte[1])));
    }
    assertTrue(n.atB.sent < 100, "sent " + n.atB.sent);
  }

  @Test
  void shouldGiveUpOnANeighbourThatIsNotThere() {
    TcpConnection c = n.a.tcp().connect(0, 0, 0x0a000063, 80).connection();
    assertNotNull(c);
    assertTrue(n.runUntil(c::isReadable, 10 * SECOND_NS));
    assertEquals(-Errno.EHOSTUNREACH, c.read(new byte[1], 0, 1, false));
    assertEquals(0, n.a.packets().outBytes());
  }

  @Test
  void shouldSayThatThereIsNoRoute() {
    assertEquals(Errno.ENETUNREACH, n.a.tcp().connect(0, 0, 0x08080808, 80).errno());
    assertEquals(-Errno.ENETUNREACH, n.a.udp().open().sendTo(new byte[1], 0, 1, 0x08080808, 53));
  }

  @Test
  void shouldBoundTheNeighboursThatAFloodMakes() {
    byte[] frame = new byte[EthernetHeader.LENGTH + ArpHeader.LENGTH];
    EthernetHeader.write(frame, 0, EthernetHeader.BROADCAST, 9, EthernetHeader.TYPE_ARP);
    for (int i = 0; i < 5000; i++) {
      ArpHeader.write(
          frame,
          EthernetHeader.LENGTH,
          ArpHeader.REQUEST,
          0x0200_0000_0000L + i,
          0x0a010000 + i,
          0,
          B);
      n.atB.inject(frame);
    }
    assertEquals(1024, n.nicB.neighbors().size());
  }

  @Test
  void shouldNotLearnFromAnAnswerThatNobodyAskedFor() {
    byte[] frame = new byte[EthernetHeader.LENGTH + ArpHeader.LENGTH];
    EthernetHeader.write(frame, 0, n.atB.mac(), 9, EthernetHeader.TYPE_ARP);
    ArpHeader.write(
        frame,
        EthernetHeader.LENGTH,
        ArpHeader.REPLY,
        0x0200_0000_0666L,
        0x0a000042,
        n.atB.mac(),
        B);
    n.atB.inject(frame);
    assertEquals(0, n.nicB.neighbors().lookup(0x0a000042));
  }
}
