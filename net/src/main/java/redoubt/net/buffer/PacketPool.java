package redoubt.net.buffer;

import org.jspecify.annotations.Nullable;

/**
 * Packets in two sizes, kept for reuse. The bytes handed out are bounded, so that no flood can take
 * more than that; past the bound {@link #allocate} gives null and the caller drops.
 */
public final class PacketPool {
  /** Holds a frame of Ethernet's usual MTU. */
  public static final int SMALL = 2048;

  /** Holds the longest IP packet. */
  public static final int LARGE = 65_536 + 512;

  private static final int KEEP_SMALL = 512;
  private static final int KEEP_LARGE = 16;

  private final PacketQueue small = new PacketQueue();
  private final PacketQueue large = new PacketQueue();
  private final long limitBytes;
  private long outBytes;

  public PacketPool(long limitBytes) {
    this.limitBytes = limitBytes;
  }

  /** {@return an empty packet with headroom and room for {@code payload}, or null at the limit} */
  public @Nullable Packet allocate(int payload) {
    int capacity = payload + Packet.HEADROOM <= SMALL ? SMALL : LARGE;
    if (payload + Packet.HEADROOM > LARGE || outBytes + capacity > limitBytes) {
      return null;
    }
    outBytes += capacity;
    Packet p = (capacity == SMALL ? small : large).poll();
    if (p == null) {
      p = new Packet(this, capacity);
    }
    p.reset();
    return p;
  }

  void free(Packet p) {
    if (p.isFree) {
      throw new IllegalStateException("freed twice");
    }
    p.isFree = true;
    outBytes -= p.data.length;
    PacketQueue queue = p.data.length == SMALL ? small : large;
    if (queue.size() < (p.data.length == SMALL ? KEEP_SMALL : KEEP_LARGE)) {
      queue.add(p);
    }
  }

  /** {@return the bytes of packets that are not in the pool} */
  public long outBytes() {
    return outBytes;
  }
}
