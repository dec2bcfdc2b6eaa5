package redoubt.net.transport.tcp;

import java.lang.foreign.MemorySegment;
import redoubt.net.buffer.StreamStore;
import redoubt.net.header.TcpHeader;
import redoubt.net.stack.NetworkStack;
import redoubt.net.stack.Timer;

/**
 * The sending half of a connection: what waits, what is in flight, when to send it again and how
 * much at once. Loss is found by RACK and its tail probe (RFC 8985), recovery is paced by
 * proportional rate reduction (RFC 6937), a false alarm is undone by timestamps (RFC 3522).
 */
final class Sender {
  /** Linux's last value of {@code tcp_wmem}; the limit starts lower and follows the window. */
  static final int MAX_LIMIT = 4 << 20;

  private static final int INITIAL_LIMIT = 131_072;
  private static final int INITIAL_SEGMENTS = 10;
  private static final int DUP_THRESHOLD = 3;

  /** Data of one packet to be cut: with the longest headers it is a whole IP packet. */
  private static final int MAX_BURST = 65_535 - 20 - TcpHeader.MAX_LENGTH;

  private static final long WORST_DELAYED_ACK_NS = 200_000_000L;
  private static final long CORK_NS = 200_000_000L;

  private enum Mode {
    OPEN,
    RECOVERY,
    LOSS
  }

  private enum Alarm {
    NONE,
    TIMEOUT,
    TAIL_PROBE,
    REORDER,
    PERSIST
  }

  private final NetworkStack stack;
  private final TcpConnection connection;
  private final StreamStore store;
  private final Scoreboard board = new Scoreboard(1);
  private final RttEstimator rtt = new RttEstimator();
  private final Rack rack = new Rack();
  private CongestionControl control = new Cubic();
  private final AlarmTimer timer;

  /** The oldest number that is not acknowledged. */
  long una = 1;

  /** The next number to send. */
  long nxt = 1;

  /** The end of what the application wrote. */
  private long end = 1;

  private boolean isFinQueued;
  private boolean isFinSent;
  private int limit = INITIAL_LIMIT;
  private boolean isLimitFixed;

  // The peer's window.
  private long window;
  private long maxWindow;
  private long windowSeq;
  private long windowAck;

  private int mss = 536;
  private long retransmitted;

  /** Whether the link cuts long packets into segments. */
  private boolean canSegment;

  // New segments that go out as one packet.
  private long burstStart;
  private int burstLength;
  private boolean isSackOn;
  private long cwnd;
  private long threshold = Long.MAX_VALUE / 2;
  private Mode mode = Mode.OPEN;
  private Alarm alarm = Alarm.NONE;
  private long recoveryPoint;
  private int duplicateAcks;
  private long smallEnd;
  private long lastSentNs;
  private boolean isWindowLimited;

  // Proportional rate reduction.
  private long prrDelivered;
  private long prrOut;
  private long prrFlight;

  // What to go back to when the alarm was false.
  private long undoCwnd;
  private long undoThreshold;
  private int firstRetransmitTimestamp;
  private boolean canUndo;

  // The tail probe in flight: the number it ended at, or 0.
  private long probeEnd;
  private boolean isProbeRetransmit;

  /** Since when nothing that was sent is acknowledged, for the user timeout. */
  private long stalledSinceNs;

  boolean isNoDelay;
  boolean isCorked;

  /** The last write said so; ends with the next, or as a cork does. */
  boolean isMoreToCome;

  Sender(NetworkStack stack, TcpConnection connection) {
    this.stack = stack;
    this.connection = connection;
    this.store = new StreamStore(stack.chunks(), 1);
    this.timer = new AlarmTimer();
  }

  private final class AlarmTimer extends Timer {
    AlarmTimer() {
      super(stack.timers());
    }

    @Override
    protected void expire() {
      Alarm a = alarm;
      alarm = Alarm.NONE;
      switch (a) {
        case TIMEOUT -> timeout();
        case TAIL_PROBE -> probeTail();
        case REORDER -> reorderTimeout();
        case PERSIST -> persistTimeout();
        case NONE -> {}
      }
    }
  }

