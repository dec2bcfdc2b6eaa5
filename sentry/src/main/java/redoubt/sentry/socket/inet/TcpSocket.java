package redoubt.sentry.socket.inet;

import static redoubt.abi.Errno.EADDRINUSE;
import static redoubt.abi.Errno.EADDRNOTAVAIL;
import static redoubt.abi.Errno.EAGAIN;
import static redoubt.abi.Errno.EALREADY;
import static redoubt.abi.Errno.ECONNABORTED;
import static redoubt.abi.Errno.ECONNREFUSED;
import static redoubt.abi.Errno.ECONNRESET;
import static redoubt.abi.Errno.EINPROGRESS;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EISCONN;
import static redoubt.abi.Errno.ENETUNREACH;
import static redoubt.abi.Errno.ENOENT;
import static redoubt.abi.Errno.ENOPROTOOPT;
import static redoubt.abi.Errno.ENOTCONN;
import static redoubt.abi.Errno.EOPNOTSUPP;
import static redoubt.abi.Errno.EPIPE;
import static redoubt.abi.Poll.POLLERR;
import static redoubt.abi.Poll.POLLHUP;
import static redoubt.abi.Poll.POLLIN;
import static redoubt.abi.Poll.POLLOUT;
import static redoubt.abi.Poll.POLLRDHUP;
import static redoubt.abi.Poll.POLLRDNORM;
import static redoubt.abi.Poll.POLLWRNORM;
import static redoubt.abi.Socket.AF_UNSPEC;
import static redoubt.abi.Socket.MSG_ERRQUEUE;
import static redoubt.abi.Socket.MSG_FASTOPEN;
import static redoubt.abi.Socket.MSG_MORE;
import static redoubt.abi.Socket.MSG_OOB;
import static redoubt.abi.Socket.MSG_PEEK;
import static redoubt.abi.Socket.MSG_TRUNC;
import static redoubt.abi.Socket.SHUT_RD;
import static redoubt.abi.Socket.SHUT_WR;
import static redoubt.abi.Socket.SOCK_STREAM;
import static redoubt.abi.Socket.SOL_TCP;
import static redoubt.abi.Socket.SOMAXCONN;
import static redoubt.abi.Socket.SO_KEEPALIVE;
import static redoubt.abi.Socket.SO_RCVBUF;
import static redoubt.abi.Socket.SO_RCVBUFFORCE;
import static redoubt.abi.Socket.SO_SNDBUF;
import static redoubt.abi.Socket.SO_SNDBUFFORCE;

import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Ip;
import redoubt.abi.Tcp;
import redoubt.host.Memory;
import redoubt.net.stack.NetworkStack;
import redoubt.net.transport.tcp.TcpConnection;
import redoubt.net.transport.tcp.TcpListener;
import redoubt.sentry.kernel.IoBuffer;
import redoubt.sentry.kernel.Latin1;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.socket.PacketQueue;
import redoubt.sentry.socket.SocketAddress;
import redoubt.sentry.socket.SocketCall;

/**
 * TCP: <a href="https://man7.org/linux/man-pages/man7/tcp.7.html">tcp(7)</a>. Between two sockets
 * of the same sandbox without segments: a sender appends to its peer's receive queue under the
 * peer's monitor; FIN is a flag there, RST an error. To a peer outside through a {@link
 * WireConnection}.
 *
 * <p>What differs from Linux: no TIME_WAIT within the sandbox, urgent data are ordinary data.
 */
final class TcpSocket extends InetSocket {
  private static final int CLOSED = 0;
  private static final int SYN_SENT = 1;
  private static final int CONNECTED = 2;
  private static final int LISTENING = 3;

  private static final int BUFFER = 131072;
  private static final int EVERYTHING =
      POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM | POLLRDHUP | POLLHUP | POLLERR;
  private static final int MSS = 65483; // of the loopback's MTU of 65536
  private static final int UNSET = Integer.MIN_VALUE;

  /** How often a connect(2) to the outside looks for a port that no old connection holds. */
  private static final int PORT_TRIES = 64;

  // Written under this; read by polls and the peer without it.
  private volatile int state;
  private volatile @Nullable TcpSocket peer;
  private volatile boolean finReceived;
  private volatile boolean receiveShut;
  private volatile boolean sendShut;
  private volatile boolean dead;

  /** A connect(2) that returned EINPROGRESS has not been asked about yet. */
  private volatile boolean connecting;

  private final PacketQueue received = new PacketQueue(); // guarded by this
  private boolean roomWanted; // guarded by this: the peer found no room here
  private long bytesReceived; // guarded by this
  private volatile long bytesSent;

