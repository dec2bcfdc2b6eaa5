package redoubt.sentry.socket.inet;

import static redoubt.abi.Errno.EACCES;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ENETUNREACH;
import static redoubt.abi.Errno.ENOBUFS;
import static redoubt.abi.Errno.EPERM;
import static redoubt.abi.Errno.EPROTONOSUPPORT;
import static redoubt.abi.Errno.ESOCKTNOSUPPORT;
import static redoubt.abi.Socket.AF_INET;
import static redoubt.abi.Socket.AF_INET6;
import static redoubt.abi.Socket.SOCK_DGRAM;
import static redoubt.abi.Socket.SOCK_RAW;
import static redoubt.abi.Socket.SOCK_STREAM;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Caps;
import redoubt.abi.Ip;
import redoubt.host.HostRandom;
import redoubt.net.network.AddressTable;
import redoubt.net.stack.NetworkStack;
import redoubt.net.stack.Secret;
import redoubt.net.transport.RawEndpoint;
import redoubt.net.transport.RawTable;
import redoubt.sentry.kernel.Clocks;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.socket.Socket;
import redoubt.sentry.socket.SocketDiag;
import redoubt.sentry.socket.SocketFamily;

/**
 * TCP and UDP of one sandbox, for AF_INET and AF_INET6: between its own sockets without packets, to
 * others through a {@link NetworkStack} where there is one.
 */
public final class InetFamily {
  final PortTable tcpPorts = new PortTable(true);
  final PortTable udpPorts = new PortTable(false);
  final PortTable udpLitePorts = new PortTable(false);

  /** Raw sockets have no ports; it stays empty. */
  final PortTable rawPorts = new PortTable(false);

  private volatile @Nullable NetworkStack own; // made under this

  // net.ipv4.ping_group_range: from 1 to 0 is nobody.
  private volatile long firstPingGroup = 1;
  private volatile long lastPingGroup;

  /** net.ipv4.ip_unprivileged_port_start. */
  private volatile int unprivilegedPort = 1024;

  private volatile @Nullable NetworkStack stack;
  private volatile long relayedLow;
  private volatile int relayedPort;

  /** From now on sockets reach what {@code stack} reaches. Before the first guest runs. */
  public void attach(NetworkStack stack) {
    this.stack = stack;
  }

  /** Datagrams to this address of the loopback are for an endpoint of the stack. */
  public void relay(int address, int port) {
    relayedPort = port;
    relayedLow = InetAddresses.mapped(address);
  }

  boolean isRelayed(long high, long low, int port) {
    return low == relayedLow && high == 0 && port == relayedPort;
  }

  /** {@return the way out of the sandbox, or null when there is only the loopback} */
  public @Nullable NetworkStack stack() {
    return stack;
  }

  /** {@return whether the sandbox itself has this address} */
  boolean isLocal(long high, long low) {
    if (InetAddresses.isLoopback(high, low)) {
      return true;
    }
    NetworkStack s = stack;
    return s != null
        && (InetAddresses.isV4(high, low) ? s.isLocal((int) low) : s.isLocal6(high, low));
  }

  /** {@return 0 if the address can be reached, else -ENETUNREACH} */
  long route(long high, long low) {
    return isLocal(high, low) || sourceFor(high, low) != 0 ? 0 : -ENETUNREACH;
  }

  /** {@return the stack's number of the address from which one sends to an address, or 0} */
  int sourceFor(long high, long low) {
    NetworkStack s = stack;
    if (s == null) {
      return 0;
    }
    s.enter();
    try {
      int to = number(s, high, low);
      return to == 0 ? 0 : s.ipv4().sourceFor(to);
    } finally {
      s.exit();
    }
  }

  /**
   * {@return the stack's number of an address, 0 for any} Precondition: the stack is entered, and
   * stays so while the number is used.
   */
  static int number(NetworkStack s, long high, long low) {
    if (InetAddresses.isV4(high, low)) {
      return AddressTable.isV6((int) low) ? 0 : (int) low;
    }
    return InetAddresses.isAny(high, low) ? 0 : s.addresses().number(high, low);
  }

  /** {@return the high half of the address that the stack has this number for} */
  static long high(NetworkStack s, int number) {
    return AddressTable.isV6(number) ? s.addresses().high(number) : 0;
  }

  static long low(NetworkStack s, int number) {
    return AddressTable.isV6(number) ? s.addresses().low(number) : InetAddresses.mapped(number);
  }

  boolean hasDevice(String name) {
    NetworkStack s = stack;
    return name.equals("lo") || (s != null && s.hasNic(name));
  }

  boolean hasDevice(int index) {
    NetworkStack s = stack;
    return index == 1 || (s != null && s.nics().stream().anyMatch(n -> n.index() == index));
  }

  /** {@return AF_INET} */
  public SocketFamily v4() {
    return (t, type, protocol, flags) -> create(t, AF_INET, type, protocol, flags);
  }

  /** {@return AF_INET6} */
  public SocketFamily v6() {
    return (t, type, protocol, flags) -> create(t, AF_INET6, type, protocol, flags);
  }

  /** {@return the stack for raw and packet sockets}, which on the loopback need one, too */
  public synchronized NetworkStack stackOrOwn() {
    NetworkStack s = stack;
    if (s != null) {
      return s;
    }
    s = own;
    if (s == null) {
      s =
          new NetworkStack(
              Clocks::monotonicNs, new Secret(HostRandom.number(), HostRandom.number()));
      own = s;
    }
    return s;
  }

  /** {@return the stack whose packet sockets see the loopback, or null while nobody looks} */
  @Nullable NetworkStack watched() {
    NetworkStack s = stack;
    s = s != null ? s : own;
    return s == null || s.frames().isEmpty() ? null : s;
  }

