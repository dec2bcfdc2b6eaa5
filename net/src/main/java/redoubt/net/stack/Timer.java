package redoubt.net.stack;

/** Something that happens at a time, in {@link Timers}. Guarded by the stack's lock. */
public abstract class Timer {
  /** Position in the heap, or -1 when not armed. */
  int slot = -1;

  long deadlineNs;
  private final Timers timers;

  protected Timer(Timers timers) {
    this.timers = timers;
  }

  /** What happens; the timer is disarmed by then and may arm itself again. */
  protected abstract void expire();

  /** Sets the time, whether or not one was set before. */
  public final void arm(long deadlineNs) {
    timers.arm(this, deadlineNs);
  }

  public final void disarm() {
    timers.disarm(this);
  }

  public final boolean isArmed() {
    return slot >= 0;
  }

  public final long deadlineNs() {
    return deadlineNs;
  }
}
