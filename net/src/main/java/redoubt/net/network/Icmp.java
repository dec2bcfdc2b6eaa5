package redoubt.net.network;

import redoubt.abi.Errno;
import redoubt.net.buffer.Packet;
import redoubt.net.header.Bytes;
import redoubt.net.header.Checksum;
import redoubt.net.header.IcmpHeader;
import redoubt.net.header.Ipv4Header;
import redoubt.net.stack.NetworkStack;
import redoubt.net.transport.IpError;

/** ICMP of a host (RFC 792, RFC 1122 section 3.2.2): answers echoes, sends and takes errors. */
public final class Icmp {
  /** RFC 1812: an error quotes as much as keeps it within 576 bytes. */
  private static final int MAX_ERROR = 576;

  /** Linux's {@code icmp_msgs_per_sec} and {@code icmp_msgs_burst}. */
  private static final int ERRORS_PER_SECOND = 1000;

  private static final int BURST = 50;

  private final NetworkStack stack;
  private final IpError error = new IpError();
  private double tokens = BURST;
  private long tokensAtNs;

  public Icmp(NetworkStack stack) {
    this.stack = stack;
  }

  /** Takes a message; {@code p} begins with its ICMP header. */
  public void receive(Packet p) {
    byte[] b = p.data;
    int at = p.start;
    if (p.length() < IcmpHeader.LENGTH) {
      stack.counters().malformed++;
      p.free();
      return;
    }
    if (!p.isChecksumGood && !Checksum.isGood(Checksum.add(0, b, at, p.length()))) {
      stack.counters().badChecksum++;
      p.free();
      return;
    }
    stack.counters().icmpIn++;
    switch (IcmpHeader.type(b, at)) {
      case IcmpHeader.ECHO_REQUEST -> answerEcho(p);
      case IcmpHeader.UNREACHABLE, IcmpHeader.TIME_EXCEEDED, IcmpHeader.PARAMETER_PROBLEM -> {
        IpError e = error;
        e.type = IcmpHeader.type(b, at);
        e.code = IcmpHeader.code(b, at);
        e.info = info(b, at);
        e.offender = p.source;
        e.us = p.destination;
        e.ttl = p.ttl;
        e.tos = p.tos;
        e.interfaceIndex = p.interfaceIndex;
        dispatchError(b, at + IcmpHeader.LENGTH, p.end);
        p.free();
      }
      // Redirects and source quench are obsolete and a way to attack: never obeyed.
      default -> p.free();
    }
  }

  /** {@return ee_info of an error}: an MTU, or where in the packet the problem is */
  private static int info(byte[] b, int at) {
    return switch (IcmpHeader.type(b, at)) {
      case IcmpHeader.UNREACHABLE ->
          IcmpHeader.code(b, at) == IcmpHeader.FRAGMENTATION_NEEDED
              ? IcmpHeader.nextHopMtu(b, at)
              : 0;
      case IcmpHeader.PARAMETER_PROBLEM -> Bytes.u8(b, at + 4);
      default -> 0;
    };
  }

  private void answerEcho(Packet p) {
    stack.counters().icmpEchoIn++;
    if (p.isLinkGroup || p.source == 0) {
      p.free();
      return;
    }
    Packet reply = p;
    if (p.start < Packet.HEADROOM - 20) {
      // The link delivered it without the room that headers need.
      Packet copy = stack.packets().allocate(p.length());
      if (copy == null) {
        p.free();
        return;
      }
      System.arraycopy(p.data, p.start, copy.data, copy.start, p.length());
      copy.end = copy.start + p.length();
      copy.source = p.source;
      copy.destination = p.destination;
      p.free();
      reply = copy;
    }
    reply.isChecksumGood = false;
    int us = reply.destination;
    int them = reply.source;
    stack.counters().icmpOut++;
    IcmpHeader.finish(reply.data, reply.start, IcmpHeader.ECHO_REPLY, 0, reply.length());
    stack.ipv4().send(reply, us, them, Ipv4Header.ICMP, 0, Ipv4.DEFAULT_TTL, false);
  }

