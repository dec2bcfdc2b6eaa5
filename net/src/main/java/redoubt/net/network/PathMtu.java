package redoubt.net.network;

import java.util.LinkedHashMap;
import java.util.Map;
import redoubt.net.stack.NetworkStack;

/** What routers said about the longest packet to a destination (RFC 1191), for ten minutes each. */
public final class PathMtu {
  /** Linux's {@code min_pmtu}: below it a forged answer would cost too much. */
  public static final int MIN = 552;

  private static final long LIFETIME_NS = 600_000_000_000L;
  private static final int MAX_ENTRIES = 1024;

  private record Learnt(int mtu, long untilNs) {}

  private final NetworkStack stack;
  private final Map<Integer, Learnt> entries =
      new LinkedHashMap<>() {
        @Override
        protected boolean removeEldestEntry(Map.Entry<Integer, Learnt> eldest) {
          return size() > MAX_ENTRIES;
        }
      };

  PathMtu(NetworkStack stack) {
    this.stack = stack;
  }

  /** {@return {@code linkMtu}, or less where a router said so} */
  int limit(int destination, int linkMtu) {
    if (entries.isEmpty()) {
      return linkMtu;
    }
    Learnt e = entries.get(destination);
    if (e == null) {
      return linkMtu;
    }
    if (stack.nowNs() >= e.untilNs) {
      entries.remove(destination);
      return linkMtu;
    }
    return Math.min(e.mtu, linkMtu);
  }

  /** Notes that nothing longer than {@code mtu} reaches {@code destination}. */
  public void lower(int destination, int mtu) {
    int bounded = Math.max(mtu, MIN);
    if (bounded < stack.ipv4().mtu(destination)) {
      entries.put(destination, new Learnt(bounded, stack.nowNs() + LIFETIME_NS));
    }
  }
}
