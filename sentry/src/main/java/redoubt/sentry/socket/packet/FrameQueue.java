package redoubt.sentry.socket.packet;

import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Netlink;
import redoubt.net.header.Bytes;
import redoubt.net.header.EthernetHeader;
import redoubt.net.transport.PacketEndpoint;
import redoubt.net.transport.PacketTable;
import redoubt.sentry.kernel.ClassicBpf;
import redoubt.sentry.kernel.Clocks;

/** What a packet socket has seen and nobody has read, in a queue or in a ring that is mapped. */
final class FrameQueue implements PacketEndpoint.Receiver {
  /** What a frame counts besides its bytes. */
  private static final int OVERHEAD = 768;

  /** Bytes of the sentry's heap that all packet sockets together may hold. */
  private static final long HEAP_LIMIT = 16L << 20;

  private static final AtomicLong HEAP = new AtomicLong();

  /** A frame, or as much of it as the filter lets through. */
  static final class Seen {
    /** From its Ethernet header on for SOCK_RAW, else from the network's. */
    byte[] bytes = {};

    int kind;
    int protocol;
    int interfaceIndex;
    int hardwareType;
    long source;
    boolean isChecksumOpen;
    long timeNs;

    /** Bytes before the network header, and of the whole frame from there on where bytes begin. */
    int networkAt;

    int wholeLength;
  }

  private final boolean isRaw;
  private final ArrayDeque<Seen> queue = new ArrayDeque<>(); // guarded by mu
  private final ClassicBpf.Frame filtered = new ClassicBpf.Frame(); // guarded by the stack's lock
  private final int[] scratch = new int[16];
  private final Object mu = new Object();
  private volatile @Nullable ClassicBpf filter;
  private volatile int limit = redoubt.sentry.socket.Socket.DEFAULT_BUFFER;
  private int held; // this and the next guarded by mu
  private @Nullable PacketRing ring;
  private int packets;
  private int drops;
  private boolean isClosed;

  FrameQueue(boolean isRaw) {
    this.isRaw = isRaw;
  }

  void setFilter(@Nullable ClassicBpf f) {
    filter = f;
  }

  boolean hasFilter() {
    return filter != null;
  }

  void setLimit(int bytes) {
    limit = bytes;
  }

  /** {@return how many bytes of a frame the filter lets through} As packet_rcv. */
  private int accepted(PacketTable.Frame f, int from) {
    ClassicBpf program = filter;
    int length = f.end - from;
    if (program == null) {
      return length;
    }
    ClassicBpf.Frame b = filtered;
    b.data = f.data;
    b.linkAt = f.start;
    b.networkAt = f.start + EthernetHeader.LENGTH;
    b.start = from;
    b.end = f.end;
    b.protocol = f.protocol;
    b.packetType = f.kind;
    b.interfaceIndex = f.interfaceIndex;
    b.hardwareType = f.isLoopback ? Netlink.ARPHRD_LOOPBACK : Netlink.ARPHRD_ETHER;
    int n = program.run(b, scratch);
    return Integer.compareUnsigned(n, length) < 0 ? n : length;
  }

  @Override
  public boolean frame(PacketTable.Frame f) {
    int from = f.start + (isRaw ? 0 : EthernetHeader.LENGTH);
    if (from > f.end) {
      return false;
    }
    int n = accepted(f, from);
    if (n == 0) {
      return false;
    }
    var s = new Seen();
    s.kind = f.kind;
    s.protocol = f.protocol;
    s.interfaceIndex = f.interfaceIndex;
    s.hardwareType = f.isLoopback ? Netlink.ARPHRD_LOOPBACK : Netlink.ARPHRD_ETHER;
    s.source = Bytes.u48(f.data, f.start + 6);
    s.isChecksumOpen = f.isChecksumOpen;
    s.timeNs = Clocks.realtimeNs();
    s.networkAt = isRaw ? EthernetHeader.LENGTH : 0;
    s.wholeLength = f.end - from;
    synchronized (mu) {
      PacketRing r = ring;
      boolean fits = r != null ? r.put(s, f.data, from, n, drops > 0) : add(s, f.data, from, n);
      packets++;
      drops += fits ? 0 : 1;
      return fits;
    }
  }

  private boolean add(Seen s, byte[] data, int from, int n) {
    int charge = n + OVERHEAD;
    if (isClosed || held + charge > limit || HEAP.get() + charge > HEAP_LIMIT) {
      return false;
    }
    s.bytes = Arrays.copyOfRange(data, from, from + n);
    held += charge;
    HEAP.addAndGet(charge);
    queue.add(s);
    return true;
  }

  @Nullable Seen next(boolean keep) {
    synchronized (mu) {
      Seen s = keep ? queue.peek() : queue.poll();
      if (s != null && !keep) {
        held -= s.bytes.length + OVERHEAD;
        HEAP.addAndGet(-(s.bytes.length + OVERHEAD));
      }
      return s;
    }
  }

  int nextLength() {
    synchronized (mu) {
      Seen s = queue.peek();
      return s == null ? 0 : s.bytes.length;
    }
  }

  boolean isReadable() {
    synchronized (mu) {
      PacketRing r = ring;
      return r != null ? r.isReadable() : !queue.isEmpty();
    }
  }

  /** {@return packets in the upper half, those lost in the lower, of since the last time} */
  long takeStatistics() {
    synchronized (mu) {
      long r = (long) packets << 32 | drops;
      packets = 0;
      drops = 0;
      return r;
    }
  }

  @Nullable PacketRing ring() {
    synchronized (mu) {
      return ring;
    }
  }

  /** Puts frames into {@code next} from now on, or into the queue. {@return the one before} */
  @Nullable PacketRing setRing(@Nullable PacketRing next) {
    synchronized (mu) {
      PacketRing old = ring;
      ring = next;
      clear();
      return old;
    }
  }

  private void clear() {
    HEAP.addAndGet(-held);
    held = 0;
    queue.clear();
  }

  void close() {
    synchronized (mu) {
      isClosed = true;
      clear();
    }
  }
}
