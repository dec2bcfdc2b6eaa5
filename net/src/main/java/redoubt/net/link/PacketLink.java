package redoubt.net.link;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Errno;
import redoubt.host.Fd;
import redoubt.host.PacketSocket;
import redoubt.host.ThreadSlice;
import redoubt.net.buffer.Packet;
import redoubt.net.buffer.PacketPool;
import redoubt.net.header.EthernetHeader;
import redoubt.net.header.TcpHeader;
import redoubt.net.stack.NetworkStack;

/**
 * An interface of the host through a packet socket. Its own thread receives batches and hands each
 * to the stack in one entry; what the stack sends is gathered and goes out when the entry ends.
 *
 * <p>Frames that the host's queue has no room for are dropped, as a network card drops them.
 */
public final class PacketLink implements Link, AutoCloseable {
  private static final ValueLayout.OfByte BYTE = ValueLayout.JAVA_BYTE;
  private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED;
  private static final int LONGEST = 65_536 + EthernetHeader.LENGTH + PacketSocket.VNET_HEADER;

  private final PacketSocket socket;
  private final int mtu;
  private final long mac;
  private static final int GSO_TCPV4 = 1;
  private static final int GSO_TCPV6 = 4;
  private int gathered;
  private @Nullable Thread receiver;
  private volatile boolean isClosed;
  private volatile int failure;

  /** Takes ownership of {@code fd}, which {@link PacketSocket#open} made. */
  public PacketLink(Fd fd, int mtu, long mac) {
    this.mtu = mtu;
    this.mac = mac;
    this.socket = new PacketSocket(fd, LONGEST, LONGEST);
  }

  /**
   * Starts to receive: each frame goes to {@code sink}, which is the interface's {@code deliver}.
   */
  public void start(NetworkStack stack, Consumer<Packet> sink) {
    receiver = Thread.ofPlatform().daemon().name("net link").start(() -> receiveAll(stack, sink));
  }

  private void receiveAll(NetworkStack stack, Consumer<Packet> sink) {
    ThreadSlice.makeShortest();
    while (!isClosed) {
      int n = socket.receive();
      if (n > 0) {
        deliver(stack, sink, n);
      } else if (n == 0) {
        socket.await();
      } else {
        failure = -n;
        if (n != -Errno.ENETDOWN) {
          return;
        }
        // It comes once when the interface goes down, and the interface may come up again.
        socket.await();
      }
    }
  }

  private void deliver(NetworkStack stack, Consumer<Packet> sink, int n) {
    stack.enter();
    try {
      for (int i = 0; i < n; i++) {
        Packet p = copyIn(stack.packets(), i);
        if (p != null) {
          sink.accept(p);
        }
      }
    } finally {
      stack.exit();
    }
  }

  private @Nullable Packet copyIn(PacketPool pool, int i) {
    int length = socket.receivedLength(i) - PacketSocket.VNET_HEADER;
    Packet p = length < EthernetHeader.LENGTH ? null : pool.allocate(length);
    if (p == null) {
      return null;
    }
    MemorySegment slots = socket.received();
    long at = (long) i * socket.receiveStride();
    int flags = slots.get(BYTE, at);
    p.isChecksumGood = (flags & (PacketSocket.NEEDS_CSUM | PacketSocket.DATA_VALID)) != 0;
    MemorySegment.copy(slots, BYTE, at + PacketSocket.VNET_HEADER, p.data, p.start, length);
    p.end = p.start + length;
    return p;
  }

  /** {@return the last error of receiving, or 0} */
  public int failure() {
    return failure;
  }

  @Override
  public int mtu() {
    return mtu;
  }

  @Override
  public long mac() {
    return mac;
  }

  @Override
  public void transmit(Packet p) {
    if (gathered == PacketSocket.BATCH) {
      flush();
    }
    int length = p.length();
    if (length <= mtu + EthernetHeader.LENGTH || p.segmentBytes != 0) {
      long at = (long) gathered * socket.sendStride();
      MemorySegment slots = socket.toSend();
      writeHeader(slots, at, p);
      MemorySegment.copy(p.data, p.start, slots, BYTE, at + PacketSocket.VNET_HEADER, length);
      socket.setSendLength(gathered, PacketSocket.VNET_HEADER + length);
      gathered++;
    }
    p.free();
  }

  /** The virtio_net_hdr, little-endian: flags, kind, header's length, segment's, sum's place. */
  private static void writeHeader(MemorySegment slots, long at, Packet p) {
    int sumAt = p.checksumStart == 0 ? 0 : p.checksumStart - p.start;
    int headers = p.segmentBytes == 0 ? 0 : sumAt + TcpHeader.headerLength(p.data, p.checksumStart);
    boolean isV6 = EthernetHeader.type(p.data, p.start) == EthernetHeader.TYPE_IPV6;
    int kind = p.segmentBytes == 0 ? 0 : isV6 ? GSO_TCPV6 : GSO_TCPV4;
    int flags = sumAt == 0 ? 0 : PacketSocket.NEEDS_CSUM;
    slots.set(SHORT, at, (short) (flags | kind << 8));
    slots.set(SHORT, at + 2, (short) headers);
    slots.set(SHORT, at + 4, (short) p.segmentBytes);
    slots.set(SHORT, at + 6, (short) sumAt);
    slots.set(SHORT, at + 8, (short) p.checksumOffset);
  }

  @Override
  public boolean offloads() {
    return true;
  }

  @Override
  public void flush() {
    int from = 0;
    while (from < gathered) {
      int n = socket.send(from, gathered);
      if (n <= 0) {
        break;
      }
      from += n;
    }
    gathered = 0;
  }

  /** Stops receiving. The stack must not send through this link any more. */
  @Override
  public void close() throws InterruptedException {
    isClosed = true;
    socket.wake();
    if (receiver != null) {
      receiver.join();
    }
    socket.close();
  }
}
