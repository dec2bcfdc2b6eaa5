package redoubt.sentry.boot;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Errno;
import redoubt.host.Fd;
import redoubt.host.HostFiles;
import redoubt.host.HostRandom;
import redoubt.net.link.PacketLink;
import redoubt.net.stack.NetworkStack;
import redoubt.net.stack.Nic;
import redoubt.net.stack.Route;
import redoubt.net.stack.Secret;
import redoubt.net.stack.TimerThread;
import redoubt.sentry.control.ControlException;
import redoubt.sentry.control.NetworkConfig;
import redoubt.sentry.kernel.Clocks;
import redoubt.sentry.kernel.Waiter;
import redoubt.sentry.socket.inet.InetFamily;

/** The sandbox's network stack on what the pod's network namespace had. */
final class HostNetwork {
  /** Descriptors of packet sockets: the seccomp filter lets these send and receive frames. */
  static final int FIRST_FD = 960;

  static final int FDS = 64;

  /** How long what was written before the end may take to reach its peers. */
  private static final long DRAIN_NS = 2_000_000_000L;

  private final NetworkStack stack =
      new NetworkStack(Clocks::monotonicNs, new Secret(HostRandom.number(), HostRandom.number()));
  private final Consumer<String> log;
  private @Nullable TimerThread timers; // guarded by this
  private @Nullable PacketLink onlyLink; // guarded by this
  private volatile boolean attached;

  HostNetwork(Consumer<String> log) {
    this.log = log;
  }

  synchronized void attach(InetFamily inet, NetworkConfig config, List<Fd> fds) {
    List<NetworkConfig.Interface> interfaces = config.interfaces();
    int expected = interfaces.size() + (config.resolver() ? 1 : 0);
    if (attached || fds.size() != expected || interfaces.size() > FDS) {
      fds.forEach(Fd::close);
      throw new ControlException(
          Errno.EINVAL, attached ? "the network is there already" : "a socket for each interface");
    }
    var nics = new ArrayList<Nic>();
    for (int i = 0; i < interfaces.size(); i++) {
      nics.add(addInterface(interfaces.get(i), fds.get(i)));
    }
    // The stack tries the latest of equals first, the host the one of the least metric.
    config.routes().reversed().forEach(r -> addRoute(nics, r));
    config.neighbors().forEach(n -> addNeighbor(nics, n));
    if (nics.size() != 1) {
      onlyLink = null;
    }
    timers = new TimerThread(stack);
    inet.attach(stack);
    if (config.resolver()) {
      relayNames(inet, fds.getLast(), config.servers());
    }
    attached = true;
  }

  private void relayNames(InetFamily inet, Fd daemon, List<NetworkConfig.Ip> servers) {
    List<Integer> reachable =
        servers.stream().filter(NetworkConfig.Ip::isV4).map(NetworkConfig.Ip::v4).toList();
    int r = new DnsRelay(stack, daemon, reachable).start(NetworkConfig.RESOLVER);
    if (r < 0) {
      daemon.close();
      log.accept("sentry: no names from Docker: " + Errno.name(-r));
      return;
    }
    inet.relay(NetworkConfig.RESOLVER, NetworkConfig.RESOLVER_PORT);
  }

  boolean isAttached() {
    return attached;
  }

  /** {@return interfaces, connections and counters, as text} */
  String report() {
    return NetworkReport.of(stack);
  }

  /** Copies each frame to {@code socket} until its other end is closed. */
  void capture(Fd socket) {
    var capture = new Capture(socket);
    if (!stack.setTap(capture)) {
      socket.close();
      throw new ControlException(Errno.EBUSY, "the sandbox's frames are being captured already");
    }
    capture.begin(() -> stack.clearTap(capture));
  }

  /** {@return what waiting tasks may look after}, where all that comes in comes by one link */
  synchronized Waiter.@Nullable Watch watch() {
    PacketLink l = onlyLink;
    if (l == null) {
      return null;
    }
    l.share();
    return new LinkWatch(l);
  }

  private Nic addInterface(NetworkConfig.Interface i, Fd donated) {
    Fd fd;
    try (donated) {
      fd = HostFiles.duplicate(donated.number(), FIRST_FD);
    }
    if (fd.number() >= FIRST_FD + FDS) {
      fd.close();
      throw new ControlException(Errno.EMFILE, "no descriptor is left for interface " + i.name());
    }
    var link = new PacketLink(fd, i.mtu(), i.mac());
    Nic nic = stack.addNic(i.name(), i.index(), link);
    for (NetworkConfig.Address a : i.addresses()) {
      NetworkConfig.Ip ip = a.address();
      if (ip.isV4()) {
        stack.addAddress(nic, ip.v4(), a.prefixLength());
      } else {
        stack.addAddress6(nic, ip.high(), ip.low(), a.prefixLength());
      }
    }
    link.start(stack, nic::deliver);
    onlyLink = link;
    return nic;
  }

  private void addRoute(List<Nic> nics, NetworkConfig.Route r) {
    for (Nic nic : nics) {
      if (nic.index() != r.index()) {
        continue;
      }
      NetworkConfig.Ip to = r.destination();
      if (!to.isV4()) {
        NetworkConfig.Ip by = r.gateway();
        stack.addRoute6(to.high(), to.low(), r.prefixLength(), by.high(), by.low(), nic);
        continue;
      }
      int source = r.source().isV4() ? r.source().v4() : nic.primaryAddress();
      int gateway = r.gateway().isV4() ? r.gateway().v4() : 0;
      int prefix = r.destination().v4() & Route.mask(r.prefixLength());
      stack.addRoute(new Route(prefix, r.prefixLength(), gateway, source, nic));
    }
  }

  private void addNeighbor(List<Nic> nics, NetworkConfig.Neighbor n) {
    for (Nic nic : nics) {
      if (nic.index() == n.index() && n.address().isV4()) {
        stack.addNeighbor(nic, n.address().v4(), n.mac(), n.permanent());
      }
    }
  }

  /** The sandbox ends: what was written still goes out, as Linux would send it. */
  void drain() {
    long deadline = Clocks.monotonicNs() + DRAIN_NS;
    while (attached && stack.tcp().isSending() && Clocks.monotonicNs() < deadline) {
      LockSupport.parkNanos(2_000_000);
    }
    if (attached && stack.tcp().isSending()) {
      log.accept("sentry: the sandbox ended with data under way to its peers");
    }
  }
}
