package redoubt.sandbox;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Errno;
import redoubt.abi.Netlink;
import redoubt.host.DatagramSocket;
import redoubt.host.Fd;
import redoubt.host.HostException;
import redoubt.host.HostFiles;
import redoubt.host.NetworkNamespace;
import redoubt.host.PacketSocket;
import redoubt.host.RouteNetlink;
import redoubt.host.Spawn;
import redoubt.sentry.control.NetworkConfig;

/**
 * A network namespace of the host whose Ethernet interfaces a sandbox takes over. A sentry gets
 * their frames through packet sockets, and their addresses are taken off, so that the host does not
 * answer as well. For a guest kernel's VMM each interface is joined with a tap device (<a
 * href="https://man7.org/linux/man-pages/man8/tc-mirred.8.html">tc-mirred(8)</a>): the host sees
 * none of its frames, and the addresses may stay. {@link #restoring} says how to undo either.
 */
final class PodNetwork implements AutoCloseable {
  private static final int AF_INET = 2;
  private static final int AF_INET6 = 10;
  private static final int ARPHRD_ETHER = 1;
  private static final int IFF_UP = 1;
  private static final int RT_TABLE_LOCAL = 255;
  private static final int RTN_UNICAST = 1;
  private static final int NUD_PERMANENT = 0x80;

  /** Reachable, stale, delay, probe: somebody was there. */
  private static final int NUD_KNOWN = 0x02 | 0x04 | 0x08 | 0x10;

  private static final int INFINITE_METRIC = 1 << 30;

  /** Names of tap devices begin with it: native/launcher. */
  private static final String TAP = "redoubt";

  /** As many as resolv.conf(5) has (MAXNS). */
  private static final int MAX_SERVERS = 3;

  /** As many records of a kind the launcher takes. */
  private static final int MAX_ORDERS = 512;

  private final Fd namespace;
  private final List<NetworkConfig.Interface> interfaces = new ArrayList<>();
  private final List<NetworkConfig.Route> routes = new ArrayList<>();
  private final List<NetworkConfig.Neighbor> neighbors = new ArrayList<>();
  private final List<Fd> sockets = new ArrayList<>();
  private final List<byte[]> removals = new ArrayList<>();
  private final List<byte[]> restoring = new ArrayList<>();

  private final boolean forGuest;
  private final List<NetworkConfig.Ip> servers = new ArrayList<>();
  private boolean hasResolver;

  private PodNetwork(Fd namespace, boolean forGuest) {
    this.namespace = namespace;
    this.forGuest = forGuest;
  }

  /**
   * Reads what the namespace at {@code path} has and, for a sentry, opens its interfaces.
   *
   * @param forGuest whether it is for a guest's VMM
   * @throws SandboxException if it is the host's own
   */
  static PodNetwork read(String path, boolean forGuest) {
    Fd namespace;
    try {
      namespace = NetworkNamespace.open(path);
    } catch (HostException e) {
      throw new SandboxException("network namespace: " + e.getMessage());
    }
    var network = new PodNetwork(namespace, forGuest);
    try {
      network.refuseHost(path);
      try (var stay = NetworkNamespace.enter(namespace);
          var netlink = new RouteNetlink()) {
        network.readAll(netlink);
      }
      return network;
    } catch (HostException e) {
      network.close();
      throw new SandboxException("network namespace " + path + ": " + e.getMessage());
    } catch (RuntimeException e) {
      network.close();
      throw e;
    }
  }

  private void refuseHost(String path) {
    // Who may not look at process 1 cannot tell its own namespace from the host's.
    String other = HostFiles.isReadable("/proc/1/ns/net") ? "/proc/1/ns/net" : NetworkNamespace.OWN;
    try (Fd host = NetworkNamespace.open(other)) {
      if (NetworkNamespace.areSame(namespace, host)) {
        throw new SandboxException(
            "--network=sandbox would take the addresses of the host's own interfaces ("
                + path
                + "); give the container a network namespace of its own, or --network=none");
      }
    }
  }

