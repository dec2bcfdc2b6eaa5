package redoubt.sentry.kernel;

import redoubt.abi.Sched;
import redoubt.abi.Time;

/**
 * Offsets of the clocks that count from the start: <a
 * href="https://man7.org/linux/man-pages/man7/time_namespaces.7.html">time_namespaces(7)</a>. The
 * vDSO shows the host's clocks, so a program that is executed with offsets gets none.
 */
public final class TimeNamespace extends Namespace {
  private static final long INIT_NUMBER = 4026531834L;

  /** The sandbox's first one. */
  public static final TimeNamespace ROOT = new TimeNamespace();

  private volatile long monotonicNs;
  private volatile long boottimeNs;
  private volatile boolean entered;

  private TimeNamespace() {
    super("time", Sched.CLONE_NEWTIME, UserNamespace.ROOT, INIT_NUMBER, false);
    entered = true;
  }

  TimeNamespace(TimeNamespace old, UserNamespace owner) {
    super("time", Sched.CLONE_NEWTIME, owner, Guest.GUEST);
    monotonicNs = old.monotonicNs;
    boottimeNs = old.boottimeNs;
  }

  /** A task lives here now: the offsets stay as they are. */
  synchronized void enter() {
    entered = true;
  }

  public boolean hasOffsets() {
    return monotonicNs != 0 || boottimeNs != 0;
  }

  /** {@return what is added to the host's clock {@code id}, in ns} */
  public long offsetNs(int id) {
    return switch (id) {
      case Time.CLOCK_MONOTONIC, Time.CLOCK_MONOTONIC_COARSE, Time.CLOCK_MONOTONIC_RAW ->
          monotonicNs;
      case Time.CLOCK_BOOTTIME, Time.CLOCK_BOOTTIME_ALARM -> boottimeNs;
      default -> 0;
    };
  }

  /**
   * Sets the offset of CLOCK_MONOTONIC or CLOCK_BOOTTIME. Returns false once somebody is inside.
   */
  public synchronized boolean setOffset(int id, long ns) {
    if (entered) {
      return false;
    }
    if (id == Time.CLOCK_MONOTONIC) {
      monotonicNs = ns;
    } else {
      boottimeNs = ns;
    }
    return true;
  }
}
