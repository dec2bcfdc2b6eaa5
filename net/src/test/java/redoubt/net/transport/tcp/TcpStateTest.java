package redoubt.net.transport.tcp;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import redoubt.abi.Errno;
import redoubt.net.testing.TestNetwork;

/** The life of a connection, from state to state. */
class TcpStateTest {
  private static final long SECOND_NS = 1_000_000_000L;

  private final TestNetwork n = new TestNetwork(1);
  private final byte[] one = new byte[1];

  @Test
  void shouldPassThroughTheStatesOfAnOrderlyClose() {
    TcpConnection[] c = TcpTransferTest.connect(n);
    assertEquals(TcpState.ESTABLISHED, c[0].state());
    c[0].shutdownWrite();
    assertEquals(TcpState.FIN_WAIT_1, c[0].state());
    n.run(SECOND_NS);
    assertEquals(TcpState.FIN_WAIT_2, c[0].state());
    assertEquals(TcpState.CLOSE_WAIT, c[1].state());
    assertEquals(0, c[1].read(one, 0, 1, false));
    // The other direction still works.
    assertEquals(1, c[1].write(one, 0, 1));
    n.run(SECOND_NS);
    assertEquals(1, c[0].read(one, 0, 1, false));
    c[1].close();
    assertEquals(TcpState.LAST_ACK, c[1].state());
    n.run(SECOND_NS);
    assertEquals(TcpState.CLOSED, c[1].state());
    assertEquals(TcpState.TIME_WAIT, c[0].state());
    assertEquals(1, n.a.tcp().size());
    n.run(61 * SECOND_NS);
    assertEquals(0, n.a.tcp().size());
  }

  @Test
  void shouldCloseBothSidesAtOnce() {
    TcpConnection[] c = TcpTransferTest.connect(n);
    n.run(SECOND_NS);
    c[0].close();
    c[1].close();
    n.run(SECOND_NS);
    assertEquals(TcpState.TIME_WAIT, c[0].state());
    assertEquals(TcpState.TIME_WAIT, c[1].state());
  }

  @Test
  void shouldOpenFromBothSidesAtOnce() {
    TcpConnection a = n.a.tcp().connect(0, 500, TestNetwork.B, 600).connection();
    TcpConnection b = n.b.tcp().connect(0, 600, TestNetwork.A, 500).connection();
    assertNotNull(a);
    assertNotNull(b);
    n.run(SECOND_NS);
    assertEquals(TcpState.ESTABLISHED, a.state());
    assertEquals(TcpState.ESTABLISHED, b.state());
    TcpTransferTest.transfer(n, a, b, 100_000);
  }

  @Test
  void shouldBeRefusedWhereNobodyListens() {
    TcpConnection c = n.a.tcp().connect(0, 0, TestNetwork.B, 80).connection();
    assertNotNull(c);
    assertEquals(-Errno.EAGAIN, c.read(one, 0, 1, false));
    assertTrue(n.runUntil(c::isReadable, SECOND_NS));
    assertEquals(-Errno.ECONNREFUSED, c.write(one, 0, 1));
    assertEquals(-Errno.EPIPE, c.write(one, 0, 1));
  }

  @Test
  void shouldTimeOutWhereNobodyAnswers() {
    n.filter = (from, frame) -> from == n.atA && frame.length > 50;
    TcpConnection c = n.a.tcp().connect(0, 0, TestNetwork.B, 80).connection();
    assertNotNull(c);
    long start = n.clock.nowNs();
    assertTrue(n.runUntil(c::isReadable, 300 * SECOND_NS));
    assertEquals(Errno.ETIMEDOUT, c.takeError());
    // One, two, four ... sixty-four seconds, as Linux with its six retries.
    assertEquals(127, (n.clock.nowNs() - start) / SECOND_NS);
  }

  @Test
  void shouldResetWhenDataWasNotReadAtTheClose() {
    TcpConnection[] c = TcpTransferTest.connect(n);
    c[0].write(new byte[10], 0, 10);
    n.run(SECOND_NS);
    c[1].close();
    assertTrue(n.runUntil(c[0]::isReadable, SECOND_NS));
    assertEquals(Errno.ECONNRESET, c[0].takeError());
  }

