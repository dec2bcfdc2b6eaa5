package redoubt.net.transport.tcp;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Errno;
import redoubt.abi.Poll;
import redoubt.net.buffer.StreamStore;
import redoubt.net.header.TcpHeader;
import redoubt.net.network.Ipv4;
import redoubt.net.stack.NetworkStack;
import redoubt.net.stack.Readiness;
import redoubt.net.stack.Timer;
import redoubt.net.stack.Timers;

/**
 * One TCP connection: the state machine of RFC 9293 over a {@link Sender} and a {@link Receiver},
 * hardened as RFC 5961 says. No call blocks: {@code -EAGAIN} says to wait for {@link #readiness}.
 */
public final class TcpConnection extends Flow {
  private static final long DELAYED_ACK_NS = 40_000_000L;
  private static final int QUICK_ACKS = 16;
  private static final int SYN_RETRIES = 6;
  private static final long CHALLENGE_INTERVAL_NS = 500_000_000L;

  /** Linux's {@code tcp_fin_timeout}: how long an orphan waits for the peer's FIN. */
  private static final long FIN_TIMEOUT_NS = 60_000_000_000L;

  /** What fifteen doublings of the least timeout come to (Linux's {@code tcp_retries2}). */
  private static final long DEFAULT_USER_TIMEOUT_NS = 924_600_000_000L;

  /** RFC 7323, section 5.5: after so long a silence the timestamps may have come round. */
  private static final long PAWS_IDLE_NS = 24L * 24 * 3600 * 1_000_000_000L;

  private static final int MIN_MSS = 88;
  private static final int READABLE = Poll.POLLIN | Poll.POLLRDNORM;
  private static final int WRITABLE = Poll.POLLOUT | Poll.POLLWRNORM;
  private static final int EVERYTHING =
      READABLE | WRITABLE | Poll.POLLRDHUP | Poll.POLLHUP | Poll.POLLERR;

  private final NetworkStack stack;
  private final TcpTable table;
  private final Readiness readiness;
  private final Sender sender;
  private final Receiver receiver;
  private final ConnectionTimer handshakeTimer;
  private final ConnectionTimer ackTimer;
  private final ConnectionTimer lifeTimer;
  private final KeepAlive keepAlive;
  private final int initial;
  private int peerInitial;
  private volatile TcpState state;
  private volatile int error;
  private int softError;

  // What the handshake agreed on.
  private int sendScale;
  private int receiveScale;
  private boolean hasTimestamps;
  private boolean isSackOn;
  private int peerMss = 536;
  private final int timestampOffset;
  private int recentTimestamp;

  // Acknowledging.
  private long lastAckSent = 1;
  private int quickAcks = QUICK_ACKS;
  private int unacknowledgedBytes;
  private int receiveMss = 536;
  private boolean isAckPending;
  private long lastChallengeNs;
  private long lastHeardNs;

  /** When data came last; long ago at first. */
  private long lastDataNs = Long.MIN_VALUE / 2;

  private int synTries;
  private long synSentNs;
  private long userTimeoutNs;
  private boolean isOrphan;
  private volatile boolean isReadShut;
  private volatile boolean isWriteShut;

  /** For an active open; {@link #connect} begins it. */
  TcpConnection(
      NetworkStack stack, int local, int localPort, int remote, int remotePort, int initial) {
    super(local, localPort, remote, remotePort);
    this.stack = stack;
    this.table = stack.tcp();
    this.initial = initial;
    this.readiness = new Readiness(stack);
    this.sender = new Sender(stack, this);
    this.receiver = new Receiver(stack);
    this.state = TcpState.SYN_SENT;
    this.timestampOffset = table.timestampOffset(local, remote);
    Timers timers = stack.timers();
    this.handshakeTimer = new ConnectionTimer(timers, this::handshakeTimeout);
    this.ackTimer = new ConnectionTimer(timers, this::ackTimeout);
    this.lifeTimer = new ConnectionTimer(timers, this::lifeTimeout);
    this.keepAlive = new KeepAlive(stack, this);
  }

  private static final class ConnectionTimer extends Timer {
    private final Runnable action;

    ConnectionTimer(Timers timers, Runnable action) {
      super(timers);
      this.action = action;
    }

    @Override
    protected void expire() {
      action.run();
    }
  }

  // ---- Opening.

  void connect() {
    sendSyn();
  }

