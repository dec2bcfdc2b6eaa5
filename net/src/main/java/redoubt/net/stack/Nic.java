package redoubt.net.stack;

import java.util.Arrays;
import redoubt.net.buffer.Packet;
import redoubt.net.header.EthernetHeader;
import redoubt.net.link.Link;
import redoubt.net.network.NeighborTable;
import redoubt.net.transport.PacketEndpoint;
import redoubt.net.transport.PacketTable;

/** A network interface: a link, its addresses and its neighbours. Guarded by the stack's lock. */
public final class Nic {
  private final NetworkStack stack;
  private final String name;
  private final int index;
  private final Link link;
  private final NeighborTable neighbors;
  // Prefix lengths are written first: who reads addresses sees as many of them.
  private volatile int[] prefixLengths = new int[0];
  private volatile int[] addresses = new int[0];
  private volatile int[] prefixLengths6 = new int[0];
  private volatile int[] addresses6 = new int[0];
  private int mtu;
  private volatile boolean isUp = true;
  private long packetsIn;
  private long bytesIn;
  private long packetsOut;
  private long bytesOut;

  Nic(NetworkStack stack, String name, int index, Link link) {
    this.stack = stack;
    this.name = name;
    this.index = index;
    this.link = link;
    this.mtu = link.mtu();
    this.neighbors = new NeighborTable(stack, this);
  }

  public String name() {
    return name;
  }

  /** {@return the interface's number, as if_nametoindex(3) gives it} */
  public int index() {
    return index;
  }

  public Link link() {
    return link;
  }

  public NeighborTable neighbors() {
    return neighbors;
  }

  public int mtu() {
    return mtu;
  }

  /** Sets the MTU, between IPv4's least and what the link carries. */
  public void setMtu(int mtu) {
    if (mtu < 68 || mtu > link.mtu()) {
      throw new IllegalArgumentException("MTU " + mtu + " is not in 68.." + link.mtu());
    }
    this.mtu = mtu;
  }

  /** What has gone through an interface so far. */
  public record Traffic(long packetsIn, long bytesIn, long packetsOut, long bytesOut) {}

  public Traffic traffic() {
    stack.enter();
    try {
      return new Traffic(packetsIn, bytesIn, packetsOut, bytesOut);
    } finally {
      stack.exit();
    }
  }

  public boolean isUp() {
    return isUp;
  }

  public void setUp(boolean isUp) {
    this.isUp = isUp;
  }

  void addAddress(int address, int prefixLength) {
    int n = addresses.length;
    int[] more = Arrays.copyOf(addresses, n + 1);
    int[] lengths = Arrays.copyOf(prefixLengths, n + 1);
    more[n] = address;
    lengths[n] = prefixLength;
    prefixLengths = lengths;
    addresses = more;
  }

  void addAddress6(int number, int prefixLength) {
    int n = addresses6.length;
    int[] more = Arrays.copyOf(addresses6, n + 1);
    int[] lengths = Arrays.copyOf(prefixLengths6, n + 1);
    more[n] = number;
    lengths[n] = prefixLength;
    prefixLengths6 = lengths;
    addresses6 = more;
  }

  /** {@return whether it was there} */
  boolean removeAddress(int address, int prefixLength) {
    int at = find(addresses, prefixLengths, address, prefixLength);
    if (at >= 0) {
      // The other way round: addresses first, so that each of them has a length.
      addresses = without(addresses, at);
      prefixLengths = without(prefixLengths, at);
    }
    return at >= 0;
  }

  /** {@return whether it was there} */
  boolean removeAddress6(int number, int prefixLength) {
    int at = find(addresses6, prefixLengths6, number, prefixLength);
    if (at >= 0) {
      addresses6 = without(addresses6, at);
      prefixLengths6 = without(prefixLengths6, at);
    }
    return at >= 0;
  }

  private static int find(int[] addresses, int[] lengths, int address, int length) {
    for (int i = 0; i < addresses.length; i++) {
      if (addresses[i] == address && lengths[i] == length) {
        return i;
      }
    }
    return -1;
  }

  private static int[] without(int[] all, int at) {
    int[] rest = Arrays.copyOf(all, all.length - 1);
    System.arraycopy(all, at + 1, rest, at, rest.length - at);
    return rest;
  }

  /** {@return the IPv6 addresses, by number} */
  public int[] addresses6() {
    return addresses6.clone();
  }

  /** {@return how many bits of IPv6 address number {@code i} name its subnet} */
  public int prefixLength6(int i) {
    int[] lengths = prefixLengths6;
    return i < lengths.length ? lengths[i] : 128;
  }

  public boolean hasAddress(int address) {
    int[] six = addresses6;
    for (int a : six) {
      if (a == address) {
        return true;
      }
    }
    int[] four = addresses;
    for (int i = 0; i < four.length; i++) {
      if (four[i] == address
          || (link.mac() == 0 && ((four[i] ^ address) & Route.mask(prefixLength(i))) == 0)) {
        // All of 127/8 is the loopback interface itself.
        return true;
      }
    }
    return false;
  }