  /** The way to a peer outside of the sandbox; {@link #peer} is null then. */
  private volatile @Nullable WireConnection wire;

  /** Takes connections from outside, while this listens. */
  private volatile @Nullable TcpListener wireListener;

  private final ArrayDeque<TcpSocket> pending = new ArrayDeque<>(0); // guarded by this
  private final ArrayDeque<TcpSocket> synQueue = new ArrayDeque<>(0); // guarded by this
  private int backlog; // guarded by this

  private final int[] options = new int[64]; // guarded by itself
  private volatile String congestion = "cubic";
  private volatile boolean sendBufferFixed;
  private volatile boolean receiveBufferFixed;

  TcpSocket(Task t, InetFamily inet, int family, int flags) {
    super(t, inet, inet.tcpPorts, family, SOCK_STREAM, Ip.IPPROTO_TCP, flags);
    startWithBuffers(BUFFER, BUFFER);
    Arrays.fill(options, UNSET);
  }

  @Override
  boolean holdsPortAlone() {
    return state == LISTENING;
  }

  @Override
  boolean mayBind() {
    return state == CLOSED;
  }

  @Override
  int score(long high, long low, long fromHigh, long fromLow, int fromPort) {
    return state == LISTENING ? addressScore(high, low) : 0;
  }

  @Override
  public boolean isFedByLink() {
    return peer == null && super.isFedByLink();
  }

  // ---- connections ----

  @Override
  public long connect(Task t, SocketCall c, boolean first) {
    SocketAddress a = c.name;
    if (a.length < 2) {
      return -EINVAL;
    }
    if (a.family() == AF_UNSPEC) {
      disconnect();
      return 0;
    }
    switch (state) {
      case LISTENING -> {
        return -EISCONN;
      }
      case SYN_SENT -> {
        return settleWire() ? settledWire() : -EALREADY;
      }
      case CONNECTED -> {
        if (connecting) {
          connecting = false;
          return 0;
        }
        return -EISCONN;
      }
      default -> {}
    }
    if (connecting) {
      connecting = false;
      long e = takeError();
      return e != 0 ? e : -ECONNABORTED;
    }
    long r = InetAddresses.check(a, family());
    if (r < 0) {
      return r;
    }
    long high = InetAddresses.high(a);
    long low = destinationLow(high, InetAddresses.low(a));
    boolean v4 = InetAddresses.isV4(high, low);
    if (v4 && !takesV4()) {
      return -ENETUNREACH;
    }
    if (InetAddresses.isGroup(high, low)) {
      return -ENETUNREACH;
    }
    r = inet.route(high, low);
    boolean anyPort = localPort == 0;
    if (r == 0) {
      r = autobind();
    }
    if (r < 0) {
      return r;
    }
    int port = InetAddresses.port(a);
    return inet.isLocal(high, low)
        ? connectTo(t, high, low, port)
        : connectOut(high, low, port, anyPort);
  }

  // ---- connections to the outside ----

  /** Begins to connect to a peer outside of the sandbox. */
  private long connectOut(long high, long low, int port, boolean anyPort) {
    NetworkStack stack = inet.stack();
    if (stack == null) {
      return -ENETUNREACH;
    }
    boolean bound = !InetAddresses.isAny(localHigh, localLow);
    if (bound && InetAddresses.isLoopback(localHigh, localLow)) {
      return -EINVAL; // net/ipv4/route.c: no way out for such a source
    }
    WireConnection.Opened o = open(stack, bound, high, low, port);
    for (int i = 0; i < PORT_TRIES && anyPort && o.errno() == EADDRINUSE; i++) {
      // An old connection of that port still lingers: another port will do.
      unbind();
      long r = autobind();
      if (r < 0) {
        return r;
      }
      o = open(stack, bound, high, low, port);
    }
    WireConnection w = o.wire();
    if (w == null) {
      return o.errno() == EADDRINUSE ? -EADDRNOTAVAIL : -o.errno();
    }
    synchronized (this) {
      localHigh = InetFamily.high(stack, w.localAddress());
      localLow = InetFamily.low(stack, w.localAddress());
      remoteHigh = high;
      remoteLow = low;
      remotePort = port;
      receiveShut = false;
      sendShut = false;
      finReceived = false;
      wire = w;
      state = SYN_SENT;
      connecting = true;
    }
    applyOptions(w);
    w.attach(this);
    return -EINPROGRESS;
  }

