package redoubt.net.network;

import org.jspecify.annotations.Nullable;
import redoubt.abi.Errno;
import redoubt.net.buffer.Packet;
import redoubt.net.header.Bytes;
import redoubt.net.header.Checksum;
import redoubt.net.header.EthernetHeader;
import redoubt.net.header.IcmpHeader;
import redoubt.net.header.Ipv4Header;
import redoubt.net.header.Ipv6Header;
import redoubt.net.header.TcpHeader;
import redoubt.net.stack.NetworkStack;
import redoubt.net.stack.Nic;
import redoubt.net.stack.Route;

/**
 * IPv4 of a host (RFC 791, RFC 1122): receives, puts fragments together, routes and sends. What is
 * asked about an IPv6 address (a number of {@link AddressTable}) goes on to {@link Ipv6}.
 */
public final class Ipv4 {
  public static final int DEFAULT_TTL = 64;
  private static final int ALL_HOSTS = 0xe000_0001;
  private static final int OPTION_END = 0;
  private static final int OPTION_NOP = 1;
  private static final int OPTION_LOOSE_ROUTE = 131;
  private static final int OPTION_STRICT_ROUTE = 137;

  private final NetworkStack stack;
  private final Reassembler reassembler;
  private final PathMtu pathMtu;

  public Ipv4(NetworkStack stack) {
    this.stack = stack;
    this.reassembler = new Reassembler(stack);
    this.pathMtu = new PathMtu(stack);
  }

  /** Takes a packet that begins with its IP header. */
  public void receive(Nic nic, Packet p) {
    stack.counters().ipIn++;
    if (!isWellFormed(p)) {
      stack.counters().malformed++;
      p.free();
      return;
    }
    byte[] b = p.data;
    int at = p.start;
    p.source = Ipv4Header.source(b, at);
    p.destination = Ipv4Header.destination(b, at);
    p.tos = b[at + 1] & 0xff;
    p.ttl = b[at + 8] & 0xff;
    if (isMartian(nic, p) || !isForUs(nic, p)) {
      stack.counters().notForUs++;
      p.free();
      return;
    }
    if (Ipv4Header.hasMoreFragments(b, at) || Ipv4Header.fragmentOffset(b, at) != 0) {
      int header = Ipv4Header.headerLength(b, at);
      p.fragmentOffset = Ipv4Header.fragmentOffset(b, at);
      p.hasMoreFragments = Ipv4Header.hasMoreFragments(b, at);
      p.fragmentStart = at + header;
      Packet whole = reassembler.add(p, Ipv4Header.id(b, at), Ipv4Header.protocol(b, at), 0);
      if (whole == null) {
        return;
      }
      Ipv4Header.setUnfragmented(whole.data, whole.start, whole.length());
      p = whole;
    }
    deliver(p);
  }

  private boolean isWellFormed(Packet p) {
    byte[] b = p.data;
    int at = p.start;
    if (p.length() < Ipv4Header.MIN_LENGTH || Ipv4Header.version(b, at) != 4) {
      return false;
    }
    int header = Ipv4Header.headerLength(b, at);
    int total = Ipv4Header.totalLength(b, at);
    if (header < Ipv4Header.MIN_LENGTH || total < header || total > p.length()) {
      return false;
    }
    // Ethernet pads short frames.
    p.end = at + total;
    if (!p.isChecksumGood && !Checksum.isGood(Checksum.add(0, b, at, header))) {
      stack.counters().badChecksum++;
      return false;
    }
    return header == Ipv4Header.MIN_LENGTH || areOptionsHarmless(b, at, header);
  }

  /** Options are checked and passed over; a packet that asks for source routing is dropped. */
  private static boolean areOptionsHarmless(byte[] b, int at, int header) {
    int i = Ipv4Header.MIN_LENGTH;
    while (i < header) {
      int kind = b[at + i] & 0xff;
      if (kind == OPTION_END) {
        return true;
      }
      if (kind == OPTION_NOP) {
        i++;
        continue;
      }
      int length = i + 1 < header ? b[at + i + 1] & 0xff : 0;
      if (length < 2
          || i + length > header
          || kind == OPTION_LOOSE_ROUTE
          || kind == OPTION_STRICT_ROUTE) {
        return false;
      }
      i += length;
    }
    return true;
  }

  private boolean isMartian(Nic nic, Packet p) {
    // 224.0.0.0/4 is groups', 240.0.0.0/4 nobody's: its numbers stand for IPv6 addresses here.
    if (p.source >>> 28 >= 0xe || (p.destination >>> 28 == 0xf && p.destination != -1)) {
      return true;
    }
    if (nic == stack.loopback()) {
      return false;
    }
    return isLoopback(p.source) || isLoopback(p.destination) || stack.isLocal(p.source);
  }

  private boolean isForUs(Nic nic, Packet p) {
    if (stack.isLocal(p.destination)) {
      return true;
    }
    // To all hosts of the link: UDP sees it, and nothing answers it with an error.
    boolean isGroup =
        isMulticast(p.destination) ? isOurs(nic, p.destination) : nic.isBroadcast(p.destination);
    p.isLinkGroup |= isGroup;
    return isGroup;
  }

