package redoubt.sentry.control;

import java.util.ArrayList;
import java.util.List;

/**
 * What a sandbox takes over from a network namespace of the host.
 *
 * @param interfaces in the order of their numbers; a packet socket of each comes along, in the same
 *     order
 * @param resolver whether Docker's resolver is in the namespace: then a socket connected to it
 *     comes after the others
 * @param servers the host's name servers, for what Docker's resolver does not know
 */
public record NetworkConfig(
    List<Interface> interfaces,
    List<Route> routes,
    List<Neighbor> neighbors,
    boolean resolver,
    List<Ip> servers) {
  /** Where Docker's resolver is: 127.0.0.11. */
  public static final int RESOLVER = 0x7f00_000b;

  public static final int RESOLVER_PORT = 53;

  /** An address of 128 bits, IPv4 in its mapped form (::ffff:a.b.c.d); all zero where none is. */
  public record Ip(long high, long low) {
    public static final Ip NONE = new Ip(0, 0);

    /** {@return the address in {@code b}}, of four or sixteen bytes in network order */
    public static Ip of(byte[] b) {
      long high = 0;
      long low = b.length == 4 ? 0xffff : 0;
      for (int i = 0; i < b.length; i++) {
        high = high << 8 | (b.length == 16 ? low >>> 56 : 0);
        low = low << 8 | b[i] & 0xff;
      }
      return new Ip(high, low);
    }

    public boolean isV4() {
      return high == 0 && low >>> 32 == 0xffff;
    }

    public boolean isNone() {
      return high == 0 && low == 0;
    }

    /** {@return the IPv4 address} Precondition: it is one. */
    public int v4() {
      return (int) low;
    }

    private WireWriter write() {
      return new WireWriter().number(1, high).number(2, low);
    }

    private static Ip read(WireReader r) {
      long high = 0;
      long low = 0;
      while (r.next()) {
        switch (r.tag()) {
          case 1 -> high = r.number();
          case 2 -> low = r.number();
          default -> {}
        }
      }
      return new Ip(high, low);
    }
  }

  /**
   * An Ethernet interface.
   *
   * @param mac its address in the low 48 bits
   */
  public record Interface(String name, int index, long mac, int mtu, List<Address> addresses) {}

  /** An address of an interface. */
  public record Address(Ip address, int prefixLength) {}

  /**
   * A unicast route.
   *
   * @param gateway none where the destination is on the link
   * @param source preferred source address, or none
   * @param index the interface's number
   */
  public record Route(
      Ip destination, int prefixLength, Ip gateway, Ip source, int index, int metric) {}

  /** A neighbour that the host knows. */
  public record Neighbor(Ip address, long mac, int index, boolean permanent) {}

  public WireWriter write() {
    var w = new WireWriter();
    for (Interface i : interfaces) {
      var r = new WireWriter().string(1, i.name).number(2, i.index).number(3, i.mac);
      r.number(4, i.mtu);
      for (Address a : i.addresses) {
        r.record(5, new WireWriter().record(1, a.address.write()).number(2, a.prefixLength));
      }
      w.record(1, r);
    }
    for (Route o : routes) {
      var r = new WireWriter().record(1, o.destination.write()).number(2, o.prefixLength);
      r.record(3, o.gateway.write())
          .record(4, o.source.write())
          .number(5, o.index)
          .number(6, o.metric);
      w.record(2, r);
    }
    for (Neighbor n : neighbors) {
      var r = new WireWriter().record(1, n.address.write()).number(2, n.mac).number(3, n.index);
      w.record(3, r.flag(4, n.permanent));
    }
    if (resolver) {
      w.flag(4, true);
    }
    for (Ip s : servers) {
      w.record(5, s.write());
    }
    return w;
  }

  public static NetworkConfig read(WireReader r) {
    var interfaces = new ArrayList<Interface>();
    var routes = new ArrayList<Route>();
    var neighbors = new ArrayList<Neighbor>();
    boolean resolver = false;
    var servers = new ArrayList<Ip>();
    while (r.next()) {
      switch (r.tag()) {
        case 1 -> interfaces.add(readInterface(r.record()));
        case 2 -> routes.add(readRoute(r.record()));
        case 3 -> neighbors.add(readNeighbor(r.record()));
        case 4 -> resolver = r.flag();
        case 5 -> servers.add(Ip.read(r.record()));
        default -> {}
      }
    }
    return new NetworkConfig(interfaces, routes, neighbors, resolver, servers);
  }

  private static Interface readInterface(WireReader r) {
    String name = "";
    int index = 0;
    long mac = 0;
    int mtu = 1500;
    var addresses = new ArrayList<Address>();
    while (r.next()) {
      switch (r.tag()) {
        case 1 -> name = r.string();
        case 2 -> index = r.int32();
        case 3 -> mac = r.number();
        case 4 -> mtu = r.int32();
        case 5 -> addresses.add(readAddress(r.record()));
        default -> {}
      }
    }
    return new Interface(name, index, mac, mtu, addresses);
  }

  private static Address readAddress(WireReader r) {
    Ip address = Ip.NONE;
    int prefixLength = 0;
    while (r.next()) {
      switch (r.tag()) {
        case 1 -> address = Ip.read(r.record());
        case 2 -> prefixLength = r.int32();
        default -> {}
      }
    }
    return new Address(address, prefixLength);
  }

  private static Route readRoute(WireReader r) {
    Ip destination = Ip.NONE;
    Ip gateway = Ip.NONE;
    Ip source = Ip.NONE;
    int prefixLength = 0;
    int index = 0;
    int metric = 0;
    while (r.next()) {
      switch (r.tag()) {
        case 1 -> destination = Ip.read(r.record());
        case 2 -> prefixLength = r.int32();
        case 3 -> gateway = Ip.read(r.record());
        case 4 -> source = Ip.read(r.record());
        case 5 -> index = r.int32();
        case 6 -> metric = r.int32();
        default -> {}
      }
    }
    return new Route(destination, prefixLength, gateway, source, index, metric);
  }

  private static Neighbor readNeighbor(WireReader r) {
    Ip address = Ip.NONE;
    long mac = 0;
    int index = 0;
    boolean permanent = false;
    while (r.next()) {
      switch (r.tag()) {
        case 1 -> address = Ip.read(r.record());
        case 2 -> mac = r.number();
        case 3 -> index = r.int32();
        case 4 -> permanent = r.flag();
        default -> {}
      }
    }
    return new Neighbor(address, mac, index, permanent);
  }
}