  /** The handshake is over: both sides' terms are known. */
  void start(int mss, boolean canSegment, long window, boolean isSackOn, long rttNs) {
    this.mss = mss;
    this.canSegment = canSegment;
    this.isSackOn = isSackOn;
    this.cwnd = (long) INITIAL_SEGMENTS * mss;
    this.limit = Math.max(limit, 4 * mss);
    this.window = window;
    this.maxWindow = window;
    if (rttNs > 0) {
      rtt.sample(rttNs, stack.nowNs());
    }
  }

  // ---- What the application does.

  /** Takes up to {@code length} bytes. {@return how many there was room for} */
  int write(byte[] from, int at, int length) {
    int n = Math.min(length, free());
    if (n > 0) {
      store.write(end, from, at, n);
      end += n;
    }
    return n;
  }

  /** As the other, from native memory. */
  int write(MemorySegment from, long at, int length) {
    int n = Math.min(length, free());
    if (n > 0) {
      store.write(end, from, at, n);
      end += n;
    }
    return n;
  }

  /** {@return bytes that are not acknowledged, sent or not} */
  int waiting() {
    return (int) Math.max(end - una, 0);
  }

  void describe(TcpInfo info) {
    info.mss = mss;
    info.rtoNs = rtt.rtoNs();
    info.srttNs = rtt.srttNs();
    info.rttVarNs = rtt.varianceNs();
    info.cwnd = cwnd;
    info.threshold = threshold;
    info.inFlight = inFlight();
    info.segmentsInFlight = board.size();
    info.notSent = unsent();
    info.bytesAcked = Math.max(Math.min(una, end) - 1, 0);
    info.bytesSent = Math.max(Math.min(nxt, end) - 1, 0);
    info.retransmitted = retransmitted;
    info.window = window;
  }

  int free() {
    if (stack.chunks().outBytes() > TcpTable.MEMORY_LIMIT_BYTES && end > una) {
      return 0;
    }
    return (int) Math.max(limit - (end - una), 0);
  }

  /** As Linux: writable again once a third of the limit is free. */
  boolean isWritable() {
    return free() >= Math.min((int) (end - una) / 2 + 1, limit);
  }

  void fixLimit(int bytes) {
    limit = bytes;
    isLimitFixed = true;
  }

  void setControl(CongestionControl control) {
    this.control = control;
  }

  String controlName() {
    return control.name();
  }

  void queueFin() {
    isFinQueued = true;
  }

  /** {@return whether the peer has acknowledged everything and the FIN} */
  boolean isFinAcknowledged() {
    return isFinSent && una > end;
  }

  long unsent() {
    return end - Math.min(nxt, end);
  }

  long inFlight() {
    return nxt - una;
  }

  RttEstimator rtt() {
    return rtt;
  }

  long cwnd() {
    return cwnd;
  }

  long maxWindow() {
    return maxWindow;
  }

  int mss() {
    return mss;
  }

  long stalledSinceNs() {
    return stalledSinceNs;
  }

  /** The path became narrower: what was lost at the old size is cut when it is sent again. */
  void setMss(int mss) {
    if (mss >= this.mss) {
      return;
    }
    this.mss = mss;
    for (int i = 0; i < board.size(); i++) {
      if (board.length(i) > mss && !board.is(i, Scoreboard.SACKED)) {
        board.markLost(i);
      }
    }
    output();
  }

  // ---- Sending.

  /** Sends what may be sent now. */
  void output() {
    long now = stack.nowNs();
    if (inFlight() == 0 && lastSentNs != 0 && now - lastSentNs > rtt.rtoNs()) {
      // After a pause the old window says nothing about the path (RFC 5681, section 4.1).
      cwnd = Math.min(cwnd, (long) INITIAL_SEGMENTS * mss);
    }
    boolean hasSent = sendLost(now);
    hasSent |= sendNew(now);
    if (hasSent) {
      lastSentNs = now;
    }
    armAfterOutput(now, hasSent);
  }

  private boolean sendLost(long now) {
    if (mode == Mode.OPEN && board.pipe() == inFlight()) {
      return false;
    }
    boolean hasSent = false;
    for (int i = 0; i < board.size() && pipe() < cwnd; i++) {
      if (board.is(i, Scoreboard.LOST)
          && !board.is(i, Scoreboard.SACKED)
          && !board.is(i, Scoreboard.RETRANSMITTED)) {
        retransmit(i, now);
        hasSent = true;
      }
    }
    return hasSent;
  }

