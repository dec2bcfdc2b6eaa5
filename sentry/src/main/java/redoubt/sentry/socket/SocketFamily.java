package redoubt.sentry.socket;

import org.jspecify.annotations.Nullable;
import redoubt.sentry.kernel.Task;

/** Who makes the sockets of one address family: Linux's net_proto_family. */
public interface SocketFamily {
  /**
   * Makes a socket.
   *
   * @param type SOCK_* without flags
   * @param flags O_NONBLOCK or 0
   * @throws redoubt.sentry.kernel.ErrnoException ESOCKTNOSUPPORT, EPROTONOSUPPORT, EPERM
   */
  Socket create(Task t, int type, int protocol, int flags);

  /**
   * Makes two sockets that are connected to each other, or returns null if the family has no such
   * thing (EOPNOTSUPP).
   */
  default Socket @Nullable [] createPair(Task t, int type, int protocol, int flags) {
    return null;
  }
}
