package redoubt.net.transport.tcp;

import java.util.LinkedHashSet;
import java.util.List;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Errno;
import redoubt.net.buffer.Packet;
import redoubt.net.header.TcpHeader;
import redoubt.net.network.Ipv4;
import redoubt.net.stack.NetworkStack;
import redoubt.net.stack.Secret;
import redoubt.net.transport.Ports;

/** All of TCP's connections and listeners, and who gets which segment. */
public final class TcpTable {
  /** The window in a SYN, which is never scaled. */
  static final int FIRST_WINDOW = 65_535;

  /**
   * Linux's {@code tcp_mem}, roughly: past it buffers do not grow and nothing is kept for later.
   */
  static final long MEMORY_LIMIT_BYTES = 256L << 20;

  private static final int MAX_FLOWS = 262_144;
  private static final int MAX_TIME_WAIT = 16_384;
  private static final int BUCKETS = 64;

  private final NetworkStack stack;
  private final FlowTable flows;
  private final @Nullable TcpListener[] listeners = new TcpListener[BUCKETS];
  private final LinkedHashSet<TimeWait> timeWaits = new LinkedHashSet<>();
  private final Segment segment = new Segment();
  private final SegmentWriter writer;
  private final HandshakeTerms terms = new HandshakeTerms();
  private final SynCookie cookies;

  public TcpTable(NetworkStack stack) {
    this.stack = stack;
    this.flows = new FlowTable(stack.secret(), stack.addresses());
    this.writer = new SegmentWriter(stack);
    this.cookies = new SynCookie(stack.secret());
  }

  /** Takes a packet that begins with its TCP header. */
  public void receive(Packet p) {
    stack.counters().tcpSegmentsIn++;
    if (p.isLinkGroup || !segment.parse(p)) {
      stack.counters().malformed++;
    } else if (!Segment.isChecksumGood(stack, p)) {
      stack.counters().badChecksum++;
    } else {
      dispatch(segment);
    }
    p.free();
  }

  void dispatch(Segment s) {
    Flow f = flows.find(s.destination, s.destinationPort, s.source, s.sourcePort);
    if (f != null) {
      f.receive(s);
      return;
    }
    TcpListener l = findListener(s.destination, s.destinationPort, s.source, s.sourcePort);
    if (l != null) {
      l.receive(s);
    } else {
      sendResetFor(s);
    }
  }

  /** The most specific one; of several that share an address, the peer's hash chooses. */
  private @Nullable TcpListener findListener(int address, int port, int peer, int peerPort) {
    TcpListener best = null;
    int equals = 0;
    long hash = 0;
    for (TcpListener l = listeners[port % BUCKETS]; l != null; l = l.next) {
      if (l.port() != port || !l.takes(address)) {
        continue;
      }
      if (best == null || (best.address() == 0 && l.address() != 0)) {
        best = l;
        equals = 1;
      } else if (l.address() == best.address()) {
        hash = equals == 1 ? stack.secret().hash(peer, peerPort, port) : hash;
        equals++;
        best = Long.remainderUnsigned(hash, equals) == 0 ? l : best;
      }
    }
    return best;
  }

  /** An ICMP error about a segment from here. */
  public void error(
      int local, int localPort, int remote, int remotePort, int wireSeq, int errno, int mtu) {
    Flow f = flows.find(local, localPort, remote, remotePort);
    if (f != null) {
      f.error(wireSeq, errno, mtu);
    }
  }

  // ---- Opening.

  /** Listens. {@return the listener, or null when the port is taken} */
  public @Nullable TcpListener listen(int address, int port, int backlog) {
    stack.enter();
    try {
      int chosen = port;
      if (port == 0) {
        chosen = Ports.pick(stack.secret(), candidate -> !isListening(address, candidate));
      }
      if (chosen == 0 || isListening(address, chosen)) {
        return null;
      }
      return addListener(address, chosen, backlog);
    } finally {
      stack.exit();
    }
  }

  /**
   * As {@link #listen}, for a caller who has its own book of who may have which port: others may
   * listen there, too, and share what comes (SO_REUSEPORT).
   */
  public TcpListener listenReserved(
      int address, int port, int backlog, boolean takesV4, boolean takesV6) {
    stack.enter();
    try {
      TcpListener l = addListener(address, port, backlog);
      l.setFamilies(takesV4, takesV6);
      return l;
    } finally {
      stack.exit();
    }
  }

  private TcpListener addListener(int address, int port, int backlog) {
    TcpListener l = new TcpListener(stack, address, port, backlog);
    l.next = listeners[port % BUCKETS];
    listeners[port % BUCKETS] = l;
    return l;
  }

  private boolean isListening(int address, int port) {
    for (TcpListener l = listeners[port % BUCKETS]; l != null; l = l.next) {
      if (l.port() == port && (l.address() == address || l.address() == 0 || address == 0)) {
        return true;
      }
    }
    return false;
  }