  private void readAll(RouteNetlink netlink) {
    List<RouteMessage> addresses = new ArrayList<>();
    for (int family : new int[] {AF_INET, AF_INET6}) {
      for (byte[] message : netlink.dump(Netlink.RTM_GETADDR, family)) {
        addresses.add(new RouteMessage(message, Netlink.SIZEOF_IFADDRMSG));
      }
    }
    for (byte[] message : netlink.dump(Netlink.RTM_GETLINK, 0)) {
      readInterface(new RouteMessage(message, Netlink.SIZEOF_IFINFOMSG), addresses);
    }
    if (interfaces.isEmpty()) {
      return;
    }
    List<byte[]> plain = new ArrayList<>();
    List<byte[]> behindGateways = new ArrayList<>();
    for (int family : new int[] {AF_INET, AF_INET6}) {
      for (byte[] message : netlink.dump(Netlink.RTM_GETROUTE, family)) {
        readRoute(new RouteMessage(message, Netlink.SIZEOF_RTMSG), plain, behindGateways);
      }
    }
    restoring.addAll(plain);
    restoring.addAll(behindGateways);
    if (restoring.size() > MAX_ORDERS) {
      throw new SandboxException(
          "the network namespace has more than " + MAX_ORDERS + " addresses and routes");
    }
    if (!forGuest && hasDockerResolver()) {
      sockets.add(DatagramSocket.connected(NetworkConfig.RESOLVER, NetworkConfig.RESOLVER_PORT));
      hasResolver = true;
      readServers(HostFiles.readText("/etc/resolv.conf", 1 << 16));
    }
    for (byte[] message : netlink.dump(Netlink.RTM_GETNEIGH, AF_INET)) {
      readNeighbor(new RouteMessage(message, Netlink.SIZEOF_NDMSG));
    }
    if (forGuest) {
      restoring.clear();
      for (NetworkConfig.Interface i : interfaces) {
        restoring.add(TrafficControl.deleteIngress(i.index()));
      }
    }
  }

  /** Docker's daemon answers for names of containers at 127.0.0.11 of networks that users make. */
  private static boolean hasDockerResolver() {
    String sockets = HostFiles.readText("/proc/thread-self/net/udp", 1 << 20);
    return sockets != null && sockets.contains(": 0B00007F:");
  }

  /** The IPv4 name servers of resolv.conf(5), but for those on the host's loopback. */
  private void readServers(@Nullable String resolvConf) {
    for (String line : resolvConf == null ? new String[0] : resolvConf.split("\n")) {
      String[] words = line.strip().split("\\s+");
      if (words.length >= 2 && words[0].equals("nameserver") && servers.size() < MAX_SERVERS) {
        byte[] address = dotted(words[1]);
        if (address != null && address[0] != 127) {
          servers.add(NetworkConfig.Ip.of(address));
        }
      }
    }
  }

  private static byte @Nullable [] dotted(String text) {
    String[] parts = text.split("\\.", -1);
    byte[] address = new byte[4];
    for (int i = 0; i < 4; i++) {
      if (parts.length != 4
          || !parts[i].matches("[0-9]{1,3}")
          || Integer.parseInt(parts[i]) > 255) {
        return null;
      }
      address[i] = (byte) Integer.parseInt(parts[i]);
    }
    return address;
  }

  private void readInterface(RouteMessage m, List<RouteMessage> addresses) {
    int index = m.i32(Netlink.IFINFOMSG_IFI_INDEX);
    long mac = m.mac(Netlink.IFLA_ADDRESS);
    boolean isUp = (m.i32(Netlink.IFINFOMSG_IFI_FLAGS) & IFF_UP) != 0;
    if (m.u16(Netlink.IFINFOMSG_IFI_TYPE) != ARPHRD_ETHER || !isUp || mac == 0) {
      return;
    }
    List<NetworkConfig.Address> own = new ArrayList<>();
    for (RouteMessage a : addresses) {
      if (a.i32(Netlink.IFADDRMSG_IFA_INDEX) != index) {
        continue;
      }
      byte[] local = a.attribute(Netlink.IFA_LOCAL);
      byte[] address = local != null ? local : a.attribute(Netlink.IFA_ADDRESS);
      if (address == null) {
        continue;
      }
      int prefixLength = a.u8(Netlink.IFADDRMSG_IFA_PREFIXLEN);
      own.add(new NetworkConfig.Address(NetworkConfig.Ip.of(address), prefixLength));
      removals.add(a.asOrder(Netlink.RTM_DELADDR, 0));
      restoring.add(a.asOrder(Netlink.RTM_NEWADDR, Netlink.NLM_F_CREATE | Netlink.NLM_F_REPLACE));
    }
    if (!forGuest) {
      sockets.add(PacketSocket.open(index, false));
    }
    interfaces.add(
        new NetworkConfig.Interface(
            m.text(Netlink.IFLA_IFNAME), index, mac, m.number(Netlink.IFLA_MTU, 1500), own));
  }

