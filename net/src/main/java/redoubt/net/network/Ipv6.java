package redoubt.net.network;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Errno;
import redoubt.net.buffer.Packet;
import redoubt.net.header.Bytes;
import redoubt.net.header.EthernetHeader;
import redoubt.net.header.Ipv4Header;
import redoubt.net.header.Ipv6Header;
import redoubt.net.header.TcpHeader;
import redoubt.net.stack.NetworkStack;
import redoubt.net.stack.Nic;

/**
 * IPv6 of a host (RFC 8200): receives, routes and sends. Addresses are numbers of {@link
 * AddressTable} from here on.
 *
 * <p>What is left out: router advertisements (routes are taken over from the host); group
 * membership reports.
 */
public final class Ipv6 {
  private static final int MAX_EXTENSIONS = 8;
  private static final int MIN_MTU = 1280;
  private static final int FRAGMENT_HEADER = 8;

  /** The upper halves of ff02::1 and ff01::1. */
  private static final long ALL_NODES = 0xff02_0000_0000_0000L;

  private static final long ALL_NODES_HERE = 0xff01_0000_0000_0000L;

  private static final int MAX_ROUTES = 4096;

  /** A line of the routing table; gateway 0 where the destination is on the link. */
  public record Route6(
      long prefixHigh, long prefixLow, int prefixLength, int gateway, int source, Nic nic) {
    /** {@return the route to the subnet that an address of {@code nic} is in} */
    public static Route6 onLink(long high, long low, int prefixLength, Nic nic) {
      return new Route6(
          high & maskHigh(prefixLength), low & maskLow(prefixLength), prefixLength, 0, 0, nic);
    }

    boolean matches(long high, long low) {
      return ((high ^ prefixHigh) & maskHigh(prefixLength)) == 0
          && ((low ^ prefixLow) & maskLow(prefixLength)) == 0;
    }
  }

  private final NetworkStack stack;
  private final AddressTable addresses;
  private final Reassembler reassembler;
  private volatile Route6[] routes = new Route6[0];

  public Ipv6(NetworkStack stack) {
    this.stack = stack;
    this.addresses = stack.addresses();
    this.reassembler = new Reassembler(stack);
  }

  static long maskHigh(int prefixLength) {
    return prefixLength <= 0 ? 0 : prefixLength >= 64 ? -1L : -1L << (64 - prefixLength);
  }

  static long maskLow(int prefixLength) {
    return prefixLength <= 64 ? 0 : prefixLength >= 128 ? -1L : -1L << (128 - prefixLength);
  }

  static boolean isLinkLocal(long high) {
    return high >>> 54 == 0xfe80_0000_0000_0000L >>> 54;
  }

  static boolean isMulticast(long high) {
    return high >>> 56 == 0xff;
  }

  // ---- receiving ----

  /** Takes a packet that begins with its IP header. */
  public void receive(Nic nic, Packet p) {
    byte[] b = p.data;
    int at = p.start;
    stack.counters().ipIn++;
    if (p.length() < Ipv6Header.LENGTH
        || Ipv6Header.version(b, at) != 6
        || Ipv6Header.payloadLength(b, at) > p.length() - Ipv6Header.LENGTH) {
      stack.counters().malformed++;
      p.free();
      return;
    }
    p.end = at + Ipv6Header.LENGTH + Ipv6Header.payloadLength(b, at);
    if (!takeAddresses(nic, p)) {
      stack.counters().notForUs++;
      p.free();
      return;
    }
    p.networkStart = at;
    p.ttl = Ipv6Header.hopLimit(b, at);
    p.tos = Bytes.u16(b, at) >>> 4 & 0xff;
    deliver(nic, p);
  }

