package redoubt.net.transport;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Errno;
import redoubt.abi.Poll;
import redoubt.net.buffer.Packet;
import redoubt.net.buffer.PacketQueue;
import redoubt.net.header.Ipv4Header;
import redoubt.net.header.UdpHeader;
import redoubt.net.network.AddressTable;
import redoubt.net.network.Ipv4;
import redoubt.net.stack.NetworkStack;
import redoubt.net.stack.Readiness;

/**
 * One end of UDP, as <a href="https://man7.org/linux/man-pages/man7/udp.7.html">udp(7)</a> has it.
 * No call blocks: {@code -EAGAIN} says to wait for {@link #readiness}.
 */
public final class UdpEndpoint {
  /** Linux's {@code net.core.rmem_default}. */
  private static final int DEFAULT_RECEIVE_LIMIT = 212_992;

  private static final int MAX_PAYLOAD = 65_507;

  /** Who sent a datagram to whom, filled in by {@link #receive}. */
  public static final class Info {
    public int source;
    public int sourcePort;
    public int destination;
    public int interfaceIndex;
    public int ttl;
    public int tos;

    /** As {@link Packet#arrivedNs}. */
    public long arrivedNs;
  }

  private final NetworkStack stack;
  private final Readiness readiness;
  private final PacketQueue received = new PacketQueue();
  @Nullable UdpEndpoint next;
  private int chargedBytes;
  private volatile int receiveLimit = DEFAULT_RECEIVE_LIMIT;
  private volatile int boundAddress;
  private volatile int localPort;
  private volatile int remoteAddress;
  private volatile int remotePort;
  private volatile int error;
  private volatile boolean isReadable;
  private volatile int multicastTtl = 1;
  private volatile boolean isMulticastLooped = true;
  private volatile boolean takesV4 = true;
  private volatile boolean takesV6;
  private volatile int ttl = Ipv4.DEFAULT_TTL;
  private volatile int tos;
  private volatile boolean isStamped;
  private volatile boolean isDontFragment;
  private volatile boolean isProbing;
  private volatile IpError.@Nullable Receiver errors4;
  private volatile IpError.@Nullable Receiver errors6;
  private volatile boolean isReuse;
  private volatile boolean isBroadcastAllowed;
  private boolean isClosed;

  UdpEndpoint(NetworkStack stack) {
    this.stack = stack;
    this.readiness = new Readiness(stack);
  }

  /** {@return the bell that rings when there is something to receive, or an error} */
  public Readiness readiness() {
    return readiness;
  }

  /** Binds to {@code address} (0: all) and {@code port} (0: any). {@return 0 or -errno} */
  public int bind(int address, int port) {
    stack.enter();
    try {
      if (isClosed) {
        return -Errno.EBADF;
      }
      if (localPort != 0) {
        return -Errno.EINVAL;
      }
      boolean isOurs = address == 0 || stack.isLocal(address) || Ipv4.isMulticast(address);
      if (!isOurs && address != -1) {
        return -Errno.EADDRNOTAVAIL;
      }
      return stack.udp().bind(this, address, port);
    } finally {
      stack.exit();
    }
  }

  /** As {@link #bind}, for a caller who has its own book of who may have which port. */
  public int bindReserved(int address, int port) {
    stack.enter();
    try {
      if (isClosed || localPort != 0) {
        return isClosed ? -Errno.EBADF : -Errno.EINVAL;
      }
      stack.udp().add(this, address, port);
      return 0;
    } finally {
      stack.exit();
    }
  }

  /** Sets whom to send to and whom alone to hear; port 0 undoes it. {@return 0 or -errno} */
  public int connect(int address, int port) {
    stack.enter();
    try {
      if (isClosed) {
        return -Errno.EBADF;
      }
      if (port != 0 && stack.ipv4().sourceFor(address) == 0) {
        return -Errno.ENETUNREACH;
      }
      int bound = localPort == 0 ? stack.udp().bind(this, 0, 0) : 0;
      if (bound == 0) {
        stack.addresses().unpin(remoteAddress);
        remoteAddress = port == 0 ? 0 : address;
        stack.addresses().pin(remoteAddress);
        remotePort = port;
      }
      return bound;
    } finally {
      stack.exit();
    }
  }

