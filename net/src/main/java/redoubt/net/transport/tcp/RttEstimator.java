package redoubt.net.transport.tcp;

/** Round-trip time and the retransmission timeout made of it (RFC 6298, with Linux's bounds). */
final class RttEstimator {
  static final long MIN_RTO_NS = 200_000_000L;
  static final long MAX_RTO_NS = 120_000_000_000L;
  static final long INITIAL_RTO_NS = 1_000_000_000L;

  /** For the minimum: long enough for a route to change back, short enough to follow it. */
  private static final long MIN_WINDOW_NS = 300_000_000_000L;

  private long srttNs;
  private long rttvarNs;
  private long minNs = Long.MAX_VALUE;
  private long minAtNs;
  private int backoff;

  void sample(long rttNs, long nowNs) {
    long r = Math.max(rttNs, 1);
    if (r <= minNs || nowNs - minAtNs > MIN_WINDOW_NS) {
      minNs = r;
      minAtNs = nowNs;
    }
    if (srttNs == 0) {
      srttNs = r;
      rttvarNs = r / 2;
    } else {
      rttvarNs += (Math.abs(srttNs - r) - rttvarNs) / 4;
      srttNs += (r - srttNs) / 8;
    }
    backoff = 0;
  }

  /** {@return the smoothed time, or 0 when nothing was measured yet} */
  long srttNs() {
    return srttNs;
  }

  /** {@return the smoothed deviation} */
  long varianceNs() {
    return rttvarNs;
  }

  /** {@return the least of the last minutes, or {@link Long#MAX_VALUE}} */
  long minNs() {
    return minNs;
  }

  /** {@return the timeout as it stands after {@link #backOff}} */
  long rtoNs() {
    // As Linux does, the bound is on the variance's part: a steady path still gets 200 ms of grace.
    long base = srttNs == 0 ? INITIAL_RTO_NS : srttNs + Math.max(4 * rttvarNs, MIN_RTO_NS);
    return Math.min(base << Math.min(backoff, 20), MAX_RTO_NS);
  }

  void backOff() {
    backoff++;
  }

  void clearBackoff() {
    backoff = 0;
  }

  int backoff() {
    return backoff;
  }
}
