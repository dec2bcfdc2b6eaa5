package redoubt.net.transport;

import org.jspecify.annotations.Nullable;
import redoubt.abi.Errno;
import redoubt.net.buffer.Packet;
import redoubt.net.header.Checksum;
import redoubt.net.header.IcmpHeader;
import redoubt.net.header.Ipv4Header;
import redoubt.net.header.UdpHeader;
import redoubt.net.network.AddressTable;
import redoubt.net.stack.NetworkStack;

/** UDP (RFC 768): who is bound to which port. Guarded by the stack's lock. */
public final class UdpTable {
  private static final int BUCKETS = 256;

  private final NetworkStack stack;
  // By local port; chained through the endpoints.
  private final @Nullable UdpEndpoint[] buckets = new UdpEndpoint[BUCKETS];

  public UdpTable(NetworkStack stack) {
    this.stack = stack;
  }

  /** {@return a new endpoint, bound to nothing} */
  public UdpEndpoint open() {
    return new UdpEndpoint(stack);
  }

  /** Takes a datagram; {@code p} begins with its UDP header. */
  public void receive(Packet p) {
    byte[] b = p.data;
    int at = p.start;
    int length = p.length() < UdpHeader.LENGTH ? 0 : UdpHeader.length(b, at);
    if (length < UdpHeader.LENGTH || length > p.length()) {
      stack.counters().malformed++;
      p.free();
      return;
    }
    p.end = at + length;
    if (!isChecksumGood(p, length)) {
      stack.counters().badChecksum++;
      p.free();
      return;
    }
    p.sourcePort = UdpHeader.sourcePort(b, at);
    int port = UdpHeader.destinationPort(b, at);
    if (p.isLinkGroup) {
      p.start += UdpHeader.LENGTH;
      deliverToAll(p, port);
      return;
    }
    UdpEndpoint e = find(p.destination, port, p.source, p.sourcePort);
    if (e == null) {
      stack.counters().udpNoPort++;
      stack.icmp().sendError(p, IcmpHeader.UNREACHABLE, IcmpHeader.PORT_UNREACHABLE, 0);
      p.free();
      return;
    }
    p.start += UdpHeader.LENGTH;
    e.deliver(p);
  }

  /** What is sent to a group or by broadcast each endpoint that fits gets its own copy of. */
  private void deliverToAll(Packet p, int port) {
    UdpEndpoint last = null;
    for (UdpEndpoint e = buckets[port % BUCKETS]; e != null; e = e.next) {
      if (e.score(p.destination, port, p.source, p.sourcePort) < 0) {
        continue;
      }
      Packet copy = last == null ? null : p.copy();
      if (last != null && copy != null) {
        last.deliver(copy);
      }
      last = e;
    }
    if (last != null) {
      last.deliver(p);
    } else {
      stack.counters().udpNoPort++;
      p.free();
    }
  }

  private boolean isChecksumGood(Packet p, int length) {
    if (p.isChecksumGood
        || (UdpHeader.checksum(p.data, p.start) == 0 && !AddressTable.isV6(p.source))) {
      return true;
    }
    long sum = stack.pseudoHeader(p.source, p.destination, Ipv4Header.UDP, length);
    return Checksum.isGood(Checksum.add(sum, p.data, p.start, length));
  }

  /**
   * The most specific one: a connected endpoint before one with an address before any; of several
   * that share a port, the peer's hash chooses.
   */
  private @Nullable UdpEndpoint find(int local, int localPort, int remote, int remotePort) {
    UdpEndpoint best = null;
    int bestScore = -1;
    int equals = 0;
    long hash = 0;
    for (UdpEndpoint e = buckets[localPort % BUCKETS]; e != null; e = e.next) {
      int score = e.score(local, localPort, remote, remotePort);
      if (score > bestScore) {
        best = e;
        bestScore = score;
        equals = 1;
      } else if (score == bestScore && score >= 0) {
        hash = equals == 1 ? stack.secret().hash(remote, remotePort, localPort) : hash;
        equals++;
        best = Long.remainderUnsigned(hash, equals) == 0 ? e : best;
      }
    }
    return best;
  }

  /** An ICMP error about a datagram from here. */
  public void error(int local, int localPort, IpError error) {
    UdpEndpoint e = find(local, localPort, error.destination, error.port);
    if (e == null) {
      return;
    }
    if (error.mtu != 0) {
      stack.ipv4().pathMtu().lower(error.destination, error.mtu);
    }
    e.error(error);
  }

  /** Binds {@code e}; port 0 asks for any. {@return 0, {@code -EADDRINUSE} or {@code -EAGAIN}} */
  int bind(UdpEndpoint e, int address, int port) {
    int chosen = port;
    if (port == 0) {
      chosen = Ports.pick(stack.secret(), candidate -> !isTaken(e, address, candidate));
      if (chosen == 0) {
        return -Errno.EAGAIN;
      }
    } else if (isTaken(e, address, port)) {
      return -Errno.EADDRINUSE;
    }
    add(e, address, chosen);
    return 0;
  }

  void add(UdpEndpoint e, int address, int port) {
    e.setLocal(address, port);
    e.next = buckets[port % BUCKETS];
    buckets[port % BUCKETS] = e;
  }

  private boolean isTaken(UdpEndpoint who, int address, int port) {
    for (UdpEndpoint e = buckets[port % BUCKETS]; e != null; e = e.next) {
      if (e.localPort() == port
          && (e.boundAddress() == address || e.boundAddress() == 0 || address == 0)
          && !(e.isReuse() && who.isReuse())) {
        return true;
      }
    }
    return false;
  }

  void unbind(UdpEndpoint e) {
    int bucket = e.localPort() % BUCKETS;
    UdpEndpoint before = null;
    for (UdpEndpoint i = buckets[bucket]; i != null; before = i, i = i.next) {
      if (i == e) {
        if (before == null) {
          buckets[bucket] = e.next;
        } else {
          before.next = e.next;
        }
        e.next = null;
        return;
      }
    }
  }
}