  private WireConnection.Opened open(
      NetworkStack stack, boolean bound, long high, long low, int port) {
    stack.enter();
    try {
      int local = bound ? InetFamily.number(stack, localHigh, localLow) : 0;
      int remote = InetFamily.number(stack, high, low);
      return remote == 0
          ? new WireConnection.Opened(null, ENETUNREACH)
          : WireConnection.open(stack, local, localPort, remote, port);
    } finally {
      stack.exit();
    }
  }

  /** Looks whether a connection to the outside is made or refused; {@return whether it is} */
  private boolean settleWire() {
    WireConnection w = wire;
    if (state != SYN_SENT || w == null || w.isOpening()) {
      return false;
    }
    boolean refused;
    synchronized (this) {
      if (state != SYN_SENT) {
        return true;
      }
      refused = w.isClosed() && w.available() == 0;
      state = refused ? CLOSED : CONNECTED;
      if (refused) {
        wire = null;
        remotePort = 0;
        receiveShut = true;
        sendShut = true;
      }
    }
    if (refused) {
      w.close();
    }
    return true;
  }

  /** What the first call after {@link #settleWire} says of it. */
  private long settledWire() {
    connecting = false;
    if (state == CONNECTED) {
      return 0;
    }
    long e = takeError();
    return e != 0 ? e : -ECONNABORTED;
  }

  /** The network says that the connection has failed. */
  void fail(int errno) {
    setError(errno);
  }

  /** Tells a connection to the outside what options were set before. */
  private void applyOptions(WireConnection w) {
    synchronized (options) {
      for (int name = 0; name < options.length; name++) {
        if (options[name] != UNSET) {
          applyOption(w, name, options[name]);
        }
      }
      applyKeepAlive(w);
    }
    if (!congestion.equals("cubic")) {
      w.setCongestionControl(congestion);
    }
    if (sendBufferFixed) {
      w.setSendLimit(sendBuffer());
    }
    if (receiveBufferFixed) {
      w.setReceiveLimit(receiveBuffer());
    }
  }

  private static void applyOption(WireConnection w, int name, int value) {
    switch (name) {
      case Tcp.TCP_NODELAY -> w.setNoDelay(value != 0);
      case Tcp.TCP_CORK -> w.setCorked(value != 0);
      case Tcp.TCP_USER_TIMEOUT -> w.setUserTimeoutMs(value);
      default -> {}
    }
  }

  private void applyKeepAlive(WireConnection w) {
    w.setKeepAlive(
        isKept(SO_KEEPALIVE),
        optionOr(Tcp.TCP_KEEPIDLE),
        optionOr(Tcp.TCP_KEEPINTVL),
        optionOr(Tcp.TCP_KEEPCNT));
  }

  private int optionOr(int name) {
    synchronized (options) {
      return options[name] == UNSET ? defaultOption(name) : options[name];
    }
  }

  @Override
  protected void socketOptionSet(int name) {
    switch (name) {
      case SO_SNDBUF, SO_SNDBUFFORCE -> sendBufferFixed = true;
      case SO_RCVBUF, SO_RCVBUFFORCE -> receiveBufferFixed = true;
      case SO_KEEPALIVE -> {}
      default -> {
        return;
      }
    }
    WireConnection w = wire;
    if (w == null) {
      return;
    }
    switch (name) {
      case SO_SNDBUF, SO_SNDBUFFORCE -> w.setSendLimit(sendBuffer());
      case SO_RCVBUF, SO_RCVBUFFORCE -> w.setReceiveLimit(receiveBuffer());
      default -> applyKeepAlive(w);
    }
  }

  /** Under this: listens on the network, too, if the address is one of its. */
  private void listenOut() {
    NetworkStack stack = inet.stack();
    TcpListener l = wireListener;
    if (l != null) {
      l.setBacklog(backlog);
      return;
    }
    boolean any = InetAddresses.isAny(localHigh, localLow);
    if (stack == null || InetAddresses.isLoopback(localHigh, localLow)) {
      return;
    }
    stack.enter();
    try {
      int address = any ? 0 : InetFamily.number(stack, localHigh, localLow);
      l = stack.tcp().listenReserved(address, localPort, backlog, isAny4(), isAny6());
    } finally {
      stack.exit();
    }
    wireListener = l;
    l.readiness().listen(queue::notify);
  }

  private void stopListeningOut() {
    TcpListener l = wireListener;
    if (l != null) {
      wireListener = null;
      l.readiness().listen(null);
      l.close();
    }
  }