  private void retransmit(int i, long now) {
    int dataLength = (int) (Math.min(board.end(i), end) - board.start(i));
    if (dataLength > mss) {
      board.split(i, mss);
      dataLength = mss;
    }
    if (firstRetransmitTimestamp == 0) {
      firstRetransmitTimestamp = connection.timestamp(now);
    }
    board.markRetransmitted(i, now);
    prrOut += board.length(i);
    stack.counters().tcpRetransmitted++;
    retransmitted++;
    transmit(board.start(i), dataLength, board.is(i, Scoreboard.FIN), now);
  }

  private boolean sendNew(long now) {
    boolean hasSent = false;
    isWindowLimited = false;
    while (!board.isFull() && !isFinSent) {
      long waiting = end - nxt;
      boolean isFinNext = isFinQueued;
      if (waiting == 0 && !isFinNext) {
        break;
      }
      int length = (int) Math.min(Math.min(waiting, mss), Math.max(una + window - nxt, 0));
      if (length == 0 && waiting > 0) {
        break;
      }
      if (pipe() > 0 && pipe() + length > cwnd) {
        isWindowLimited = true;
        break;
      }
      if (length < mss && !maySendSmall(length, waiting)) {
        break;
      }
      sendNext(length, isFinNext && length == waiting, now);
      hasSent = true;
    }
    endBurst(false, now);
    return hasSent;
  }

  private void sendNext(int length, boolean isFin, long now) {
    long start = nxt;
    nxt += length + (isFin ? 1 : 0);
    isFinSent |= isFin;
    if (inFlight() == nxt - start) {
      stalledSinceNs = now;
    }
    if (length < mss) {
      smallEnd = nxt;
    }
    board.add(nxt, isFin ? Scoreboard.FIN : 0, now);
    prrOut += nxt - start;
    if (burstLength + length > MAX_BURST || !canSegment) {
      endBurst(false, now);
    }
    if (burstLength == 0) {
      burstStart = start;
    }
    burstLength += length;
    if (length < mss || isFin) {
      endBurst(isFin, now);
    }
  }

  /** Sends the segments gathered as one packet, which the link cuts into them again. */
  private void endBurst(boolean isFin, long now) {
    int length = burstLength;
    if (length > 0 || isFin) {
      burstLength = 0;
      transmit(burstStart, length, isFin, now);
    }
  }

  /** Nagle as Minshall refined it, CORK, and no silly windows (RFC 9293, section 3.8.6.2.1). */
  private boolean maySendSmall(int length, long waiting) {
    if (length < waiting) {
      return length >= maxWindow / 2;
    }
    if (isFinQueued) {
      return true;
    }
    if (isCorked || isMoreToCome) {
      return false;
    }
    return isNoDelay || smallEnd <= una;
  }

  private void transmit(long start, int length, boolean isFin, long now) {
    boolean isPush = length > 0 && start + length == end;
    int flags = TcpHeader.ACK | (isFin ? TcpHeader.FIN : 0) | (isPush ? TcpHeader.PSH : 0);
    connection.transmit(start, flags, store, length, now);
  }

  private long pipe() {
    long p = board.pipe();
    // Without SACK each duplicate says that one segment more has left the network.
    return isSackOn ? p : Math.max(p - (long) duplicateAcks * mss, 0);
  }

  // ---- Acknowledgements.

  /** Takes an acknowledgement that is not beyond {@link #nxt}. */
  void acknowledge(Segment s, long ack, long seq, long peerWindow, boolean mayBeDuplicate) {
    long now = stack.nowNs();
    long deliveredBefore = board.sackedCount();
    boolean isWindowSame = peerWindow == window;
    updateWindow(seq, ack, peerWindow);
    boolean isAdvance = ack > una;
    boolean wasDuplicateReported = isSackOn && isDuplicateReported(s, ack);
    long delivered = isAdvance ? takeCumulative(s, ack, now) : 0;
    delivered += isSackOn ? takeSelective(s, now) : 0;
    if (wasDuplicateReported) {
      rack.duplicateSeen(nxt, una);
    }
    if (isAdvance) {
      rtt.clearBackoff();
      stalledSinceNs = now;
      undoIfFalse(s);
    }
    boolean isPureDuplicate =
        !isAdvance && mayBeDuplicate && isWindowSame && board.size() > 0 && ack == una;
    countDuplicates(isPureDuplicate, isAdvance);
    finishProbe(ack, isPureDuplicate && s.sackCount == 0, wasDuplicateReported);
    endRecovery();
    detectLoss(now);
    updateWindowOfCongestion(delivered, isAdvance, now);
    boolean isProgress = isAdvance || board.sackedCount() != deliveredBefore;
    if (isProgress && alarm != Alarm.REORDER) {
      alarm = Alarm.NONE;
    }
    output();
  }