  /** A listener's handshake is complete: {@code terms} are those of the peer's SYN. */
  void establish(HandshakeTerms terms, long rttNs) {
    takeTerms(terms);
    receiver.offerFirst(TcpTable.FIRST_WINDOW);
    becomeEstablished((long) terms.window << sendScale, rttNs);
  }

  private void takeTerms(HandshakeTerms t) {
    peerInitial = t.initial;
    peerMss = Math.max(t.mss, MIN_MSS);
    boolean isScaled = t.windowScale >= 0;
    sendScale = isScaled ? t.windowScale : 0;
    receiveScale = isScaled ? Receiver.WINDOW_SCALE : 0;
    hasTimestamps = t.hasTimestamps;
    recentTimestamp = t.timestamp;
    isSackOn = t.isSackPermitted;
  }

  private void becomeEstablished(long window, long rttNs) {
    state = TcpState.ESTABLISHED;
    handshakeTimer.disarm();
    lastHeardNs = stack.nowNs();
    sender.start(sendMss(), stack.ipv4().canSegment(remote), window, isSackOn, rttNs);
    keepAlive.arm();
    readiness.ring(WRITABLE);
  }

  /** What a segment may carry besides the options that each has. */
  private int sendMss() {
    int headers = Ipv4.headerBytes(remote) + TcpHeader.MIN_LENGTH;
    int most = Math.min(peerMss, stack.ipv4().mtu(remote) - headers);
    return Math.max(most - (hasTimestamps ? 12 : 0), MIN_MSS - 40);
  }

  private void sendSyn() {
    long now = stack.nowNs();
    synSentNs = now;
    boolean isAnswer = state == TcpState.SYN_RECEIVED;
    SegmentWriter w = table.writer().clear();
    w.seq = initial;
    w.flags = TcpHeader.SYN | (isAnswer ? TcpHeader.ACK : 0);
    w.ack = isAnswer ? Sequence.toWire(peerInitial, 1) : 0;
    w.window = TcpTable.FIRST_WINDOW;
    w.mss = table.mssFor(remote);
    w.windowScale = isAnswer && receiveScale == 0 ? -1 : Receiver.WINDOW_SCALE;
    w.isSackPermitted = !isAnswer || isSackOn;
    w.hasTimestamps = !isAnswer || hasTimestamps;
    w.timestamp = timestamp(now);
    w.timestampEcho = isAnswer ? recentTimestamp : 0;
    w.send(this, null, 0, 0);
    handshakeTimer.arm(now + (RttEstimator.INITIAL_RTO_NS << synTries));
  }

  private void handshakeTimeout() {
    boolean isTooLong = userTimeoutNs != 0 && stack.nowNs() - synSentNs > userTimeoutNs;
    if (synTries++ >= SYN_RETRIES || isTooLong) {
      close(softError != 0 ? softError : Errno.ETIMEDOUT);
    } else {
      sendSyn();
    }
  }

  // ---- Segments that come in.

  @Override
  void receive(Segment s) {
    switch (state) {
      case SYN_SENT -> receiveInSynSent(s);
      case CLOSED, TIME_WAIT -> {}
      default -> receiveSynchronized(s);
    }
  }

  private void receiveInSynSent(Segment s) {
    boolean isOurs = s.isAck() && s.ack == initial + 1;
    if (s.isAck() && !isOurs) {
      table.sendResetFor(s);
      return;
    }
    if (s.isReset()) {
      if (isOurs) {
        close(Errno.ECONNREFUSED);
      }
      return;
    }
    if (!s.isSyn()) {
      return;
    }
    takeTerms(table.terms().from(s));
    receiver.offerFirst(TcpTable.FIRST_WINDOW);
    if (isOurs) {
      long rttNs = synTries == 0 ? stack.nowNs() - synSentNs : 0;
      becomeEstablished(s.window, rttNs);
      sendAck();
    } else {
      // Both sides opened at once (RFC 9293, figure 7).
      state = TcpState.SYN_RECEIVED;
      sendSyn();
    }
  }

  private void receiveSynchronized(Segment s) {
    long seq = Sequence.fromWire(peerInitial, s.seq, receiver.nxt);
    if (!isTimely(s, seq) || !isInWindow(s, seq)) {
      return;
    }
    lastHeardNs = stack.nowNs();
    if (s.isReset()) {
      takeReset(seq);
      return;
    }
    if (s.isSyn()) {
      if (state == TcpState.SYN_RECEIVED && seq == 0) {
        acceptAnswerToSyn(s);
      } else {
        challenge();
      }
      return;
    }
    if (!s.isAck() || !takeAck(s, seq)) {
      return;
    }
    if (state != TcpState.CLOSED && state != TcpState.TIME_WAIT) {
      takeData(s, seq);
    }
  }

