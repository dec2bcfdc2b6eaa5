package redoubt.sentry.socket;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * What <a href="https://man7.org/linux/man-pages/man7/sock_diag.7.html">sock_diag(7)</a> tells of a
 * socket.
 *
 * @param state TCP_*
 * @param shutdown RCV_SHUTDOWN and SEND_SHUTDOWN
 */
public record SocketDiag(
    int family,
    int type,
    int state,
    long ino,
    int uid,
    int readable,
    int unsent,
    int receiveBuffer,
    int sendBuffer,
    int shutdown) {
  /**
   * A socket of AF_INET or AF_INET6.
   *
   * @param tcpInfo a struct tcp_info, or empty
   */
  public record Inet(
      SocketDiag socket,
      long localHigh,
      long localLow,
      int localPort,
      long remoteHigh,
      long remoteLow,
      int remotePort,
      boolean isV6Only,
      String congestion,
      MemorySegment tcpInfo) {}

  /**
   * A socket of AF_UNIX.
   *
   * @param name its path, an abstract name with its NUL, or null
   * @param peerIno 0 where there is no peer
   * @param fileIno the bound file's, 0 without one
   * @param fileDevice that file's device
   */
  public record Unix(
      SocketDiag socket, @Nullable String name, long peerIno, long fileIno, long fileDevice) {}
}