  /** {@return a socket for the next connection from outside, or null} */
  private @Nullable TcpSocket acceptOut(Task t) {
    TcpListener l = wireListener;
    NetworkStack stack = inet.stack();
    TcpConnection c = l == null ? null : l.accept();
    if (c == null || stack == null) {
      return null;
    }
    TcpSocket s = new TcpSocket(t, inet, family(), 0);
    takeAfter(s);
    WireConnection w = WireConnection.of(c);
    s.localHigh = InetFamily.high(stack, w.localAddress());
    s.localLow = InetFamily.low(stack, w.localAddress());
    s.localPort = localPort;
    s.remoteHigh = InetFamily.high(stack, w.remoteAddress());
    s.remoteLow = InetFamily.low(stack, w.remoteAddress());
    s.remotePort = w.remotePort();
    inet.tcpPorts.join(s, localPort);
    s.wire = w;
    s.state = CONNECTED;
    s.applyOptions(w);
    w.attach(s);
    return s;
  }

  /** Gives {@code s}, which this listener makes, what it inherits. */
  private void takeAfter(TcpSocket s) {
    s.inherit(this);
    synchronized (options) {
      System.arraycopy(options, 0, s.options, 0, options.length);
    }
    s.congestion = congestion;
    s.sendBufferFixed = sendBufferFixed;
    s.receiveBufferFixed = receiveBufferFixed;
  }

  // ---- connections within the sandbox ----

  private long connectTo(Task t, long high, long low, int port) {
    synchronized (this) {
      long sourceHigh = sourceHigh(high, low);
      localLow = sourceLow(high, low);
      localHigh = sourceHigh;
      remoteHigh = high;
      remoteLow = low;
      remotePort = port;
      receiveShut = false;
      sendShut = false;
      finReceived = false;
      state = SYN_SENT;
    }
    InetSocket found =
        port == 0
            ? null
            : inet.tcpPorts.find(high, low, port, localHigh, localLow, localPort, localPort * 31);
    long r = found instanceof TcpSocket listener ? listener.enqueue(t, this) : -ECONNREFUSED;
    boolean waits = isNonblocking();
    if (r == -ECONNREFUSED) {
      synchronized (this) {
        state = CLOSED;
        remotePort = 0;
      }
      if (waits) {
        connecting = true;
        receiveShut = true;
        sendShut = true;
        setError(ECONNREFUSED);
        queue.notify(EVERYTHING);
        return -EINPROGRESS;
      }
      return r;
    }
    if (waits || r == -EINPROGRESS) {
      connecting = true;
      return -EINPROGRESS;
    }
    return r;
  }

  @Override
  public long connectResult() {
    settleWire();
    return state == SYN_SENT ? -EAGAIN : settledWire();
  }

  /** Takes {@code client}'s SYN: a connection at once if there is room in the accept queue. */
  private long enqueue(Task t, TcpSocket client) {
    synchronized (this) {
      if (dead || state != LISTENING) {
        return -ECONNREFUSED;
      }
      if (pending.size() > backlog) {
        synQueue.add(client);
        return -EINPROGRESS;
      }
      establish(t, client);
    }
    queue.notify(POLLIN | POLLRDNORM);
    return 0;
  }

  /** Under this: makes the listening side's socket for {@code client}. */
  private void establish(Task t, TcpSocket client) {
    TcpSocket s = new TcpSocket(t, inet, family(), 0);
    takeAfter(s);
    s.localHigh = client.remoteHigh;
    s.localLow = client.remoteLow;
    s.localPort = localPort;
    s.remoteHigh = client.localHigh;
    s.remoteLow = client.localLow;
    s.remotePort = client.localPort;
    inet.tcpPorts.join(s, localPort);
    s.peer = client;
    s.state = CONNECTED;
    client.peer = s;
    client.state = CONNECTED;
    pending.add(s);
  }

  @Override
  public long listen(Task t, int wanted) {
    synchronized (this) {
      if (state != CLOSED && state != LISTENING) {
        return -EINVAL;
      }
    }
    long r = autobind();
    if (r < 0) {
      return r;
    }
    synchronized (this) {
      if (state != LISTENING && !inet.tcpPorts.mayListen(this, localPort)) {
        return -EADDRINUSE;
      }
      backlog = Integer.compareUnsigned(wanted, SOMAXCONN) > 0 ? SOMAXCONN : wanted;
      state = LISTENING;
      listenOut();
    }
    return 0;
  }

  @Override
  protected boolean isListening() {
    return state == LISTENING;
  }

