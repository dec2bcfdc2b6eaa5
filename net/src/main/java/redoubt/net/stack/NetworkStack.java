package redoubt.net.stack;

import java.security.SecureRandom;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import redoubt.net.buffer.ChunkPool;
import redoubt.net.buffer.Packet;
import redoubt.net.buffer.PacketPool;
import redoubt.net.buffer.PacketQueue;
import redoubt.net.header.Checksum;
import redoubt.net.link.Link;
import redoubt.net.network.AddressTable;
import redoubt.net.network.Groups;
import redoubt.net.network.Icmp;
import redoubt.net.network.Icmp6;
import redoubt.net.network.Ipv4;
import redoubt.net.network.Ipv6;
import redoubt.net.network.NeighborTable;
import redoubt.net.transport.PacketTable;
import redoubt.net.transport.RawTable;
import redoubt.net.transport.UdpTable;
import redoubt.net.transport.tcp.TcpTable;

/**
 * One TCP/IP stack: what a network namespace is to Linux. One lock guards all of it; every entry,
 * be it a call, a batch of frames or a timer, runs between {@link #enter} and {@link #exit}.
 *
 * <p>One lock, not one per connection: no entry waits for anything while it holds the lock, a
 * sandbox has few cores, and state that is changed by one thread at a time is easy to get right.
 */
public final class NetworkStack {
  /** Bytes of packets in flight and in queues; past it, frames are dropped. */
  private static final long PACKET_LIMIT_BYTES = 64L << 20;

  private static final int LOOPBACK_MTU = 65_535;
  private static final int MAX_NICS = 64;

  private final ReentrantLock mu = new ReentrantLock();
  private final Clock clock;
  private final Secret secret;
  private final Timers timers = new Timers();
  private final PacketPool packets = new PacketPool(PACKET_LIMIT_BYTES);
  private final ChunkPool chunks = new ChunkPool();
  private final RouteTable routes = new RouteTable();
  private final Counters counters = new Counters();
  private final List<Nic> nics = new CopyOnWriteArrayList<>();
  private final PacketQueue looped = new PacketQueue();
  private final AddressTable addresses;
  private final Groups groups;
  private final Ipv4 ipv4;
  private final Ipv6 ipv6;
  private final Icmp6 icmp6;
  private final Icmp icmp;
  private final UdpTable udp;
  private final RawTable raw;
  private final PacketTable frames;
  private final TcpTable tcp;
  private final Nic loopback;
  private @Nullable Tap tap;
  private @Nullable Readiness firstPending;
  private @Nullable Readiness lastPending;
  private @Nullable Thread timerThread;
  private long timerThreadWakesNs = Long.MAX_VALUE;

  public NetworkStack(Clock clock) {
    this(clock, Secret.random(new SecureRandom()));
  }

  /** As the other, with a secret of the caller's: for tests that must run the same each time. */
  public NetworkStack(Clock clock, Secret secret) {
    this.clock = clock;
    this.secret = secret;
    this.addresses = new AddressTable(secret);
    this.groups = new Groups(this);
    this.ipv4 = new Ipv4(this);
    this.ipv6 = new Ipv6(this);
    this.icmp6 = new Icmp6(this);
    this.icmp = new Icmp(this);
    this.udp = new UdpTable(this);
    this.raw = new RawTable(this);
    this.frames = new PacketTable(this);
    this.tcp = new TcpTable(this);
    this.loopback = addLoopback();
  }

  private Nic addLoopback() {
    Nic lo = new Nic(this, "lo", 1, new Loopback());
    nics.add(lo);
    lo.addAddress(0x7f000001, 8);
    int one = addresses.number(0, 1);
    addresses.pin(one);
    lo.addAddress6(one, 128);
    routes.add(new Route(0x7f000000, 8, 0, 0x7f000001, lo));
    return lo;
  }

  /** Takes the lock. Pair it with {@link #exit} in a {@code finally}. */
  public void enter() {
    mu.lock();
  }

  /** Finishes what the entry caused, lets go of the lock, then calls listeners. */
  public void exit() {
    if (mu.getHoldCount() > 1) {
      // An entry within an entry: the outer one finishes for both.
      mu.unlock();
      return;
    }
    settle();
    Thread sleeper = sleeperToWake();
    Readiness r = pollPending();
    mu.unlock();
    if (sleeper != null) {
      LockSupport.unpark(sleeper);
    }
    while (r != null) {
      r.call();
      r = nextPending();
    }
  }

  private void settle() {
    for (Packet p = looped.poll(); p != null; p = looped.poll()) {
      loopback.deliver(p);
    }
    for (int i = 0; i < nics.size(); i++) {
      nics.get(i).link().flush();
    }
  }

  /** {@return whether {@link #exit} has listeners to call} Precondition: the lock is held. */
  public boolean hasListenersToCall() {
    return firstPending != null;
  }

