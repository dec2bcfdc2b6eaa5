package redoubt.host;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import redoubt.abi.Nr;

/**
 * UDP sockets of the host: <a href="https://man7.org/linux/man-pages/man7/udp.7.html">udp(7)</a>.
 */
public final class DatagramSocket {
  private static final int AF_INET = 2;
  private static final int SOCK_DGRAM_CLOEXEC = 2 | 0x80000;
  private static final int SIZEOF_SOCKADDR_IN = 16;

  private DatagramSocket() {}

  /**
   * {@return a socket in this thread's network namespace that talks to one peer only}
   *
   * @throws HostException if the host refuses
   */
  public static Fd connected(int address, int port) {
    Fd fd =
        new Fd(
            (int)
                HostException.check(
                    "socket", RawSyscall.syscall(Nr.SOCKET, AF_INET, SOCK_DGRAM_CLOEXEC, 0)));
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment peer = arena.allocate(SIZEOF_SOCKADDR_IN, 8);
      peer.set(Memory.SHORT, 0, (short) AF_INET);
      peer.set(Memory.SHORT, 2, Short.reverseBytes((short) port));
      peer.set(Memory.INT, 4, Integer.reverseBytes(address));
      HostException.check(
          "connect",
          RawSyscall.syscall(Nr.CONNECT, fd.number(), peer.address(), SIZEOF_SOCKADDR_IN));
      return fd;
    } catch (HostException e) {
      fd.close();
      throw e;
    }
  }
}