  /**
   * Tells the sender of {@code about}, which stays the caller's, what became of it. Nothing is said
   * about errors, fragments other than the first, or packets from or to groups (RFC 1122).
   */
  public void sendError(Packet about, int type, int code, int info) {
    if (AddressTable.isV6(about.source)) {
      if (type == IcmpHeader.TIME_EXCEEDED) {
        stack.icmp6().sendReassemblyTimeout(about);
      } else {
        stack.icmp6().sendPortUnreachable(about);
      }
      return;
    }
    byte[] b = about.data;
    int at = about.networkStart;
    boolean isIcmp = Ipv4Header.protocol(b, at) == Ipv4Header.ICMP;
    if (about.isLinkGroup
        || about.source == 0
        || isIcmp
        || Ipv4Header.fragmentOffset(b, at) != 0
        || !takeToken()) {
      return;
    }
    int quote = Math.min(about.end - at, MAX_ERROR - Ipv4Header.MIN_LENGTH - IcmpHeader.LENGTH);
    Packet p = stack.packets().allocate(IcmpHeader.LENGTH + quote);
    if (p == null) {
      return;
    }
    p.end = p.start + IcmpHeader.LENGTH + quote;
    Bytes.put32(p.data, p.start + 4, info);
    System.arraycopy(b, at, p.data, p.start + IcmpHeader.LENGTH, quote);
    int us = about.destination;
    int them = about.source;
    IcmpHeader.finish(p.data, p.start, type, code, p.length());
    stack.ipv4().send(p, us, them, Ipv4Header.ICMP, 0xc0, Ipv4.DEFAULT_TTL, false);
  }

  boolean takeToken() {
    long now = stack.nowNs();
    tokens = Math.min(BURST, tokens + (now - tokensAtNs) * (ERRORS_PER_SECOND / 1e9));
    tokensAtNs = now;
    if (tokens < 1) {
      return false;
    }
    tokens--;
    return true;
  }

  /** As if a router had sent an error about {@code unsent}, which begins with its IP header. */
  public void reportLocally(Packet unsent, int type, int code) {
    if (Ipv4Header.version(unsent.data, unsent.start) == 6) {
      stack.icmp6().reportLocally(unsent);
      return;
    }
    IpError e = error;
    e.type = type;
    e.code = code;
    e.info = 0;
    e.offender = Ipv4Header.source(unsent.data, unsent.start);
    e.us = e.offender;
    e.ttl = Ipv4.DEFAULT_TTL;
    e.tos = 0xc0;
    e.interfaceIndex = stack.loopback().index();
    dispatchError(unsent.data, unsent.start, unsent.end);
  }

  /** Passes the error to the transport that sent the packet quoted in {@code b[at, end)}. */
  private void dispatchError(byte[] b, int at, int end) {
    if (end - at < Ipv4Header.MIN_LENGTH || Ipv4Header.version(b, at) != 4) {
      return;
    }
    int header = Ipv4Header.headerLength(b, at);
    int source = Ipv4Header.source(b, at);
    // Eight bytes of the transport's header are all that a router owes: ports and sequence number.
    if (header < Ipv4Header.MIN_LENGTH
        || end - at < header + 8
        || !stack.isLocal(source)
        || Ipv4Header.fragmentOffset(b, at) != 0) {
      return;
    }
    int transport = at + header;
    IpError e = error;
    e.isV6 = false;
    e.errno = errno(e.type, e.code);
    e.mtu = e.errno == Errno.EMSGSIZE ? usableMtu(e.info, Ipv4Header.totalLength(b, at)) : 0;
    e.isHard = isHard(e.type, e.code);
    e.destination = Ipv4Header.destination(b, at);
    QuotedPacket.tell(stack, e, Ipv4Header.protocol(b, at), source, b, transport, end);
  }

  /** Routers before RFC 1191 give no MTU: then three quarters of what was too long. */
  private static int usableMtu(int mtu, int tried) {
    return mtu >= 68 ? mtu : tried * 3 / 4;
  }

  /** What {@code icmp_err_convert} calls fatal. Too long a packet is, unless fragments may be. */
  private static boolean isHard(int type, int code) {
    if (type == IcmpHeader.UNREACHABLE) {
      return switch (code) {
        case 0, 1, 5, 11, 12 -> false;
        default -> true;
      };
    }
    return type == IcmpHeader.PARAMETER_PROBLEM;
  }

  /** The errors of Linux's {@code icmp_err_convert}. */
  private static int errno(int type, int code) {
    if (type == IcmpHeader.PARAMETER_PROBLEM) {
      return Errno.EPROTO;
    }
    if (type != IcmpHeader.UNREACHABLE) {
      return Errno.EHOSTUNREACH;
    }
    return switch (code) {
      case 0, 6, 9, 11 -> Errno.ENETUNREACH;
      case 2 -> Errno.ENOPROTOOPT;
      case 3 -> Errno.ECONNREFUSED;
      case 4 -> Errno.EMSGSIZE;
      case 5 -> Errno.EOPNOTSUPP;
      case 7 -> Errno.EHOSTDOWN;
      case 8 -> Errno.ENONET;
      default -> Errno.EHOSTUNREACH;
    };
  }
}
