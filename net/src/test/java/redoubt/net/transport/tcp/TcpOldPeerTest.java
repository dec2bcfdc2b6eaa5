package redoubt.net.transport.tcp;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import redoubt.net.header.Ipv4Header;
import redoubt.net.header.TcpHeader;
import redoubt.net.testing.Craft;
import redoubt.net.testing.TestNetwork;

/** Peers that know fewer options: each is taken out of both SYNs on the way. */
class TcpOldPeerTest {
  private static final int OPTIONS = Craft.IP + TcpHeader.MIN_LENGTH;

  private final TestNetwork n = new TestNetwork(3);

  private void strip(int... kinds) {
    n.filter =
        (from, frame) -> {
          if (Craft.isTcp(frame) && (TcpHeader.flags(frame, Craft.IP) & TcpHeader.SYN) != 0) {
            for (int kind : kinds) {
              strip(frame, kind);
            }
          }
          return false;
        };
  }

  private static void strip(byte[] f, int kind) {
    int end = Craft.IP + TcpHeader.headerLength(f, Craft.IP);
    for (int i = OPTIONS; i < end; ) {
      int length = f[i] <= 1 ? 1 : f[i + 1];
      if (f[i] == kind) {
        java.util.Arrays.fill(f, i, i + length, (byte) 1);
      }
      i += length;
    }
    f[Craft.IP + 16] = 0;
    f[Craft.IP + 17] = 0;
    Craft.finishTcp(
        f,
        Craft.IP,
        f.length - Craft.IP,
        Ipv4Header.source(f, Craft.ETHERNET),
        Ipv4Header.destination(f, Craft.ETHERNET));
  }

  private void transferUnderLoss() {
    TcpConnection[] c = TcpTransferTest.connect(n);
    n.loss = 0.02;
    n.reorder = 0.02;
    TcpTransferTest.transfer(n, c[0], c[1], 500_000);
    TcpTransferTest.transfer(n, c[1], c[0], 500_000);
    n.loss = 0;
    TcpTransferTest.closeAndCheck(n, c);
  }

  @Test
  void shouldRecoverWithoutSack() {
    strip(Segment.OPTION_SACK_PERMITTED);
    transferUnderLoss();
    assertTrue(n.a.counters().tcpFastRecoveries > 0);
  }

  @Test
  void shouldTransferWithoutTimestamps() {
    strip(Segment.OPTION_TIMESTAMPS);
    transferUnderLoss();
  }

  @Test
  void shouldTransferWithoutWindowScaling() {
    strip(Segment.OPTION_WINDOW_SCALE);
    transferUnderLoss();
  }

  @Test
  void shouldTransferWithoutAnyOption() {
    strip(
        Segment.OPTION_SACK_PERMITTED,
        Segment.OPTION_TIMESTAMPS,
        Segment.OPTION_WINDOW_SCALE,
        Segment.OPTION_MSS);
    TcpConnection[] c = TcpTransferTest.connect(n);
    assertEquals(HandshakeTerms.DEFAULT_MSS, c[0].segmentBytes());
    TcpTransferTest.transfer(n, c[0], c[1], 200_000);
  }

  @Test
  void shouldTransferWithReno() {
    TcpConnection[] c = TcpTransferTest.connect(n);
    assertTrue(c[0].setCongestionControl("reno"));
    n.loss = 0.02;
    TcpTransferTest.transfer(n, c[0], c[1], 500_000);
  }
}
