package redoubt.net.network;

import redoubt.abi.Errno;
import redoubt.net.buffer.Packet;
import redoubt.net.header.Bytes;
import redoubt.net.header.Checksum;
import redoubt.net.header.EthernetHeader;
import redoubt.net.header.Ipv6Header;
import redoubt.net.stack.NetworkStack;
import redoubt.net.stack.Nic;
import redoubt.net.transport.IpError;

/**
 * ICMPv6 of a host (RFC 4443) with the part of neighbour discovery that finds neighbours and lets
 * oneself be found (RFC 4861, section 7.2).
 */
public final class Icmp6 {
  private static final int LENGTH = 8;
  private static final int UNREACHABLE = 1;
  private static final int TOO_BIG = 2;
  private static final int TIME_EXCEEDED = 3;
  private static final int PARAMETER_PROBLEM = 4;
  private static final int ECHO_REQUEST = 128;
  private static final int ECHO_REPLY = 129;
  private static final int MLD_QUERY = 130;
  private static final int NEIGHBOR_SOLICITATION = 135;
  private static final int NEIGHBOR_ADVERTISEMENT = 136;
  private static final int PORT_UNREACHABLE = 4;
  private static final int OPTION_SOURCE = 1;
  private static final int OPTION_TARGET = 2;
  private static final int SOLICITED = 0x4000_0000;
  private static final int OVERRIDE = 0x2000_0000;

  /** RFC 4443, section 2.4: an error fits in the least MTU. */
  private static final int MAX_QUOTE = 1280 - Ipv6Header.LENGTH - LENGTH;

  private final NetworkStack stack;
  private final AddressTable addresses;
  private final IpError error = new IpError();

  public Icmp6(NetworkStack stack) {
    this.stack = stack;
    this.addresses = stack.addresses();
  }

  /** Takes a message; {@code p} begins with its ICMP header. */
  public void receive(Nic nic, Packet p) {
    byte[] b = p.data;
    int at = p.start;
    long sum = stack.pseudoHeader(p.source, p.destination, Ipv6Header.ICMPV6, p.length());
    if (p.length() < LENGTH || !Checksum.isGood(Checksum.add(sum, b, at, p.length()))) {
      stack.counters().badChecksum++;
      p.free();
      return;
    }
    stack.counters().icmpIn++;
    stack.raw().deliver(p, Ipv6Header.ICMPV6, at);
    int type = Bytes.u8(b, at);
    switch (type) {
      case ECHO_REQUEST -> answerEcho(p);
      case NEIGHBOR_SOLICITATION -> solicited(nic, p);
      case NEIGHBOR_ADVERTISEMENT -> advertised(nic, p);
      case MLD_QUERY -> {
        stack.groups().receiveMld(nic.index(), b, at, p.length());
        p.free();
      }
      case UNREACHABLE, TOO_BIG, TIME_EXCEEDED, PARAMETER_PROBLEM -> {
        IpError e = error;
        e.type = type;
        e.code = Bytes.u8(b, at + 1);
        e.info = Bytes.i32(b, at + 4);
        e.offender = p.source;
        e.us = p.destination;
        e.ttl = p.ttl;
        e.tos = p.tos;
        e.interfaceIndex = p.interfaceIndex;
        dispatchError(b, at + LENGTH, p.end);
        p.free();
      }
      default -> p.free();
    }
  }

  private void answerEcho(Packet p) {
    stack.counters().icmpEchoIn++;
    int us = p.isLinkGroup ? stack.ipv4().sourceFor(p.source) : p.destination;
    Packet reply = us == 0 ? null : stack.packets().allocate(p.length());
    if (reply != null) {
      System.arraycopy(p.data, p.start, reply.data, reply.start, p.length());
      reply.end = reply.start + p.length();
      Bytes.put8(reply.data, reply.start, ECHO_REPLY);
      send(reply, us, p.source, 64);
    }
    p.free();
  }

