package redoubt.sentry.platform.systrap;

import java.util.concurrent.locks.LockSupport;

/**
 * Decides how each pair (a guest thread and its Java thread) waits for the other, by looking every
 * few milliseconds at what happened; the pairs carry it out at their next run.
 *
 * <pre>
 *   BOUND   both halves on one core, nobody spins: a hand-over is a switch on that core (about 1.3 us)
 *   SPIN    the halves on two cores, both spin for a short while (0.1 us): for one busy pair alone
 *   LOOSE   the guest has computed for long: the host may put it where it likes
 * </pre>
 *
 * <p>Waking an idle core costs some 40 us here, so a pair is never left asleep on two cores. When
 * two guests that compute share a core and another core has none, one of them moves.
 *
 * <p>The thread sleeps for good when nothing runs; {@link #noticed} wakes it.
 */
final class Balancer implements Runnable {
  private static final long PERIOD_NS = 4_000_000;

  /** Events in one period from which on a pair counts as busy enough to spin: one in 20 us. */
  private static final int SPIN_FROM = 200;

  private static final int SPIN_UNTIL = 100;

  /**
   * A pair counts beside the busiest if it had this part of its events, or of those that a pair
   * that spins has at least: wc behind find does not.
   */
  private static final int COUNTS_FROM = 16;

  private static final int QUIET_PERIODS = 4;

  private final Systrap platform;
  private final Cores cores;
  private final boolean spinAllowed;
  private final Thread thread;
  private volatile boolean asleep;
  private volatile boolean stopped;
  private final int[] runningOn;
  private final int[] crowded;

  Balancer(Systrap platform, Cores cores) {
    this.platform = platform;
    this.cores = cores;
    this.spinAllowed = cores.count() > 1;
    this.runningOn = new int[cores.count()];
    this.crowded = new int[cores.count()];
    this.thread = Thread.ofPlatform().daemon().name("balancer").unstarted(this);
  }

  void start() {
    thread.start();
  }

  void stop() {
    stopped = true;
    LockSupport.unpark(thread);
  }

  /** Called at each run: cheap unless the balancer sleeps. */
  void noticed() {
    if (asleep) {
      asleep = false;
      LockSupport.unpark(thread);
    }
  }

  @Override
  public void run() {
    int quiet = 0;
    while (!stopped) {
      LockSupport.parkNanos(PERIOD_NS);
      boolean busy = look();
      if (platform.tend() || busy) {
        quiet = 0;
      } else if (++quiet >= QUIET_PERIODS) {
        asleep = true;
        while (asleep && !stopped) {
          LockSupport.park(this);
        }
        quiet = 0;
      }
    }
  }

  /** One look at all contexts; returns whether anything went on. */
  private boolean look() {
    StubContext[] all = platform.liveContexts();
    int limit = platform.liveLimit();
    java.util.Arrays.fill(runningOn, 0);
    StubContext busiest = null;
    int computing = 0;
    long most = 0;
    boolean any = false;
    for (int i = 0; i < limit; i++) {
      StubContext c = all[i];
      if (c == null) {
        continue;
      }
      c.withdrawGrants(); // the next call on the file moves its times, and is granted anew
      long n = c.eventsSinceLast();
      boolean running = c.isRunning();
      if (running && c.isInterruptPending()) {
        any = true;
        c.pressInterrupt(n == 0);
      }
      if (n == 0 && running) {
        // It has computed for a whole period.
        if (c.mode() != StubContext.LOOSE) {
          any = true;
          c.loosen();
        }
        computing++;
        continue;
      }
      if (n != 0) {
        any = true;
        if (n > most) {
          most = n;
          busiest = c;
        }
        if (running && c.mode() == StubContext.BOUND) {
          runningOn[c.core()]++;
        }
      }
    }
    if (!spinAllowed) {
      return any;
    }
    int active = computing + countFrom(all, limit, Math.max(most, SPIN_FROM));
    for (int i = 0; i < limit; i++) {
      StubContext c = all[i];
      if (c != null && c.mode() == StubContext.SPIN && (active > 1 || c.isQuietAgain(SPIN_UNTIL))) {
        c.wish(StubContext.BOUND, c.core());
      }
    }
    if (active == 1 && busiest != null && most >= SPIN_FROM && busiest.maySpin()) {
      busiest.wish(StubContext.SPIN, busiest.core());
      return true;
    }
    for (int from = 0; from < runningOn.length; from++) {
      crowded[from] = runningOn[from] > 1 ? crowded[from] + 1 : 0;
      if (crowded[from] < 2) {
        continue;
      }
      for (int to = 0; to < runningOn.length; to++) {
        if (runningOn[to] == 0) {
          moveOne(all, limit, from, to);
          crowded[from] = 0;
          break;
        }
      }
    }
    return any;
  }

  /** {@return how many pairs had events enough to count beside one that had {@code most}} */
  private static int countFrom(StubContext[] all, int limit, long most) {
    int count = 0;
    for (int i = 0; i < limit; i++) {
      StubContext c = all[i];
      if (c != null && c.lastEvents() != 0 && c.lastEvents() * COUNTS_FROM >= most) {
        count++;
      }
    }
    return count;
  }

  private static void moveOne(StubContext[] all, int limit, int from, int to) {
    for (int i = limit - 1; i >= 0; i--) {
      StubContext c = all[i];
      if (c != null && c.isRunning() && c.mode() == StubContext.BOUND && c.core() == from) {
        c.wish(StubContext.BOUND, to);
        return;
      }
    }
  }
}