  private boolean takeAddresses(Nic nic, Packet p) {
    byte[] b = p.data;
    int at = p.start;
    long toHigh = Ipv6Header.destinationHigh(b, at);
    long toLow = Ipv6Header.destinationLow(b, at);
    boolean isGroup = isMulticast(toHigh);
    boolean isOurs = !isGroup || isOurs(nic, toHigh, toLow);
    int to =
        !isOurs ? 0 : isGroup ? addresses.number(toHigh, toLow) : addresses.lookup(toHigh, toLow);
    if (to == 0 || (!isGroup && !stack.isLocal(to))) {
      return false;
    }
    long fromHigh = Ipv6Header.sourceHigh(b, at);
    long fromLow = Ipv6Header.sourceLow(b, at);
    int from = addresses.number(fromHigh, fromLow);
    boolean isMartian = isMulticast(fromHigh) || (nic != stack.loopback() && stack.isLocal(from));
    if (from == 0 || isMartian) {
      return false;
    }
    p.source = from;
    p.destination = to;
    p.isLinkGroup |= isGroup;
    return true;
  }

  /**
   * {@return whether {@code nic} is in a group}: all nodes', its neighbours', one that was joined
   */
  private boolean isOurs(Nic nic, long high, long low) {
    if (nic == stack.loopback() || (low == 1 && (high == ALL_NODES || high == ALL_NODES_HERE))) {
      return true;
    }
    if (high == ALL_NODES && low >>> 24 == 0x1ff) {
      for (int own : nic.addresses6()) {
        if (((addresses.low(own) ^ low) & 0xff_ffff) == 0) {
          return true;
        }
      }
    }
    int group = addresses.lookup(high, low);
    return group != 0 && stack.groups().isJoined(nic, group);
  }

  /** Walks the extension headers, and passes the rest up. */
  private void deliver(Nic nic, Packet p) {
    byte[] b = p.data;
    int next = Ipv6Header.nextHeader(b, p.start);
    int at = p.start + Ipv6Header.LENGTH;
    for (int i = 0; i < MAX_EXTENSIONS; i++) {
      switch (next) {
        case Ipv4Header.TCP -> {
          stack.raw().deliver(p, next, at);
          p.start = at;
          stack.tcp().receive(p);
          return;
        }
        case Ipv4Header.UDP -> {
          stack.raw().deliver(p, next, at);
          p.start = at;
          stack.udp().receive(p);
          return;
        }
        case Ipv6Header.ICMPV6 -> {
          p.start = at;
          stack.icmp6().receive(nic, p);
          return;
        }
        case Ipv6Header.HOP_BY_HOP, Ipv6Header.DESTINATION_OPTIONS, Ipv6Header.ROUTING -> {
          int length = at + 8 <= p.end ? (Bytes.u8(b, at + 1) + 1) * 8 : 0;
          if (length == 0 || at + length > p.end || !isHarmless(b, at, length, next)) {
            stack.counters().malformed++;
            p.free();
            return;
          }
          next = Bytes.u8(b, at);
          at += length;
        }
        case Ipv6Header.FRAGMENT -> {
          if (at + FRAGMENT_HEADER > p.end) {
            stack.counters().malformed++;
            p.free();
            return;
          }
          next = Bytes.u8(b, at);
          int field = Bytes.u16(b, at + 2);
          at += FRAGMENT_HEADER;
          if ((field & ~6) != 0) {
            Packet whole = reassemble(p, next, field, at);
            if (whole != null) {
              deliver(nic, whole);
            }
            return;
          }
          // All of it in one fragment: nothing to wait for (RFC 6946).
        }
        default -> {
          stack.raw().deliver(p, next, at);
          p.free();
          return;
        }
      }
    }
    p.free();
  }

  /** {@return the whole packet, without fragment header, or null while something is missing} */
  private @Nullable Packet reassemble(Packet p, int protocol, int field, int payload) {
    p.fragmentOffset = field & ~7;
    p.hasMoreFragments = (field & 1) != 0;
    p.fragmentStart = payload;
    p.fragmentProtocol = protocol;
    int id = Bytes.i32(p.data, payload - 4);
    Packet whole = reassembler.add(p, id, Ipv6Header.FRAGMENT, FRAGMENT_HEADER);
    if (whole == null) {
      return null;
    }
    byte[] b = whole.data;
    Bytes.put16(b, whole.start + 4, whole.length() - Ipv6Header.LENGTH);
    int nextAt = whole.start + 6;
    int at = whole.start + Ipv6Header.LENGTH;
    while (Bytes.u8(b, nextAt) != Ipv6Header.FRAGMENT) {
      nextAt = at;
      at += (Bytes.u8(b, at + 1) + 1) * 8;
    }
    Bytes.put8(b, nextAt, whole.fragmentProtocol);
    whole.networkStart = whole.start;
    whole.ttl = Ipv6Header.hopLimit(b, whole.start);
    return whole;
  }