  void notifyLater(Readiness r) {
    r.isPending = true;
    r.next = null;
    if (lastPending == null) {
      firstPending = r;
    } else {
      lastPending.next = r;
    }
    lastPending = r;
  }

  private @Nullable Readiness nextPending() {
    mu.lock();
    try {
      return pollPending();
    } finally {
      mu.unlock();
    }
  }

  private @Nullable Readiness pollPending() {
    Readiness r = firstPending;
    if (r != null) {
      firstPending = r.next;
      if (firstPending == null) {
        lastPending = null;
      }
      r.next = null;
      r.polled();
    }
    return r;
  }

  private @Nullable Thread sleeperToWake() {
    if (timerThread != null && timers.nextDeadlineNs() < timerThreadWakesNs) {
      timerThreadWakesNs = timers.nextDeadlineNs();
      return timerThread;
    }
    return null;
  }

  /** Runs what is due. {@return when the next timer is, or {@link Long#MAX_VALUE}} */
  public long runTimers() {
    enter();
    try {
      long now = clock.nowNs();
      for (Timer t = timers.pollDue(now); t != null; t = timers.pollDue(now)) {
        t.expire();
        settle();
      }
      timerThreadWakesNs = timers.nextDeadlineNs();
      return timerThreadWakesNs;
    } finally {
      exit();
    }
  }

  /** Who sleeps until the next timer; it is unparked when an earlier one is set. */
  void setTimerThread(@Nullable Thread thread) {
    enter();
    timerThread = thread;
    exit();
  }

  /** Shows all frames to {@code t}. {@return whether there was no other tap} */
  public boolean setTap(Tap t) {
    enter();
    try {
      if (tap != null) {
        return false;
      }
      tap = t;
      return true;
    } finally {
      exit();
    }
  }

  /** Ends {@link #setTap}: {@code t} sees nothing from the return on. */
  public void clearTap(Tap t) {
    enter();
    try {
      if (tap == t) {
        tap = null;
      }
    } finally {
      exit();
    }
  }

  @Nullable Tap tap() {
    return tap;
  }

  /** Adds an interface without addresses. */
  public Nic addNic(String name, Link link) {
    return addNic(name, nics.size() + 1, link);
  }

  /** As the other, with the interface's number. */
  public Nic addNic(String name, int index, Link link) {
    enter();
    try {
      if (nics.size() >= MAX_NICS) {
        throw new IllegalStateException("more than " + MAX_NICS + " interfaces");
      }
      Nic nic = new Nic(this, name, index, link);
      nics.add(nic);
      return nic;
    } finally {
      exit();
    }
  }

  /** Gives {@code nic} an address, and the route to its subnet. */
  public void addAddress(Nic nic, int address, int prefixLength) {
    enter();
    try {
      nic.addAddress(address, prefixLength);
      int prefix = address & Route.mask(prefixLength);
      routes.add(new Route(prefix, prefixLength, 0, address, nic));
    } finally {
      exit();
    }
  }

  /** Takes an address and its subnet's route away. {@return whether it was there} */
  public boolean removeAddress(Nic nic, int address, int prefixLength) {
    enter();
    try {
      if (!nic.removeAddress(address, prefixLength)) {
        return false;
      }
      for (Route r : routes.all()) {
        // As Linux: no route sends from an address that is gone.
        if (r.nic() == nic && r.source() == address) {
          routes.remove(r);
        }
      }
      return true;
    } finally {
      exit();
    }
  }

  /** As {@link #removeAddress}, for IPv6. */
  public boolean removeAddress6(Nic nic, long high, long low, int prefixLength) {
    enter();
    try {
      int number = addresses.lookup(high, low);
      if (number == 0 || !nic.removeAddress6(number, prefixLength)) {
        return false;
      }
      addresses.unpin(number);
      Ipv6.Route6 subnet = Ipv6.Route6.onLink(high, low, prefixLength, nic);
      if (!isOnSubnet(nic, subnet)) {
        ipv6.removeRoute(subnet);
      }
      return true;
    } finally {
      exit();
    }
  }

  /** {@return whether {@code route} is there because an address is} */
  public boolean isSubnet(Ipv6.Route6 route) {
    enter();
    try {
      return route.gateway() == 0 && isOnSubnet(route.nic(), route);
    } finally {
      exit();
    }
  }

  private boolean isOnSubnet(Nic nic, Ipv6.Route6 subnet) {
    int[] all = nic.addresses6();
    for (int i = 0; i < all.length; i++) {
      long high = addresses.high(all[i]);
      long low = addresses.low(all[i]);
      if (Ipv6.Route6.onLink(high, low, nic.prefixLength6(i), nic).equals(subnet)) {
        return true;
      }
    }
    return false;
  }

