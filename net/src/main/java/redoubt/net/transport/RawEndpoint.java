package redoubt.net.transport;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Errno;
import redoubt.abi.Poll;
import redoubt.net.buffer.Packet;
import redoubt.net.buffer.PacketQueue;
import redoubt.net.header.Bytes;
import redoubt.net.header.Checksum;
import redoubt.net.header.IcmpHeader;
import redoubt.net.header.Ipv4Header;
import redoubt.net.network.AddressTable;
import redoubt.net.network.Ipv4;
import redoubt.net.stack.NetworkStack;
import redoubt.net.stack.Readiness;

/**
 * One end of an IP protocol: a raw socket, which gets whole packets, of IPv6 their payload (<a
 * href="https://man7.org/linux/man-pages/man7/raw.7.html">raw(7)</a>), or a ping socket, which
 * sends echo requests under its own identifier and gets their replies (<a
 * href="https://man7.org/linux/man-pages/man7/icmp.7.html">icmp(7)</a>). No call blocks.
 */
public final class RawEndpoint {
  private static final int DEFAULT_RECEIVE_LIMIT = 212_992;
  private static final int MAX_PAYLOAD = 65_515;
  private static final int ECHO_REQUEST_V6 = 128;
  private static final int ECHO_REPLY_V6 = 129;

  private final NetworkStack stack;
  private final int protocol;
  private final boolean isPing;
  private final boolean isV6;
  private final Readiness readiness;
  private final PacketQueue received = new PacketQueue();
  @Nullable RawEndpoint next;
  private int chargedBytes;
  private volatile int receiveLimit = DEFAULT_RECEIVE_LIMIT;
  private volatile int local;
  private volatile int remote;
  private volatile int identifier;
  private volatile int ttl = Ipv4.DEFAULT_TTL;
  private volatile int tos;
  private volatile int icmpFilter;

  /** ICMP6_FILTER: of 256 types, a set bit keeps that one away. */
  private volatile int[] icmp6Filter = new int[8];

  private volatile boolean isReadable;
  private volatile int error;
  private volatile boolean isStamped;
  private volatile boolean isDontFragment;
  private volatile boolean isProbing;
  private volatile IpError.@Nullable Receiver errors;
  private volatile boolean isHeaderIncluded;

  RawEndpoint(NetworkStack stack, int protocol, boolean isPing, boolean isV6) {
    this.stack = stack;
    this.protocol = protocol;
    this.isPing = isPing;
    this.isV6 = isV6;
    this.readiness = new Readiness(stack);
  }

  public Readiness readiness() {
    return readiness;
  }

  public boolean isPing() {
    return isPing;
  }

  boolean isV6() {
    return isV6;
  }

  int protocol() {
    return protocol;
  }

  public int identifier() {
    return identifier;
  }

  /** A ping socket's identifier; the caller has checked that it is free. */
  void setIdentifier(int identifier) {
    this.identifier = identifier;
  }

  /** Hears only what is sent to {@code address}, and sends from it; 0 for any. */
  public void setLocal(int address) {
    stack.enter();
    stack.addresses().pin(address);
    stack.addresses().unpin(local);
    local = address;
    stack.exit();
  }

  /** Hears only {@code address}; 0 for all. */
  public void setRemote(int address) {
    stack.enter();
    stack.addresses().pin(address);
    stack.addresses().unpin(remote);
    remote = address;
    stack.exit();
  }

  public void setTtl(int ttl) {
    this.ttl = ttl;
  }

  public void setTos(int tos) {
    this.tos = tos;
  }

  public void setReceiveLimit(int bytes) {
    this.receiveLimit = bytes;
  }

  /** ICMP_FILTER: a set bit keeps that type of message away. */
  public void setIcmpFilter(int mask) {
    this.icmpFilter = mask;
  }

  /** ICMP6_FILTER, of eight words. */
  public void setIcmp6Filter(int[] words) {
    this.icmp6Filter = words.clone();
  }