  @Test
  void shouldGiveBackUnreadBytesOfAConnectionThatHasEnded() {
    TcpConnection[] c = TcpTransferTest.connect(n);
    c[0].write(new byte[5000], 0, 5000);
    c[0].shutdownWrite();
    n.run(SECOND_NS);
    c[1].shutdownWrite();
    n.run(SECOND_NS);
    assertEquals(TcpState.CLOSED, c[1].state());
    assertEquals(5000, c[1].available());
    c[1].close();
    assertEquals(0, n.b.chunks().outBytes());
  }

  @Test
  void shouldLetANewConnectionTakeThePlaceOfOneInTimeWait() {
    TcpListener l = n.b.tcp().listen(0, 80, 4);
    assertNotNull(l);
    for (int i = 0; i < 3; i++) {
      TcpConnection c = n.a.tcp().connect(0, 4000, TestNetwork.B, 80).connection();
      assertNotNull(c, "attempt " + i);
      assertTrue(n.runUntil(l::isReadable, SECOND_NS), "attempt " + i);
      TcpConnection s = l.accept();
      assertNotNull(s);
      s.close();
      n.run(SECOND_NS);
      c.close();
      n.run(SECOND_NS);
      assertEquals(TcpState.TIME_WAIT, s.state());
      assertEquals(TcpState.CLOSED, c.state());
    }
    assertNull(l.accept());
  }

  @Test
  void shouldHoldBackSmallSegmentsUnlessToldNotTo() {
    TcpConnection[] c = TcpTransferTest.connect(n);
    n.run(SECOND_NS);
    long before = n.a.counters().tcpSegmentsOut;
    for (int i = 0; i < 10; i++) {
      c[0].write(one, 0, 1);
    }
    assertEquals(1, n.a.counters().tcpSegmentsOut - before);
    n.run(SECOND_NS);
    assertEquals(10, c[1].available());
    c[0].setNoDelay(true);
    before = n.a.counters().tcpSegmentsOut;
    for (int i = 0; i < 10; i++) {
      c[0].write(one, 0, 1);
    }
    assertEquals(10, n.a.counters().tcpSegmentsOut - before);
  }

  @Test
  void shouldHoldCorkedDataForAFifthOfASecond() {
    TcpConnection[] c = TcpTransferTest.connect(n);
    c[0].setCorked(true);
    c[0].write(one, 0, 1);
    n.run(SECOND_NS / 10);
    assertEquals(0, c[1].available());
    n.run(SECOND_NS / 5);
    assertEquals(1, c[1].available());
    c[0].write(one, 0, 1);
    c[0].setCorked(false);
    n.run(SECOND_NS / 100);
    assertEquals(2, c[1].available());
  }

  @Test
  void shouldNotWakeUpForAnIdleConnection() {
    TcpTransferTest.connect(n);
    n.run(10 * SECOND_NS);
    assertEquals(Long.MAX_VALUE, n.a.timers().nextDeadlineNs());
    assertEquals(Long.MAX_VALUE, n.b.timers().nextDeadlineNs());
  }

  @Test
  void shouldAllocateNothingForASegment() {
    TcpListener l = n.a.tcp().listen(0, 80, 4);
    assertNotNull(l);
    TcpConnection c = n.a.tcp().connect(0, 0, 0x7f000001, 80).connection();
    TcpConnection s = l.accept();
    assertNotNull(c);
    assertNotNull(s);
    byte[] buffer = new byte[1000];
    var threads =
        (com.sun.management.ThreadMXBean) java.lang.management.ManagementFactory.getThreadMXBean();
    pingPong(c, s, buffer, 20_000);
    long before = threads.getCurrentThreadAllocatedBytes();
    pingPong(c, s, buffer, 20_000);
    long bytes = threads.getCurrentThreadAllocatedBytes() - before;
    // The measurement itself and a rare grown array cost a little; a packet costs nothing.
    assertTrue(bytes < 4096, bytes + " bytes for 40,000 segments");
  }

  private static void pingPong(TcpConnection c, TcpConnection s, byte[] buffer, int rounds) {
    for (int i = 0; i < rounds; i++) {
      assertEquals(buffer.length, c.write(buffer, 0, buffer.length));
      assertEquals(buffer.length, s.read(buffer, 0, buffer.length, false));
      assertEquals(buffer.length, s.write(buffer, 0, buffer.length));
      assertEquals(buffer.length, c.read(buffer, 0, buffer.length, false));
    }
  }
}