  /** PAWS (RFC 7323, section 5): a segment from a former turn of the numbers is dropped. */
  private boolean isTimely(Segment s, long seq) {
    if (!hasTimestamps || !s.hasTimestamps) {
      return true;
    }
    boolean isOlder = s.timestamp - recentTimestamp < 0;
    if (isOlder && !s.isReset() && stack.nowNs() - lastHeardNs < PAWS_IDLE_NS) {
      stack.counters().tcpPawsDropped++;
      acknowledgeOutOfWindow(s);
      return false;
    }
    if (seq <= lastAckSent) {
      recentTimestamp = s.timestamp;
    }
    return true;
  }

  /** As Linux: from the last acknowledgement that was sent to the right edge. */
  private boolean isInWindow(Segment s, long seq) {
    boolean isIn =
        seq + s.sequenceLength() >= lastAckSent && seq <= receiver.nxt + receiver.window();
    if (!isIn && !s.isReset()) {
      if (s.payloadLength > 0) {
        receiver.accept(seq, s.data, s.payload, s.payloadLength, false);
      }
      acknowledgeOutOfWindow(s);
    }
    return isIn;
  }

  /** Data needs an answer each time; what has none is answered twice a second: no ACK storms. */
  private void acknowledgeOutOfWindow(Segment s) {
    if (s.payloadLength > 0 && !s.isSyn()) {
      sendAck();
    } else {
      challenge();
    }
  }

  private void challenge() {
    long now = stack.nowNs();
    if (lastChallengeNs == 0 || now - lastChallengeNs >= CHALLENGE_INTERVAL_NS) {
      lastChallengeNs = now;
      stack.counters().tcpChallengeAcks++;
      sendAck();
    }
  }

  /** RFC 5961, section 3.2: only the exact next number resets; a guess is challenged. */
  private void takeReset(long seq) {
    if (seq == receiver.nxt) {
      close(state == TcpState.CLOSE_WAIT ? Errno.EPIPE : Errno.ECONNRESET);
    } else {
      challenge();
    }
  }

  private void acceptAnswerToSyn(Segment s) {
    if (s.isAck() && s.ack == initial + 1) {
      becomeEstablished((long) s.window, 0);
    }
    sendAck();
  }

  /** {@return whether the segment's data may be looked at} */
  private boolean takeAck(Segment s, long seq) {
    long ack = localSequence(s.ack);
    if (state == TcpState.SYN_RECEIVED) {
      if (ack != 1) {
        table.sendResetFor(s);
        return false;
      }
      becomeEstablished((long) s.window << sendScale, 0);
    }
    if (ack > sender.nxt) {
      acknowledgeOutOfWindow(s);
      return false;
    }
    if (ack < sender.una - sender.maxWindow()) {
      // RFC 5961, section 5.2: too old to be honest.
      challenge();
      return false;
    }
    boolean wasWritable = sender.isWritable();
    if (ack >= sender.una) {
      if (ack > sender.una) {
        softError = 0;
        stack.ipv4().confirmReachable(remote);
      }
      boolean mayBeDuplicate = s.payloadLength == 0 && !s.isFin();
      sender.acknowledge(s, ack, seq, (long) s.window << sendScale, mayBeDuplicate);
    }
    if (!wasWritable && sender.isWritable()) {
      readiness.ring(WRITABLE);
    }
    finishSending();
    return true;
  }

  private void finishSending() {
    if (!sender.isFinAcknowledged()) {
      return;
    }
    switch (state) {
      case FIN_WAIT_1 -> {
        state = TcpState.FIN_WAIT_2;
        if (isOrphan) {
          lifeTimer.arm(stack.nowNs() + FIN_TIMEOUT_NS);
        }
      }
      case CLOSING -> becomeTimeWait();
      case LAST_ACK -> close(0);
      default -> {}
    }
  }