  @Override
  public long accept(Task t, SocketCall c, int flags) {
    TcpSocket s;
    TcpSocket admitted = null;
    synchronized (this) {
      if (state != LISTENING) {
        return -EINVAL;
      }
      s = pending.poll();
      boolean fromOutside = s == null;
      if (fromOutside) {
        s = acceptOut(t);
      }
      if (s == null) {
        return -EAGAIN;
      }
      do {
        admitted = fromOutside ? null : synQueue.poll();
      } while (admitted != null && admitted.state != SYN_SENT);
      if (admitted != null) {
        establish(t, admitted);
      }
    }
    if (admitted != null) {
      admitted.queue.notify(POLLOUT | POLLWRNORM);
    }
    if (flags != 0) {
      s.setFlags(s.flags() | flags);
    }
    InetAddresses.write(family(), s.remoteHigh, s.remoteLow, s.remotePort, c.name);
    c.accepted = s;
    return 0;
  }

  @Override
  public long shutdown(int how) {
    settleWire();
    switch (state) {
      case CLOSED -> {
        return -ENOTCONN;
      }
      case LISTENING, SYN_SENT -> {
        if (how != SHUT_WR) {
          disconnect();
        }
        return 0;
      }
      default -> {}
    }
    WireConnection w = wire;
    if (how != SHUT_WR) {
      receiveShut = true;
      if (w != null) {
        w.shutdownRead();
      }
    }
    if (how != SHUT_RD && !sendShut) {
      sendShut = true;
      TcpSocket p = peer;
      if (w != null) {
        w.shutdownWrite();
      } else if (p != null) {
        p.finReceived = true;
        p.queue.notify(POLLIN | POLLRDNORM | POLLRDHUP | (p.sendShut ? POLLHUP : 0));
      }
    }
    queue.notify(EVERYTHING & ~POLLERR);
    return 0;
  }

  /** Back to the beginning: connect(2) with AF_UNSPEC, shutdown(2) of a listening socket. */
  private void disconnect() {
    abandon(true);
    WireConnection w = wire;
    if (w != null) {
      w.abort();
    }
    synchronized (this) {
      state = CLOSED;
      peer = null;
      wire = null;
      finReceived = false;
      receiveShut = false;
      sendShut = false;
      connecting = false;
      remotePort = 0;
      received.consume(received.bytes());
    }
    queue.notify(EVERYTHING & ~POLLERR);
  }

  @Override
  protected void release() {
    boolean reset;
    synchronized (this) {
      dead = true;
      reset = !received.isEmpty() || linger() == 0;
    }
    abandon(reset);
    WireConnection w = wire;
    if (w != null && linger() == 0) {
      w.abort();
    } else if (w != null) {
      w.close();
    }
    synchronized (this) {
      received.consume(received.bytes());
      state = CLOSED;
    }
    unbind();
  }

  /** Tells the peer, or who waits to be accepted, that this end is gone. */
  private void abandon(boolean reset) {
    List<TcpSocket> orphans;
    List<TcpSocket> refused;
    stopListeningOut();
    synchronized (this) {
      orphans = new ArrayList<>(pending);
      refused = new ArrayList<>(synQueue);
      pending.clear();
      synQueue.clear();
    }
    for (TcpSocket s : orphans) {
      TcpSocket client = s.peer;
      if (client != null) {
        client.reset();
      }
      s.decRef();
    }
    for (TcpSocket s : refused) {
      synchronized (s) {
        if (s.state == SYN_SENT) {
          s.state = CLOSED;
          s.setError(ECONNREFUSED);
        }
      }
      s.queue.notify(EVERYTHING);
    }
    TcpSocket p = peer;
    if (p == null || state != CONNECTED) {
      return;
    }
    if (reset) {
      p.reset();
    } else {
      p.finReceived = true;
      p.queue.notify(POLLIN | POLLRDNORM | POLLRDHUP | POLLOUT | (p.sendShut ? POLLHUP : 0));
    }
  }

  /** An RST has come. */
  private void reset() {
    synchronized (this) {
      if (state == CLOSED || dead) {
        return;
      }
      setError(finReceived ? EPIPE : ECONNRESET);
      state = CLOSED;
      receiveShut = true;
      sendShut = true;
    }
    queue.notify(EVERYTHING);
  }

  // ---- data ----

