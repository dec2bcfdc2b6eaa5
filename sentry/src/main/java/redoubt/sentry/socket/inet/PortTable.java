package redoubt.sentry.socket.inet;

import static redoubt.abi.Errno.EADDRINUSE;
import static redoubt.abi.Errno.EADDRNOTAVAIL;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Which sockets of one protocol have which ports. */
final class PortTable {
  /** net.ipv4.ip_local_port_range. */
  private static final int FIRST_EPHEMERAL = 32768;

  private static final int LAST_EPHEMERAL = 60999;

  private final boolean tcp;
  private final Map<Integer, List<InetSocket>> ports = new HashMap<>(); // guarded by this
  private int lastEphemeral; // guarded by this

  PortTable(boolean tcp) {
    this.tcp = tcp;
    this.lastEphemeral = FIRST_EPHEMERAL + (int) (System.nanoTime() & 0x3fff);
  }

  /**
   * Gives {@code s} the port, or a free one for 0.
   *
   * @return the port, -EADDRINUSE, or -EADDRNOTAVAIL when none is free
   */
  synchronized long bind(InetSocket s, long high, long low, int port) {
    if (port != 0) {
      if (conflicts(s, high, low, port)) {
        return -EADDRINUSE;
      }
      add(s, port);
      return port;
    }
    int range = LAST_EPHEMERAL - FIRST_EPHEMERAL + 1;
    for (int i = 0; i < range; i++) {
      lastEphemeral = lastEphemeral >= LAST_EPHEMERAL ? FIRST_EPHEMERAL : lastEphemeral + 1;
      if (!ports.containsKey(lastEphemeral)) {
        add(s, lastEphemeral);
        return lastEphemeral;
      }
    }
    return -EADDRNOTAVAIL;
  }

  private void add(InetSocket s, int port) {
    ports.computeIfAbsent(port, k -> new ArrayList<>(1)).add(s);
  }

  /** Counts in a socket that accept(2) made: it keeps its listener's port in use. */
  synchronized void join(InetSocket s, int port) {
    add(s, port);
  }

  synchronized void unbind(InetSocket s, int port) {
    List<InetSocket> all = ports.get(port);
    if (all != null && all.remove(s) && all.isEmpty()) {
      ports.remove(port);
    }
  }

  private boolean conflicts(InetSocket s, long high, long low, int port) {
    List<InetSocket> all = ports.get(port);
    if (all == null) {
      return false;
    }
    for (InetSocket o : all) {
      if (o != s && overlaps(s, high, low, o) && !mayShare(s, o)) {
        return true;
      }
    }
    return false;
  }

  private boolean mayShare(InetSocket s, InetSocket o) {
    if (s.reusesPort() && o.reusesPort() && s.inode().uid() == o.inode().uid()) {
      return true;
    }
    return s.reusesAddress() && o.reusesAddress() && !(tcp && o.holdsPortAlone());
  }

  private static boolean overlaps(InetSocket s, long high, long low, InetSocket o) {
    boolean any = InetAddresses.isAny(high, low);
    boolean otherAny = InetAddresses.isAny(o.localHigh, o.localLow);
    boolean v4 = InetAddresses.isV4(high, low);
    boolean otherV4 = InetAddresses.isV4(o.localHigh, o.localLow);
    if (any && otherAny) {
      return v4 == otherV4 || (v4 ? o.takesV4() : s.takesV4());
    }
    if (any) {
      return v4 == otherV4 || (!v4 && s.takesV4());
    }
    if (otherAny) {
      return v4 == otherV4 || (!otherV4 && o.takesV4());
    }
    return high == o.localHigh && low == o.localLow;
  }

  /**
   * Checks again whether {@code s} may have its port, now that it wants to listen: others that
   * share it by SO_REUSEADDR must not listen.
   */
  synchronized boolean mayListen(InetSocket s, int port) {
    List<InetSocket> all = ports.get(port);
    if (all == null) {
      return true;
    }
    for (InetSocket o : all) {
      if (o != s
          && o.holdsPortAlone()
          && overlaps(s, s.localHigh, s.localLow, o)
          && !(s.reusesPort() && o.reusesPort())) {
        return false;
      }
    }
    return true;
  }

  /**
   * {@return who gets what is sent to an address and port}: the best match among listening or, for
   * UDP, all sockets
   *
   * @param seed spreads over sockets that share a port by SO_REUSEPORT
   */
  synchronized @Nullable InetSocket find(
      long high, long low, int port, long fromHigh, long fromLow, int fromPort, int seed) {
    List<InetSocket> all = ports.get(port);
    if (all == null) {
      return null;
    }
    InetSocket best = null;
    int bestScore = 0;
    int equals = 0;
    for (int i = 0; i < all.size(); i++) {
      InetSocket o = all.get(i);
      int score = o.score(high, low, fromHigh, fromLow, fromPort);
      if (score > bestScore) {
        best = o;
        bestScore = score;
        equals = 1;
      } else if (score == bestScore && score > 0) {
        equals++;
        if (o.reusesPort() ? Math.floorMod(seed, equals) == 0 : !tcp) {
          best = o; // the last bound of several that share an address by SO_REUSEADDR
        }
      }
    }
    return best;
  }

  /** {@return all sockets with a port} */
  synchronized List<InetSocket> all() {
    List<InetSocket> out = new ArrayList<>();
    for (List<InetSocket> l : ports.values()) {
      out.addAll(l);
    }
    return out;
  }
}