  private void updateWindow(long seq, long ack, long peerWindow) {
    if (seq > windowSeq || (seq == windowSeq && ack >= windowAck)) {
      windowSeq = seq;
      windowAck = ack;
      window = peerWindow;
      maxWindow = Math.max(maxWindow, peerWindow);
    }
  }

  private long takeCumulative(Segment s, long ack, long now) {
    long delivered = 0;
    long rttSample = 0;
    while (board.size() > 0 && board.start(0) < ack) {
      boolean wasSacked = board.is(0, Scoreboard.SACKED);
      if (!wasSacked && board.end(0) <= ack) {
        boolean isRetransmitted = board.is(0, Scoreboard.EVER_RETRANSMITTED);
        rttSample = isRetransmitted ? rttSample : now - board.sentNs(0);
        rack.delivered(board, 0, rtt, isEchoOfEarlier(s, board.sentNs(0)), now);
      }
      long n = board.acknowledge(ack);
      delivered += wasSacked ? 0 : n;
    }
    una = ack;
    if (una >= end) {
      store.discardAll(Math.min(una, end));
    } else {
      store.discardTo(una);
    }
    sampleRtt(s, rttSample, now);
    if (!isLimitFixed && limit < 2 * cwnd) {
      limit = (int) Math.min(2 * cwnd, MAX_LIMIT);
    }
    return delivered;
  }

  private void sampleRtt(Segment s, long sampleNs, long now) {
    if (sampleNs > 0) {
      rtt.sample(sampleNs, now);
    } else if (s.hasTimestamps && s.timestampEcho != 0) {
      long ms = connection.timestamp(now) - s.timestampEcho;
      if (ms >= 0 && ms < 600_000) {
        rtt.sample(Math.max(ms, 1) * 1_000_000L, now);
      }
    }
  }

  private boolean isEchoOfEarlier(Segment s, long sentNs) {
    return s.hasTimestamps && s.timestampEcho - connection.timestamp(sentNs) < 0;
  }

  private long takeSelective(Segment s, long now) {
    long delivered = 0;
    for (int k = 0; k < s.sackCount; k++) {
      long start = connection.localSequence(s.sackStart[k]);
      long stop = connection.localSequence(s.sackEnd[k]);
      if (start < una || stop > nxt || start >= stop) {
        continue;
      }
      for (int i = firstAtOrAfter(start); i < board.size() && board.end(i) <= stop; i++) {
        if (!board.is(i, Scoreboard.SACKED)) {
          delivered += board.length(i);
          rack.delivered(board, i, rtt, isEchoOfEarlier(s, board.sentNs(i)), now);
          board.markSacked(i);
        }
      }
    }
    return delivered;
  }