  /** Completes and sends a message. */
  private void send(Packet p, int from, int to, int hopLimit) {
    stack.counters().icmpOut++;
    Bytes.put16(p.data, p.start + 2, 0);
    long sum = stack.pseudoHeader(from, to, Ipv6Header.ICMPV6, p.length());
    int checksum = Checksum.finish(Checksum.add(sum, p.data, p.start, p.length()));
    Bytes.put16(p.data, p.start + 2, checksum);
    stack.ipv6().send(p, from, to, Ipv6Header.ICMPV6, 0, hopLimit, false);
  }

  // ---- neighbours ----

  private void solicited(Nic nic, Packet p) {
    byte[] b = p.data;
    int at = p.start;
    int target =
        p.length() < 24 ? 0 : addresses.lookup(Bytes.i64(b, at + 8), Bytes.i64(b, at + 16));
    if (p.ttl == 255 && target != 0 && nic.hasAddress(target)) {
      boolean isProbe = addresses.high(p.source) == 0 && addresses.low(p.source) == 0;
      long mac = option(b, at + 24, p.end, OPTION_SOURCE);
      if (!isProbe && mac != 0) {
        nic.neighbors().learn(p.source, mac, true);
      }
      advertise(nic, target, isProbe ? 0 : p.source);
    }
    p.free();
  }

  /**
   * @param to who asked, or 0 for who asked without an address of its own
   */
  private void advertise(Nic nic, int target, int to) {
    Packet p = stack.packets().allocate(32);
    if (p == null) {
      return;
    }
    p.end = p.start + 32;
    Bytes.put32(p.data, p.start, NEIGHBOR_ADVERTISEMENT << 24);
    Bytes.put32(p.data, p.start + 4, (to != 0 ? SOLICITED : 0) | OVERRIDE);
    stack.ipv6().putAddress(p.data, p.start + 8, target);
    putMac(p.data, p.start + 24, OPTION_TARGET, nic);
    int all = addresses.number(0xff02_0000_0000_0000L, 1);
    if (to != 0 || all != 0) {
      send(p, target, to != 0 ? to : all, 255);
    } else {
      p.free();
    }
  }

  private void advertised(Nic nic, Packet p) {
    byte[] b = p.data;
    int at = p.start;
    int target =
        p.length() < 24 ? 0 : addresses.lookup(Bytes.i64(b, at + 8), Bytes.i64(b, at + 16));
    long mac = option(b, at + 24, p.end, OPTION_TARGET);
    if (p.ttl == 255 && target != 0 && mac != 0 && !nic.hasAddress(target)) {
      nic.neighbors().learn(target, mac, false);
    }
    p.free();
  }

  /** Asks who has {@code target}; {@code mac} is who had it, or a group's. */
  void solicit(Nic nic, int target, boolean isKnown) {
    int source = stack.ipv4().sourceFor(target);
    long low = 0x1_ff00_0000L | (addresses.low(target) & 0xff_ffff);
    int group = addresses.number(0xff02_0000_0000_0000L, low);
    Packet p = source == 0 || group == 0 ? null : stack.packets().allocate(32);
    if (p == null) {
      return;
    }
    p.end = p.start + 32;
    Bytes.put32(p.data, p.start, NEIGHBOR_SOLICITATION << 24);
    Bytes.put32(p.data, p.start + 4, 0);
    stack.ipv6().putAddress(p.data, p.start + 8, target);
    putMac(p.data, p.start + 24, OPTION_SOURCE, nic);
    send(p, source, isKnown ? target : group, 255);
  }

  private static void putMac(byte[] b, int at, int kind, Nic nic) {
    Bytes.put8(b, at, kind);
    Bytes.put8(b, at + 1, 1);
    Bytes.put48(b, at + 2, nic.link().mac());
  }

