package redoubt.sentry.socket.packet;

import static redoubt.abi.Errno.ENOBUFS;
import static redoubt.abi.Errno.EPERM;
import static redoubt.abi.Errno.ESOCKTNOSUPPORT;
import static redoubt.abi.Socket.SOCK_DGRAM;
import static redoubt.abi.Socket.SOCK_RAW;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import redoubt.abi.Caps;
import redoubt.net.stack.NetworkStack;
import redoubt.net.transport.PacketEndpoint;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.socket.Socket;
import redoubt.sentry.socket.SocketFamily;
import redoubt.sentry.socket.inet.InetFamily;

/** AF_PACKET of one network namespace. SOCK_PACKET, which Linux calls obsolete, is not there. */
public final class PacketFamily implements SocketFamily {
  private final InetFamily inet;
  private final Set<PacketSocket> sockets = ConcurrentHashMap.newKeySet();

  public PacketFamily(InetFamily inet) {
    this.inet = inet;
  }

  @Override
  public Socket create(Task t, int type, int protocol, int flags) {
    if (!t.hasCapability(Caps.CAP_NET_RAW)) {
      throw ErrnoException.of(EPERM);
    }
    if (type != SOCK_RAW && type != SOCK_DGRAM) {
      throw ErrnoException.of(ESOCKTNOSUPPORT);
    }
    NetworkStack stack = inet.stackOrOwn();
    var receiver = new FrameQueue(type == SOCK_RAW);
    PacketEndpoint e = stack.frames().open(receiver);
    if (e == null) {
      throw ErrnoException.of(ENOBUFS);
    }
    var s = new PacketSocket(t, this, stack, e, receiver, type, protocol, flags);
    sockets.add(s);
    return s;
  }

  void forget(PacketSocket s) {
    sockets.remove(s);
  }

  boolean isFedByLink() {
    return inet.stack() != null;
  }

  /** Appends the lines of /proc/net/packet. */
  public void procNetPacket(StringBuilder out) {
    for (PacketSocket s : sockets) {
      s.describe(out);
    }
  }
}
