package redoubt.net.network;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import redoubt.net.header.Bytes;
import redoubt.net.header.Checksum;
import redoubt.net.header.Ipv4Header;
import redoubt.net.stack.Route;
import redoubt.net.testing.TestNetwork;
import redoubt.net.transport.UdpEndpoint;

/** Groups, and what is told of them, between two stacks over a cable. */
class GroupsTest {
  private static final long SECOND_NS = 1_000_000_000L;
  private static final int GROUP = 0xef01_0203;
  private static final int ETHERNET = 14;
  private static final int IGMP_AT = ETHERNET + 24;

  private final TestNetwork n = new TestNetwork(7);

  private void join(int group) {
    n.a.enter();
    assertEquals(0, n.a.groups().join(n.nicA, group));
    n.a.exit();
  }

  private void leave(int group) {
    n.a.enter();
    n.a.groups().leave(n.nicA, group);
    n.a.exit();
  }

  /** {@return the frames that A sends within a time} */
  private List<byte[]> sent(long forNs) {
    n.isRecording = true;
    n.seen.clear();
    n.run(forNs);
    return new ArrayList<>(n.seen);
  }

  private static void assertReport(byte[] f, int to, int type, int kind) {
    assertEquals(Ipv4.groupMac(to), Bytes.u48(f, 0));
    assertEquals(0x46, Bytes.u8(f, ETHERNET));
    assertEquals(1, Ipv4Header.ttl(f, ETHERNET));
    assertEquals(to, Ipv4Header.destination(f, ETHERNET));
    assertEquals(0x9404_0000, Bytes.i32(f, ETHERNET + 20));
    assertTrue(Checksum.isGood(Checksum.add(0, f, ETHERNET, 24)));
    assertTrue(Checksum.isGood(Checksum.add(0, f, IGMP_AT, f.length - IGMP_AT)));
    assertEquals(type, Bytes.u8(f, IGMP_AT));
    if (type == 0x22) {
      assertEquals(1, Bytes.i32(f, IGMP_AT + 4));
      assertEquals(kind << 24, Bytes.i32(f, IGMP_AT + 8));
      assertEquals(GROUP, Bytes.i32(f, IGMP_AT + 12));
    } else {
      assertEquals(GROUP, Bytes.i32(f, IGMP_AT + 4));
    }
  }

  private byte[] query(int length, int code, int group) {
    byte[] f = new byte[IGMP_AT + length];
    Bytes.put48(f, 0, 0x0100_5e00_0001L);
    Bytes.put48(f, 6, 2);
    Bytes.put16(f, 12, 0x0800);
    Ipv4Header.write(f, ETHERNET, 0, 24 + length, 0, 0, 1, 2, TestNetwork.B, 0xe000_0001);
    Bytes.put8(f, ETHERNET, 0x46);
    Bytes.put32(f, ETHERNET + 20, 0x9404_0000);
    Ipv4Header.setUnfragmented(f, ETHERNET, 24 + length);
    Bytes.put8(f, IGMP_AT, 0x11);
    Bytes.put8(f, IGMP_AT + 1, code);
    Bytes.put32(f, IGMP_AT + 4, group);
    Bytes.put16(f, IGMP_AT + 2, Checksum.finish(Checksum.add(0, f, IGMP_AT, length)));
    return f;
  }

  @Test
  void shouldTellOfAGroupThatIsJoinedAndLeftTwiceEach() {
    join(GROUP);
    join(GROUP);
    List<byte[]> frames = sent(5 * SECOND_NS);
    assertEquals(2, frames.size());
    frames.forEach(f -> assertReport(f, 0xe000_0016, 0x22, 4));
    leave(GROUP);
    assertEquals(0, sent(5 * SECOND_NS).size());
    leave(GROUP);
    frames = sent(5 * SECOND_NS);
    assertEquals(2, frames.size());
    frames.forEach(f -> assertReport(f, 0xe000_0016, 0x22, 3));
    assertEquals(0, sent(500 * SECOND_NS).size());
    assertEquals(0, n.a.packets().outBytes());
  }

  @Test
  void shouldAnswerQueriesInTime() {
    join(GROUP);
    sent(5 * SECOND_NS);
    n.atA.inject(query(12, 100, 0));
    List<byte[]> frames = sent(10 * SECOND_NS);
    assertEquals(1, frames.size());
    assertReport(frames.get(0), 0xe000_0016, 0x22, 2);
    n.atA.inject(query(12, 10, GROUP));
    assertEquals(1, sent(SECOND_NS).size());
    n.atA.inject(query(12, 10, GROUP + 1));
    assertEquals(0, sent(10 * SECOND_NS).size());
    byte[] broken = query(12, 10, GROUP);
    broken[IGMP_AT + 5] ^= 1;
    n.atA.inject(broken);
    assertEquals(0, sent(10 * SECOND_NS).size());
  }

