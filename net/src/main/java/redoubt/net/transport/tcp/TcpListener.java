package redoubt.net.transport.tcp;

import java.util.ArrayDeque;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Poll;
import redoubt.net.network.AddressTable;
import redoubt.net.stack.NetworkStack;
import redoubt.net.stack.Readiness;

/**
 * A listening socket: handshakes under way and connections to accept, both bounded by the backlog.
 * When there is no room for a handshake, cookies take its place.
 */
public final class TcpListener {
  private static final int MAX_BACKLOG = 4096;

  /** As long as a cookie is good: without one sent lately, none can come back. */
  private static final long COOKIE_NS = 120_000_000_000L;

  private final NetworkStack stack;
  private final Readiness readiness;
  private final int address;
  private final int port;
  private int backlog;
  private final Set<HalfOpen> halfOpen = new HashSet<>();
  private final ArrayDeque<TcpConnection> accepted = new ArrayDeque<>();
  private long cookieUntilNs = Long.MIN_VALUE;
  private volatile int waiting;
  private boolean isClosed;
  private boolean takesV4 = true;
  private boolean takesV6;

  /** In the table: the next with the same hash of the port. */
  @Nullable TcpListener next;

  TcpListener(NetworkStack stack, int address, int port, int backlog) {
    this.stack = stack;
    this.readiness = new Readiness(stack);
    this.address = address;
    this.port = port;
    this.backlog = limit(backlog);
  }

  private static int limit(int backlog) {
    return Math.clamp(backlog, 0, MAX_BACKLOG) + 1;
  }

  /** What a second listen(2) says. */
  public void setBacklog(int wanted) {
    stack.enter();
    backlog = limit(wanted);
    stack.exit();
  }

  /** {@return how many wait to be accepted} Takes no lock: what changes rings the bell. */
  public int waiting() {
    return waiting;
  }

  public Readiness readiness() {
    return readiness;
  }

  public int address() {
    return address;
  }

  public int port() {
    return port;
  }

  /** Which addresses a listener on all of them means; only IPv4's unless this is called. */
  void setFamilies(boolean isV4Taken, boolean isV6Taken) {
    takesV4 = isV4Taken;
    takesV6 = isV6Taken;
  }

  /** {@return whether what is sent to {@code local} is for this listener} */
  boolean takes(int local) {
    return address == local || (address == 0 && (AddressTable.isV6(local) ? takesV6 : takesV4));
  }

  /** {@return a connection whose handshake is complete, or null when there is none} */
  public @Nullable TcpConnection accept() {
    stack.enter();
    try {
      TcpConnection c = accepted.poll();
      waiting = accepted.size();
      return c;
    } finally {
      stack.exit();
    }
  }

  /** {@return whether {@link #accept} would give one} */
  public boolean isReadable() {
    stack.enter();
    try {
      return !accepted.isEmpty();
    } finally {
      stack.exit();
    }
  }

  /** Stops listening. Connections that nobody accepted are reset. */
  public void close() {
    stack.enter();
    try {
      if (isClosed) {
        return;
      }
      isClosed = true;
      stack.tcp().remove(this);
      for (HalfOpen h : List.copyOf(halfOpen)) {
        h.end();
      }
      for (TcpConnection c : accepted) {
        c.reset();
      }
      accepted.clear();
      waiting = 0;
    } finally {
      stack.exit();
    }
  }

  boolean isFull() {
    return accepted.size() >= backlog;
  }

  void remove(HalfOpen h) {
    halfOpen.remove(h);
  }

  /** Takes a segment that belongs to no flow yet. */
  void receive(Segment s) {
    if (s.isReset()) {
      return;
    }
    if (s.isAck()) {
      receiveCookie(s);
    } else if (s.isSyn()) {
      receiveSyn(s);
    }
  }

  private void receiveSyn(Segment s) {
    if (isFull()) {
      stack.counters().tcpListenOverflows++;
    } else if (halfOpen.size() >= backlog || stack.tcp().isFull()) {
      sendCookie(s);
    } else {
      int initial =
          stack.tcp().initialSequence(s.destination, s.destinationPort, s.source, s.sourcePort);
      HalfOpen h = new HalfOpen(stack, this, s, initial);
      halfOpen.add(h);
      stack.tcp().add(h);
      h.answer();
    }
  }

  private void sendCookie(Segment s) {
    stack.counters().tcpSynCookiesSent++;
    cookieUntilNs = stack.nowNs() + COOKIE_NS;
    TcpTable tcp = stack.tcp();
    HandshakeTerms terms = tcp.terms().from(s);
    if (!s.hasTimestamps) {
      // Nothing to carry them: the connection does without.
      terms.windowScale = -1;
      terms.isSackPermitted = false;
    }
    SegmentWriter w = tcp.writer().clear();
    int timestamp =
        (int) (stack.nowNs() / 1_000_000) + tcp.timestampOffset(s.destination, s.source);
    w.timestamp = SynCookie.putOptions(timestamp, terms);
    HalfOpen.writeAnswer(w, tcp, terms, tcp.cookies().make(s, stack.nowNs()), s.source);
    w.sendBack(s);
  }

  private void receiveCookie(Segment s) {
    TcpTable tcp = stack.tcp();
    boolean mayBeCookie = !s.isSyn() && stack.nowNs() < cookieUntilNs;
    int mss = mayBeCookie ? tcp.cookies().check(s, stack.nowNs()) : 0;
    if (mss == 0) {
      stack.counters().tcpSynCookiesBad++;
      tcp.sendResetFor(s);
      return;
    }
    if (isFull()) {
      stack.counters().tcpListenOverflows++;
      return;
    }
    stack.counters().tcpSynCookiesGood++;
    HandshakeTerms terms = tcp.terms().from(s);
    terms.initial = s.seq - 1;
    terms.mss = mss;
    terms.windowScale = -1;
    terms.isSackPermitted = false;
    if (s.hasTimestamps) {
      SynCookie.takeOptions(s.timestampEcho, terms);
    }
    Flow flow = new CookieFlow(s);
    establish(flow, terms, s.ack - 1, 0).receive(s);
  }

  /** Only names the ends, until the connection is made. */
  private static final class CookieFlow extends Flow {
    CookieFlow(Segment s) {
      super(s.destination, s.destinationPort, s.source, s.sourcePort);
    }

    @Override
    void receive(Segment s) {}

    @Override
    void error(int wireSeq, int errno, int mtu) {}
  }

  TcpConnection establish(Flow f, HandshakeTerms terms, int initial, long rttNs) {
    TcpConnection c =
        new TcpConnection(stack, f.local, f.localPort, f.remote, f.remotePort, initial);
    stack.tcp().add(c);
    c.establish(terms, rttNs);
    accepted.add(c);
    stack.counters().tcpPassiveOpens++;
    waiting = accepted.size();
    readiness.ring(Poll.POLLIN | Poll.POLLRDNORM);
    return c;
  }
}