  private void takeData(Segment s, long seq) {
    if (s.payloadLength == 0 && !s.isFin()) {
      return;
    }
    if (!state.mayReceive()) {
      if (s.payloadLength > 0 || seq + s.payloadLength < receiver.nxt) {
        sendAck();
      }
      return;
    }
    if (isOrphan && s.payloadLength > 0 && seq + s.payloadLength > receiver.nxt) {
      // Nobody will ever read it: say so.
      table.sendResetFor(s);
      close(Errno.ECONNRESET);
      return;
    }
    if (hasTimestamps && s.hasTimestamps && s.timestampEcho != 0) {
      long ms = timestamp(stack.nowNs()) - s.timestampEcho;
      receiver.sampleRtt(Math.clamp(ms, 1, 60_000) * 1_000_000L);
    }
    lastDataNs = stack.nowNs();
    int before = receiver.available();
    boolean mayWait = receiver.accept(seq, s.data, s.payload, s.payloadLength, s.isFin());
    receiveMss = Math.max(receiveMss, s.payloadLength);
    if (isReadShut) {
      receiver.discard();
    }
    if (receiver.available() > before) {
      readiness.ring(READABLE);
    }
    if (receiver.isFinReached()) {
      takeFin();
    }
    if (state != TcpState.TIME_WAIT) {
      acknowledgeData(s.payloadLength, mayWait);
    }
  }

  private void takeFin() {
    readiness.ring(READABLE | Poll.POLLRDHUP | (isWriteShut ? Poll.POLLHUP : 0));
    switch (state) {
      case ESTABLISHED -> state = TcpState.CLOSE_WAIT;
      case FIN_WAIT_1 -> state = TcpState.CLOSING;
      case FIN_WAIT_2 -> {
        sendAck();
        becomeTimeWait();
      }
      default -> {}
    }
  }

  // ---- Acknowledging.

  private void acknowledgeData(int bytes, boolean mayWait) {
    unacknowledgedBytes += bytes;
    if (!mayWait || quickAcks > 0 || unacknowledgedBytes >= 2 * receiveMss) {
      sendAck();
    } else if (!isAckPending) {
      isAckPending = true;
      ackTimer.arm(stack.nowNs() + DELAYED_ACK_NS);
    }
  }

  private void ackTimeout() {
    if (isAckPending) {
      sendAck();
    }
  }

  private void sendAck() {
    transmit(sender.nxt, TcpHeader.ACK, null, 0, stack.nowNs());
  }

  /** A segment that the peer must answer, for it is before its window. */
  void probe(long now) {
    transmit(sender.una - 1, TcpHeader.ACK, null, 0, now);
  }

  /** Sends a segment of this connection with all that each of its segments says. */
  void transmit(long seq, int flags, @Nullable StreamStore store, int length, long now) {
    SegmentWriter w = table.writer().clear();
    w.seq = Sequence.toWire(initial, seq);
    w.ack = Sequence.toWire(peerInitial, receiver.nxt);
    w.flags = flags;
    w.window = receiver.offerWindow(receiveMss, receiveScale);
    w.hasTimestamps = hasTimestamps;
    w.timestamp = timestamp(now);
    w.timestampEcho = recentTimestamp;
    w.segmentBytes = sender.mss();
    if (isSackOn) {
      int room = (sender.mss() - length - 4) / 8;
      int most = hasTimestamps ? 3 : Segment.MAX_SACKS;
      receiver.writeSacks(w, peerInitial, Math.min(room, most));
    }
    lastAckSent = receiver.nxt;
    unacknowledgedBytes = 0;
    isAckPending = false;
    boolean isAnswer = length > 0 && now - lastDataNs < DELAYED_ACK_NS;
    // Question and answer: from now on the answers acknowledge the questions (tcp_output.c).
    quickAcks = isAnswer ? 0 : Math.max(quickAcks - 1, 0);
    int sent = w.send(this, store, seq, length);
    if (sent == -Errno.EMSGSIZE) {
      sender.setMss(sendMss());
    }
  }

  int timestamp(long nowNs) {
    return (int) (nowNs / 1_000_000) + timestampOffset;
  }

  long localSequence(int wire) {
    return Sequence.fromWire(initial, wire, sender.una);
  }

  // ---- Errors and ends.

  @Override
  void error(int wireSeq, int errno, int mtu) {
    long seq = localSequence(wireSeq);
    boolean isInFlight =
        state == TcpState.SYN_SENT ? wireSeq == initial : seq >= sender.una && seq < sender.nxt;
    if (!isInFlight) {
      // Not about anything that is out there: forged, or late.
      return;
    }
    if (mtu != 0) {
      stack.ipv4().pathMtu().lower(remote, mtu);
      if (state.isSynchronized()) {
        sender.setMss(sendMss());
      }
    } else if (state == TcpState.SYN_SENT || state == TcpState.SYN_RECEIVED) {
      close(errno);
    } else {
      softError = errno;
    }
  }