  @Test
  void shouldSpeakVersion2WhereTheQuerierDoes() {
    n.atA.inject(query(8, 100, 0));
    join(GROUP);
    List<byte[]> frames = sent(5 * SECOND_NS);
    assertEquals(2, frames.size());
    frames.forEach(f -> assertReport(f, GROUP, 0x16, 0));
    leave(GROUP);
    frames = sent(5 * SECOND_NS);
    assertReport(frames.get(0), 0xe000_0002, 0x17, 0);
    n.run(260 * SECOND_NS);
    join(GROUP);
    assertReport(sent(5 * SECOND_NS).get(0), 0xe000_0016, 0x22, 4);
  }

  @Test
  void shouldHearOnlyGroupsThatWereJoined() {
    n.a.addRoute(new Route(0xe000_0000, 4, 0, TestNetwork.A, n.nicA));
    n.b.addRoute(new Route(0xe000_0000, 4, 0, TestNetwork.B, n.nicB));
    UdpEndpoint here = n.a.udp().open();
    UdpEndpoint there = n.b.udp().open();
    here.setFamilies(true, false);
    assertEquals(0, here.bindReserved(0, 5353));
    byte[] data = {1, 2, 3};
    assertEquals(3, there.sendTo(data, 0, 3, GROUP, 5353));
    n.run(SECOND_NS);
    assertFalse(here.isReadable());
    join(GROUP);
    assertEquals(3, there.sendTo(data, 0, 3, GROUP, 5353));
    assertTrue(n.runUntil(here::isReadable, SECOND_NS));
    var info = new UdpEndpoint.Info();
    assertEquals(3, here.receive(new byte[8], 0, 8, info, false));
    assertEquals(GROUP, info.destination);
    // What is sent from here is heard here, unless it is not wanted.
    assertEquals(3, here.sendTo(data, 0, 3, GROUP, 5353));
    assertTrue(n.runUntil(here::isReadable, SECOND_NS));
    assertEquals(3, here.receive(new byte[8], 0, 8, info, false));
    here.setMulticastLooped(false);
    assertEquals(3, here.sendTo(data, 0, 3, GROUP, 5353));
    n.run(SECOND_NS);
    assertFalse(here.isReadable());
    here.close();
    there.close();
    leave(GROUP);
    n.run(5 * SECOND_NS);
    assertEquals(0, n.a.packets().outBytes());
    assertEquals(0, n.b.packets().outBytes());
  }

  @Test
  void shouldReportAndHearIpv6Groups() {
    long high = 0xff15_0000_0000_0000L;
    n.a.addAddress6(n.nicA, 0xfe80_0000_0000_0000L, 1, 64);
    n.b.addAddress6(n.nicB, 0xfe80_0000_0000_0000L, 2, 64);
    n.a.enter();
    int group = n.a.addresses().number(high, 0x77);
    n.a.exit();
    join(group);
    List<byte[]> frames = sent(5 * SECOND_NS);
    assertEquals(2, frames.size());
    for (byte[] f : frames) {
      assertEquals(0x3333_0000_0016L, Bytes.u48(f, 0));
      assertEquals(ETHERNET + 40 + 36, f.length);
      assertEquals(0, Bytes.u8(f, ETHERNET + 6)); // hop-by-hop comes next
      assertEquals(1, Bytes.u8(f, ETHERNET + 7));
      assertEquals(58, Bytes.u8(f, ETHERNET + 40));
      assertEquals(0x0502_0000, Bytes.i32(f, ETHERNET + 42));
      assertEquals(143, Bytes.u8(f, ETHERNET + 48));
      assertEquals(4 << 24, Bytes.i32(f, ETHERNET + 56));
      assertEquals(high, Bytes.i64(f, ETHERNET + 60));
      assertEquals(0x77, Bytes.i64(f, ETHERNET + 68));
      long sum = Checksum.add(58 + 28, f, ETHERNET + 8, 32);
      assertTrue(Checksum.isGood(Checksum.add(sum, f, ETHERNET + 48, 28)));
    }
    UdpEndpoint here = n.a.udp().open();
    UdpEndpoint there = n.b.udp().open();
    here.setFamilies(false, true);
    assertEquals(0, here.bindReserved(0, 5353));
    n.b.enter();
    int to = n.b.addresses().number(high, 0x77);
    int other = n.b.addresses().number(high, 0x78);
    n.b.addresses().pin(to);
    n.b.addresses().pin(other);
    n.b.exit();
    n.b.addAddress6(n.nicB, 0xfd00_0000_0000_0000L, 2, 64);
    byte[] data = {1, 2};
    assertEquals(2, there.sendTo(data, 0, 2, other, 5353));
    n.run(SECOND_NS);
    assertFalse(here.isReadable());
    assertEquals(2, there.sendTo(data, 0, 2, to, 5353));
    assertTrue(n.runUntil(here::isReadable, SECOND_NS));
    here.close();
    there.close();
  }
}
