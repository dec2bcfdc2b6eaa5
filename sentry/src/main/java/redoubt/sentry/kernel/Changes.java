package redoubt.sentry.kernel;

import redoubt.sentry.vfs.FileDescription;

/**
 * How often something changed, and who waits for its next change: what poll(2) on a text of the
 * kernel's tells with POLLPRI and POLLERR.
 */
public final class Changes {
  private volatile int count;

  /** Told of each change. */
  public final WaitQueue queue = new WaitQueue();

  /** It changed. Locks may be held: nobody who waits does more than to wake. */
  public void add() {
    synchronized (this) {
      count++;
    }
    queue.notify(FileDescription.POLLIN | FileDescription.POLLPRI | FileDescription.POLLERR);
  }

  public int count() {
    return count;
  }
}
