package redoubt.sentry.control;

import java.util.ArrayList;
import java.util.List;
import java.util.function.IntConsumer;

/** How often a container lost a process for want of memory, and who waits for the next time. */
public final class OomKills {
  /** Most who wait; the longest waiting one is told at once to make room. */
  private static final int WAITING_LIMIT = 64;

  private record Waiting(int seen, IntConsumer listener) {}

  private int count; // guarded by this
  private final List<Waiting> waiting = new ArrayList<>(); // guarded by this

  /** There have been {@code now} kills. Counts never go back. */
  public void reached(int now) {
    var toTell = new ArrayList<Waiting>();
    synchronized (this) {
      if (now <= count) {
        return;
      }
      count = now;
      waiting.removeIf(w -> w.seen < now && toTell.add(w));
    }
    for (Waiting w : toTell) {
      w.listener.accept(now);
    }
  }

  public void another() {
    int now;
    synchronized (this) {
      now = count + 1;
    }
    reached(now);
  }

  /**
   * Tells {@code listener}, which does not block, the count once it is greater than {@code seen}.
   */
  public void await(int seen, IntConsumer listener) {
    int now;
    IntConsumer toTell = listener;
    synchronized (this) {
      now = count;
      if (now <= seen) {
        waiting.add(new Waiting(seen, listener));
        if (waiting.size() <= WAITING_LIMIT) {
          return;
        }
        toTell = waiting.removeFirst().listener;
      }
    }
    toTell.accept(now);
  }
}