  private void readRoute(RouteMessage m, List<byte[]> plain, List<byte[]> behindGateways) {
    int table = m.number(Netlink.RTA_TABLE, m.u8(Netlink.RTMSG_RTM_TABLE));
    int index = m.number(Netlink.RTA_OIF, 0);
    if (table == RT_TABLE_LOCAL || !isOurs(index)) {
      return;
    }
    byte[] destination = m.attribute(Netlink.RTA_DST);
    byte[] gateway = m.attribute(Netlink.RTA_GATEWAY);
    byte[] source = m.attribute(Netlink.RTA_PREFSRC);
    int family = m.u8(Netlink.RTMSG_RTM_FAMILY);
    if (m.u8(Netlink.RTMSG_RTM_TYPE) == RTN_UNICAST) {
      byte[] any = new byte[family == AF_INET ? 4 : 16];
      routes.add(
          new NetworkConfig.Route(
              NetworkConfig.Ip.of(destination == null ? any : destination),
              m.u8(Netlink.RTMSG_RTM_DST_LEN),
              ip(gateway),
              ip(source),
              index,
              Math.min(m.number(Netlink.RTA_PRIORITY, 0) & 0x7fffffff, INFINITE_METRIC)));
    }
    byte[] order = m.asOrder(Netlink.RTM_NEWROUTE, Netlink.NLM_F_CREATE | Netlink.NLM_F_REPLACE);
    // The state of the next hop is not for us to set; onlink is.
    ByteBuffer flags = ByteBuffer.wrap(order).order(ByteOrder.LITTLE_ENDIAN);
    int at = Netlink.SIZEOF_NLMSGHDR + Netlink.RTMSG_RTM_FLAGS;
    flags.putInt(at, flags.getInt(at) & 4);
    (gateway == null ? plain : behindGateways).add(order);
  }

  private static NetworkConfig.Ip ip(byte @Nullable [] address) {
    return address == null ? NetworkConfig.Ip.NONE : NetworkConfig.Ip.of(address);
  }

  private void readNeighbor(RouteMessage m) {
    int index = m.i32(Netlink.NDMSG_NDM_IFINDEX);
    int state = m.u16(Netlink.NDMSG_NDM_STATE);
    long mac = m.mac(Netlink.NDA_LLADDR);
    byte[] address = m.attribute(Netlink.NDA_DST);
    boolean permanent = (state & NUD_PERMANENT) != 0;
    if (isOurs(index) && mac != 0 && address != null && (permanent || (state & NUD_KNOWN) != 0)) {
      neighbors.add(
          new NetworkConfig.Neighbor(NetworkConfig.Ip.of(address), mac, index, permanent));
    }
  }

  private boolean isOurs(int index) {
    for (NetworkConfig.Interface i : interfaces) {
      if (i.index() == index) {
        return true;
      }
    }
    return false;
  }

  /** {@return whether there is nothing to take over} */
  boolean isEmpty() {
    return interfaces.isEmpty();
  }

  NetworkConfig config() {
    return new NetworkConfig(interfaces, routes, neighbors, hasResolver, servers);
  }

  /** {@return a packet socket of each interface, then one to the resolver if there is one} */
  List<Fd> sockets() {
    return sockets;
  }

  Fd namespace() {
    return namespace;
  }

  /**
   * Starts the small program that gives the addresses back when the sandbox has ended, however it
   * ended.
   *
   * @param pid the sentry
   */
  void startWarden(Installation installation, int pid) {
    try (Fd sandbox = HostFiles.pidfd(pid);
        Fd plan = addTo(new Plan().add("sandbox", 5), 4).toFile();
        Fd nothing = HostFiles.open("/dev/null", HostFiles.O_RDWR, 0)) {
      int none = nothing.number();
      int[] fds = {none, none, none, plan.number(), namespace.number(), sandbox.number()};
      Spawn.spawn(
          installation.launcher(), List.of("redoubt-warden", "warden", "3"), List.of(), fds);
    }
  }

  /** Adds to a plan how the addresses are given back to the namespace, descriptor {@code fd}. */
  Plan addTo(Plan plan, int fd) {
    return plan.add("netns", fd).addAll("order", restoring());
  }

