package redoubt.net.transport.tcp;

/** How the congestion window grows, and to what it falls. All in bytes. */
interface CongestionControl {
  String name();

  /** {@return the window after {@code acked} more bytes arrived in congestion avoidance} */
  long grow(long cwnd, long acked, int mss, long srttNs, long nowNs);

  /** {@return the slow-start threshold after a loss with {@code cwnd}} */
  long shrink(long cwnd, int mss);

  /** The loss was none after all: forget it. */
  void undo();
}
