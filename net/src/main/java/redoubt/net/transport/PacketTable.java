package redoubt.net.transport;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;
import redoubt.net.buffer.Packet;
import redoubt.net.header.EthernetHeader;
import redoubt.net.header.Ipv4Header;
import redoubt.net.header.UdpHeader;
import redoubt.net.stack.NetworkStack;
import redoubt.net.stack.Nic;

/**
 * Packet sockets (<a href="https://man7.org/linux/man-pages/man7/packet.7.html">packet(7)</a>):
 * each sees the frames of its interface and type. Guarded by the stack's lock.
 */
public final class PacketTable {
  /** For us, to all, to a group, to somebody else, from us: sll_pkttype. */
  public static final int HOST = 0;

  public static final int BROADCAST = 1;
  public static final int MULTICAST = 2;
  public static final int OTHERHOST = 3;
  public static final int OUTGOING = 4;

  /** The protocol that means all; the only one that sees what goes out. */
  public static final int ETH_P_ALL = 3;

  private static final int MAX = 256;

  /** A frame that is being shown: its bytes are valid during the call only. */
  public static final class Frame {
    public byte[] data = {};

    /** Where the Ethernet header begins, and where the frame ends. */
    public int start;

    public int end;
    public int kind;
    public int protocol;
    public int interfaceIndex;
    public boolean isLoopback;

    /** Whether its transport checksum may not have been filled in. */
    public boolean isChecksumOpen;
  }

  private final NetworkStack stack;
  private final Frame frame = new Frame();
  private volatile PacketEndpoint[] all = {};

  public PacketTable(NetworkStack stack) {
    this.stack = stack;
  }

  /** {@return whether nobody looks} */
  public boolean isEmpty() {
    return all.length == 0;
  }

  /** {@return an endpoint that sees nothing before it is bound, or null when there are too many} */
  public @Nullable PacketEndpoint open(PacketEndpoint.Receiver receiver) {
    stack.enter();
    try {
      if (all.length >= MAX) {
        return null;
      }
      var e = new PacketEndpoint(stack, receiver);
      PacketEndpoint[] more = java.util.Arrays.copyOf(all, all.length + 1);
      more[all.length] = e;
      all = more;
      return e;
    } finally {
      stack.exit();
    }
  }

  void remove(PacketEndpoint e) {
    all = java.util.Arrays.stream(all).filter(other -> other != e).toArray(PacketEndpoint[]::new);
  }

  /** {@return what a frame to {@code destination} is to the interface with address {@code mac}} */
  public static int kind(long destination, long mac) {
    if (destination == mac) {
      return HOST;
    }
    if (EthernetHeader.isGroup(destination)) {
      // The loopback has no broadcast address.
      return destination == EthernetHeader.BROADCAST && mac != 0 ? BROADCAST : MULTICAST;
    }
    return OTHERHOST;
  }

  /** Shows a packet of the loopback, which has no Ethernet header, as if it had an empty one. */
  public void showLooped(Nic nic, Packet p, int kind, @Nullable PacketEndpoint except) {
    if (p.start < EthernetHeader.LENGTH || p.length() == 0) {
      return;
    }
    boolean isV6 = p.data[p.start] >>> 4 == 6;
    p.prepend(EthernetHeader.LENGTH);
    int type = isV6 ? EthernetHeader.TYPE_IPV6 : EthernetHeader.TYPE_IPV4;
    EthernetHeader.write(p.data, p.start, 0, 0, type);
    show(nic, p, kind, except);
    p.start += EthernetHeader.LENGTH;
  }

  /**
   * Shows a UDP datagram between two sockets of this host, which crosses the loopback without a
   * packet.
   */
  public void showDatagram(int from, int fromPort, int to, int toPort, MemorySegment payload) {
    int length = (int) payload.byteSize();
    Packet p = stack.packets().allocate(UdpHeader.LENGTH + length);
    if (p == null) {
      return;
    }
    int at = p.start;
    MemorySegment.copy(payload, ValueLayout.JAVA_BYTE, 0, p.data, at + UdpHeader.LENGTH, length);
    p.end = at + UdpHeader.LENGTH + length;
    long sum = stack.pseudoHeader(from, to, Ipv4Header.UDP, p.length());
    UdpHeader.write(p.data, at, p.length(), fromPort, toPort, sum);
    stack.ipv4().writeHeader(p, from, to, Ipv4Header.UDP);
    showLooped(stack.loopback(), p, OUTGOING, null);
    showLooped(stack.loopback(), p, HOST, null);
    p.free();
  }

  /** Shows a whole frame, which stays the caller's, to all but {@code except}. */
  public void show(Nic nic, Packet p, int kind, @Nullable PacketEndpoint except) {
    Frame f = frame;
    f.data = p.data;
    f.start = p.start;
    f.end = p.end;
    f.kind = kind;
    f.protocol = EthernetHeader.type(p.data, p.start);
    f.interfaceIndex = nic.index();
    f.isLoopback = nic == stack.loopback();
    f.isChecksumOpen = p.isChecksumGood || p.checksumStart != 0;
    for (PacketEndpoint e : all) {
      if (e != except && e.wants(f)) {
        e.take(f);
      }
    }
  }
}
