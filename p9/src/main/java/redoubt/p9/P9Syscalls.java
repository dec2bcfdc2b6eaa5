package redoubt.p9;

import static redoubt.host.SeccompFilter.equal;
import static redoubt.host.SeccompFilter.equal64;

import redoubt.abi.Nr;
import redoubt.host.SeccompFilter;

/** The host system calls that {@link P9Client} makes, for the filter of the process it runs in. */
public final class P9Syscalls {
  private static final int SOL_SOCKET = 1;
  private static final int SO_TYPE = 3;
  private static final int SO_SNDBUF = 7;
  private static final int SHUT_RDWR = 2;

  private P9Syscalls() {}

  /**
   * Adds what is not in {@code JvmSyscalls}. No message of the client carries a descriptor, so no
   * sendmsg(2) here; the sockets are connected, so no address.
   */
  public static void addTo(SeccompFilter f) {
    f.allow(Nr.SENDTO, "requests to the gofer, to no address", equal64(4, 0))
        .allow(Nr.RECVMSG, "answers of the gofer and donated descriptors")
        .allow(Nr.GETCPU, "choosing a lane")
        .allow(
            Nr.SETSOCKOPT,
            "room for the largest message to the gofer",
            equal(1, SOL_SOCKET),
            equal(2, SO_SNDBUF))
        .allow(
            Nr.GETSOCKOPT,
            "checking that a lane is a socket of the right kind",
            equal(1, SOL_SOCKET),
            equal(2, SO_TYPE))
        .allow(Nr.SHUTDOWN, "ending the connection to the gofer", equal(1, SHUT_RDWR))
        .allow(Nr.POLL, "noticing the gofer's death");
  }
}
