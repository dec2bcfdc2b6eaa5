package redoubt.sentry.ipc;

import java.lang.management.ManagementFactory;

/** Counts what a warm operation allocates on its own thread. */
public final class Allocation {
  private Allocation() {}

  /**
   * {@return the bytes that one run of {@code operation} allocates once it is compiled}, the least
   * of several tries
   */
  public static long perCall(Runnable operation) {
    var bean = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
    long best = Long.MAX_VALUE;
    for (int round = 0; round < 20 && best != 0; round++) {
      for (int i = 0; i < 5_000; i++) {
        operation.run();
      }
      long before = bean.getCurrentThreadAllocatedBytes();
      for (int i = 0; i < 1_000; i++) {
        operation.run();
      }
      best = Math.min(best, (bean.getCurrentThreadAllocatedBytes() - before) / 1_000);
    }
    return best;
  }
}
