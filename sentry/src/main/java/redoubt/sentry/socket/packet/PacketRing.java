package redoubt.sentry.socket.packet;

import static redoubt.abi.Errno.EINVAL;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.atomic.AtomicLong;
import redoubt.host.Fd;
import redoubt.host.MemFd;
import redoubt.host.Memory;
import redoubt.host.Region;
import redoubt.sentry.mm.Mappable;
import redoubt.sentry.platform.MapBatch;
import redoubt.sentry.platform.Platform;

/**
 * PACKET_RX_RING of version TPACKET_V2: slots in memory that the guest maps, each with a header
 * whose status says whose it is (Documentation/networking/packet_mmap.rst). The guest may change
 * any of it at any time; only the status is read.
 *
 * <pre>
 *   0 status  4 length  8 captured  12 mac  14 net  16 seconds  20 nanoseconds  24 VLAN
 *  32 sockaddr_ll (20)  … the frame, so that its network header is on a multiple of 16
 * </pre>
 */
final class PacketRing implements Mappable {
  /** TPACKET2_HDRLEN: the header and the address behind it. */
  static final int HEADER = 52;

  private static final int HEADER_PROPER = 32;
  private static final int STATUS_USER = 1;
  private static final int STATUS_LOSING = 4;
  private static final int STATUS_CSUM_NOT_READY = 8;

  /** Bytes that all rings together may have. */
  private static final long LIMIT = 64L << 20;

  private static final AtomicLong USED = new AtomicLong();

  private final int slotBytes;
  private final int slotsOfBlock;
  private final int blockBytes;
  private final int slots;
  private final int reserve;
  private final long bytes;
  private final Platform platform;
  private final MemorySegment memory;
  private final Region words;
  private final int imported;
  private int head; // of the queue's lock
  private int references = 1; // guarded by this
  private volatile boolean isMapped;

  /**
   * {@return whether there is room for a ring of so many bytes}, which are charged then; {@link
   * #PacketRing} follows
   */
  static boolean charge(long bytes) {
    if (USED.addAndGet(bytes) > LIMIT) {
      USED.addAndGet(-bytes);
      return false;
    }
    return true;
  }

  /** All sizes are checked. */
  PacketRing(Platform platform, int blockBytes, int blocks, int slotBytes, int reserve) {
    this.platform = platform;
    this.blockBytes = blockBytes;
    this.slotBytes = slotBytes;
    this.slotsOfBlock = blockBytes / slotBytes;
    this.slots = slotsOfBlock * blocks;
    this.reserve = reserve;
    this.bytes = (long) blockBytes * blocks;
    try (Fd fd = MemFd.create("packet", bytes)) {
      this.memory = Memory.mapShared(fd, 0, bytes);
      this.imported = platform.importFd(fd);
    }
    this.words = Region.of(memory);
  }

  boolean isMapped() {
    return isMapped;
  }

  private long slot(int index) {
    return (long) (index / slotsOfBlock) * blockBytes + (long) (index % slotsOfBlock) * slotBytes;
  }

  /** Precondition: the queue's lock is held. {@return whether the guest had left a slot} */
  boolean put(FrameQueue.Seen s, byte[] data, int from, int n, boolean isLosing) {
    long at = slot(head);
    if (words.getIntAcquire(at) != 0) {
      return false;
    }
    int net = aligned(HEADER + Math.max(s.networkAt, 16)) + reserve;
    int mac = net - s.networkAt;
    int captured = Math.max(0, Math.min(n, slotBytes - mac));
    MemorySegment.copy(data, from, memory, ValueLayout.JAVA_BYTE, at + mac, captured);
    words.putInt(at + 4, s.wholeLength);
    words.putInt(at + 8, captured);
    words.putShort(at + 12, (short) mac);
    words.putShort(at + 14, (short) net);
    words.putInt(at + 16, (int) (s.timeNs / 1_000_000_000L));
    words.putInt(at + 20, (int) (s.timeNs % 1_000_000_000L));
    words.putLong(at + 24, 0);
    PacketSocket.writeAddress(s, memory, at + HEADER_PROPER);
    int status =
        STATUS_USER
            | (isLosing ? STATUS_LOSING : 0)
            | (s.isChecksumOpen ? STATUS_CSUM_NOT_READY : 0);
    words.putIntRelease(at, status);
    head = head + 1 == slots ? 0 : head + 1;
    return true;
  }

  private static int aligned(int n) {
    return (n + 15) & ~15;
  }

  /** Precondition: the queue's lock is held. */
  boolean isReadable() {
    return words.getIntAcquire(slot(head == 0 ? slots - 1 : head - 1)) != 0;
  }

  @Override
  public long map(MapBatch batch, long uaddr, long offset, long length, int prot, boolean shared) {
    if (offset + length > bytes || offset < 0 || !shared) {
      return -EINVAL;
    }
    isMapped = true;
    batch.mapFile(uaddr, length, prot, true, imported, offset);
    return 0;
  }

  @Override
  public long fault(
      MapBatch batch, long uaddr, long offset, long length, int prot, boolean shared) {
    return map(batch, uaddr, offset, length, prot, shared);
  }

  @Override
  public synchronized void reference() {
    references++;
  }

  @Override
  public void unreference() {
    synchronized (this) {
      if (--references > 1) {
        return;
      }
      if (references == 1) {
        isMapped = false;
        return;
      }
    }
    platform.releaseFd(imported);
    Memory.unmap(memory);
    USED.addAndGet(-bytes);
  }

  static int headerBytes(int version) {
    return version == 0 || version == 1 ? HEADER_PROPER : -EINVAL;
  }
}
