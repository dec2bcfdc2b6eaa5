package redoubt.net.transport.tcp;

import redoubt.net.header.TcpHeader;
import redoubt.net.stack.NetworkStack;
import redoubt.net.stack.Timer;

/** A connection that a peer asked for and has not confirmed: much smaller than a real one. */
final class HalfOpen extends Flow {
  /** Linux's {@code tcp_synack_retries}. */
  private static final int RETRIES = 5;

  private final NetworkStack stack;
  private final TcpListener listener;
  private final HandshakeTerms terms;
  private final int initial;
  private final int timestampOffset;
  private final Timer timer;
  private long sentNs;
  private int tries;

  HalfOpen(NetworkStack stack, TcpListener listener, Segment syn, int initial) {
    super(syn.destination, syn.destinationPort, syn.source, syn.sourcePort);
    this.stack = stack;
    this.listener = listener;
    this.terms = new HandshakeTerms().from(syn);
    this.initial = initial;
    this.timestampOffset = stack.tcp().timestampOffset(local, remote);
    this.timer =
        new Timer(stack.timers()) {
          @Override
          protected void expire() {
            timeout();
          }
        };
  }

  void answer() {
    long now = stack.nowNs();
    sentNs = now;
    SegmentWriter w = stack.tcp().writer().clear();
    w.timestamp = (int) (now / 1_000_000) + timestampOffset;
    writeAnswer(w, stack.tcp(), terms, initial, remote);
    w.send(this, null, 0, 0);
    timer.arm(now + (RttEstimator.INITIAL_RTO_NS << tries));
  }

  /** The SYN and ACK for {@code terms}; the caller has set the timestamp. */
  static void writeAnswer(
      SegmentWriter w, TcpTable table, HandshakeTerms terms, int initial, int remote) {
    w.seq = initial;
    w.ack = terms.initial + 1;
    w.flags = TcpHeader.SYN | TcpHeader.ACK;
    w.window = TcpTable.FIRST_WINDOW;
    w.mss = table.mssFor(remote);
    w.windowScale = terms.windowScale >= 0 ? Receiver.WINDOW_SCALE : -1;
    w.isSackPermitted = terms.isSackPermitted;
    w.hasTimestamps = terms.hasTimestamps;
    w.timestampEcho = terms.timestamp;
  }

  private void timeout() {
    if (tries++ >= RETRIES) {
      end();
    } else {
      answer();
    }
  }

  @Override
  void receive(Segment s) {
    if (s.isReset()) {
      if (s.seq == terms.initial + 1) {
        end();
      }
      return;
    }
    if (s.isSyn()) {
      if (s.seq == terms.initial) {
        answer();
      }
      return;
    }
    boolean isTimely =
        !terms.hasTimestamps || !s.hasTimestamps || s.timestamp - terms.timestamp >= 0;
    if (!s.isAck() || !isTimely) {
      return;
    }
    if (s.ack != initial + 1) {
      stack.tcp().sendResetFor(s);
      return;
    }
    if (listener.isFull()) {
      // The acknowledgement is forgotten; a later segment may find room.
      stack.counters().tcpListenOverflows++;
      return;
    }
    end();
    terms.window = s.window;
    long rttNs = tries == 0 ? stack.nowNs() - sentNs : 0;
    listener.establish(this, terms, initial, rttNs).receive(s);
  }

  /** Forgets it. */
  void end() {
    timer.disarm();
    listener.remove(this);
    stack.tcp().remove(this);
  }

  @Override
  void error(int wireSeq, int errno, int mtu) {
    // A listener hears nothing of it; the timer ends it if the peer stays silent.
  }
}