  /** Ends the connection if nothing was heard for the user timeout. {@return whether it did} */
  boolean isGivingUp(long sinceNs, long now) {
    long most = userTimeoutNs != 0 ? userTimeoutNs : DEFAULT_USER_TIMEOUT_NS;
    if (isOrphan) {
      most = Math.min(most, FIN_TIMEOUT_NS);
    }
    if (now - sinceNs < most) {
      return false;
    }
    close(softError != 0 ? softError : Errno.ETIMEDOUT);
    return true;
  }

  private void lifeTimeout() {
    close(0);
  }

  private void becomeTimeWait() {
    state = TcpState.TIME_WAIT;
    leaveTable();
    table.addTimeWait(
        this,
        Sequence.toWire(initial, sender.nxt),
        Sequence.toWire(peerInitial, receiver.nxt),
        hasTimestamps,
        timestampOffset,
        recentTimestamp);
    readiness.ring(EVERYTHING);
  }

  private void close(int errno) {
    error = errno;
    state = TcpState.CLOSED;
    leaveTable();
    readiness.ring(EVERYTHING);
  }

  private void leaveTable() {
    table.remove(this);
    handshakeTimer.disarm();
    ackTimer.disarm();
    lifeTimer.disarm();
    keepAlive.disarm();
    sender.release();
    if (isOrphan) {
      receiver.release();
    }
  }

  /** Tells the peer that this is over, at once. */
  void reset() {
    if (state != TcpState.CLOSED && state != TcpState.TIME_WAIT) {
      if (state != TcpState.SYN_SENT) {
        stack.counters().tcpResetsOut++;
        transmit(sender.nxt, TcpHeader.RST | TcpHeader.ACK, null, 0, stack.nowNs());
      }
      close(Errno.ECONNRESET);
    }
  }

  // ---- What the application does.

  /** {@return the bell that rings when one can read, write, or see the end} */
  public Readiness readiness() {
    return readiness;
  }

  /** Takes bytes to send. {@return how many, or -errno; {@code -EAGAIN} without room} */
  public int write(byte[] from, int at, int length) {
    stack.enter();
    try {
      int ready = writeReady();
      if (ready < 0) {
        return ready;
      }
      int n = sender.write(from, at, length);
      if (n == 0 && length > 0) {
        return -Errno.EAGAIN;
      }
      sender.output();
      return n;
    } finally {
      stack.exit();
    }
  }

  /**
   * As the other, from native memory; what a hostile writer changes there meanwhile is data.
   *
   * @param more whether the caller will write more soon, so that a short segment may wait
   *     (MSG_MORE)
   */
  public int write(MemorySegment from, long at, int length, boolean more) {
    stack.enter();
    try {
      int ready = writeReady();
      if (ready < 0) {
        return ready;
      }
      int n = sender.write(from, at, length);
      if (n == 0 && length > 0) {
        return -Errno.EAGAIN;
      }
      sender.isMoreToCome = more;
      sender.output();
      return n;
    } finally {
      stack.exit();
    }
  }

  private int writeReady() {
    if (error != 0) {
      return -takeErrorLocked();
    }
    if (isOpening()) {
      return -Errno.EAGAIN;
    }
    return isWriteShut || !state.maySend() ? -Errno.EPIPE : 0;
  }

  /**
   * {@return how many bytes {@link #write} would take now, or why none: -errno} Clears the error
   * that it returns.
   */
  public int room() {
    stack.enter();
    try {
      int ready = writeReady();
      int room = ready < 0 ? 0 : sender.free();
      return ready < 0 ? ready : room > 0 ? room : -Errno.EAGAIN;
    } finally {
      stack.exit();
    }
  }

  /** Gives bytes that came. {@return how many, 0 at the end, or -errno} */
  public int read(byte[] to, int at, int max, boolean isPeek) {
    stack.enter();
    try {
      if (receiver.available() == 0) {
        return nothingToRead();
      }
      int n = receiver.read(to, at, max);
      if (!isPeek) {
        consumeLocked(n);
      }
      return n;
    } finally {
      stack.exit();
    }
  }

