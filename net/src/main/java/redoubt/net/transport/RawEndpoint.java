package redoubt.net.transport;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Errno;
import redoubt.abi.Poll;
import redoubt.net.buffer.Packet;
import redoubt.net.buffer.PacketQueue;
import redoubt.net.header.Bytes;
import redoubt.net.header.IcmpHeader;
import redoubt.net.network.Ipv4;
import redoubt.net.stack.NetworkStack;
import redoubt.net.stack.Readiness;

/**
 * One end of an IP protocol: a raw socket, which gets whole packets (<a
 * href="https://man7.org/linux/man-pages/man7/raw.7.html">raw(7)</a>), or a ping socket, which
 * sends echo requests under its own identifier and gets their replies (<a
 * href="https://man7.org/linux/man-pages/man7/icmp.7.html">icmp(7)</a>). No call blocks.
 */
public final class RawEndpoint {
  private static final int DEFAULT_RECEIVE_LIMIT = 212_992;
  private static final int MAX_PAYLOAD = 65_515;

  private final NetworkStack stack;
  private final int protocol;
  private final boolean isPing;
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
  private volatile boolean isReadable;

  RawEndpoint(NetworkStack stack, int protocol, boolean isPing) {
    this.stack = stack;
    this.protocol = protocol;
    this.isPing = isPing;
    this.readiness = new Readiness(stack);
  }

  public Readiness readiness() {
    return readiness;
  }

  public boolean isPing() {
    return isPing;
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
    this.local = address;
  }

  /** Hears only {@code address}; 0 for all. */
  public void setRemote(int address) {
    this.remote = address;
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

  /** Sends one message, which begins behind the IP header. {@return the length or -errno} */
  public int sendTo(MemorySegment from, long at, int length, int address) {
    if (length > MAX_PAYLOAD) {
      return -Errno.EMSGSIZE;
    }
    if (isPing && length < IcmpHeader.LENGTH) {
      return -Errno.EINVAL;
    }
    stack.enter();
    try {
      int source = local != 0 ? local : stack.ipv4().sourceFor(address);
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
        if (IcmpHeader.type(p.data, p.start) != IcmpHeader.ECHO_REQUEST
            || IcmpHeader.code(p.data, p.start) != 0) {
          p.free();
          return -Errno.EINVAL;
        }
        Bytes.put16(p.data, p.start + 4, identifier);
        IcmpHeader.finish(p.data, p.start, IcmpHeader.ECHO_REQUEST, 0, length);
      }
      int r = stack.ipv4().send(p, source, address, protocol, tos, ttl, false);
      return r < 0 ? r : length;
    } finally {
      stack.exit();
    }
  }

  /** Precondition: the stack's lock is held. {@code p} is as {@link #wants} saw it. */
  void deliver(Packet p) {
    p.charge = p.data.length;
    if (chargedBytes + p.charge > receiveLimit && !received.isEmpty()) {
      p.free();
      return;
    }
    chargedBytes += p.charge;
    received.add(p);
    isReadable = true;
    readiness.ring(Poll.POLLIN | Poll.POLLRDNORM);
  }

  /** {@return whether a packet whose payload begins at {@code at} is for this endpoint} */
  boolean wants(Packet p, int packetProtocol, int at) {
    if (packetProtocol != protocol
        || (local != 0 && local != p.destination)
        || (remote != 0 && remote != p.source)) {
      return false;
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
        p.free();
      }
      isReadable = !received.isEmpty();
    } finally {
      stack.exit();
    }
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
      received.clear();
      isReadable = false;
    } finally {
      stack.exit();
    }
  }
}
