package redoubt.net.transport;

import java.util.function.IntPredicate;
import redoubt.net.stack.Secret;

/** Ports for those who ask for none: from a random place in Linux's range on (RFC 6056). */
public final class Ports {
  public static final int FIRST = 32_768;
  public static final int LAST = 60_999;

  private Ports() {}

  /** {@return a port that {@code isFree}, or 0 when there is none} */
  public static int pick(Secret secret, IntPredicate isFree) {
    int count = LAST - FIRST + 1;
    int from = (int) Long.remainderUnsigned(secret.next(), count);
    for (int i = 0; i < count; i++) {
      int port = FIRST + (from + i) % count;
      if (isFree.test(port)) {
        return port;
      }
    }
    return 0;
  }
}
