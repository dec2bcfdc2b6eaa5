package redoubt.net.network;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import redoubt.net.buffer.Packet;
import redoubt.net.buffer.PacketQueue;
import redoubt.net.header.ArpHeader;
import redoubt.net.header.EthernetHeader;
import redoubt.net.header.IcmpHeader;
import redoubt.net.stack.NetworkStack;
import redoubt.net.stack.Nic;
import redoubt.net.stack.Timer;

/**
 * Who is on the link, by ARP or neighbour discovery, with the states and times of <a
 * href="https://man7.org/linux/man-pages/man7/arp.7.html">arp(7)</a>: incomplete, reachable, stale,
 * delay, probe.
 *
 * <p>An answer that nobody asked for makes no entry; entries and the packets that wait in them are
 * bounded, the oldest go first.
 */
public final class NeighborTable {
  static final long REACHABLE_NS = 30_000_000_000L;
  static final long DELAY_NS = 5_000_000_000L;
  static final long RETRANSMIT_NS = 1_000_000_000L;
  static final int PROBES = 3;
  private static final int MAX_ENTRIES = 1024;
  private static final int MAX_WAITING = 16;

  private enum State {
    INCOMPLETE,
    REACHABLE,
    DELAY,
    PROBE,
    PERMANENT
  }

  private final NetworkStack stack;
  private final Nic nic;
  // In order of creation, for eviction.
  private final Map<Integer, Entry> entries = new LinkedHashMap<>();
  // Most packets go where the last one went: no boxing, no hashing.
  private @Nullable Entry last;

  public NeighborTable(NetworkStack stack, Nic nic) {
    this.stack = stack;
    this.nic = nic;
  }

  private final class Entry extends Timer {
    final int address;
    final PacketQueue waiting = new PacketQueue();
    State state = State.INCOMPLETE;
    long mac;
    long reachableUntilNs;
    int probes;

    Entry(int address) {
      super(stack.timers());
      this.address = address;
    }

    @Override
    protected void expire() {
      switch (state) {
        case INCOMPLETE, PROBE -> probe();
        case DELAY -> {
          state = State.PROBE;
          probe();
        }
        case REACHABLE, PERMANENT -> {}
      }
    }

    void probe() {
      if (probes++ >= PROBES) {
        remove(this);
        return;
      }
      arm(stack.nowNs() + RETRANSMIT_NS);
      if (AddressTable.isV6(address)) {
        stack.icmp6().solicit(nic, address, state == State.PROBE);
        return;
      }
      sendArp(
          ArpHeader.REQUEST,
          state == State.PROBE ? mac : EthernetHeader.BROADCAST,
          nic.primaryAddress(),
          0,
          address);
    }

    void confirm(long mac) {
      if (state == State.PERMANENT) {
        return;
      }
      this.mac = mac;
      state = State.REACHABLE;
      reachableUntilNs = stack.nowNs() + REACHABLE_NS;
      probes = 0;
      disarm();
      for (Packet p = waiting.poll(); p != null; p = waiting.poll()) {
        nic.transmit(p, mac, type(address));
      }
    }

    /** A stale entry is used as it is, and asked about if nothing confirms it soon. */
    void use() {
      if (state == State.REACHABLE && stack.nowNs() >= reachableUntilNs) {
        state = State.DELAY;
        arm(stack.nowNs() + DELAY_NS);
      }
    }
  }

  /** Sends {@code p} to the neighbour {@code address}, once its Ethernet address is known. */
  public void send(Packet p, int address) {
    Entry e = last;
    if (e == null || e.address != address) {
      e = entries.get(address);
      if (e == null) {
        e = create(address);
        wait(e, p);
        e.probe();
        return;
      }
      last = e;
    }
    e.use();
    if (e.state == State.INCOMPLETE) {
      wait(e, p);
    } else {
      nic.transmit(p, e.mac, type(address));
    }
  }

  private static int type(int address) {
    return AddressTable.isV6(address) ? EthernetHeader.TYPE_IPV6 : EthernetHeader.TYPE_IPV4;
  }

  /** Sets an address for good, as one taken over from the host's table. */
  public void setPermanent(int address, long mac) {
    Entry e = entries.get(address);
    if (e == null) {
      e = create(address);
    }
    e.confirm(mac);
    e.state = State.PERMANENT;
  }