  /** What {@link #connect} gives: a connection that is opening, or why there is none. */
  public record Opened(@Nullable TcpConnection connection, int errno) {}

  /** Begins to connect, from {@code local} and {@code localPort} where they are not 0. */
  public Opened connect(int local, int localPort, int remote, int remotePort) {
    stack.enter();
    try {
      int source = local != 0 ? local : stack.ipv4().sourceFor(remote);
      if (source == 0) {
        return new Opened(null, Errno.ENETUNREACH);
      }
      int port = localPort;
      if (port == 0) {
        port = Ports.pick(stack.secret(), p -> isFree(source, p, remote, remotePort));
      }
      if (port == 0 || isFull()) {
        return new Opened(null, Errno.EADDRNOTAVAIL);
      }
      if (flows.find(source, port, remote, remotePort) != null) {
        return new Opened(null, Errno.EADDRINUSE);
      }
      int initial = initialSequence(source, port, remote, remotePort);
      TcpConnection c = new TcpConnection(stack, source, port, remote, remotePort, initial);
      flows.add(c);
      stack.counters().tcpActiveOpens++;
      c.connect();
      return new Opened(c, 0);
    } finally {
      stack.exit();
    }
  }

  private boolean isFree(int local, int port, int remote, int remotePort) {
    return flows.find(local, port, remote, remotePort) == null
        && findListener(local, port, remote, remotePort) == null;
  }

  boolean isFull() {
    return flows.size() >= MAX_FLOWS;
  }

  /** RFC 6528: a clock of 4 microseconds a tick, and a secret distance for each four-tuple. */
  int initialSequence(int local, int localPort, int remote, int remotePort) {
    Secret secret = stack.secret();
    long addresses = (long) local << 32 | (remote & 0xffff_ffffL);
    long ports = (long) localPort << 16 | remotePort;
    return (int) (secret.hash(addresses, ports, 0x69736e) + stack.nowNs() / 4000);
  }

  /** RFC 7323, section 5.4: where a peer sees the timestamp clock begin says nothing of uptime. */
  int timestampOffset(int local, int remote) {
    long addresses = (long) local << 32 | (remote & 0xffff_ffffL);
    return (int) stack.secret().hash(addresses, 0, 0x7473);
  }

  int mssFor(int remote) {
    int headers = Ipv4.headerBytes(remote) + TcpHeader.MIN_LENGTH;
    return Math.clamp(stack.ipv4().mtu(remote) - headers, 88, 65_495);
  }

  // ---- Closing.

  /** RFC 9293, section 3.10.7.1: a segment for nobody is answered so that its sender gives up. */
  void sendResetFor(Segment s) {
    if (s.isReset()) {
      return;
    }
    stack.counters().tcpResetsOut++;
    SegmentWriter w = writer.clear();
    if (s.isAck()) {
      w.seq = s.ack;
      w.flags = TcpHeader.RST;
    } else {
      w.seq = 0;
      w.ack = s.seq + s.sequenceLength();
      w.flags = TcpHeader.RST | TcpHeader.ACK;
    }
    w.sendBack(s);
  }

  void addTimeWait(
      Flow of,
      int sendNext,
      int receiveNext,
      boolean hasTimestamps,
      int timestampOffset,
      int recentTimestamp) {
    if (timeWaits.size() >= MAX_TIME_WAIT) {
      endTimeWait(timeWaits.getFirst());
    }
    TimeWait t =
        new TimeWait(
            stack, of, sendNext, receiveNext, hasTimestamps, timestampOffset, recentTimestamp);
    timeWaits.add(t);
    flows.add(t);
  }

  void endTimeWait(TimeWait t) {
    t.end();
    flows.remove(t);
    timeWaits.remove(t);
  }

  void add(Flow f) {
    flows.add(f);
  }

  void remove(Flow f) {
    flows.remove(f);
  }

  void remove(TcpListener l) {
    int bucket = l.port() % BUCKETS;
    TcpListener before = null;
    for (TcpListener i = listeners[bucket]; i != null; before = i, i = i.next) {
      if (i == l) {
        if (before == null) {
          listeners[bucket] = l.next;
        } else {
          before.next = l.next;
        }
        return;
      }
    }
  }

  SegmentWriter writer() {
    return writer;
  }

  HandshakeTerms terms() {
    return terms;
  }

  SynCookie cookies() {
    return cookies;
  }

  /** {@return whether closed connections still have data under way to their peers} */
  public boolean isSending() {
    stack.enter();
    try {
      return flows.isSending();
    } finally {
      stack.exit();
    }
  }

  /** {@return what there is between this host and others: at most {@code most} connections} */
  public List<TcpConnection> connections(int most) {
    stack.enter();
    try {
      return flows.connections(most);
    } finally {
      stack.exit();
    }
  }

  /** {@return how many connections there are in any state} */
  public int size() {
    return flows.size();
  }
}