  /** {@return whether {@code address} is a subnet's broadcast address here} */
  public boolean isBroadcast(int address) {
    for (int i = 0; i < addresses.length; i++) {
      int host = ~Route.mask(prefixLengths[i]);
      if (prefixLengths[i] < 31 && address == (addresses[i] | host)) {
        return true;
      }
    }
    return address == -1;
  }

  /** {@return the addresses, in the order in which they were given} */
  public int[] addresses() {
    return addresses.clone();
  }

  /** {@return how many bits of address number {@code i} name its subnet} */
  public int prefixLength(int i) {
    int[] lengths = prefixLengths;
    return i < lengths.length ? lengths[i] : 32;
  }

  /** {@return the first address, or 0 when there is none} */
  public int primaryAddress() {
    int[] four = addresses;
    return four.length == 0 ? 0 : four[0];
  }

  /**
   * Takes a frame that came in. The link's thread calls this between {@link NetworkStack#enter} and
   * {@link NetworkStack#exit}, for a batch of frames at once.
   */
  public void deliver(Packet frame) {
    frame.interfaceIndex = index;
    packetsIn++;
    bytesIn += frame.length();
    if (!isUp) {
      frame.free();
    } else if (link.mac() == 0) {
      if (!stack.frames().isEmpty()) {
        stack.frames().showLooped(this, frame, PacketTable.HOST, null);
      }
      if (frame.length() > 0 && frame.data[frame.start] >>> 4 == 6) {
        stack.ipv6().receive(this, frame);
      } else {
        stack.ipv4().receive(this, frame);
      }
    } else {
      deliverEthernet(frame);
    }
  }

  private void deliverEthernet(Packet frame) {
    Tap tap = stack.tap();
    if (tap != null) {
      tap.frame(frame.data, frame.start, frame.length());
    }
    if (frame.length() < EthernetHeader.LENGTH) {
      stack.counters().malformed++;
      frame.free();
      return;
    }
    long destination = EthernetHeader.destination(frame.data, frame.start);
    int type = EthernetHeader.type(frame.data, frame.start);
    frame.isLinkGroup = EthernetHeader.isGroup(destination);
    if (!stack.frames().isEmpty()) {
      stack.frames().show(this, frame, PacketTable.kind(destination, link.mac()), null);
    }
    if (!frame.isLinkGroup && destination != link.mac()) {
      frame.free();
      return;
    }
    frame.start += EthernetHeader.LENGTH;
    switch (type) {
      case EthernetHeader.TYPE_IPV4 -> stack.ipv4().receive(this, frame);
      case EthernetHeader.TYPE_IPV6 -> stack.ipv6().receive(this, frame);
      case EthernetHeader.TYPE_ARP -> neighbors.receive(frame);
      default -> frame.free();
    }
  }

  /** Sends an IP packet to {@code mac}, or without a header where the link has none. */
  public void transmit(Packet p, long mac, int type) {
    if (!isUp) {
      p.free();
      return;
    }
    if (!link.takesBorrowed()) {
      p.fill();
    }
    if (!link.offloads()) {
      p.completeChecksum();
    }
    if (link.mac() != 0) {
      p.prepend(EthernetHeader.LENGTH);
      EthernetHeader.write(p.data, p.start, mac, link.mac(), type);
    }
    Tap tap = stack.tap();
    if (tap != null && link.mac() != 0) {
      p.fill();
      tap.frame(p.data, p.start, p.length());
    }
    if (!stack.frames().isEmpty()) {
      p.fill();
      if (link.mac() == 0) {
        stack.frames().showLooped(this, p, PacketTable.OUTGOING, null);
      } else {
        stack.frames().show(this, p, PacketTable.OUTGOING, null);
      }
    }
    send(p);
  }

  private void send(Packet p) {
    stack.counters().framesOut++;
    packetsOut++;
    bytesOut += p.length();
    link.transmit(p);
  }

  /** Sends a whole frame, which {@code by} wrote and does not see again. */
  public void inject(Packet frame, PacketEndpoint by) {
    stack.frames().show(this, frame, PacketTable.OUTGOING, by);
    if (link.mac() != 0) {
      Tap tap = stack.tap();
      if (tap != null) {
        tap.frame(frame.data, frame.start, frame.length());
      }
      send(frame);
      return;
    }
    // The loopback has Ethernet headers for who writes them. IP takes nothing that comes in there
    // from an address of this host without having been routed (fib_validate_source).
    long destination = EthernetHeader.destination(frame.data, frame.start);
    stack.frames().show(this, frame, PacketTable.kind(destination, 0), null);
    frame.free();
  }
}
