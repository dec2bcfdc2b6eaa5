package redoubt.sentry.control;

import java.util.ArrayList;
import java.util.List;

/**
 * What a sandbox takes over from a network namespace of the host. Addresses are bytes in network
 * order, four for IPv4 and sixteen for IPv6.
 *
 * @param interfaces in the order of their numbers; a packet socket of each comes along, in the same
 *     order
 */
public record NetworkConfig(
    List<Interface> interfaces, List<Route> routes, List<Neighbor> neighbors) {

  /**
   * An Ethernet interface.
   *
   * @param mac its address in the low 48 bits
   */
  public record Interface(String name, int index, long mac, int mtu, List<Address> addresses) {}

  /** An address of an interface. */
  public record Address(byte[] address, int prefixLength) {}

  /**
   * A unicast route.
   *
   * @param gateway empty where the destination is on the link
   * @param source preferred source address, or empty
   * @param index the interface's number
   */
  public record Route(
      byte[] destination, int prefixLength, byte[] gateway, byte[] source, int index, int metric) {}

  /** A neighbour that the host knows. */
  public record Neighbor(byte[] address, long mac, int index, boolean permanent) {}

  public WireWriter write() {
    var w = new WireWriter();
    for (Interface i : interfaces) {
      var r = new WireWriter().string(1, i.name).number(2, i.index).number(3, i.mac);
      r.number(4, i.mtu);
      for (Address a : i.addresses) {
        r.record(5, new WireWriter().bytes(1, a.address).number(2, a.prefixLength));
      }
      w.record(1, r);
    }
    for (Route o : routes) {
      var r = new WireWriter().bytes(1, o.destination).number(2, o.prefixLength);
      r.bytes(3, o.gateway).bytes(4, o.source).number(5, o.index).number(6, o.metric);
      w.record(2, r);
    }
    for (Neighbor n : neighbors) {
      var r = new WireWriter().bytes(1, n.address).number(2, n.mac).number(3, n.index);
      w.record(3, r.flag(4, n.permanent));
    }
    return w;
  }

  public static NetworkConfig read(WireReader r) {
    var interfaces = new ArrayList<Interface>();
    var routes = new ArrayList<Route>();
    var neighbors = new ArrayList<Neighbor>();
    while (r.next()) {
      switch (r.tag()) {
        case 1 -> interfaces.add(readInterface(r.record()));
        case 2 -> routes.add(readRoute(r.record()));
        case 3 -> neighbors.add(readNeighbor(r.record()));
        default -> {}
      }
    }
    return new NetworkConfig(interfaces, routes, neighbors);
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
    byte[] address = {};
    int prefixLength = 0;
    while (r.next()) {
      switch (r.tag()) {
        case 1 -> address = r.bytes();
        case 2 -> prefixLength = r.int32();
        default -> {}
      }
    }
    return new Address(address, prefixLength);
  }

  private static Route readRoute(WireReader r) {
    byte[] destination = {};
    byte[] gateway = {};
    byte[] source = {};
    int prefixLength = 0;
    int index = 0;
    int metric = 0;
    while (r.next()) {
      switch (r.tag()) {
        case 1 -> destination = r.bytes();
        case 2 -> prefixLength = r.int32();
        case 3 -> gateway = r.bytes();
        case 4 -> source = r.bytes();
        case 5 -> index = r.int32();
        case 6 -> metric = r.int32();
        default -> {}
      }
    }
    return new Route(destination, prefixLength, gateway, source, index, metric);
  }

  private static Neighbor readNeighbor(WireReader r) {
    byte[] address = {};
    long mac = 0;
    int index = 0;
    boolean permanent = false;
    while (r.next()) {
      switch (r.tag()) {
        case 1 -> address = r.bytes();
        case 2 -> mac = r.number();
        case 3 -> index = r.int32();
        case 4 -> permanent = r.flag();
        default -> {}
      }
    }
    return new Neighbor(address, mac, index, permanent);
  }
}