  @Override
  public long send(Task t, IoBuffer src, SocketCall c) {
    if ((c.flags & MSG_FASTOPEN) != 0) {
      return -EOPNOTSUPP;
    }
    if (state == SYN_SENT && !settleWire()) {
      return -EAGAIN;
    }
    if (hasError()) {
      long e = takeError();
      if (e != 0) {
        return e;
      }
    }
    WireConnection w = wire;
    if (w != null) {
      return w.send(t, src, (c.flags & MSG_MORE) != 0);
    }
    TcpSocket to = peer;
    if (sendShut || state != CONNECTED || to == null) {
      return -EPIPE;
    }
    long total = src.remaining();
    if (total == 0) {
      return 0;
    }
    long r;
    synchronized (to) {
      if (to.dead || to.peer != this) {
        r = -ECONNRESET;
      } else {
        long room = limitTo(to) - to.received.bytes();
        if (room <= 0) {
          to.roomWanted = true;
          return -EAGAIN;
        }
        r = to.received.appendStream(src, Math.min(total, room), true);
        if (r > 0) {
          to.bytesReceived += r;
        }
      }
    }
    if (r == -ECONNRESET) {
      // The peer's host answers data for nobody with RST; what the send buffer holds was taken.
      reset();
      return Math.min(total, sendBuffer());
    }
    if (r > 0) {
      bytesSent += r;
      to.queue.notify(POLLIN | POLLRDNORM);
    }
    return r;
  }

  private long limitTo(TcpSocket to) {
    return (long) sendBuffer() + to.receiveBuffer();
  }

  @Override
  public long receive(Task t, IoBuffer dst, SocketCall c) {
    if ((c.flags & (MSG_OOB | MSG_ERRQUEUE)) != 0) {
      return (c.flags & MSG_ERRQUEUE) != 0 ? -EAGAIN : -EINVAL;
    }
    boolean keep = (c.flags & MSG_PEEK) != 0;
    WireConnection w = wire;
    if (w != null) {
      return receiveOut(w, dst, keep, (c.flags & MSG_TRUNC) != 0);
    }
    TcpSocket wake = null;
    long r;
    synchronized (this) {
      if (received.isEmpty()) {
        return nothingToReceive();
      }
      if ((c.flags & MSG_TRUNC) != 0) {
        r = Math.min(dst.remaining(), received.bytes());
        if (!keep) {
          received.consume(r);
        }
      } else {
        r = received.readStream(dst, dst.remaining(), 0, keep);
      }
      if (roomWanted && !keep) {
        TcpSocket from = peer;
        if (from != null && received.bytes() <= from.limitTo(this) / 2) {
          roomWanted = false;
          wake = from;
        }
      }
    }
    if (wake != null) {
      wake.queue.notify(POLLOUT | POLLWRNORM);
    }
    return r;
  }

  private long receiveOut(WireConnection w, IoBuffer dst, boolean keep, boolean discards) {
    settleWire();
    long r = discards ? w.discard(dst.remaining(), keep) : w.receive(dst, keep);
    if ((r == 0 || r == -EAGAIN) && hasError()) {
      long e = takeError();
      return e != 0 ? e : r;
    }
    return r;
  }

  private long nothingToReceive() {
    if (state == LISTENING) {
      return -ENOTCONN;
    }
    long e = takeError();
    if (e != 0) {
      return e;
    }
    if (finReceived || receiveShut) {
      return 0;
    }
    return state == CLOSED ? -ENOTCONN : -EAGAIN;
  }

  @Override
  protected synchronized long unread() {
    WireConnection w = wire;
    if (w != null) {
      return w.available();
    }
    return state == LISTENING ? pending.size() : received.bytes();
  }

  @Override
  protected long unsent() {
    WireConnection w = wire;
    return w == null ? 0 : w.unacknowledged(); // within the sandbox what was sent has arrived
  }

  @Override
  public int poll() {
    int mask = hasError() ? POLLERR : 0;
    WireConnection w = wire;
    if (w != null) {
      return mask | w.poll();
    }
    int s = state;
    if (s == LISTENING) {
      TcpListener l = wireListener;
      if (l != null && l.waiting() > 0) {
        return mask | POLLIN | POLLRDNORM;
      }
      synchronized (this) {
        return pending.isEmpty() ? mask : mask | POLLIN | POLLRDNORM;
      }
    }
    boolean in = finReceived || receiveShut;
    boolean out = sendShut;
    if ((in && out) || s == CLOSED) {
      mask |= POLLHUP;
    }
    if (in) {
      mask |= POLLIN | POLLRDNORM | POLLRDHUP;
    }
    if (s == SYN_SENT) {
      return mask;
    }
    synchronized (this) {
      if (!received.isEmpty()) {
        mask |= POLLIN | POLLRDNORM;
      }
    }
    if (out || isWritableNow()) {
      mask |= POLLOUT | POLLWRNORM;
    }
    return mask;
  }

  private boolean isWritableNow() {
    TcpSocket to = peer;
    if (to == null) {
      return true;
    }
    synchronized (to) {
      // A third must be free, as sk_stream_is_writable says.
      if (to.dead || to.received.bytes() <= limitTo(to) / 3 * 2) {
        return true;
      }
      to.roomWanted = true;
      return false;
    }
  }