  /**
   * Copies what came, from {@code skip} bytes on, and keeps it: {@link #consume} follows.
   *
   * @return how many bytes, 0 at the end, or -errno
   */
  public int peek(MemorySegment to, long at, int max, int skip) {
    stack.enter();
    try {
      if (receiver.available() <= skip) {
        return skip > 0 ? 0 : nothingToRead();
      }
      return receiver.peek(to, at, max, skip);
    } finally {
      stack.exit();
    }
  }

  /** Forgets the next {@code n} bytes, which must have come. */
  public void consume(int n) {
    stack.enter();
    try {
      consumeLocked(Math.min(n, receiver.available()));
    } finally {
      stack.exit();
    }
  }

  private void consumeLocked(int n) {
    receiver.consume(n);
    if (state.mayReceive() && receiver.isUpdateDue(receiveMss)) {
      sendAck();
    }
  }

  private int nothingToRead() {
    if (error != 0) {
      return -takeErrorLocked();
    }
    return isOpening() || (state.mayReceive() && !isReadShut) ? -Errno.EAGAIN : 0;
  }

  /** Ends this side's stream, after what was written. {@return 0 or {@code -ENOTCONN}} */
  public int shutdownWrite() {
    stack.enter();
    try {
      if (!state.isSynchronized()) {
        return -Errno.ENOTCONN;
      }
      endStream();
      return 0;
    } finally {
      stack.exit();
    }
  }

  /** What comes from now on is thrown away. */
  public void shutdownRead() {
    stack.enter();
    try {
      isReadShut = true;
      receiver.discard();
      readiness.ring(READABLE | Poll.POLLRDHUP);
    } finally {
      stack.exit();
    }
  }

  private void endStream() {
    if (!isWriteShut && state.maySend()) {
      isWriteShut = true;
      state = state == TcpState.ESTABLISHED ? TcpState.FIN_WAIT_1 : TcpState.LAST_ACK;
      sender.queueFin();
      sender.output();
    }
    isWriteShut = true;
  }

  /**
   * Lets go of the connection. What was written still goes out; what was received and not read is
   * lost, and the peer told so by a reset, as Linux does.
   */
  public void close() {
    stack.enter();
    try {
      isOrphan = true;
      readiness.listen(null);
      if (!state.isSynchronized()) {
        reset();
        receiver.release();
      } else if (receiver.available() > 0) {
        receiver.release();
        reset();
      } else {
        endStream();
        if (state == TcpState.FIN_WAIT_2) {
          lifeTimer.arm(stack.nowNs() + FIN_TIMEOUT_NS);
        }
      }
    } finally {
      stack.exit();
    }
  }

  /** As {@link #close} with SO_LINGER of no time: the peer gets a reset. */
  public void abort() {
    stack.enter();
    try {
      isOrphan = true;
      readiness.listen(null);
      reset();
      receiver.release();
    } finally {
      stack.exit();
    }
  }

  private int takeErrorLocked() {
    int e = error;
    error = 0;
    return e;
  }

  /** {@return the pending error as SO_ERROR gives it, which this clears} */
  public int takeError() {
    stack.enter();
    try {
      return takeErrorLocked();
    } finally {
      stack.exit();
    }
  }

  /** {@return whether {@link #read} would give something other than {@code -EAGAIN}} */
  public boolean isReadable() {
    stack.enter();
    try {
      return receiver.available() > 0
          || error != 0
          || isReadShut
          || !(state.mayReceive() || isOpening());
    } finally {
      stack.exit();
    }
  }

  /** {@return whether {@link #write} would give something other than {@code -EAGAIN}} */
  public boolean isWritable() {
    stack.enter();
    try {
      return error != 0 || (!isOpening() && (!state.maySend() || sender.isWritable()));
    } finally {
      stack.exit();
    }
  }

  /**
   * {@return the POLL* bits of poll(2) as Linux's tcp_poll gives them} Takes no lock: what changes
   * meanwhile rings the bell.
   */
  public int poll() {
    readiness.observe();
    TcpState s = state;
    int mask = error != 0 ? Poll.POLLERR : 0;
    boolean isOpening = s == TcpState.SYN_SENT || s == TcpState.SYN_RECEIVED;
    boolean isEnded = s == TcpState.CLOSED || s == TcpState.TIME_WAIT;
    boolean in = isReadShut || isEnded || !(isOpening || s.mayReceive());
    boolean out = isWriteShut || isEnded;
    if (isEnded || (in && out)) {
      mask |= Poll.POLLHUP;
    }
    if (in) {
      mask |= READABLE | Poll.POLLRDHUP;
    }
    if (isOpening) {
      return mask;
    }
    if (receiver.available() > 0) {
      mask |= READABLE;
    }
    return out || sender.isWritable() ? mask | WRITABLE : mask;
  }