  /** Sends to the peer of {@link #connect}. {@return the length or -errno} */
  public int send(byte[] from, int at, int length) {
    if (remotePort == 0) {
      return -Errno.EDESTADDRREQ;
    }
    return sendTo(from, at, length, remoteAddress, remotePort);
  }

  /** Sends one datagram. {@return the length or -errno} */
  public int sendTo(byte[] from, int at, int length, int address, int port) {
    if (length > MAX_PAYLOAD) {
      return -Errno.EMSGSIZE;
    }
    if (port == 0) {
      return -Errno.EINVAL;
    }
    stack.enter();
    try {
      int pending = takeErrorLocked();
      if (pending != 0) {
        return -pending;
      }
      int ready = prepareSend(address);
      return ready < 0 ? ready : transmit(from, at, length, address, port);
    } finally {
      stack.exit();
    }
  }

  private int prepareSend(int address) {
    if (isClosed) {
      return -Errno.EBADF;
    }
    if (!isBroadcastAllowed && stack.ipv4().isBroadcast(address)) {
      return -Errno.EACCES;
    }
    return localPort == 0 ? stack.udp().bind(this, 0, 0) : 0;
  }

  private int transmit(byte[] from, int at, int length, int address, int port) {
    Packet p = stack.packets().allocate(UdpHeader.LENGTH + length);
    if (p == null) {
      return -Errno.ENOBUFS;
    }
    System.arraycopy(from, at, p.data, p.start + UdpHeader.LENGTH, length);
    return transmit(p, length, address, port, AS_EVER);
  }

  /** What one datagram is sent with, instead of the endpoint's own; -1 (an address: 0) for that. */
  public static final class Once {
    public int ttl = -1;
    public int tos = -1;
    public int source;
  }

  private static final Once AS_EVER = new Once();

  /** Sends one datagram from native memory. {@return the length or -errno} */
  public int sendTo(
      MemorySegment from, long at, int length, int address, int port, @Nullable Once once) {
    if (length > MAX_PAYLOAD) {
      return -Errno.EMSGSIZE;
    }
    stack.enter();
    try {
      int pending = takeErrorLocked();
      if (pending != 0) {
        return -pending;
      }
      int ready = prepareSend(address);
      if (ready < 0) {
        return ready;
      }
      Packet p = stack.packets().allocate(UdpHeader.LENGTH + length);
      if (p == null) {
        return -Errno.ENOBUFS;
      }
      MemorySegment.copy(
          from, ValueLayout.JAVA_BYTE, at, p.data, p.start + UdpHeader.LENGTH, length);
      return transmit(p, length, address, port, once == null ? AS_EVER : once);
    } finally {
      stack.exit();
    }
  }

  private int transmit(Packet p, int length, int address, int port, Once once) {
    // Who is bound to a group's address sends from its own.
    boolean isBoundToOurs = boundAddress != 0 && stack.isLocal(boundAddress);
    int source =
        once.source != 0
            ? once.source
            : isBoundToOurs ? boundAddress : stack.ipv4().sourceFor(address);
    if (source == 0) {
      p.free();
      return -Errno.ENETUNREACH;
    }
    p.end = p.start + UdpHeader.LENGTH + length;
    long sum = stack.pseudoHeader(source, address, Ipv4Header.UDP, p.length());
    UdpHeader.write(p.data, p.start, p.length(), localPort, port, sum);
    stack.counters().udpOut++;
    boolean isGroup = Ipv4.isMulticast(address) || stack.ipv6().isGroup(address);
    p.isLooped = isGroup && isMulticastLooped;
    p.isProbe = isProbing;
    int sent =
        stack
            .ipv4()
            .send(
                p,
                source,
                address,
                Ipv4Header.UDP,
                once.tos >= 0 ? once.tos : tos,
                once.ttl >= 0 ? once.ttl : isGroup ? multicastTtl : ttl,
                isDontFragment);
    return sent < 0 ? sent : length;
  }

