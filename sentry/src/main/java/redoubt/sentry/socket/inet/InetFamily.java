package redoubt.sentry.socket.inet;

import static redoubt.abi.Errno.EPERM;
import static redoubt.abi.Errno.EPROTONOSUPPORT;
import static redoubt.abi.Errno.ESOCKTNOSUPPORT;
import static redoubt.abi.Socket.AF_INET;
import static redoubt.abi.Socket.AF_INET6;
import static redoubt.abi.Socket.SOCK_DGRAM;
import static redoubt.abi.Socket.SOCK_RAW;
import static redoubt.abi.Socket.SOCK_STREAM;

import java.util.List;
import redoubt.abi.Caps;
import redoubt.abi.Ip;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.socket.Socket;
import redoubt.sentry.socket.SocketFamily;

/** The loopback's TCP and UDP of one sandbox, for AF_INET and AF_INET6. */
public final class InetFamily {
  final PortTable tcpPorts = new PortTable(true);
  final PortTable udpPorts = new PortTable(false);

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

  /** {@return /proc/net/tcp, or tcp6} */
  public String procNetTcp(boolean v6) {
    return table(tcpPorts.all(), v6, true);
  }

  /** {@return /proc/net/udp, or udp6} */
  public String procNetUdp(boolean v6) {
    return table(udpPorts.all(), v6, false);
  }

  private static String table(List<InetSocket> sockets, boolean v6, boolean tcp) {
    StringBuilder b = new StringBuilder();
    if (tcp) {
      b.append(
          v6
              ? "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
              : pad(
                  "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode", 149));
    } else {
      b.append(
          v6
              ? "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n"
              : pad(
                  "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops", 127));
    }
    int n = 0;
    for (InetSocket s : sockets) {
      if ((s.family() == AF_INET6) == v6) {
        s.describe(b, n++, tcp);
      }
    }
    return b.toString();
  }

  static String pad(String s, int width) {
    return s + " ".repeat(Math.max(0, width - s.length())) + "\n";
  }
}
