package redoubt.host;

import redoubt.abi.Nr;

/**
 * A stay of the calling thread in another network namespace: <a
 * href="https://man7.org/linux/man-pages/man2/setns.2.html">setns(2)</a>. Other threads stay where
 * they are. To be closed on the same thread.
 */
public final class NetworkNamespace implements AutoCloseable {
  private static final int CLONE_NEWNET = 0x40000000;

  /** The network namespace that the calling thread is in. */
  public static final String OWN = "/proc/thread-self/ns/net";

  private final Fd before;

  private NetworkNamespace(Fd before) {
    this.before = before;
  }

  /** {@return a descriptor of the namespace at {@code path}} */
  public static Fd open(String path) {
    return HostFiles.open(path, HostFiles.O_RDONLY, 0);
  }

  /** {@return whether two descriptors are of the same namespace} */
  public static boolean areSame(Fd a, Fd b) {
    return HostIo.status(a.number()).ino() == HostIo.status(b.number()).ino();
  }

  /** Moves the calling thread to {@code namespace} until the result is closed. */
  public static NetworkNamespace enter(Fd namespace) {
    Fd before = open(OWN);
    long r = RawSyscall.syscall(Nr.SETNS, namespace.number(), CLONE_NEWNET);
    if (r < 0) {
      before.close();
      throw new HostException("enter the network namespace", r);
    }
    return new NetworkNamespace(before);
  }

  @Override
  public void close() {
    try (before) {
      HostException.check(
          "return to the network namespace",
          RawSyscall.syscall(Nr.SETNS, before.number(), CLONE_NEWNET));
    }
  }
}
