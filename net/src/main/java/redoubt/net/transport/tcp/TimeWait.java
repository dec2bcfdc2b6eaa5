package redoubt.net.transport.tcp;

import redoubt.net.header.TcpHeader;
import redoubt.net.stack.NetworkStack;
import redoubt.net.stack.Timer;

/** What is left of a connection for a minute, so that its late segments harm no later one. */
final class TimeWait extends Flow {
  /** Linux's TCP_TIMEWAIT_LEN. */
  static final long LENGTH_NS = 60_000_000_000L;

  private static final long ANSWER_INTERVAL_NS = 500_000_000L;

  private final NetworkStack stack;
  private final int sendNext;
  private final int receiveNext;
  private final boolean hasTimestamps;
  private final int timestampOffset;
  private int recentTimestamp;
  private long answeredNs;
  private final Timer timer;

  TimeWait(
      NetworkStack stack,
      Flow of,
      int sendNext,
      int receiveNext,
      boolean hasTimestamps,
      int timestampOffset,
      int recentTimestamp) {
    super(of.local, of.localPort, of.remote, of.remotePort);
    this.stack = stack;
    this.sendNext = sendNext;
    this.receiveNext = receiveNext;
    this.hasTimestamps = hasTimestamps;
    this.timestampOffset = timestampOffset;
    this.recentTimestamp = recentTimestamp;
    this.timer =
        new Timer(stack.timers()) {
          @Override
          protected void expire() {
            stack.tcp().endTimeWait(TimeWait.this);
          }
        };
    timer.arm(stack.nowNs() + LENGTH_NS);
  }

  void end() {
    timer.disarm();
  }

  @Override
  void receive(Segment s) {
    if (s.isReset()) {
      // RFC 1337: a reset must not end it early.
      return;
    }
    if (s.isSyn() && !s.isAck() && isNewer(s)) {
      // RFC 6191: surely a new connection. Let its listener have it.
      stack.tcp().endTimeWait(this);
      stack.tcp().dispatch(s);
      return;
    }
    if (s.isFin() && s.seq + s.payloadLength + 1 == receiveNext) {
      // Our last acknowledgement was lost: the minute begins again.
      timer.arm(stack.nowNs() + LENGTH_NS);
    }
    if (s.sequenceLength() > 0) {
      answer();
    }
  }

  private boolean isNewer(Segment s) {
    boolean isTimestampNewer =
        hasTimestamps && s.hasTimestamps && s.timestamp - recentTimestamp > 0;
    return isTimestampNewer || s.seq - receiveNext > 0;
  }

  private void answer() {
    long now = stack.nowNs();
    if (answeredNs != 0 && now - answeredNs < ANSWER_INTERVAL_NS) {
      return;
    }
    answeredNs = now;
    SegmentWriter w = stack.tcp().writer().clear();
    w.seq = sendNext;
    w.ack = receiveNext;
    w.flags = TcpHeader.ACK;
    w.hasTimestamps = hasTimestamps;
    w.timestamp = (int) (now / 1_000_000) + timestampOffset;
    w.timestampEcho = recentTimestamp;
    w.send(this, null, 0, 0);
  }

  @Override
  void error(int wireSeq, int errno, int mtu) {}
}
