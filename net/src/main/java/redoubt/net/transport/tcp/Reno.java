package redoubt.net.transport.tcp;

/** RFC 5681: one segment more a round trip, half after a loss. */
final class Reno implements CongestionControl {
  private long credit;

  @Override
  public String name() {
    return "reno";
  }

  @Override
  public long grow(long cwnd, long acked, int mss, long srttNs, long nowNs) {
    credit += acked;
    if (credit < cwnd) {
      return cwnd;
    }
    credit -= cwnd;
    return cwnd + mss;
  }

  @Override
  public long shrink(long cwnd, int mss) {
    credit = 0;
    return Math.max(cwnd / 2, 2L * mss);
  }

  @Override
  public void undo() {}
}