  // ---- options ----

  @Override
  protected long setProtocolOption(Task t, int level, int name, MemorySegment s, int length) {
    if (level != SOL_TCP) {
      return super.setProtocolOption(t, level, name, s, length);
    }
    if (name == Tcp.TCP_CONGESTION) {
      return setCongestion(s, length);
    }
    if (length < 4) {
      return -EINVAL;
    }
    int v = s.get(Memory.INT, 0);
    switch (name) {
      case Tcp.TCP_NODELAY,
          Tcp.TCP_CORK,
          Tcp.TCP_QUICKACK,
          Tcp.TCP_SAVE_SYN,
          Tcp.TCP_THIN_LINEAR_TIMEOUTS,
          Tcp.TCP_FASTOPEN_CONNECT,
          Tcp.TCP_INQ,
          Tcp.TCP_FASTOPEN_NO_COOKIE ->
          v = v == 0 ? 0 : 1;
      case Tcp.TCP_KEEPIDLE, Tcp.TCP_KEEPINTVL -> {
        if (v < 1 || v > 32767) {
          return -EINVAL;
        }
      }
      case Tcp.TCP_KEEPCNT, Tcp.TCP_SYNCNT -> {
        if (v < 1 || v > 127) {
          return -EINVAL;
        }
      }
      case Tcp.TCP_MAXSEG -> {
        if (v != 0 && (v < 88 || v > 32767)) {
          return -EINVAL;
        }
      }
      case Tcp.TCP_USER_TIMEOUT, Tcp.TCP_FASTOPEN -> {
        if (v < 0) {
          return -EINVAL;
        }
      }
      case Tcp.TCP_LINGER2, Tcp.TCP_DEFER_ACCEPT, Tcp.TCP_WINDOW_CLAMP, Tcp.TCP_NOTSENT_LOWAT -> {}
      default -> {
        return -ENOPROTOOPT;
      }
    }
    synchronized (options) {
      options[name] = v;
    }
    WireConnection w = wire;
    if (w != null) {
      if (name == Tcp.TCP_KEEPIDLE || name == Tcp.TCP_KEEPINTVL || name == Tcp.TCP_KEEPCNT) {
        applyKeepAlive(w);
      } else {
        applyOption(w, name, v);
      }
    }
    return 0;
  }

  private long setCongestion(MemorySegment s, int length) {
    if (length < 1) {
      return -EINVAL;
    }
    int n = 0;
    while (n < Math.min(length, 15) && s.get(Memory.BYTE, n) != 0) {
      n++;
    }
    String name = Latin1.string(s, 0, n);
    if (!name.equals("cubic") && !name.equals("reno")) {
      return -ENOENT;
    }
    congestion = name;
    WireConnection w = wire;
    if (w != null) {
      w.setCongestionControl(name);
    }
    return 0;
  }

  @Override
  protected long protocolOption(Task t, int level, int name, MemorySegment s, int limit) {
    if (level != SOL_TCP) {
      return super.protocolOption(t, level, name, s, limit);
    }
    if (name == Tcp.TCP_INFO) {
      writeInfo(s);
      return Math.min(limit, Tcp.SIZEOF_TCP_INFO);
    }
    if (name == Tcp.TCP_CONGESTION) {
      s.asSlice(0, 16).fill((byte) 0);
      Latin1.writeZ(s, 0, congestion);
      return Math.min(limit, 16);
    }
    int v = UNSET;
    if (name > 0 && name < options.length) {
      synchronized (options) {
        v = options[name];
      }
    }
    if (v == UNSET) {
      v = defaultOption(name);
    }
    if (v == UNSET) {
      return -ENOPROTOOPT;
    }
    s.set(Memory.INT, 0, v);
    return Math.min(limit, 4);
  }

  private int defaultOption(int name) {
    return switch (name) {
      case Tcp.TCP_NODELAY,
          Tcp.TCP_CORK,
          Tcp.TCP_SAVE_SYN,
          Tcp.TCP_DEFER_ACCEPT,
          Tcp.TCP_WINDOW_CLAMP,
          Tcp.TCP_USER_TIMEOUT,
          Tcp.TCP_FASTOPEN,
          Tcp.TCP_FASTOPEN_CONNECT,
          Tcp.TCP_INQ,
          Tcp.TCP_TIMESTAMP,
          Tcp.TCP_THIN_LINEAR_TIMEOUTS,
          Tcp.TCP_THIN_DUPACK ->
          0;
      case Tcp.TCP_QUICKACK -> 1;
      case Tcp.TCP_MAXSEG -> maxSegment();
      case Tcp.TCP_KEEPIDLE -> 7200;
      case Tcp.TCP_KEEPINTVL -> 75;
      case Tcp.TCP_KEEPCNT -> 9;
      case Tcp.TCP_SYNCNT -> 6;
      case Tcp.TCP_LINGER2 -> 60;
      case Tcp.TCP_NOTSENT_LOWAT -> -1;
      default -> UNSET;
    };
  }

