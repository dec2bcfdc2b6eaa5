package redoubt.sentry.ipc.mqueue;

/**
 * A socket that can carry the notices of SIGEV_THREAD: a netlink one, on which a thread of the C
 * library waits.
 */
public interface NoticeSocket {
  /** Puts a message of the kernel's into the receive queue. */
  void deliver(byte[] message);
}
