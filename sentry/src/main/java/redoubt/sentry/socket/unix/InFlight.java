package redoubt.sentry.socket.unix;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import redoubt.sentry.kernel.Credentials;
import redoubt.sentry.vfs.FileDescription;

/**
 * Descriptions that are in no table but in a message on its way: how many each user has there, and
 * which unix sockets are reachable from nowhere any more because they only lie in each other's
 * queues (net/unix/garbage.c).
 */
final class InFlight {
  /** Sends beyond this look for garbage first. */
  private static final int COLLECT_AT = 64;

  private final Map<Integer, Integer> byUser = new HashMap<>(); // guarded by this
  private final IdentityHashMap<UnixSocket, Integer> sockets =
      new IdentityHashMap<>(); // guarded by this

  /** Messages with rights that are queued now; guarded by this. */
  private int messages;

  /** {@return whether {@code creds}' user may send {@code n} more} */
  synchronized boolean admits(Credentials creds, int n, long limit) {
    return byUser.getOrDefault(creds.ruid, 0) + n <= limit
        || creds.hasCapability(redoubt.abi.Caps.CAP_SYS_RESOURCE)
        || creds.hasCapability(redoubt.abi.Caps.CAP_SYS_ADMIN);
  }

  /** Counts a message's descriptions in. */
  synchronized void add(int uid, FileDescription[] files) {
    byUser.merge(uid, files.length, Integer::sum);
    messages++;
    for (FileDescription f : files) {
      if (f instanceof UnixSocket s) {
        sockets.merge(s, 1, Integer::sum);
      }
    }
  }

  /** Counts them out: received or dropped. */
  synchronized void remove(int uid, FileDescription[] files) {
    byUser.computeIfPresent(uid, (k, n) -> n <= files.length ? null : n - files.length);
    messages--;
    for (FileDescription f : files) {
      if (f instanceof UnixSocket s) {
        sockets.computeIfPresent(s, (k, n) -> n == 1 ? null : n - 1);
      }
    }
  }

  /** {@return whether it is time to look for garbage before another message is queued} */
  synchronized boolean isCrowded() {
    return sockets.size() >= COLLECT_AT;
  }

  synchronized boolean hasSockets() {
    return !sockets.isEmpty();
  }

  /**
   * Finds sockets all of whose references are in flight in each other's queues, and empties those
   * queues. Call without any lock.
   */
  void collect() {
    List<UnixSocket> candidates = new ArrayList<>();
    Set<UnixSocket> suspects = Collections.newSetFromMap(new IdentityHashMap<>());
    synchronized (this) {
      for (Map.Entry<UnixSocket, Integer> e : sockets.entrySet()) {
        if (e.getKey().references() == e.getValue()) {
          suspects.add(e.getKey());
          candidates.add(e.getKey());
        }
      }
    }
    if (candidates.isEmpty()) {
      return;
    }
    // What lies in the queue of a socket that somebody can still reach is reachable too.
    ArrayDeque<UnixSocket> reached = new ArrayDeque<>();
    IdentityHashMap<UnixSocket, Integer> insideOnly = new IdentityHashMap<>();
    for (UnixSocket s : candidates) {
      for (UnixSocket held : s.queuedSockets()) {
        insideOnly.merge(held, 1, Integer::sum);
      }
    }
    for (UnixSocket s : candidates) {
      int inside = insideOnly.getOrDefault(s, 0);
      if (inside < s.references()) {
        reached.add(s);
        suspects.remove(s);
      }
    }
    while (!reached.isEmpty()) {
      for (UnixSocket held : reached.removeFirst().queuedSockets()) {
        if (suspects.remove(held)) {
          reached.add(held);
        }
      }
    }
    for (UnixSocket s : suspects) {
      s.discardQueue();
    }
  }
}
