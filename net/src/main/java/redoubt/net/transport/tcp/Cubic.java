package redoubt.net.transport.tcp;

/** CUBIC (RFC 9438): the window is a cubic function of the time since the last loss. */
final class Cubic implements CongestionControl {
  private static final double C = 0.4;
  private static final double BETA = 0.7;

  // Windows in segments, times in seconds, as the RFC has them.
  private double wMax;
  private double k;
  private double wEst;
  private double cwndAtEpoch;
  private long epochNs;
  private double credit;
  private double undoWMax;

  @Override
  public String name() {
    return "cubic";
  }

  @Override
  public long grow(long cwnd, long acked, int mss, long srttNs, long nowNs) {
    double window = (double) cwnd / mss;
    if (epochNs == 0) {
      beginEpoch(window, nowNs);
    }
    double t = (nowNs - epochNs) / 1e9;
    double rtt = srttNs / 1e9;
    // Section 4.3: as fast as Reno with the same decrease would be.
    double alpha = wEst < wMax ? 3 * (1 - BETA) / (1 + BETA) : 1;
    wEst += alpha * acked / cwnd;
    if (cubic(t) < wEst) {
      return Math.max(cwnd, (long) (wEst * mss));
    }
    double target = Math.clamp(cubic(t + rtt), window, 1.5 * window);
    credit += (target - window) * acked / cwnd;
    long bytes = (long) (credit * mss);
    credit -= (double) bytes / mss;
    return cwnd + bytes;
  }

  private void beginEpoch(double window, long nowNs) {
    epochNs = nowNs;
    cwndAtEpoch = window;
    wMax = Math.max(wMax, window);
    k = Math.cbrt((wMax - cwndAtEpoch) / C);
    wEst = window;
    credit = 0;
  }

  private double cubic(double t) {
    double d = t - k;
    return C * d * d * d + wMax;
  }

  @Override
  public long shrink(long cwnd, int mss) {
    double window = (double) cwnd / mss;
    undoWMax = wMax;
    // Fast convergence, section 4.7: who loses below the last maximum makes room for others.
    wMax = window < wMax ? window * (1 + BETA) / 2 : window;
    epochNs = 0;
    return Math.max((long) (cwnd * BETA), 2L * mss);
  }

  @Override
  public void undo() {
    wMax = undoWMax;
    epochNs = 0;
  }
}