  /** Sends one message, which begins behind the IP header. {@return the length or -errno} */
  public int sendTo(MemorySegment from, long at, int length, int address, UdpEndpoint.Once once) {
    if (isHeaderIncluded) {
      return sendWhole(from, at, length, address);
    }
    if (length > MAX_PAYLOAD) {
      return -Errno.EMSGSIZE;
    }
    if (isPing && length < IcmpHeader.LENGTH) {
      return -Errno.EINVAL;
    }
    stack.enter();
    try {
      int own = once.source != 0 ? once.source : local;
      int source = own != 0 ? own : stack.ipv4().sourceFor(address);
      if (source == 0) {
        return -Errno.ENETUNREACH;
      }
      Packet p = stack.packets().allocate(length);
      if (p == null) {
        return -Errno.ENOBUFS;
      }
      MemorySegment.copy(from, ValueLayout.JAVA_BYTE, at, p.data, p.start, length);
      p.end = p.start + length;
      if (isPing) {
        int request = isV6 ? ECHO_REQUEST_V6 : IcmpHeader.ECHO_REQUEST;
        if (IcmpHeader.type(p.data, p.start) != request || IcmpHeader.code(p.data, p.start) != 0) {
          p.free();
          return -Errno.EINVAL;
        }
        Bytes.put16(p.data, p.start + 4, identifier);
        if (!isV6) {
          IcmpHeader.finish(p.data, p.start, IcmpHeader.ECHO_REQUEST, 0, length);
        }
      }
      if (protocol == RawTable.ICMPV6 && length >= 4) {
        // Nobody but the kernel knows the source: RFC 3542, section 3.1.
        Bytes.put16(p.data, p.start + 2, 0);
        long sum = stack.pseudoHeader(source, address, protocol, length);
        int checksum = Checksum.finish(Checksum.add(sum, p.data, p.start, length));
        Bytes.put16(p.data, p.start + 2, checksum);
      }
      int packetTos = once.tos >= 0 ? once.tos : tos;
      int packetTtl = once.ttl >= 0 ? once.ttl : ttl;
      p.isProbe = isProbing;
      int r = stack.ipv4().send(p, source, address, protocol, packetTos, packetTtl, isDontFragment);
      return r < 0 ? r : length;
    } finally {
      stack.exit();
    }
  }

  /**
   * Sends a packet with its IPv4 header (IP_HDRINCL): length and checksum are filled in, source and
   * identification where they are 0.
   */
  private int sendWhole(MemorySegment from, long at, int length, int address) {
    if (length < Ipv4Header.MIN_LENGTH) {
      return -Errno.EINVAL;
    }
    stack.enter();
    try {
      int source = local != 0 ? local : stack.ipv4().sourceFor(address);
      if (source == 0) {
        return -Errno.ENETUNREACH;
      }
      if (length > stack.ipv4().mtu(address)) {
        return -Errno.EMSGSIZE;
      }
      Packet p = stack.packets().allocate(length);
      if (p == null) {
        return -Errno.ENOBUFS;
      }
      MemorySegment.copy(from, ValueLayout.JAVA_BYTE, at, p.data, p.start, length);
      p.end = p.start + length;
      int header = Ipv4Header.headerLength(p.data, p.start);
      if (header > length) {
        p.free();
        return -Errno.EINVAL;
      }
      int r = stack.ipv4().sendWhole(p, header, source, address);
      return r < 0 ? r : length;
    } finally {
      stack.exit();
    }
  }

  /** As {@link UdpEndpoint#setDontFragment}. */
  public void setDontFragment(boolean isDontFragment, boolean isProbing) {
    this.isDontFragment = isDontFragment;
    this.isProbing = isProbing;
  }

  /** SO_TIMESTAMP: from now on packets say when they arrived. */
  public void setStamped(boolean isStamped) {
    this.isStamped = isStamped;
  }

  public void setHeaderIncluded(boolean isIncluded) {
    isHeaderIncluded = isIncluded;
  }

  /** Precondition: the stack's lock is held. {@code p} is as {@link #wants} saw it. */
  void deliver(Packet p) {
    p.charge = p.data.length;
    if (chargedBytes + p.charge > receiveLimit && !received.isEmpty()) {
      p.free();
      return;
    }
    p.arrivedNs = isStamped ? stack.nowNs() : 0;
    chargedBytes += p.charge;
    stack.addresses().pin(p.source);
    stack.addresses().pin(p.destination);
    received.add(p);
    isReadable = true;
    readiness.ring(Poll.POLLIN | Poll.POLLRDNORM);
  }

  /** Who keeps errors about what was sent; null: only a connected socket hears any. */
  public void setErrorReceiver(IpError.@Nullable Receiver r) {
    errors = r;
  }