  private boolean isOurs(Nic nic, int group) {
    return group == ALL_HOSTS || nic == stack.loopback() || stack.groups().isJoined(nic, group);
  }

  private void deliver(Packet p) {
    byte[] b = p.data;
    int protocol = Ipv4Header.protocol(b, p.start);
    p.networkStart = p.start;
    int payload = p.start + Ipv4Header.headerLength(b, p.start);
    boolean isWanted = stack.raw().deliver(p, protocol, payload);
    p.start = payload;
    switch (protocol) {
      case Ipv4Header.TCP -> stack.tcp().receive(p);
      case Ipv4Header.UDP -> stack.udp().receive(p);
      case Ipv4Header.ICMP -> stack.icmp().receive(p);
      case Ipv4Header.IGMP -> {
        stack.groups().receiveIgmp(p.interfaceIndex, b, p.start, p.length());
        p.free();
      }
      default -> {
        if (!isWanted) {
          stack.icmp().sendError(p, IcmpHeader.UNREACHABLE, IcmpHeader.PROTOCOL_UNREACHABLE, 0);
        }
        p.free();
      }
    }
  }

  /** {@return the route to {@code destination}, or null} */
  public @Nullable Route route(int destination) {
    return stack.routes().lookup(destination);
  }

  /** {@return the address to send from to {@code destination}, or 0 without a route} */
  public int sourceFor(int destination) {
    if (AddressTable.isV6(destination)) {
      return stack.ipv6().sourceFor(destination);
    }
    if (stack.isLocal(destination)) {
      return destination;
    }
    Route r = route(destination);
    return r == null ? 0 : r.source();
  }

  /** {@return the longest packet that reaches {@code destination} in one piece, as far as known} */
  public int mtu(int destination) {
    if (AddressTable.isV6(destination)) {
      return stack.ipv6().mtu(destination);
    }
    if (stack.isLocal(destination)) {
      return stack.loopback().mtu();
    }
    Route r = route(destination);
    return r == null ? 0 : pathMtu.limit(destination, r.nic().mtu());
  }

  public PathMtu pathMtu() {
    return pathMtu;
  }

  /** A transport heard from {@code destination}: its next hop is there. */
  public void confirmReachable(int destination) {
    if (AddressTable.isV6(destination)) {
      stack.ipv6().confirmReachable(destination);
      return;
    }
    Route r = stack.isLocal(destination) ? null : route(destination);
    if (r != null && r.nic().link().mac() != 0) {
      r.nic().neighbors().confirmReachable(r.gateway() != 0 ? r.gateway() : destination);
    }
  }

  /**
   * Sends a transport's packet, which this takes over, whatever the result.
   *
   * @return 0, or {@code -ENETUNREACH} without a route, or {@code -EMSGSIZE} where it must not be
   *     fragmented and is too long
   */
  public int send(
      Packet p,
      int source,
      int destination,
      int protocol,
      int tos,
      int ttl,
      boolean isDontFragment) {
    if (AddressTable.isV6(destination)) {
      return stack.ipv6().send(p, source, destination, protocol, tos, ttl, isDontFragment);
    }
    boolean isLocal = stack.isLocal(destination);
    Route r = isLocal ? null : route(destination);
    if (r == null && !isLocal) {
      stack.counters().noRoute++;
      p.free();
      return -Errno.ENETUNREACH;
    }
    Nic nic = r == null ? stack.loopback() : r.nic();
    int mtu = r == null || p.isProbe ? nic.mtu() : pathMtu.limit(destination, nic.mtu());
    int total = p.length() + Ipv4Header.MIN_LENGTH;
    int longest = p.segmentBytes == 0 ? total : lengthOfSegment(p);
    if (total > Ipv4Header.MAX_PACKET || (longest > mtu && isDontFragment)) {
      p.free();
      return -Errno.EMSGSIZE;
    }
    int gateway = r == null ? 0 : r.gateway();
    if (longest > mtu) {
      return fragment(p, nic, gateway, mtu, source, destination, protocol, tos, ttl);
    }
    p.prepend(Ipv4Header.MIN_LENGTH);
    // A packet that is never fragmented needs no identification (RFC 6864).
    int id = isDontFragment ? 0 : nextId();
    int flags = isDontFragment ? Ipv4Header.DONT_FRAGMENT : 0;
    Ipv4Header.write(p.data, p.start, tos, total, id, flags, ttl, protocol, source, destination);
    transmit(p, nic, gateway, destination);
    return 0;
  }

