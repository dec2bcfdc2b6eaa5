package redoubt.sentry.kernel;

/**
 * What processes have used, as <a
 * href="https://man7.org/linux/man-pages/man2/getrusage.2.html">getrusage(2)</a> tells it.
 */
public final class ResourceUsage {
  /** CPU time of the host processes that ran the guest's code; what their faults cost is in it. */
  public long userNs;

  /** CPU time of the sentry's threads that served their calls. */
  public long systemNs;

  /** The most memory that one of them was seen to occupy. */
  public long maxRssBytes;

  /** Takes {@code o} in. */
  void add(ResourceUsage o) {
    userNs += o.userNs;
    systemNs += o.systemNs;
    maxRssBytes = Math.max(maxRssBytes, o.maxRssBytes);
  }
}