  /** {@return whether the packet that an error is about may be from here} */
  boolean hasSent(int packetProtocol, int source, IpError e) {
    if (packetProtocol != protocol
        || isV6 != e.isV6
        || (local != 0 && local != source)
        || (remote != 0 && remote != e.destination)) {
      return false;
    }
    return !isPing
        || (IcmpHeader.type(e.data, e.transportStart)
                == (isV6 ? ECHO_REQUEST_V6 : IcmpHeader.ECHO_REQUEST)
            && Bytes.u16(e.data, e.transportStart + 4) == identifier);
  }

  /** Precondition: the stack's lock is held. As net/ipv4/raw.c's raw_err. */
  void error(IpError e) {
    IpError.Receiver r = errors;
    if (r != null) {
      r.error(e);
    } else if (remote == 0 || !e.isHard) {
      return;
    } else {
      error = e.errno;
    }
    readiness.ring(Poll.POLLERR | Poll.POLLIN | Poll.POLLOUT);
  }

  /** {@return the pending error, which this clears} */
  public int takeError() {
    stack.enter();
    int e = error;
    error = 0;
    stack.exit();
    return e;
  }

  /** {@return whether a packet whose payload begins at {@code at} is for this endpoint} */
  boolean wants(Packet p, int packetProtocol, int at) {
    if (packetProtocol != protocol
        || isV6 != AddressTable.isV6(p.source)
        || (local != 0 && local != p.destination)
        || (remote != 0 && remote != p.source)) {
      return false;
    }
    if (isV6) {
      return wantsV6(p, at);
    }
    if (protocol != RawTable.ICMP || p.end - at < IcmpHeader.LENGTH) {
      return !isPing;
    }
    int type = IcmpHeader.type(p.data, at);
    if (isPing) {
      return type == IcmpHeader.ECHO_REPLY && Bytes.u16(p.data, at + 4) == identifier;
    }
    return type >= 32 || (icmpFilter >>> type & 1) == 0;
  }

  private boolean wantsV6(Packet p, int at) {
    if (protocol != RawTable.ICMPV6 || p.end - at < IcmpHeader.LENGTH) {
      return !isPing;
    }
    int type = IcmpHeader.type(p.data, at);
    if (isPing) {
      return type == ECHO_REPLY_V6 && Bytes.u16(p.data, at + 4) == identifier;
    }
    return (icmp6Filter[type >>> 5] >>> (type & 31) & 1) == 0;
  }

  /** Copies the next message and keeps it: {@link #drop} follows. As {@link UdpEndpoint#peek}. */
  public int peek(MemorySegment to, long at, int max, UdpEndpoint.Info info) {
    stack.enter();
    try {
      Packet p = received.peek();
      if (p == null) {
        return -Errno.EAGAIN;
      }
      MemorySegment.copy(p.data, p.start, to, ValueLayout.JAVA_BYTE, at, Math.min(p.length(), max));
      info.source = p.source;
      info.sourcePort = 0;
      info.destination = p.destination;
      info.interfaceIndex = p.interfaceIndex;
      info.ttl = p.ttl;
      info.tos = p.tos;
      info.arrivedNs = p.arrivedNs;
      return p.length();
    } finally {
      stack.exit();
    }
  }

  /** Forgets the message that {@link #peek} gave. */
  public void drop() {
    stack.enter();
    try {
      Packet p = received.poll();
      if (p != null) {
        chargedBytes -= p.charge;
        forget(p);
      }
      isReadable = !received.isEmpty();
    } finally {
      stack.exit();
    }
  }

  private void forget(Packet p) {
    stack.addresses().unpin(p.source);
    stack.addresses().unpin(p.destination);
    p.free();
  }

  /** {@return the length of the next message, or 0} */
  public int nextLength() {
    stack.enter();
    try {
      Packet p = received.peek();
      return p == null ? 0 : p.length();
    } finally {
      stack.exit();
    }
  }

  /** {@return the POLL* bits that tell of something to receive} Takes no lock. */
  public int poll() {
    readiness.observe();
    return isReadable ? Poll.POLLIN | Poll.POLLRDNORM : 0;
  }

  public void close() {
    stack.enter();
    try {
      stack.raw().remove(this);
      readiness.listen(null);
      for (Packet p = received.poll(); p != null; p = received.poll()) {
        forget(p);
      }
      stack.addresses().unpin(local);
      stack.addresses().unpin(remote);
      local = 0;
      remote = 0;
      isReadable = false;
    } finally {
      stack.exit();
    }
  }
}