  /** Takes an interface down, with its routes through gateways as Linux does, or up again. */
  public void setUp(Nic nic, boolean isUp) {
    enter();
    try {
      nic.setUp(isUp);
      if (isUp) {
        return;
      }
      for (Route r : routes.all()) {
        if (r.nic() == nic && r.gateway() != 0) {
          routes.remove(r);
        }
      }
      for (Ipv6.Route6 r : ipv6.routes()) {
        if (r.nic() == nic && r.gateway() != 0) {
          ipv6.removeRoute(r);
        }
      }
    } finally {
      exit();
    }
  }

  /** {@return who is known on the link of {@code nic}} */
  public List<NeighborTable.Neighbor> neighbors(Nic nic) {
    enter();
    try {
      return nic.neighbors().all();
    } finally {
      exit();
    }
  }

  /** Gives {@code nic} an IPv6 address, and the route to its subnet. */
  public void addAddress6(Nic nic, long high, long low, int prefixLength) {
    enter();
    try {
      int number = addresses.number(high, low);
      addresses.pin(number);
      nic.addAddress6(number, prefixLength);
      ipv6.addRoute(Ipv6.Route6.onLink(high, low, prefixLength, nic));
    } finally {
      exit();
    }
  }

  /** Adds an IPv6 route through a gateway, or to the link where the gateway is all zero. */
  public void addRoute6(
      long high, long low, int prefixLength, long gatewayHigh, long gatewayLow, Nic nic) {
    enter();
    try {
      boolean onLink = gatewayHigh == 0 && gatewayLow == 0;
      int gateway = onLink ? 0 : addresses.number(gatewayHigh, gatewayLow);
      ipv6.addRoute(new Ipv6.Route6(high, low, prefixLength, gateway, 0, nic));
    } finally {
      exit();
    }
  }

  /** {@return whether an IPv6 address is one of this host's} */
  public boolean isLocal6(long high, long low) {
    enter();
    try {
      int number = addresses.lookup(high, low);
      return number != 0 && isLocal(number);
    } finally {
      exit();
    }
  }

  /** {@return a running sum over the pseudo header of either IP} */
  public long pseudoHeader(int source, int destination, int protocol, int length) {
    if (!AddressTable.isV6(source)) {
      return Checksum.pseudoHeader(source, destination, protocol, length);
    }
    return sum(addresses.high(source))
        + sum(addresses.low(source))
        + sum(addresses.high(destination))
        + sum(addresses.low(destination))
        + protocol
        + length;
  }

  private static long sum(long word) {
    return (word >>> 32) + (word & 0xffff_ffffL);
  }

  /** Takes over what the host knew of a neighbour. */
  public void addNeighbor(Nic nic, int address, long mac, boolean isPermanent) {
    enter();
    try {
      nic.neighbors().add(address, mac, isPermanent);
    } finally {
      exit();
    }
  }

  /** Adds a route. {@return whether there was room} */
  public boolean addRoute(Route route) {
    enter();
    try {
      return routes.add(route);
    } finally {
      exit();
    }
  }

  /** {@return whether {@code address} is one of this host's} */
  public boolean isLocal(int address) {
    for (int i = 0; i < nics.size(); i++) {
      if (nics.get(i).hasAddress(address)) {
        return true;
      }
    }
    return false;
  }

  /** {@return whether there is an interface of this name} */
  public boolean hasNic(String name) {
    for (int i = 0; i < nics.size(); i++) {
      if (nics.get(i).name().equals(name)) {
        return true;
      }
    }
    return false;
  }

  public Nic loopback() {
    return loopback;
  }

  public List<Nic> nics() {
    return List.copyOf(nics);
  }

  public long nowNs() {
    return clock.nowNs();
  }

  public Secret secret() {
    return secret;
  }

  public Timers timers() {
    return timers;
  }

  public PacketPool packets() {
    return packets;
  }

  public ChunkPool chunks() {
    return chunks;
  }

  public RouteTable routes() {
    return routes;
  }

  public Counters counters() {
    return counters;
  }

  public AddressTable addresses() {
    return addresses;
  }

  public Ipv6 ipv6() {
    return ipv6;
  }

  public Icmp6 icmp6() {
    return icmp6;
  }

  public Groups groups() {
    return groups;
  }

  public Ipv4 ipv4() {
    return ipv4;
  }

  public Icmp icmp() {
    return icmp;
  }

  public UdpTable udp() {
    return udp;
  }

  public RawTable raw() {
    return raw;
  }

  /** {@return the packet sockets} */
  public PacketTable frames() {
    return frames;
  }

  public TcpTable tcp() {
    return tcp;
  }

  /** Frames to oneself wait until the entry ends: a call never re-enters its own connection. */
  private final class Loopback implements Link {
    @Override
    public int mtu() {
      return LOOPBACK_MTU;
    }

    @Override
    public long mac() {
      return 0;
    }

    /** Nothing is cut or summed up: what is sent is what arrives. */
    @Override
    public boolean offloads() {
      return true;
    }

    @Override
    public void transmit(Packet frame) {
      frame.checksumStart = 0;
      frame.isChecksumGood = true;
      looped.add(frame);
    }
  }
}
