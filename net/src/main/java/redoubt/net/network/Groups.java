package redoubt.net.network;

import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Errno;
import redoubt.net.buffer.Packet;
import redoubt.net.header.Bytes;
import redoubt.net.header.Checksum;
import redoubt.net.header.EthernetHeader;
import redoubt.net.header.Ipv4Header;
import redoubt.net.header.Ipv6Header;
import redoubt.net.stack.NetworkStack;
import redoubt.net.stack.Nic;
import redoubt.net.stack.Timer;

/**
 * Which multicast groups the interfaces have joined, and what routers are told of it: the host's
 * side of IGMPv3 (RFC 3376), of IGMPv2 (RFC 2236) where the querier speaks that, and of MLDv2 (RFC
 * 3810). Groups are joined whole, without lists of sources. Guarded by the stack's lock.
 *
 * <p>What is left out: MLDv1, and reports of solicited-node groups, which a bridge that forwards
 * only what was asked for does not need for neighbours that ask first.
 */
public final class Groups {
  /** A stack's, over all interfaces. */
  private static final int MAX = 4096;

  private static final int QUERY = 0x11;
  private static final int V2_REPORT = 0x16;
  private static final int V2_LEAVE = 0x17;
  private static final int V3_REPORT = 0x22;
  private static final int MLD_REPORT = 143;
  private static final int ALL_HOSTS = 0xe000_0001;
  private static final int ALL_ROUTERS = 0xe000_0002;
  private static final int V3_ROUTERS = 0xe000_0016;
  private static final int OPTIONS_LENGTH = 4;
  private static final int ROUTER_ALERT = 0x9404_0000;
  private static final long LINK_SCOPE = 0xff02_0000_0000_0000L;

  // Kinds of group records (RFC 3376, section 4.2.12; RFC 3810 has the same).
  private static final int IS_EXCLUDE = 2;
  private static final int TO_INCLUDE = 3;
  private static final int TO_EXCLUDE = 4;

  /** How often a change is told, for a report may be lost. */
  private static final int ROBUSTNESS = 2;

  private static final long REPEAT_NS = 1_000_000_000L;

  /** RFC 3376, section 8.12: so long after its last query an old querier is believed gone. */
  private static final long OLD_QUERIER_NS = 260_000_000_000L;

  private record Key(int nic, int group) {}

  private final NetworkStack stack;
  private final Map<Key, Membership> memberships = new HashMap<>();
  private final Map<Integer, Long> oldQuerierUntilNs = new HashMap<>();

  public Groups(NetworkStack stack) {
    this.stack = stack;
  }

  /** An interface in a group, with the reports about it that are still to be sent. */
  private final class Membership extends Timer {
    final Nic nic;
    final int group;
    int users;
    int kind;
    int reportsLeft;

    Membership(Nic nic, int group) {
      super(stack.timers());
      this.nic = nic;
      this.group = group;
    }

    void tell(int what, int times, long withinNs) {
      kind = what;
      reportsLeft = times;
      arm(stack.nowNs() + Long.remainderUnsigned(stack.secret().next(), withinNs + 1));
    }

    @Override
    protected void expire() {
      report(this);
      if (--reportsLeft > 0) {
        tell(kind, reportsLeft, REPEAT_NS);
      } else if (users == 0) {
        memberships.remove(new Key(nic.index(), group));
        stack.addresses().unpin(group);
      }
    }
  }

  /** One user more wants what is sent to {@code group} there. {@return 0 or {@code -ENOBUFS}} */
  public int join(Nic nic, int group) {
    Key key = new Key(nic.index(), group);
    Membership m = memberships.get(key);
    if (m == null) {
      if (memberships.size() >= MAX) {
        return -Errno.ENOBUFS;
      }
      m = new Membership(nic, group);
      memberships.put(key, m);
      stack.addresses().pin(group);
    }
    if (m.users++ == 0 && isReported(group)) {
      m.tell(TO_EXCLUDE, ROBUSTNESS, 0);
    }
    return 0;
  }

  /** One user less does. */
  public void leave(Nic nic, int group) {
    Membership m = memberships.get(new Key(nic.index(), group));
    if (m != null && m.users > 0 && --m.users == 0) {
      m.tell(TO_INCLUDE, isReported(group) ? ROBUSTNESS : 1, 0);
    }
  }

  /** {@return whether somebody wants what is sent to {@code group} there} */
  public boolean isJoined(Nic nic, int group) {
    Membership m = memberships.isEmpty() ? null : memberships.get(new Key(nic.index(), group));
    return m != null && m.users > 0;
  }

  /** All hosts are in all hosts' group, and no router asks for it. */
  private boolean isReported(int group) {
    return AddressTable.isV6(group)
        ? stack.addresses().high(group) != LINK_SCOPE || stack.addresses().low(group) != 1
        : group != ALL_HOSTS;
  }

  // ---- queries ----

  /** Takes an IGMP message that came by interface {@code index}, and begins at {@code at}. */
  void receiveIgmp(int index, byte[] b, int at, int length) {
    if (length < 8
        || !Checksum.isGood(Checksum.add(0, b, at, length))
        || Bytes.u8(b, at) != QUERY) {
      return;
    }
    int code = Bytes.u8(b, at + 1);
    if (length == 8) {
      oldQuerierUntilNs.put(index, stack.nowNs() + OLD_QUERIER_NS);
    } else if (code >= 128) {
      code = ((code & 15) | 16) << ((code >>> 4 & 7) + 3);
    }
    answer(index, Bytes.i32(b, at + 4), Math.max(code, 1) * 100_000_000L, false);
  }