  /**
   * Copies the next datagram to native memory and keeps it: {@link #drop} follows, unless the
   * caller only looks.
   *
   * @return its whole length, which may be more than was copied, or {@code -EAGAIN}, or the error
   *     that came instead
   */
  public int peek(MemorySegment to, long at, int max, Info info) {
    stack.enter();
    try {
      int pending = takeErrorLocked();
      if (pending != 0) {
        return -pending;
      }
      Packet p = received.peek();
      if (p == null) {
        return -Errno.EAGAIN;
      }
      MemorySegment.copy(p.data, p.start, to, ValueLayout.JAVA_BYTE, at, Math.min(p.length(), max));
      tell(p, info);
      return p.length();
    } finally {
      stack.exit();
    }
  }

  private static void tell(Packet p, Info info) {
    info.source = p.source;
    info.sourcePort = p.sourcePort;
    info.destination = p.destination;
    info.interfaceIndex = p.interfaceIndex;
    info.ttl = p.ttl;
    info.tos = p.tos;
    info.arrivedNs = p.arrivedNs;
  }

  private void discard(Packet p) {
    chargedBytes -= p.charge;
    stack.addresses().unpin(p.source);
    stack.addresses().unpin(p.destination);
    p.free();
  }

  /** Forgets the datagram that {@link #peek} gave. */
  public void drop() {
    stack.enter();
    try {
      Packet p = received.poll();
      if (p != null) {
        discard(p);
      }
      isReadable = !received.isEmpty();
    } finally {
      stack.exit();
    }
  }

  /** {@return the length of the next datagram, or 0} (FIONREAD) */
  public int nextLength() {
    stack.enter();
    try {
      Packet p = received.peek();
      return p == null ? 0 : p.length();
    } finally {
      stack.exit();
    }
  }

  /** {@return the POLL* bits that tell of something to receive or an error} Takes no lock. */
  public int poll() {
    readiness.observe();
    return (isReadable ? Poll.POLLIN | Poll.POLLRDNORM : 0) | (error != 0 ? Poll.POLLERR : 0);
  }

  /**
   * Takes the next datagram, or only looks at it.
   *
   * @return its whole length, which may be more than was copied, or {@code -EAGAIN}, or the error
   *     that came instead
   */
  public int receive(byte[] to, int at, int max, Info info, boolean isPeek) {
    stack.enter();
    try {
      int pending = takeErrorLocked();
      if (pending != 0) {
        return -pending;
      }
      Packet p = received.peek();
      if (p == null) {
        return -Errno.EAGAIN;
      }
      int length = p.length();
      System.arraycopy(p.data, p.start, to, at, Math.min(length, max));
      tell(p, info);
      if (!isPeek) {
        received.poll();
        discard(p);
        isReadable = !received.isEmpty();
      }
      return length;
    } finally {
      stack.exit();
    }
  }

  /** Precondition: the stack's lock is held. */
  void deliver(Packet p) {
    p.charge = p.data.length;
    if (chargedBytes + p.charge > receiveLimit && !received.isEmpty()) {
      stack.counters().udpBufferFull++;
      p.free();
      return;
    }
    stack.counters().udpIn++;
    p.arrivedNs = isStamped ? stack.nowNs() : 0;
    chargedBytes += p.charge;
    stack.addresses().pin(p.source);
    stack.addresses().pin(p.destination);
    received.add(p);
    isReadable = true;
    readiness.ring(Poll.POLLIN | Poll.POLLRDNORM);
  }