  private int firstAtOrAfter(long seq) {
    int low = 0;
    int high = board.size();
    while (low < high) {
      int middle = (low + high) >>> 1;
      if (board.start(middle) < seq) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

  /** RFC 2883: the first block lies below the acknowledgement, or within the second block. */
  private boolean isDuplicateReported(Segment s, long ack) {
    if (s.sackCount == 0) {
      return false;
    }
    long start = connection.localSequence(s.sackStart[0]);
    long stop = connection.localSequence(s.sackEnd[0]);
    if (stop <= ack) {
      return true;
    }
    return s.sackCount > 1
        && start >= connection.localSequence(s.sackStart[1])
        && stop <= connection.localSequence(s.sackEnd[1]);
  }

  private void countDuplicates(boolean isPureDuplicate, boolean isAdvance) {
    if (isAdvance) {
      duplicateAcks = 0;
    } else if (isPureDuplicate) {
      duplicateAcks++;
    }
  }

  private void undoIfFalse(Segment s) {
    if (canUndo
        && s.hasTimestamps
        && firstRetransmitTimestamp != 0
        && s.timestampEcho - firstRetransmitTimestamp < 0) {
      stack.counters().tcpSpuriousRecoveries++;
      cwnd = Math.max(cwnd, undoCwnd);
      threshold = Math.max(threshold, undoThreshold);
      control.undo();
      board.clearLost();
      leaveRecovery();
    }
  }

  private void endRecovery() {
    if (mode != Mode.OPEN && una >= recoveryPoint) {
      if (mode == Mode.RECOVERY) {
        cwnd = threshold;
        rack.recoveryEnded();
      }
      leaveRecovery();
    }
  }

  private void leaveRecovery() {
    mode = Mode.OPEN;
    canUndo = false;
    firstRetransmitTimestamp = 0;
    duplicateAcks = 0;
  }

  private void detectLoss(long now) {
    if (board.size() == 0) {
      return;
    }
    long lostBefore = board.pipe();
    long wait = rack.detect(board, rtt, mode != Mode.OPEN, now);
    if (!isSackOn) {
      detectByDuplicates();
    }
    if (board.pipe() != lostBefore && mode == Mode.OPEN) {
      enterRecovery();
    }
    if (wait > 0) {
      setAlarm(Alarm.REORDER, now + wait);
    } else if (alarm == Alarm.REORDER) {
      alarm = Alarm.NONE;
    }
  }

  /** NewReno (RFC 6582): three duplicates, or a partial acknowledgement, mean the head is lost. */
  private void detectByDuplicates() {
    boolean isPartial = mode == Mode.RECOVERY && duplicateAcks == 0;
    boolean isHeadOut = !board.is(0, Scoreboard.LOST);
    if (isHeadOut && (isPartial || (mode == Mode.OPEN && duplicateAcks >= DUP_THRESHOLD))) {
      board.markLost(0);
    }
  }

  private void enterRecovery() {
    stack.counters().tcpFastRecoveries++;
    rememberForUndo();
    mode = Mode.RECOVERY;
    recoveryPoint = nxt;
    threshold = control.shrink(cwnd, mss);
    prrDelivered = 0;
    prrOut = 0;
    prrFlight = Math.max(inFlight(), 1);
    probeEnd = 0;
  }

  private void rememberForUndo() {
    undoCwnd = cwnd;
    undoThreshold = threshold;
    firstRetransmitTimestamp = 0;
    canUndo = true;
  }

  private void updateWindowOfCongestion(long delivered, boolean isAdvance, long now) {
    if (mode == Mode.RECOVERY) {
      reduceProportionally(delivered, isAdvance);
    } else if (delivered > 0 && cwnd < threshold) {
      if (isWindowLimited || mode == Mode.LOSS) {
        cwnd += Math.min(delivered, Math.max(threshold - cwnd, 0));
      }
    } else if (delivered > 0 && isWindowLimited) {
      cwnd = control.grow(cwnd, delivered, mss, rtt.srttNs(), now);
    }
  }

  private void reduceProportionally(long delivered, boolean isAdvance) {
    prrDelivered += delivered;
    long pipe = pipe();
    long maySend;
    if (pipe > threshold) {
      maySend = (prrDelivered * threshold + prrFlight - 1) / prrFlight - prrOut;
    } else {
      long most = Math.max(prrDelivered - prrOut, delivered) + (isAdvance ? mss : 0);
      maySend = Math.min(threshold - pipe, most);
    }
    if (prrOut == 0) {
      // The first retransmission is never held back.
      maySend = Math.max(maySend, mss);
    }
    cwnd = Math.max(pipe + Math.max(maySend, 0), mss);
  }

  // ---- Timers.

  private void setAlarm(Alarm a, long deadlineNs) {
    alarm = a;
    timer.arm(deadlineNs);
  }

  private void armAfterOutput(long now, boolean hasSent) {
    if (board.size() == 0) {
      armIdle(now);
    } else if (alarm == Alarm.NONE
        || alarm == Alarm.PERSIST
        || (alarm == Alarm.TAIL_PROBE && hasSent)) {
      boolean mayProbe = isSackOn && mode == Mode.OPEN && probeEnd == 0 && board.sackedCount() == 0;
      if (mayProbe) {
        setAlarm(Alarm.TAIL_PROBE, now + probeTimeoutNs());
      } else {
        setAlarm(Alarm.TIMEOUT, now + rtt.rtoNs());
      }
    }
  }

  private void armIdle(long now) {
    if (unsent() == 0) {
      alarm = Alarm.NONE;
      timer.disarm();
    } else if (alarm != Alarm.PERSIST) {
      if ((isCorked || isMoreToCome) && una + window - nxt >= unsent()) {
        setAlarm(Alarm.PERSIST, now + CORK_NS);
      } else {
        setAlarm(Alarm.PERSIST, now + rtt.rtoNs());
      }
    }
  }

  private long probeTimeoutNs() {
    long rto = rtt.rtoNs();
    if (rtt.srttNs() == 0) {
      return rto;
    }
    long t = 2 * rtt.srttNs() + (board.size() == 1 ? WORST_DELAYED_ACK_NS : 2_000_000L);
    return Math.min(t, rto);
  }

  private void timeout() {
    long now = stack.nowNs();
    stack.counters().tcpTimeouts++;
    if (connection.isGivingUp(stalledSinceNs, now)) {
      return;
    }
    if (mode != Mode.LOSS) {
      if (mode == Mode.OPEN) {
        rememberForUndo();
        threshold = control.shrink(cwnd, mss);
      }
      recoveryPoint = nxt;
    }
    mode = Mode.LOSS;
    probeEnd = 0;
    duplicateAcks = 0;
    if (board.is(0, Scoreboard.SACKED)) {
      board.forgetSacks();
    }
    board.markAllLost();
    cwnd = mss;
    rtt.backOff();
    output();
  }

  /** Section 7.3 of RFC 8985: at the end of a flight, provoke an acknowledgement. */
  private void probeTail() {
    long now = stack.nowNs();
    stack.counters().tcpTailProbes++;
    long waiting = unsent();
    int length = (int) Math.min(Math.min(waiting, mss), Math.max(una + window - nxt, 0));
    isProbeRetransmit = length == 0;
    if (isProbeRetransmit) {
      int last = board.size() - 1;
      long start = board.start(last);
      int dataLength = (int) (Math.min(board.end(last), end) - start);
      board.markRetransmitted(last, now);
      stack.counters().tcpRetransmitted++;
      transmit(start, dataLength, board.is(last, Scoreboard.FIN), now);
    } else {
      sendNext(length, isFinQueued && length == waiting, now);
      endBurst(false, now);
    }
    probeEnd = nxt;
    lastSentNs = now;
    setAlarm(Alarm.TIMEOUT, now + rtt.rtoNs());
  }

  /** Section 7.4: a probe that repaired a loss must not hide it from congestion control. */
  private void finishProbe(long ack, boolean isPlainDuplicate, boolean wasDuplicateReported) {
    if (probeEnd == 0 || ack < probeEnd) {
      return;
    }
    boolean hasRepaired =
        isProbeRetransmit && ack >= probeEnd && !wasDuplicateReported && !isPlainDuplicate;
    probeEnd = 0;
    if (hasRepaired && mode == Mode.OPEN) {
      threshold = control.shrink(cwnd, mss);
      cwnd = threshold;
    }
  }

  private void reorderTimeout() {
    long now = stack.nowNs();
    detectLoss(now);
    if (mode == Mode.RECOVERY) {
      reduceProportionally(0, true);
    }
    output();
  }

  /** The window is shut, or too small to be worth it: ask, or send what little fits. */
  private void persistTimeout() {
    long now = stack.nowNs();
    if (connection.isGivingUp(connection.lastHeardNs(), now)) {
      return;
    }
    int length = (int) Math.min(Math.min(unsent(), mss), una + window - nxt);
    if (length > 0) {
      sendNext(length, isFinQueued && length == unsent(), now);
      endBurst(false, now);
      lastSentNs = now;
    } else {
      connection.probe(now);
      rtt.backOff();
    }
    armAfterOutput(now, true);
  }

  void release() {
    alarm = Alarm.NONE;
    timer.disarm();
    store.discardAll(end);
  }
}