  /** Takes an MLD query, whose ICMPv6 header begins at {@code at}. */
  void receiveMld(int index, byte[] b, int at, int length) {
    if (length < 24) {
      return;
    }
    int code = Bytes.u16(b, at + 4);
    int ms = code < 32_768 ? code : ((code & 0xfff) | 0x1000) << ((code >>> 12 & 7) + 3);
    long high = Bytes.i64(b, at + 8);
    long low = Bytes.i64(b, at + 16);
    boolean isGeneral = high == 0 && low == 0;
    int group = isGeneral ? 0 : stack.addresses().lookup(high, low);
    if (isGeneral || group != 0) {
      answer(index, group, ms * 1_000_000L, true);
    }
  }

  /**
   * @param group 0 for all
   */
  private void answer(int index, int group, long withinNs, boolean isV6) {
    for (Membership m : memberships.values()) {
      if (m.nic.index() == index
          && m.users > 0
          && !m.isArmed()
          && AddressTable.isV6(m.group) == isV6
          && (group == 0 || group == m.group)
          && isReported(m.group)) {
        m.tell(IS_EXCLUDE, 1, withinNs);
      }
    }
  }

  // ---- reports ----

  private void report(Membership m) {
    if (!isReported(m.group) || m.nic.link().mac() == 0) {
      return;
    }
    if (AddressTable.isV6(m.group)) {
      reportMld(m);
    } else {
      reportIgmp(m);
    }
  }

  private void reportIgmp(Membership m) {
    Long until = oldQuerierUntilNs.get(m.nic.index());
    boolean isOld = until != null && until > stack.nowNs();
    int length = isOld ? 8 : 16;
    Packet p = stack.packets().allocate(length);
    if (p == null) {
      return;
    }
    byte[] b = p.data;
    int at = p.start;
    p.end = at + length;
    boolean isLeave = m.kind == TO_INCLUDE;
    int to = isOld ? isLeave ? ALL_ROUTERS : m.group : V3_ROUTERS;
    if (isOld) {
      Bytes.put32(b, at, (isLeave ? V2_LEAVE : V2_REPORT) << 24);
      Bytes.put32(b, at + 4, m.group);
    } else {
      Bytes.put32(b, at, V3_REPORT << 24);
      Bytes.put32(b, at + 4, 1);
      Bytes.put32(b, at + 8, m.kind << 24);
      Bytes.put32(b, at + 12, m.group);
    }
    Bytes.put16(b, at + 2, Checksum.finish(Checksum.add(0, b, at, length)));
    int header = Ipv4Header.MIN_LENGTH + OPTIONS_LENGTH;
    p.prepend(header);
    int source = m.nic.primaryAddress();
    Ipv4Header.write(b, p.start, 0xc0, p.length(), 0, 0, 1, Ipv4Header.IGMP, source, to);
    Bytes.put8(b, p.start, 0x40 | header / 4);
    Bytes.put32(b, p.start + Ipv4Header.MIN_LENGTH, ROUTER_ALERT);
    Ipv4Header.setUnfragmented(b, p.start, p.length());
    m.nic.transmit(p, Ipv4.groupMac(to), EthernetHeader.TYPE_IPV4);
  }

  private void reportMld(Membership m) {
    int to = stack.addresses().number(LINK_SCOPE, 0x16);
    int source = linkLocal(m.nic);
    Packet p = to == 0 ? null : stack.packets().allocate(36);
    if (p == null) {
      return;
    }
    byte[] b = p.data;
    int at = p.start;
    p.end = at + 36;
    // A hop-by-hop header: ICMPv6 follows, router alert for MLD, padding.
    Bytes.put32(b, at, Ipv6Header.ICMPV6 << 24 | 0x0502);
    Bytes.put32(b, at + 4, 0x0100);
    Bytes.put32(b, at + 8, MLD_REPORT << 24);
    Bytes.put32(b, at + 12, 1);
    Bytes.put32(b, at + 16, m.kind << 24);
    stack.ipv6().putAddress(b, at + 20, m.group);
    long sum = stack.pseudoHeader(source, to, Ipv6Header.ICMPV6, 28);
    Bytes.put16(b, at + 10, Checksum.finish(Checksum.add(sum, b, at + 8, 28)));
    stack.ipv6().writeHeader(p, source, to, Ipv6Header.HOP_BY_HOP, 0, 1);
    m.nic.transmit(p, Ipv6.groupMac(0x16), EthernetHeader.TYPE_IPV6);
  }

  /** {@return the interface's own link-local address, or the unspecified one} */
  private int linkLocal(Nic nic) {
    for (int own : nic.addresses6()) {
      if (Ipv6.isLinkLocal(stack.addresses().high(own))) {
        return own;
      }
    }
    return stack.addresses().number(0, 0);
  }

  /** {@return the interface by which one joins {@code group} when none is named, or null} */
  public @Nullable Nic nicFor(int group) {
    return AddressTable.isV6(group) ? stack.ipv6().nicFor(group) : stack.ipv4().nicFor(group);
  }
}