  /** {@return the orders that give the addresses and routes back, in hexadecimal} */
  List<String> restoring() {
    var out = new ArrayList<String>();
    for (byte[] order : restoring) {
      out.add(HexFormat.of().formatHex(order));
    }
    return out;
  }

  /** Takes the addresses off the interfaces; whoever can give them back must know how by now. */
  void takeAddresses() {
    try (var stay = NetworkNamespace.enter(namespace);
        var netlink = new RouteNetlink()) {
      for (byte[] order : removals) {
        int r = netlink.order(order);
        // Secondary addresses go with their primary one.
        if (r < 0 && r != -Errno.EADDRNOTAVAIL) {
          throw new HostException("take an address off its interface", r);
        }
      }
    }
  }

  /**
   * Joins each interface with one of the tap devices that wait in {@code waiting}, a network
   * namespace; whoever can part them must know how by now.
   */
  void joinTaps(Fd waiting) {
    boolean isHere = NetworkNamespace.areSame(waiting, namespace);
    for (int i = 0; i < interfaces.size(); i++) {
      NetworkConfig.Interface pod = interfaces.get(i);
      if (!isHere) {
        try (var stay = NetworkNamespace.enter(waiting);
            var netlink = new RouteNetlink()) {
          int index = tap(netlink, i);
          order(
              netlink,
              "move a device into the pod's network namespace",
              new RouteOrder(Netlink.RTM_NEWLINK, 0, Netlink.SIZEOF_IFINFOMSG)
                  .i32(Netlink.IFINFOMSG_IFI_INDEX, index)
                  .attribute(Netlink.IFLA_NET_NS_FD, namespace.number()));
        }
      }
      try (var stay = NetworkNamespace.enter(namespace);
          var netlink = new RouteNetlink()) {
        join(netlink, pod, tap(netlink, i));
      }
    }
  }

  private void join(RouteNetlink netlink, NetworkConfig.Interface pod, int tap) {
    order(
        netlink,
        "set up " + TAP + " beside " + pod.name(),
        new RouteOrder(Netlink.RTM_NEWLINK, 0, Netlink.SIZEOF_IFINFOMSG)
            .i32(Netlink.IFINFOMSG_IFI_INDEX, tap)
            .i32(Netlink.IFINFOMSG_IFI_FLAGS, IFF_UP)
            .i32(Netlink.IFINFOMSG_IFI_CHANGE, IFF_UP)
            .attribute(Netlink.IFLA_MTU, pod.mtu()));
    String what = "redirect the frames of " + pod.name() + " (tc ingress, u32, mirred)";
    order(netlink, what, TrafficControl.addIngress(pod.index()));
    order(netlink, what, TrafficControl.addIngress(tap));
    order(netlink, what, TrafficControl.redirect(tap, pod.index()));
    order(netlink, what, TrafficControl.redirect(pod.index(), tap));
  }

  private int tap(RouteNetlink netlink, int number) {
    for (byte[] message : netlink.dump(Netlink.RTM_GETLINK, 0)) {
      var m = new RouteMessage(message, Netlink.SIZEOF_IFINFOMSG);
      if (m.text(Netlink.IFLA_IFNAME).equals(TAP + number)) {
        return m.i32(Netlink.IFINFOMSG_IFI_INDEX);
      }
    }
    throw new SandboxException(
        "the network namespace has "
            + interfaces.size()
            + " interfaces, more than the "
            + number
            + " that the guest was created with");
  }

  private static void order(RouteNetlink netlink, String what, RouteOrder order) {
    HostException.check(what, netlink.order(order.toBytes()));
  }

  /**
   * Gives back what {@link #takeAddresses} took; harmless when it is there again already, or the
   * namespace is gone.
   */
  static void giveBack(String path, List<String> orders) {
    if (orders.isEmpty() || !HostFiles.exists(path)) {
      return;
    }
    try (Fd namespace = NetworkNamespace.open(path);
        var stay = NetworkNamespace.enter(namespace);
        var netlink = new RouteNetlink()) {
      for (String order : orders) {
        netlink.order(HexFormat.of().parseHex(order));
      }
    } catch (HostException e) {
      // The namespace went away meanwhile: nobody misses the addresses.
    }
  }

  @Override
  public void close() {
    sockets.forEach(Fd::close);
    namespace.close();
  }
}
