package redoubt.sentry.boot;

import redoubt.host.ThreadSlice;
import redoubt.net.link.PacketLink;
import redoubt.sentry.kernel.Waiter;

/**
 * Tasks that wait for the network receive its frames themselves: one thread to let on between a
 * frame and who wants it, and none while that one works and frames gather (what Linux's busy
 * polling of a device queue is for, without the spinning).
 */
final class LinkWatch implements Waiter.Watch {
  /**
   * Batches for others that a task takes in before it leaves them to the others, or to the link's
   * own thread, which may run on whichever core wakes up soonest: a task's cannot.
   */
  private static final int BATCHES_FOR_OTHERS = 4;

  private final PacketLink link;

  LinkWatch(PacketLink link) {
    this.link = link;
  }

  @Override
  public void keep(Waiter w, long deadlineNs) {
    if (!link.tryTake()) {
      return;
    }
    try {
      if (!w.isPrompt()) {
        ThreadSlice.makeShortest();
        w.setPrompt();
      }
      receive(w, deadlineNs);
    } finally {
      link.release();
    }
  }

  private void receive(Waiter w, long deadlineNs) {
    int forOthers = 0;
    for (; ; ) {
      int n = link.poll();
      if (w.isDue() || n < 0) {
        return;
      }
      if (n > 0 && link.wasForOthers() && ++forOthers == BATCHES_FOR_OTHERS) {
        return;
      }
      long leftNs = deadlineNs == Waiter.FOREVER ? -1 : deadlineNs - System.nanoTime();
      if ((leftNs <= 0 && deadlineNs != Waiter.FOREVER) || !w.beginWatching()) {
        return;
      }
      try {
        link.await(leftNs);
      } finally {
        w.endWatching();
      }
    }
  }

  @Override
  public void ring() {
    link.ring();
  }
}
