package redoubt.sentry.socket;

import org.jspecify.annotations.Nullable;
import redoubt.abi.Socket;
import redoubt.sentry.fs.proc.ProcTexts;
import redoubt.sentry.kernel.Kernel;
import redoubt.sentry.socket.inet.InetFamily;
import redoubt.sentry.socket.netlink.NetlinkFamily;
import redoubt.sentry.socket.unix.UnixFamily;

/** The address families of one kernel. */
public final class Sockets {
  private final @Nullable SocketFamily[] families = new SocketFamily[Socket.AF_MAX];

  /** Registers the families that every kernel has: unix, the loopback's inet and inet6, netlink. */
  public static void install(Kernel kernel) {
    Sockets s = new Sockets();
    UnixFamily unix = new UnixFamily();
    kernel.register(UnixFamily.class, unix);
    s.register(Socket.AF_UNIX, unix);
    InetFamily inet = new InetFamily();
    kernel.register(InetFamily.class, inet);
    s.register(Socket.AF_INET, inet.v4());
    s.register(Socket.AF_INET6, inet.v6());
    s.register(Socket.AF_NETLINK, new NetlinkFamily());
    kernel.register(Sockets.class, s);
    ProcTexts proc = ProcTexts.of(kernel);
    proc.set("net/unix", (t, out) -> unix.procNetUnix(out));
    proc.set("net/tcp", (t, out) -> inet.procNetTcp(false, out));
    proc.set("net/tcp6", (t, out) -> inet.procNetTcp(true, out));
    proc.set("net/udp", (t, out) -> inet.procNetUdp(false, out));
    proc.set("net/udp6", (t, out) -> inet.procNetUdp(true, out));
    ProcNet.install(kernel, proc);
  }

  public void register(int family, SocketFamily f) {
    families[family] = f;
  }

  /** {@return family {@code number}, or null if there is none (EAFNOSUPPORT)} */
  public @Nullable SocketFamily family(int number) {
    return number < 0 || number >= families.length ? null : families[number];
  }
}