  private int maxSegment() {
    WireConnection w = wire;
    return w != null ? w.segmentBytes() : state == CONNECTED ? MSS : 536;
  }

  @Override
  MemorySegment tcpInfo() {
    MemorySegment info = MemorySegment.ofArray(new byte[Tcp.SIZEOF_TCP_INFO]);
    writeInfo(info);
    return info;
  }

  private void writeInfo(MemorySegment s) {
    s.asSlice(0, Tcp.SIZEOF_TCP_INFO).fill((byte) 0);
    WireConnection w = wire;
    if (w != null) {
      w.writeInfo(s);
      return;
    }
    s.set(Memory.BYTE, Tcp.TCP_INFO_TCPI_STATE, (byte) procState());
    s.set(
        Memory.BYTE,
        Tcp.TCP_INFO_TCPI_OPTIONS,
        (byte) (Tcp.TCPI_OPT_TIMESTAMPS | Tcp.TCPI_OPT_SACK | Tcp.TCPI_OPT_WSCALE));
    s.set(Memory.BYTE, 6, (byte) 0x77); // both window scales 7
    s.set(Memory.INT, Tcp.TCP_INFO_TCPI_RTO, 204_000);
    s.set(Memory.INT, Tcp.TCP_INFO_TCPI_ATO, 40_000);
    s.set(Memory.INT, Tcp.TCP_INFO_TCPI_SND_MSS, MSS);
    s.set(Memory.INT, Tcp.TCP_INFO_TCPI_RCV_MSS, MSS);
    s.set(Memory.INT, Tcp.TCP_INFO_TCPI_PMTU, 65535);
    s.set(Memory.INT, Tcp.TCP_INFO_TCPI_RCV_SSTHRESH, receiveBuffer());
    s.set(Memory.INT, Tcp.TCP_INFO_TCPI_RTT, 30);
    s.set(Memory.INT, Tcp.TCP_INFO_TCPI_RTTVAR, 15);
    s.set(Memory.INT, Tcp.TCP_INFO_TCPI_SND_SSTHRESH, Integer.MAX_VALUE);
    s.set(Memory.INT, Tcp.TCP_INFO_TCPI_SND_CWND, 10);
    s.set(Memory.INT, Tcp.TCP_INFO_TCPI_ADVMSS, MSS);
    s.set(Memory.INT, Tcp.TCP_INFO_TCPI_REORDERING, 3);
    s.set(Memory.INT, Tcp.TCP_INFO_TCPI_RCV_SPACE, 65483);
    s.set(Memory.LONG, Tcp.TCP_INFO_TCPI_MAX_PACING_RATE, -1L);
    s.set(Memory.LONG, Tcp.TCP_INFO_TCPI_BYTES_ACKED, bytesSent);
    s.set(Memory.LONG, Tcp.TCP_INFO_TCPI_BYTES_SENT, bytesSent);
    synchronized (this) {
      s.set(Memory.LONG, Tcp.TCP_INFO_TCPI_BYTES_RECEIVED, bytesReceived);
      if (state == LISTENING) {
        s.set(Memory.INT, Tcp.TCP_INFO_TCPI_UNACKED, pending.size());
        s.set(Memory.INT, Tcp.TCP_INFO_TCPI_SACKED, backlog);
      }
    }
    s.set(Memory.INT, Tcp.TCP_INFO_TCPI_SND_WND, receiveBuffer());
  }

  @Override
  int procState() {
    WireConnection w = wire;
    if (w != null) {
      return w.procState();
    }
    return switch (state) {
      case LISTENING -> Tcp.TCP_LISTEN;
      case SYN_SENT -> Tcp.TCP_SYN_SENT;
      case CONNECTED -> {
        if (finReceived) {
          yield sendShut ? Tcp.TCP_LAST_ACK : Tcp.TCP_CLOSE_WAIT;
        }
        yield sendShut ? Tcp.TCP_FIN_WAIT2 : Tcp.TCP_ESTABLISHED;
      }
      default -> Tcp.TCP_CLOSE;
    };
  }
}