  /** Takes over an entry of the host's table: for good, or to be confirmed when it is used. */
  public void add(int address, long mac, boolean isPermanent) {
    setPermanent(address, mac);
    Entry e = entries.get(address);
    if (e != null && !isPermanent) {
      e.state = State.REACHABLE;
      e.reachableUntilNs = stack.nowNs();
    }
  }

  /** Forgets {@code address}. {@return whether it was known} */
  public boolean forget(int address) {
    Entry e = entries.get(address);
    if (e != null) {
      remove(e);
    }
    return e != null;
  }

  /** A transport heard from {@code address}: it is there, no probe is needed. */
  public void confirmReachable(int address) {
    Entry e = last != null && last.address == address ? last : entries.get(address);
    if (e != null && e.state != State.INCOMPLETE) {
      e.confirm(e.mac);
    }
  }

  /** {@return the Ethernet address known for {@code address}, or 0} */
  public long lookup(int address) {
    Entry e = entries.get(address);
    return e == null ? 0 : e.mac;
  }

  /** A line of the table, as others see it. */
  public record Neighbor(int address, long mac, boolean isPermanent, boolean isComplete) {}

  /** {@return all entries} */
  public List<Neighbor> all() {
    var out = new ArrayList<Neighbor>();
    for (Entry e : entries.values()) {
      out.add(
          new Neighbor(e.address, e.mac, e.state == State.PERMANENT, e.state != State.INCOMPLETE));
    }
    return out;
  }

  public int size() {
    return entries.size();
  }

  private void wait(Entry e, Packet p) {
    if (e.waiting.size() >= MAX_WAITING) {
      Packet oldest = e.waiting.poll();
      if (oldest != null) {
        oldest.free();
      }
    }
    p.fill();
    e.waiting.add(p);
  }

  private Entry create(int address) {
    if (entries.size() >= MAX_ENTRIES) {
      evict();
    }
    Entry e = new Entry(address);
    entries.put(address, e);
    stack.addresses().pin(address);
    return e;
  }

  private void evict() {
    for (Iterator<Entry> i = entries.values().iterator(); i.hasNext(); ) {
      Entry e = i.next();
      if (e.state != State.PERMANENT) {
        i.remove();
        forget(e);
        return;
      }
    }
  }

  private void remove(Entry e) {
    entries.remove(e.address);
    for (Packet p = e.waiting.poll(); p != null; p = e.waiting.poll()) {
      stack.icmp().reportLocally(p, IcmpHeader.UNREACHABLE, IcmpHeader.HOST_UNREACHABLE);
      p.free();
    }
    forget(e);
  }

  private void forget(Entry e) {
    stack.addresses().unpin(e.address);
    e.disarm();
    e.waiting.clear();
    if (last == e) {
      last = null;
    }
  }

  /** Takes an ARP message: learns from it, and answers a question about an address of ours. */
  public void receive(Packet p) {
    try {
      byte[] b = p.data;
      int at = p.start;
      if (p.length() < ArpHeader.LENGTH || !ArpHeader.isIpv4OverEthernet(b, at)) {
        stack.counters().malformed++;
        return;
      }
      long mac = ArpHeader.senderMac(b, at);
      int sender = ArpHeader.senderIp(b, at);
      int target = ArpHeader.targetIp(b, at);
      if (EthernetHeader.isGroup(mac) || mac == 0 || nic.hasAddress(sender)) {
        return;
      }
      boolean isQuestion =
          ArpHeader.operation(b, at) == ArpHeader.REQUEST && nic.hasAddress(target);
      learn(sender, mac, isQuestion);
      if (isQuestion) {
        sendArp(ArpHeader.REPLY, mac, target, mac, sender);
      }
    } finally {
      p.free();
    }
  }

  void learn(int sender, long mac, boolean mayCreate) {
    Entry e = entries.get(sender);
    if (e == null && mayCreate && sender != 0) {
      e = create(sender);
    }
    if (e != null) {
      e.confirm(mac);
    }
  }

  private void sendArp(int operation, long to, int senderIp, long targetMac, int targetIp) {
    Packet p = stack.packets().allocate(ArpHeader.LENGTH);
    if (p == null) {
      return;
    }
    p.end = p.start + ArpHeader.LENGTH;
    ArpHeader.write(p.data, p.start, operation, nic.link().mac(), senderIp, targetMac, targetIp);
    nic.transmit(p, to, EthernetHeader.TYPE_ARP);
  }
}