  /** Sends a packet that has its header of {@code header} bytes already: as raw_send_hdrinc. */
  public int sendWhole(Packet p, int header, int source, int destination) {
    boolean isLocal = stack.isLocal(destination);
    Route r = isLocal ? null : route(destination);
    if (r == null && !isLocal) {
      stack.counters().noRoute++;
      p.free();
      return -Errno.ENETUNREACH;
    }
    byte[] b = p.data;
    if (header >= Ipv4Header.MIN_LENGTH) {
      if (Ipv4Header.source(b, p.start) == 0) {
        Bytes.put32(b, p.start + 12, source);
      }
      if (Ipv4Header.id(b, p.start) == 0) {
        Bytes.put16(b, p.start + 4, nextId());
      }
      Bytes.put16(b, p.start + 2, p.length());
      Bytes.put16(b, p.start + 10, 0);
      Bytes.put16(b, p.start + 10, Checksum.finish(Checksum.add(0, b, p.start, header)));
    }
    transmit(p, r == null ? stack.loopback() : r.nic(), r == null ? 0 : r.gateway(), destination);
    return 0;
  }

  /** Puts the header of either IP before a payload that goes nowhere else. */
  public void writeHeader(Packet p, int source, int destination, int protocol) {
    if (AddressTable.isV6(destination)) {
      stack.ipv6().writeHeader(p, source, destination, protocol, 0, DEFAULT_TTL);
      return;
    }
    p.prepend(Ipv4Header.MIN_LENGTH);
    int flags = Ipv4Header.DONT_FRAGMENT;
    int n = p.length();
    Ipv4Header.write(p.data, p.start, 0, n, 0, flags, DEFAULT_TTL, protocol, source, destination);
  }

  private static int lengthOfSegment(Packet p) {
    return Ipv4Header.MIN_LENGTH + TcpHeader.headerLength(p.data, p.start) + p.segmentBytes;
  }

  /** {@return whether the link to {@code destination} cuts long packets into segments} */
  public boolean canSegment(int destination) {
    if (AddressTable.isV6(destination)) {
      return stack.ipv6().canSegment(destination);
    }
    Route r = stack.isLocal(destination) ? null : route(destination);
    return r != null && r.nic().link().offloads();
  }

  private int nextId() {
    return (int) stack.secret().next() & 0xffff;
  }

  private int fragment(
      Packet p,
      Nic nic,
      int gateway,
      int mtu,
      int source,
      int destination,
      int protocol,
      int tos,
      int ttl) {
    p.fill();
    p.completeChecksum();
    int id = nextId();
    int most = (mtu - Ipv4Header.MIN_LENGTH) & ~7;
    for (int offset = 0; offset < p.length(); offset += most) {
      int n = Math.min(most, p.length() - offset);
      Packet f = stack.packets().allocate(n);
      if (f == null) {
        p.free();
        return -Errno.ENOBUFS;
      }
      System.arraycopy(p.data, p.start + offset, f.data, f.start, n);
      f.isLooped = p.isLooped;
      f.end = f.start + n;
      f.prepend(Ipv4Header.MIN_LENGTH);
      int more = offset + n < p.length() ? Ipv4Header.MORE_FRAGMENTS : 0;
      Ipv4Header.write(
          f.data,
          f.start,
          tos,
          f.length(),
          id,
          more | offset / 8,
          ttl,
          protocol,
          source,
          destination);
      transmit(f, nic, gateway, destination);
    }
    p.free();
    return 0;
  }

  private void transmit(Packet p, Nic nic, int gateway, int destination) {
    if (nic.link().mac() == 0) {
      nic.transmit(p, 0, EthernetHeader.TYPE_IPV4);
    } else if (nic.isBroadcast(destination)) {
      nic.transmit(p, EthernetHeader.BROADCAST, EthernetHeader.TYPE_IPV4);
    } else if (isMulticast(destination)) {
      loop(p, nic, destination, EthernetHeader.TYPE_IPV4);
      nic.transmit(p, groupMac(destination), EthernetHeader.TYPE_IPV4);
    } else {
      nic.neighbors().send(p, gateway != 0 ? gateway : destination);
    }
  }

  /** Who has joined a group here hears, too, what is sent from here (IP_MULTICAST_LOOP). */
  void loop(Packet p, Nic nic, int group, int type) {
    Packet copy = p.isLooped && stack.groups().isJoined(nic, group) ? p.copy() : null;
    if (copy != null) {
      stack.loopback().transmit(copy, 0, type);
    }
  }

  static long groupMac(int group) {
    return 0x0100_5e00_0000L | (group & 0x7f_ffff);
  }

  @Nullable Nic nicFor(int group) {
    Route r = route(group);
    return r == null || r.nic() == stack.loopback() ? null : r.nic();
  }

  /** {@return whether {@code address} means all hosts of a link} */
  public boolean isBroadcast(int address) {
    if (AddressTable.isV6(address)) {
      return false;
    }
    Route r = address == -1 ? null : route(address);
    return address == -1 || (r != null && r.nic().isBroadcast(address));
  }

  /** {@return the bytes of the IP header of packets to {@code destination}} */
  public static int headerBytes(int destination) {
    return AddressTable.isV6(destination) ? Ipv6Header.LENGTH : Ipv4Header.MIN_LENGTH;
  }

  public static boolean isMulticast(int address) {
    return address >>> 28 == 0xe;
  }

  public static boolean isLoopback(int address) {
    return address >>> 24 == 127;
  }
}
