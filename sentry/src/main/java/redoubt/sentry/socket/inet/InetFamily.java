package redoubt.sentry.socket.inet;

import static redoubt.abi.Errno.ENETUNREACH;
import static redoubt.abi.Errno.EPERM;
import static redoubt.abi.Errno.EPROTONOSUPPORT;
import static redoubt.abi.Errno.ESOCKTNOSUPPORT;
import static redoubt.abi.Socket.AF_INET;
import static redoubt.abi.Socket.AF_INET6;
import static redoubt.abi.Socket.SOCK_DGRAM;
import static redoubt.abi.Socket.SOCK_RAW;
import static redoubt.abi.Socket.SOCK_STREAM;

import java.util.List;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Caps;
import redoubt.abi.Ip;
import redoubt.net.stack.NetworkStack;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.socket.Socket;
import redoubt.sentry.socket.SocketFamily;

/**
 * TCP and UDP of one sandbox, for AF_INET and AF_INET6: between its own sockets without packets, to
 * others through a {@link NetworkStack} where there is one.
 */
public final class InetFamily {
  final PortTable tcpPorts = new PortTable(true);
  final PortTable udpPorts = new PortTable(false);

  private volatile @Nullable NetworkStack stack;

  /** From now on sockets reach what {@code stack} reaches. Before the first guest runs. */
  public void attach(NetworkStack stack) {
    this.stack = stack;
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
    return s != null && InetAddresses.isV4(high, low) && s.isLocal((int) low);
  }

  /** {@return 0 if the address can be reached, else -ENETUNREACH} */
  long route(long high, long low) {
    return isLocal(high, low) || source4(high, low) != 0 ? 0 : -ENETUNREACH;
  }

  /** {@return the IPv4 address from which one sends to an address outside, or 0} */
  int source4(long high, long low) {
    NetworkStack s = stack;
    return s == null || !InetAddresses.isV4(high, low) ? 0 : s.ipv4().sourceFor((int) low);
  }

  boolean hasDevice(String name) {
    NetworkStack s = stack;
    return name.equals("lo") || (s != null && s.hasNic(name));
  }

  /** {@return AF_INET} */
  public SocketFamily v4() {
    return (t, type, protocol, flags) -> create(t, AF_INET, type, protocol, flags);
  }

  /** {@return AF_INET6} */
  public SocketFamily v6() {
    return (t, type, protocol, flags) -> create(t, AF_INET6, type, protocol, flags);
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
        if (protocol != 0 && protocol != Ip.IPPROTO_UDP) {
          throw ErrnoException.of(EPROTONOSUPPORT);
        }
        return new UdpSocket(t, this, family, flags);
      }
      case SOCK_RAW -> {
        boolean may = t.hasCapability(Caps.CAP_NET_RAW);
        throw ErrnoException.of(may ? EPROTONOSUPPORT : EPERM);
      }
      default -> throw ErrnoException.of(ESOCKTNOSUPPORT);
    }
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
