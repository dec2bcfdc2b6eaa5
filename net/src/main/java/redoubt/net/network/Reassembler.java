package redoubt.net.network;

import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import redoubt.net.buffer.Packet;
import redoubt.net.buffer.PacketPool;
import redoubt.net.header.IcmpHeader;
import redoubt.net.header.Ipv4Header;
import redoubt.net.stack.NetworkStack;
import redoubt.net.stack.Timer;

/**
 * Puts fragments together. A datagram whose fragments overlap is dropped whole, as Linux and RFC
 * 5722 do: no honest sender makes one. Exact repeats are ignored. Datagrams, their fragments and
 * their time are bounded.
 */
final class Reassembler {
  static final long TIMEOUT_NS = 30_000_000_000L;
  static final int MAX_DATAGRAMS = 64;
  static final int MAX_FRAGMENTS = 128;

  private record Key(int source, int destination, int id, int protocol) {}

  private final NetworkStack stack;
  private final Map<Key, Datagram> datagrams = new LinkedHashMap<>();

  Reassembler(NetworkStack stack) {
    this.stack = stack;
  }

  private final class Datagram extends Timer {
    final Key key;
    // Sorted by offset.
    final Packet[] fragments = new Packet[MAX_FRAGMENTS];
    int count;
    int bytes;
    int length = -1;

    Datagram(Key key) {
      super(stack.timers());
      this.key = key;
    }

    @Override
    protected void expire() {
      if (count > 0 && offset(fragments[0]) == 0) {
        Packet first = fragments[0];
        first.networkStart = first.start;
        stack.icmp().sendError(first, IcmpHeader.TIME_EXCEEDED, 1, 0);
      }
      fail(this);
    }

    /** {@return whether {@code p} fits in} A repeat is freed and counts as fitting. */
    boolean insert(Packet p) {
      int offset = offset(p);
      int payload = payload(p);
      boolean isLast = !p.hasMoreFragments;
      if ((isLast && length >= 0 && length != offset + payload)
          || (length >= 0 && offset + payload > length)) {
        return false;
      }
      int i = count;
      while (i > 0 && offset(fragments[i - 1]) > offset) {
        i--;
      }
      if (i > 0 && end(fragments[i - 1]) > offset) {
        if (offset(fragments[i - 1]) == offset && payload(fragments[i - 1]) == payload) {
          p.free();
          return true;
        }
        return false;
      }
      if ((i < count && offset + payload > offset(fragments[i])) || count == MAX_FRAGMENTS) {
        return false;
      }
      if (isLast) {
        if (i != count) {
          return false;
        }
        length = offset + payload;
      }
      System.arraycopy(fragments, i, fragments, i + 1, count - i);
      fragments[i] = p;
      count++;
      bytes += payload;
      return true;
    }
  }

  private static int offset(Packet p) {
    return p.fragmentOffset;
  }

  private static int payload(Packet p) {
    return p.end - p.fragmentStart;
  }

  private static int end(Packet p) {
    return offset(p) + payload(p);
  }

  /**
   * Takes a fragment, whose fields say what it is. {@return the whole packet when this was the last
   * one, still with the first one's header, or null}
   *
   * @param fragmentHeader bytes before a fragment's payload that the whole packet has not
   */
  @Nullable Packet add(Packet p, int id, int protocol, int fragmentHeader) {
    boolean isOddPiece = p.hasMoreFragments && (payload(p) & 7) != 0;
    if (payload(p) <= 0 || isOddPiece || end(p) + 20 > Ipv4Header.MAX_PACKET) {
      stack.counters().malformed++;
      p.free();
      return null;
    }
    Key key = new Key(p.source, p.destination, id, protocol);
    Datagram d = datagrams.get(key);
    if (d == null) {
      d = create(key);
    }
    if (!d.insert(p)) {
      p.free();
      fail(d);
      return null;
    }
    return d.length >= 0 && d.bytes == d.length ? complete(d, fragmentHeader) : null;
  }

  private Datagram create(Key key) {
    if (datagrams.size() >= MAX_DATAGRAMS) {
      Iterator<Datagram> oldest = datagrams.values().iterator();
      Datagram victim = oldest.next();
      fail(victim);
    }
    Datagram d = new Datagram(key);
    datagrams.put(key, d);
    d.arm(stack.nowNs() + TIMEOUT_NS);
    return d;
  }

  private @Nullable Packet complete(Datagram d, int fragmentHeader) {
    Packet first = d.fragments[0];
    int header = first.fragmentStart - first.start - fragmentHeader;
    Packet whole =
        header + d.length > Ipv4Header.MAX_PACKET
            ? null
            : stack.packets().allocate(Math.max(header + d.length, PacketPool.SMALL));
    if (whole != null) {
      whole.end = whole.start + header + d.length;
      System.arraycopy(first.data, first.start, whole.data, whole.start, header);
      for (int i = 0; i < d.count; i++) {
        copyPayload(d.fragments[i], whole, header);
      }
      whole.source = first.source;
      whole.destination = first.destination;
      whole.isLinkGroup = first.isLinkGroup;
      whole.interfaceIndex = first.interfaceIndex;
      whole.ttl = first.ttl;
      whole.tos = first.tos;
      whole.fragmentProtocol = first.fragmentProtocol;
      stack.counters().reassembled++;
    }
    forget(d);
    return whole;
  }

  private static void copyPayload(Packet fragment, Packet whole, int header) {
    int n = payload(fragment);
    System.arraycopy(
        fragment.data, fragment.end - n, whole.data, whole.start + header + offset(fragment), n);
  }

  private void fail(Datagram d) {
    stack.counters().reassemblyFailed++;
    forget(d);
  }

  private void forget(Datagram d) {
    d.disarm();
    datagrams.remove(d.key);
    for (int i = 0; i < d.count; i++) {
      d.fragments[i].free();
    }
    d.count = 0;
  }

  int size() {
    return datagrams.size();
  }
}