  /** Options that one must understand are not understood here; routes not ended are not taken. */
  private static boolean isHarmless(byte[] b, int at, int length, int kind) {
    if (kind == Ipv6Header.ROUTING) {
      return Bytes.u8(b, at + 3) == 0;
    }
    int i = at + 2;
    while (i < at + length) {
      int type = Bytes.u8(b, i);
      if (type == 0) {
        i++;
        continue;
      }
      int size = i + 1 < at + length ? Bytes.u8(b, i + 1) + 2 : 0;
      if (size == 0 || i + size > at + length || type >>> 6 != 0) {
        return false;
      }
      i += size;
    }
    return true;
  }

  // ---- routes ----

  /**
   * Adds a route; the longest prefix is tried first, of equals the one that was added last.
   *
   * @return whether there was room
   */
  public boolean addRoute(Route6 route) {
    for (Route6 r : routes) {
      if (r.equals(route)) {
        return true;
      }
    }
    if (routes.length >= MAX_ROUTES) {
      return false;
    }
    addresses.pin(route.gateway);
    addresses.pin(route.source);
    List<Route6> all = new ArrayList<>(List.of(routes));
    all.addFirst(route);
    all.sort(Comparator.comparingInt(Route6::prefixLength).reversed());
    routes = all.toArray(new Route6[0]);
    return true;
  }

  /** Takes {@code route} out. {@return whether it was there} */
  public boolean removeRoute(Route6 route) {
    List<Route6> all = new ArrayList<>(List.of(routes));
    boolean was = all.remove(route);
    if (was) {
      routes = all.toArray(new Route6[0]);
      addresses.unpin(route.gateway);
      addresses.unpin(route.source);
    }
    return was;
  }

  public List<Route6> routes() {
    return List.of(routes);
  }

  private @Nullable Route6 route(int destination) {
    long high = addresses.high(destination);
    long low = addresses.low(destination);
    for (Route6 r : routes) {
      if (r.matches(high, low) && r.nic.isUp()) {
        return r;
      }
    }
    // A group without a route goes out by the first interface.
    if (isMulticast(high)) {
      for (Nic nic : stack.nics()) {
        if (nic != stack.loopback() && nic.isUp()) {
          return new Route6(high, low, 128, 0, 0, nic);
        }
      }
    }
    return null;
  }

  /** {@return the address to send from, or 0 without a route} A short form of RFC 6724. */
  int sourceFor(int destination) {
    if (stack.isLocal(destination)) {
      return destination;
    }
    Route6 r = route(destination);
    if (r == null || r.source != 0) {
      return r == null ? 0 : r.source;
    }
    long high = addresses.high(destination);
    boolean isNear = isLinkLocal(high) || (isMulticast(high) && (high >>> 48 & 15) <= 2);
    int best = 0;
    int bestBits = -1;
    for (int own : r.nic.addresses6()) {
      if (isLinkLocal(addresses.high(own)) != isNear) {
        continue;
      }
      int bits = Long.numberOfLeadingZeros(addresses.high(own) ^ high);
      if (bits > bestBits) {
        best = own;
        bestBits = bits;
      }
    }
    return best;
  }

  int mtu(int destination) {
    if (stack.isLocal(destination)) {
      return stack.loopback().mtu();
    }
    Route6 r = route(destination);
    int linkMtu = r == null ? 0 : r.nic.mtu();
    return r == null
        ? 0
        : Math.max(stack.ipv4().pathMtu().limit(destination, linkMtu), Math.min(linkMtu, MIN_MTU));
  }

  boolean canSegment(int destination) {
    Route6 r = stack.isLocal(destination) ? null : route(destination);
    return r != null && r.nic.link().offloads();
  }

  void confirmReachable(int destination) {
    Route6 r = stack.isLocal(destination) ? null : route(destination);
    if (r != null) {
      r.nic.neighbors().confirmReachable(r.gateway != 0 ? r.gateway : destination);
    }
  }

  // ---- sending ----