  /** {@return how well a datagram fits, or -1 when it is not for this endpoint} */
  int score(int local, int port, int remote, int fromPort) {
    boolean isFamily = AddressTable.isV6(local) ? takesV6 : takesV4;
    if (port != localPort || (boundAddress != 0 ? boundAddress != local : !isFamily)) {
      return -1;
    }
    int score = boundAddress != 0 ? 1 : 0;
    if (remotePort == 0) {
      return score;
    }
    return isConnectedTo(remote, fromPort) ? score + 2 : -1;
  }

  boolean isConnectedTo(int address, int port) {
    return remotePort == port && remoteAddress == address && port != 0;
  }

  /** Who keeps errors about IPv4's and IPv6's datagrams; null: only a connected one hears any. */
  public void setErrorReceivers(IpError.@Nullable Receiver v4, IpError.@Nullable Receiver v6) {
    errors4 = v4;
    errors6 = v6;
  }

  /** Precondition: the stack's lock is held. As net/ipv4/udp.c's __udp4_lib_err. */
  void error(IpError e) {
    IpError.Receiver r = e.isV6 ? errors6 : errors4;
    if (r != null) {
      r.error(e);
      readiness.ring(Poll.POLLERR | Poll.POLLIN | Poll.POLLOUT);
    } else if (isConnectedTo(e.destination, e.port) && e.isHard) {
      fail(e.errno);
    }
  }

  void fail(int errno) {
    error = errno;
    readiness.ring(Poll.POLLERR | Poll.POLLIN | Poll.POLLOUT);
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

  /** {@return whether {@link #receive} would give something} */
  public boolean isReadable() {
    stack.enter();
    try {
      return !received.isEmpty() || error != 0;
    } finally {
      stack.exit();
    }
  }

  /** Lets go of the port and of what was received. */
  public void close() {
    stack.enter();
    try {
      if (localPort != 0 && !isClosed) {
        stack.udp().unbind(this);
      }
      isClosed = true;
      for (Packet p = received.poll(); p != null; p = received.poll()) {
        discard(p);
      }
      stack.addresses().unpin(remoteAddress);
      remoteAddress = 0;
      isReadable = false;
    } finally {
      stack.exit();
    }
  }

  void setLocal(int address, int port) {
    boundAddress = address;
    localPort = port;
  }

  public int boundAddress() {
    return boundAddress;
  }

  public int localPort() {
    return localPort;
  }

  public boolean isReuse() {
    return isReuse;
  }

  /** SO_REUSEADDR or SO_REUSEPORT: others that say so too may share the port. */
  public void setReuse(boolean isReuse) {
    this.isReuse = isReuse;
  }

  /** SO_BROADCAST. */
  public void setBroadcastAllowed(boolean isAllowed) {
    this.isBroadcastAllowed = isAllowed;
  }

  /** SO_RCVBUF, in bytes of memory that waiting datagrams may hold. */
  public void setReceiveLimit(int bytes) {
    this.receiveLimit = bytes;
  }

  public void setTtl(int ttl) {
    this.ttl = ttl;
  }

  /** Which addresses an endpoint on all of them means; only IPv4's unless this is called. */
  public void setFamilies(boolean isV4Taken, boolean isV6Taken) {
    takesV4 = isV4Taken;
    takesV6 = isV6Taken;
  }

  /** IP_MULTICAST_LOOP. */
  public void setMulticastLooped(boolean isLooped) {
    this.isMulticastLooped = isLooped;
  }

  /**
   * IP_MTU_DISCOVER: whether too long a datagram is refused instead of fragmented, and then whether
   * the interface alone says what is too long.
   */
  public void setDontFragment(boolean isDontFragment, boolean isProbing) {
    this.isDontFragment = isDontFragment;
    this.isProbing = isProbing;
  }

  /** SO_TIMESTAMP: from now on datagrams say when they arrived. */
  public void setStamped(boolean isStamped) {
    this.isStamped = isStamped;
  }

  /** IP_MULTICAST_TTL. */
  public void setMulticastTtl(int ttl) {
    this.multicastTtl = ttl;
  }

  public void setTos(int tos) {
    this.tos = tos;
  }
}