  private static long option(byte[] b, int at, int end, int kind) {
    int i = at;
    while (i + 8 <= end) {
      int size = Bytes.u8(b, i + 1) * 8;
      if (size == 0 || i + size > end) {
        return 0;
      }
      if (Bytes.u8(b, i) == kind) {
        long mac = Bytes.u48(b, i + 2);
        return EthernetHeader.isGroup(mac) ? 0 : mac;
      }
      i += size;
    }
    return 0;
  }

  // ---- errors ----

  /** Tells the sender of {@code about} that nobody has the port; it stays the caller's. */
  void sendPortUnreachable(Packet about) {
    sendError(about, UNREACHABLE, PORT_UNREACHABLE);
  }

  /** Tells the sender of {@code about}, a first fragment, that the others did not come in time. */
  void sendReassemblyTimeout(Packet about) {
    sendError(about, TIME_EXCEEDED, 1);
  }

  private void sendError(Packet about, int type, int code) {
    int at = about.networkStart;
    if (about.isLinkGroup || !stack.icmp().takeToken()) {
      return;
    }
    int quote = Math.min(about.end - at, MAX_QUOTE);
    Packet p = stack.packets().allocate(LENGTH + quote);
    if (p == null) {
      return;
    }
    p.end = p.start + LENGTH + quote;
    Bytes.put32(p.data, p.start, type << 24 | code << 16);
    Bytes.put32(p.data, p.start + 4, 0);
    System.arraycopy(about.data, at, p.data, p.start + LENGTH, quote);
    send(p, about.destination, about.source, 64);
  }

  /** As if a router had said that {@code unsent}, which begins with its IP header, got nowhere. */
  void reportLocally(Packet unsent) {
    byte[] b = unsent.data;
    int at = unsent.start;
    IpError e = error;
    e.type = UNREACHABLE;
    e.code = 3;
    e.info = 0;
    e.offender = addresses.lookup(Ipv6Header.sourceHigh(b, at), Ipv6Header.sourceLow(b, at));
    e.us = e.offender;
    e.ttl = 64;
    e.tos = 0;
    e.interfaceIndex = stack.loopback().index();
    dispatchError(b, at, unsent.end);
  }

  private void dispatchError(byte[] b, int at, int end) {
    int transport = at + Ipv6Header.LENGTH;
    if (end < transport + 8 || Ipv6Header.version(b, at) != 6) {
      return;
    }
    int source = addresses.lookup(Ipv6Header.sourceHigh(b, at), Ipv6Header.sourceLow(b, at));
    int destination =
        addresses.lookup(Ipv6Header.destinationHigh(b, at), Ipv6Header.destinationLow(b, at));
    if (source == 0 || destination == 0 || !stack.isLocal(source)) {
      return;
    }
    IpError e = error;
    e.isV6 = true;
    e.errno = errno(e.type, e.code);
    e.mtu = e.type == TOO_BIG ? Math.clamp(e.info, 1280, 65_535) : 0;
    e.isHard = isHard(e.type, e.code);
    e.destination = destination;
    QuotedPacket.tell(stack, e, Ipv6Header.nextHeader(b, at), source, b, transport, end);
  }

  private static boolean isHard(int type, int code) {
    return switch (type) {
      case UNREACHABLE -> code != 0 && code != 2 && code != 3;
      case TOO_BIG, PARAMETER_PROBLEM -> true;
      default -> false;
    };
  }

  /** The errors of Linux's {@code icmpv6_err_convert}. */
  private static int errno(int type, int code) {
    return switch (type) {
      case UNREACHABLE ->
          switch (code) {
            case 0 -> Errno.ENETUNREACH;
            case 1, 5, 6 -> Errno.EACCES;
            case 4 -> Errno.ECONNREFUSED;
            case 2, 3 -> Errno.EHOSTUNREACH;
            default -> Errno.EPROTO;
          };
      case TOO_BIG -> Errno.EMSGSIZE;
      case PARAMETER_PROBLEM -> Errno.EPROTO;
      default -> Errno.EHOSTUNREACH;
    };
  }
}