  /** As {@link Ipv4#send}. */
  int send(
      Packet p,
      int source,
      int destination,
      int protocol,
      int trafficClass,
      int hopLimit,
      boolean isDontFragment) {
    boolean isLocal = stack.isLocal(destination);
    Route6 r = isLocal ? null : route(destination);
    if (r == null && !isLocal) {
      stack.counters().noRoute++;
      p.free();
      return -Errno.ENETUNREACH;
    }
    Nic nic = r == null ? stack.loopback() : r.nic;
    int total = p.length() + Ipv6Header.LENGTH;
    int longest =
        p.segmentBytes == 0
            ? total
            : Ipv6Header.LENGTH + TcpHeader.headerLength(p.data, p.start) + p.segmentBytes;
    int mtu = p.isProbe ? nic.mtu() : mtu(destination);
    if (p.length() > 65_535 || (longest > mtu && isDontFragment)) {
      p.free();
      return -Errno.EMSGSIZE;
    }
    int gateway = r == null ? 0 : r.gateway;
    if (longest > mtu) {
      return fragment(p, nic, gateway, mtu, source, destination, protocol, trafficClass, hopLimit);
    }
    writeHeader(p, source, destination, protocol, trafficClass, hopLimit);
    transmit(p, nic, gateway, destination);
    return 0;
  }

  void writeHeader(
      Packet p, int source, int destination, int protocol, int trafficClass, int hopLimit) {
    int payload = p.length();
    p.prepend(Ipv6Header.LENGTH);
    Ipv6Header.write(p.data, p.start, trafficClass, payload, protocol, hopLimit);
    putAddress(p.data, p.start + 8, source);
    putAddress(p.data, p.start + 24, destination);
  }

  /** RFC 8200, section 4.5; only the sender does it. */
  private int fragment(
      Packet p,
      Nic nic,
      int gateway,
      int mtu,
      int source,
      int destination,
      int protocol,
      int trafficClass,
      int hopLimit) {
    p.fill();
    p.completeChecksum();
    int id = (int) stack.secret().next();
    int most = (mtu - Ipv6Header.LENGTH - FRAGMENT_HEADER) & ~7;
    for (int offset = 0; offset < p.length(); offset += most) {
      int n = Math.min(most, p.length() - offset);
      Packet f = stack.packets().allocate(FRAGMENT_HEADER + n);
      if (f == null) {
        p.free();
        return -Errno.ENOBUFS;
      }
      int more = offset + n < p.length() ? 1 : 0;
      f.isLooped = p.isLooped;
      Bytes.put32(f.data, f.start, protocol << 24 | offset | more);
      Bytes.put32(f.data, f.start + 4, id);
      System.arraycopy(p.data, p.start + offset, f.data, f.start + FRAGMENT_HEADER, n);
      f.end = f.start + FRAGMENT_HEADER + n;
      writeHeader(f, source, destination, Ipv6Header.FRAGMENT, trafficClass, hopLimit);
      transmit(f, nic, gateway, destination);
    }
    p.free();
    return 0;
  }

  private void transmit(Packet p, Nic nic, int gateway, int destination) {
    if (nic == stack.loopback()) {
      nic.transmit(p, 0, EthernetHeader.TYPE_IPV6);
    } else if (isMulticast(addresses.high(destination))) {
      stack.ipv4().loop(p, nic, destination, EthernetHeader.TYPE_IPV6);
      nic.transmit(p, groupMac(addresses.low(destination)), EthernetHeader.TYPE_IPV6);
    } else {
      nic.neighbors().send(p, gateway != 0 ? gateway : destination);
    }
  }

  /** {@return whether an address number stands for a group} */
  public boolean isGroup(int address) {
    return AddressTable.isV6(address) && isMulticast(addresses.high(address));
  }

  @Nullable Nic nicFor(int group) {
    Route6 r = route(group);
    return r == null ? null : r.nic;
  }

  static long groupMac(long low) {
    return 0x3333_0000_0000L | (low & 0xffff_ffffL);
  }

  void putAddress(byte[] b, int at, int number) {
    Bytes.put64(b, at, addresses.high(number));
    Bytes.put64(b, at + 8, addresses.low(number));
  }
}