  private boolean mayPing(Task t) {
    if (isPingGroup(t.creds().egid)) {
      return true;
    }
    for (int g : t.creds().groups) {
      if (isPingGroup(g)) {
        return true;
      }
    }
    return false;
  }

  private boolean isPingGroup(int gid) {
    long g = Integer.toUnsignedLong(gid);
    return g >= firstPingGroup && g <= lastPingGroup;
  }

  int unprivilegedPort() {
    return unprivilegedPort;
  }

  /** {@return a setting of /proc/sys/net/ipv4 as its file shows it}, null if it is not ours */
  public @Nullable String sysctl(String name) {
    return switch (name) {
      case "net/ipv4/ping_group_range" -> firstPingGroup + "\t" + lastPingGroup;
      case "net/ipv4/ip_unprivileged_port_start" -> Integer.toString(unprivilegedPort);
      default -> null;
    };
  }

  /** Sets it; {@return 0 or -EINVAL}, also for a setting that is not ours */
  public long setSysctl(String name, String value) {
    try {
      String[] words = value.strip().split("\\s+");
      switch (name) {
        case "net/ipv4/ping_group_range" -> {
          if (words.length != 2) {
            return -EINVAL;
          }
          long first = Long.parseLong(words[0]);
          long last = Long.parseLong(words[1]);
          firstPingGroup = first;
          lastPingGroup = last;
          return 0;
        }
        case "net/ipv4/ip_unprivileged_port_start" -> {
          int port = Integer.parseInt(words[0]);
          if (port < 0 || port > 65535) {
            return -EINVAL;
          }
          unprivilegedPort = port;
          return 0;
        }
        default -> {
          return -EINVAL;
        }
      }
    } catch (NumberFormatException e) {
      return -EINVAL;
    }
  }

  private Socket createRaw(Task t, int family, int protocol, int flags) {
    if (!t.hasCapability(Caps.CAP_NET_RAW)) {
      throw ErrnoException.of(EPERM);
    }
    int last = family == AF_INET ? Ip.IPPROTO_RAW : Ip.IPPROTO_RAW - 1;
    if (protocol <= 0 || protocol > last) {
      throw ErrnoException.of(EPROTONOSUPPORT);
    }
    RawTable table = stackOrOwn().raw();
    RawEndpoint e = table.open(protocol, family == AF_INET6);
    if (e == null) {
      throw ErrnoException.of(ENOBUFS);
    }
    return new RawSocket(t, this, table, e, family, protocol, flags);
  }

  private Socket createPing(Task t, int family, int flags) {
    if (!mayPing(t)) {
      throw ErrnoException.of(EACCES);
    }
    RawTable table = stackOrOwn().raw();
    RawEndpoint e = table.openPing(family == AF_INET6);
    if (e == null) {
      throw ErrnoException.of(ENOBUFS);
    }
    int protocol = family == AF_INET6 ? RawSocket.IPPROTO_ICMPV6 : Ip.IPPROTO_ICMP;
    return new RawSocket(t, this, table, e, family, protocol, flags);
  }

  private Socket create(Task t, int family, int type, int protocol, int flags) {
    switch (type) {
      case SOCK_STREAM -> {
        if (protocol != 0 && protocol != Ip.IPPROTO_TCP) {
          throw ErrnoException.of(EPROTONOSUPPORT);
        }
        return new TcpSocket(t, this, family, flags);
      }
      case SOCK_DGRAM -> {
        if (protocol == (family == AF_INET6 ? RawSocket.IPPROTO_ICMPV6 : Ip.IPPROTO_ICMP)) {
          return createPing(t, family, flags);
        }
        boolean lite = protocol == Ip.IPPROTO_UDPLITE;
        if (protocol != 0 && protocol != Ip.IPPROTO_UDP && !lite) {
          throw ErrnoException.of(EPROTONOSUPPORT);
        }
        return new UdpSocket(t, this, family, lite, flags);
      }
      case SOCK_RAW -> {
        return createRaw(t, family, protocol, flags);
      }
      default -> throw ErrnoException.of(ESOCKTNOSUPPORT);
    }
  }

  // ---- sock_diag ----

  /** {@return the sockets of {@code family} that have a port of {@code protocol}} */
  public List<SocketDiag.Inet> diagnose(int family, int protocol) {
    PortTable ports =
        switch (protocol) {
          case Ip.IPPROTO_TCP -> tcpPorts;
          case Ip.IPPROTO_UDP -> udpPorts;
          case Ip.IPPROTO_UDPLITE -> udpLitePorts;
          default -> rawPorts;
        };
    List<SocketDiag.Inet> out = new ArrayList<>();
    for (InetSocket s : ports.all()) {
      if (s.family() == family) {
        out.add(s.diagnose());
      }
    }
    return out;
  }

  // ---- /proc/net ----

  /** Appends the lines of /proc/net/tcp, or tcp6. */
  public void procNetTcp(boolean v6, StringBuilder out) {
    describe(tcpPorts.all(), v6, true, out);
  }

  /** Appends the lines of /proc/net/udp, or udp6. */
  public void procNetUdp(boolean v6, StringBuilder out) {
    describe(udpPorts.all(), v6, false, out);
  }

  private static void describe(
      List<InetSocket> sockets, boolean v6, boolean tcp, StringBuilder out) {
    int n = 0;
    for (InetSocket s : sockets) {
      if ((s.family() == AF_INET6) == v6) {
        s.describe(out, n++, tcp);
      }
    }
  }

  static String pad(String s, int width) {
    return s + " ".repeat(Math.max(0, width - s.length())) + "\n";
  }
}
