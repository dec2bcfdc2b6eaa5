package redoubt.sentry.socket;

import org.jspecify.annotations.Nullable;
import redoubt.abi.Socket;
import redoubt.sentry.fs.proc.ProcTexts;
import redoubt.sentry.kernel.Kernel;
import redoubt.sentry.kernel.NetNamespace;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.socket.inet.InetFamily;
import redoubt.sentry.socket.netlink.NetlinkFamily;
import redoubt.sentry.socket.packet.PacketFamily;
import redoubt.sentry.socket.unix.UnixFamily;

/** The address families of one kernel. */
public final class Sockets {
  private final @Nullable SocketFamily[] families = new SocketFamily[Socket.AF_MAX];
  private final UnixFamily unix = new UnixFamily();
  private final InetFamily inet = new InetFamily();
  private final PacketFamily packet = new PacketFamily(inet);

  /** A network of its own, with nothing but a loopback. */
  private Sockets() {
    register(Socket.AF_UNIX, unix);
    register(Socket.AF_INET, inet.v4());
    register(Socket.AF_INET6, inet.v6());
    register(Socket.AF_NETLINK, new NetlinkFamily());
    register(Socket.AF_PACKET, packet);
  }

  /** Registers the families that every kernel has: unix, the loopback's inet and inet6, netlink. */
  public static void install(Kernel kernel) {
    Sockets s = new Sockets();
    kernel.register(UnixFamily.class, s.unix);
    kernel.register(InetFamily.class, s.inet);
    kernel.register(Sockets.class, s);
    ProcTexts proc = ProcTexts.of(kernel);
    proc.set("net/unix", (t, out) -> of(t).unix.procNetUnix(out));
    proc.set("net/tcp", (t, out) -> of(t).inet.procNetTcp(false, out));
    proc.set("net/tcp6", (t, out) -> of(t).inet.procNetTcp(true, out));
    proc.set("net/udp", (t, out) -> of(t).inet.procNetUdp(false, out));
    proc.set("net/udp6", (t, out) -> of(t).inet.procNetUdp(true, out));
    proc.set("net/packet", (t, out) -> of(t).packet.procNetPacket(out));
    ProcNet.install(proc);
  }

  /** {@return the families of {@code t}'s network namespace} */
  public static Sockets of(Task t) {
    NetNamespace net = t.namespaces().net;
    return net.isFirst()
        ? t.kernel().subsystem(Sockets.class)
        : net.part(Sockets.class, Sockets::new);
  }

  public InetFamily inet() {
    return inet;
  }

  public UnixFamily unix() {
    return unix;
  }

  public void register(int family, SocketFamily f) {
    families[family] = f;
  }

  /** {@return family {@code number}, or null if there is none (EAFNOSUPPORT)} */
  public @Nullable SocketFamily family(int number) {
    return number < 0 || number >= families.length ? null : families[number];
  }
}