  private boolean isOpening() {
    return state == TcpState.SYN_SENT || state == TcpState.SYN_RECEIVED;
  }

  public TcpState state() {
    return state;
  }

  public int localAddress() {
    return local;
  }

  public int localPort() {
    return localPort;
  }

  public int remoteAddress() {
    return remote;
  }

  public int remotePort() {
    return remotePort;
  }

  /** {@return the bytes that can be read now} */
  public int available() {
    stack.enter();
    try {
      return receiver.available();
    } finally {
      stack.exit();
    }
  }

  /** TCP_NODELAY. */
  public void setNoDelay(boolean isNoDelay) {
    stack.enter();
    sender.isNoDelay = isNoDelay;
    flush();
  }

  /** TCP_CORK. */
  public void setCorked(boolean isCorked) {
    stack.enter();
    sender.isCorked = isCorked;
    flush();
  }

  /** What an option held back goes out; ends the entry that the caller began. */
  private void flush() {
    try {
      if (state.isSynchronized() && state != TcpState.TIME_WAIT) {
        sender.output();
      }
    } finally {
      stack.exit();
    }
  }

  /** TCP_USER_TIMEOUT; 0 is the default. */
  public void setUserTimeoutNs(long ns) {
    stack.enter();
    userTimeoutNs = ns;
    stack.exit();
  }

  /** SO_KEEPALIVE with its three times. */
  public void setKeepAlive(boolean isOn, long idleNs, long intervalNs, int count) {
    stack.enter();
    try {
      keepAlive.set(isOn, idleNs, intervalNs, count);
    } finally {
      stack.exit();
    }
  }

  /** SO_RCVBUF: fixes the window's limit. */
  public void setReceiveLimit(int bytes) {
    stack.enter();
    receiver.fixLimit(bytes);
    stack.exit();
  }

  /** SO_SNDBUF: fixes how much waits to be acknowledged. */
  public void setSendLimit(int bytes) {
    stack.enter();
    sender.fixLimit(bytes);
    stack.exit();
  }

  /** TCP_CONGESTION. {@return whether there is one of that name} */
  public boolean setCongestionControl(String name) {
    CongestionControl control =
        switch (name) {
          case "cubic" -> new Cubic();
          case "reno" -> new Reno();
          default -> null;
        };
    if (control == null) {
      return false;
    }
    stack.enter();
    sender.setControl(control);
    stack.exit();
    return true;
  }

  /** {@return bytes written that the peer has not acknowledged} (SIOCOUTQ) */
  public int unacknowledged() {
    stack.enter();
    try {
      return sender.waiting();
    } finally {
      stack.exit();
    }
  }

  /** Fills in what TCP_INFO tells. */
  public void describe(TcpInfo info) {
    stack.enter();
    try {
      info.state = state;
      info.sendScale = sendScale;
      info.receiveScale = receiveScale;
      info.hasTimestamps = hasTimestamps;
      info.isSackOn = isSackOn;
      info.receiveMss = receiveMss;
      info.pathMtu = stack.ipv4().mtu(remote);
      info.receiveRttNs = receiver.rttNs();
      info.bytesReceived = receiver.received();
      info.receiveLimit = receiver.limit();
      info.lastHeardNs = lastHeardNs;
      info.nowNs = stack.nowNs();
      sender.describe(info);
    } finally {
      stack.exit();
    }
  }

  @Override
  boolean isSending() {
    return isOrphan && sender.waiting() > 0;
  }

  long lastHeardNs() {
    return lastHeardNs;
  }

  boolean hasDataInFlight() {
    return sender.inFlight() > 0;
  }

  void keepAliveFailed() {
    close(softError != 0 ? softError : Errno.ETIMEDOUT);
  }

  /** {@return the smoothed round-trip time, for TCP_INFO} */
  public long srttNs() {
    return sender.rtt().srttNs();
  }

  /** {@return the congestion window in bytes, for TCP_INFO} */
  public long congestionWindow() {
    return sender.cwnd();
  }

  /** {@return the bytes of a full segment} */
  public int segmentBytes() {
    return sender.mss();
  }
}
