package redoubt.net.buffer;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;
import redoubt.net.header.Checksum;

/**
 * One frame: {@code data[start, end)}. A layer that goes in moves {@code start} forward past its
 * header, one that goes out moves it back. Whoever holds a packet owns it and passes it on or
 * {@linkplain #free frees} it, once.
 */
public final class Packet {
  /** Room before the payload for the longest headers: Ethernet, IPv6 and TCP with options. */
  public static final int HEADROOM = 14 + 40 + 60 + 2;

  public final byte[] data;
  public int start;
  public int end;

  /** Where the IP header begins, once the network layer has seen it. */
  public int networkStart;

  public int source;
  public int destination;
  public int sourcePort;

  /** The IP header's, for who wants to know. */
  public int ttl;

  public int tos;

  /** When it was queued for an endpoint that wants to know, by the stack's clock; else 0. */
  public long arrivedNs;

  /** Whether it is sent whole, whatever is known of the path (IP_PMTUDISC_PROBE). */
  public boolean isProbe;

  /** Number of the interface that it came in by. */
  public int interfaceIndex;

  /** Of a fragment: where in the datagram its payload belongs, and where here it begins. */
  public int fragmentOffset;

  public int fragmentStart;

  /** Of a fragment: what protocol its datagram is of. */
  public int fragmentProtocol;

  /** Of a fragment: whether others come behind it. */
  public boolean hasMoreFragments;

  /** Whether the link addressed more than this host, so that no error may be sent back. */
  public boolean isLinkGroup;

  /** Whether who has joined the group that it is sent to hears it here, too. */
  public boolean isLooped;

  /** Whether the transport checksum needs no check: the packet never left this stack. */
  public boolean isChecksumGood;

  /**
   * Where in {@link #data} the transport header begins whose checksum is still to be completed (its
   * field holds the pseudo header's sum), or 0 when it is complete.
   */
  public int checksumStart;

  /** Where in that header the checksum is. */
  public int checksumOffset;

  /** Payload bytes of each segment that the link is to cut this packet into, or 0. */
  public int segmentBytes;

  /** Where the last bytes of the packet still are, until {@link #fill}; null when all are here. */
  private @Nullable StreamStore borrowed;

  private long borrowedOffset;
  private int borrowedAt;

  /** What the owner charges for it, against its own limit. */
  public int charge;

  /** The next in whatever queue holds this packet. */
  @Nullable Packet next;

  boolean isFree;
  private final PacketPool pool;

  Packet(PacketPool pool, int capacity) {
    this.pool = pool;
    this.data = new byte[capacity];
  }

  public int length() {
    return end - start;
  }

  /**
   * Appends {@code length} bytes of {@code store} without copying them yet. They must stay there
   * until {@link #fill} or {@link #free}.
   */
  public void borrow(StreamStore store, long offset, int length) {
    borrowed = store;
    borrowedOffset = offset;
    borrowedAt = end;
    end += length;
  }

  /** Completes the checksum that was left to the link, if one was. All bytes must be here. */
  public void completeChecksum() {
    if (checksumStart != 0) {
      Checksum.complete(data, checksumStart, checksumOffset, end - checksumStart);
      checksumStart = 0;
    }
  }

  /** Copies what is borrowed into {@link #data}: whoever keeps the packet, or looks at it. */
  public void fill() {
    StreamStore s = borrowed;
    if (s != null) {
      s.read(borrowedOffset, data, borrowedAt, end - borrowedAt);
      borrowed = null;
    }
  }

  /** Copies all bytes of the packet to native memory. */
  public void copyTo(MemorySegment to, long at) {
    StreamStore s = borrowed;
    int here = (s == null ? end : borrowedAt) - start;
    MemorySegment.copy(data, start, to, ValueLayout.JAVA_BYTE, at, here);
    if (s != null) {
      s.read(borrowedOffset, to, at + here, end - borrowedAt);
    }
  }

  /** {@return another packet with the same bytes and addresses, or null without memory} */
  public @Nullable Packet copy() {
    fill();
    Packet p = pool.allocate(length());
    if (p != null) {
      System.arraycopy(data, start, p.data, p.start, length());
      p.end = p.start + length();
      p.source = source;
      p.destination = destination;
      p.sourcePort = sourcePort;
      p.interfaceIndex = interfaceIndex;
      p.ttl = ttl;
      p.tos = tos;
      p.isLinkGroup = isLinkGroup;
      p.isChecksumGood = isChecksumGood;
    }
    return p;
  }

  /** Gives the packet back to its pool. */
  public void free() {
    pool.free(this);
  }

  /** Makes room for a header of {@code bytes} in front. */
  public void prepend(int bytes) {
    if (bytes > start) {
      throw new IllegalStateException("no room for a header of " + bytes + " at " + start);
    }
    start -= bytes;
  }

  void reset() {
    start = HEADROOM;
    end = HEADROOM;
    networkStart = 0;
    source = 0;
    destination = 0;
    sourcePort = 0;
    isLinkGroup = false;
    isLooped = false;
    isProbe = false;
    arrivedNs = 0;
    isChecksumGood = false;
    checksumStart = 0;
    checksumOffset = 0;
    segmentBytes = 0;
    charge = 0;
    borrowed = null;
    next = null;
    isFree = false;
  }
}
