package redoubt.host;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import redoubt.abi.Errno;
import redoubt.abi.Netlink;
import redoubt.abi.Nr;

/**
 * Questions and orders about interfaces, addresses and routes to the kernel of the network
 * namespace that this thread is in: <a
 * href="https://man7.org/linux/man-pages/man7/rtnetlink.7.html">rtnetlink(7)</a>. Messages are byte
 * arrays with their headers.
 */
public final class RouteNetlink implements AutoCloseable {
  private static final int AF_NETLINK = 16;
  private static final int SOCK_RAW = 3;
  private static final int SOCK_CLOEXEC = 0x80000;
  private static final int BUFFER = 1 << 17;

  private final Fd fd;
  private final Arena arena = Arena.ofConfined();
  private final MemorySegment buffer = arena.allocate(BUFFER, 8);
  private int sequence;

  /** The namespace is the calling thread's; the socket stays in it. */
  public RouteNetlink() {
    fd =
        new Fd(
            (int)
                HostException.check(
                    "socket AF_NETLINK",
                    RawSyscall.syscall(Nr.SOCKET, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0)));
  }

  /** {@return the messages of all objects that {@code type} (RTM_GET*) asks for} */
  public List<byte[]> dump(int type, int family) {
    byte[] request = new byte[Netlink.SIZEOF_NLMSGHDR + Netlink.SIZEOF_IFINFOMSG];
    request[Netlink.SIZEOF_NLMSGHDR] = (byte) family;
    send(request, type, Netlink.NLM_F_REQUEST | Netlink.NLM_F_DUMP);
    var out = new ArrayList<byte[]>();
    while (true) {
      long n = receive();
      for (long at = 0; at + Netlink.SIZEOF_NLMSGHDR <= n; ) {
        int length = buffer.get(Memory.INT, at);
        int kind = buffer.get(Memory.SHORT, at + Netlink.NLMSGHDR_NLMSG_TYPE) & 0xffff;
        if (length < Netlink.SIZEOF_NLMSGHDR || at + length > n) {
          throw new HostException("netlink dump " + type, -Errno.EBADMSG);
        }
        if (kind == Netlink.NLMSG_DONE) {
          return out;
        }
        if (kind == Netlink.NLMSG_ERROR) {
          throw new HostException(
              "netlink dump " + type, buffer.get(Memory.INT, at + Netlink.SIZEOF_NLMSGHDR));
        }
        byte[] message = new byte[length];
        MemorySegment.copy(buffer, Memory.BYTE, at, message, 0, length);
        out.add(message);
        at += (length + 3) & ~3;
      }
    }
  }

  /** Gives an order whose type and flags are in its header. {@return 0 or -errno} */
  public int order(byte[] message) {
    int type = message[4] & 0xff | (message[5] & 0xff) << 8;
    int flags = message[6] & 0xff | (message[7] & 0xff) << 8;
    send(message, type, flags | Netlink.NLM_F_REQUEST | Netlink.NLM_F_ACK);
    long n = receive();
    return n < Netlink.SIZEOF_NLMSGHDR + 4
        ? -Errno.EBADMSG
        : buffer.get(Memory.INT, Netlink.SIZEOF_NLMSGHDR);
  }

  private void send(byte[] message, int type, int flags) {
    MemorySegment.copy(message, 0, buffer, Memory.BYTE, 0, message.length);
    buffer.set(Memory.INT, 0, message.length);
    buffer.set(Memory.SHORT, Netlink.NLMSGHDR_NLMSG_TYPE, (short) type);
    buffer.set(Memory.SHORT, Netlink.NLMSGHDR_NLMSG_FLAGS, (short) flags);
    buffer.set(Memory.INT, Netlink.NLMSGHDR_NLMSG_SEQ, ++sequence);
    buffer.set(Memory.INT, Netlink.NLMSGHDR_NLMSG_PID, 0);
    HostException.check(
        "netlink request " + type,
        RawSyscall.syscall(Nr.SENDTO, fd.number(), buffer.address(), message.length, 0, 0, 0));
  }

  private long receive() {
    while (true) {
      long n = RawSyscall.syscall(Nr.RECVFROM, fd.number(), buffer.address(), BUFFER, 0, 0, 0);
      if (n != -Errno.EINTR) {
        return HostException.check("netlink answer", n);
      }
    }
  }

  @Override
  public void close() {
    fd.close();
    arena.close();
  }
}
