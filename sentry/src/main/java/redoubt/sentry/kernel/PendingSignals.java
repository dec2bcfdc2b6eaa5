package redoubt.sentry.kernel;

import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/**
 * Signals waiting for one task or one thread group. A standard signal waits once, a real-time one
 * as often as it was sent, up to a limit. Guarded by {@link SignalHandlers#mu} of the group.
 */
public final class PendingSignals {
  /** Most queued signals of one set; sigqueue gives EAGAIN beyond. */
  static final int LIMIT = 4096;

  private long mask;
  private int queued;
  private final @Nullable ArrayDeque<SignalInfo>[] queues = newQueues();

  @SuppressWarnings({"unchecked", "rawtypes"})
  private static @Nullable ArrayDeque<SignalInfo>[] newQueues() {
    return new ArrayDeque[65];
  }

  /** {@return the bit of {@code signo} in a sigset} */
  public static long bit(int signo) {
    return 1L << (signo - 1);
  }

  /** {@return the set of waiting signals} */
  public long mask() {
    return mask;
  }

  /**
   * Adds a signal.
   *
   * @return false if it is a real-time signal and the queue is full
   */
  boolean add(SignalInfo info) {
    return add(info, LIMIT);
  }

  /** As {@link #add(SignalInfo)}, with RLIMIT_SIGPENDING as {@code limit}. */
  boolean add(SignalInfo info, long limit) {
    int signo = info.signo;
    if (signo < 32 && (mask & bit(signo)) != 0) {
      info.dropped();
      return true;
    }
    if (queued >= Math.min(limit, LIMIT)) {
      info.dropped();
      if (signo >= 32 && info.code != redoubt.abi.Signal.SI_USER) {
        return false;
      }
      mask |= bit(signo);
      return true;
    }
    ArrayDeque<SignalInfo> q = queues[signo];
    if (q == null) {
      q = new ArrayDeque<>(2);
      queues[signo] = q;
    }
    q.addLast(info);
    queued++;
    mask |= bit(signo);
    return true;
  }

  /** Takes one instance of {@code signo}, which must be waiting. */
  SignalInfo take(int signo) {
    ArrayDeque<SignalInfo> q = queues[signo];
    SignalInfo i = q == null ? null : q.pollFirst();
    if (i == null) {
      mask &= ~bit(signo);
      return new SignalInfo(signo, redoubt.abi.Signal.SI_USER);
    }
    queued--;
    i.taken();
    if (q.isEmpty()) {
      mask &= ~bit(signo);
    }
    return i;
  }

  /** {@return all that waits}, lowest numbers first */
  java.util.List<SignalInfo> all() {
    java.util.List<SignalInfo> out = new java.util.ArrayList<>();
    for (int s = 1; s <= 64; s++) {
      ArrayDeque<SignalInfo> q = queues[s];
      if (q != null) {
        out.addAll(q);
      }
    }
    return out;
  }

  /** Forgets all instances of the signals in {@code set}. */
  void discard(long set) {
    long gone = mask & set;
    for (int s = 1; s <= 64 && gone != 0; s++) {
      if ((gone & bit(s)) != 0) {
        ArrayDeque<SignalInfo> q = queues[s];
        if (q != null) {
          queued -= q.size();
          for (SignalInfo i : q) {
            i.dropped();
          }
          q.clear();
        }
      }
    }
    mask &= ~set;
  }
}
