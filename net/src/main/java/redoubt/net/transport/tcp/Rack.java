package redoubt.net.transport.tcp;

/**
 * RACK (RFC 8985): a segment is lost when one that was sent later has arrived and enough time has
 * passed for reordering to show. Times, not counts of duplicates, decide.
 */
final class Rack {
  private static final int DUP_THRESHOLD = 3;
  private static final int MAX_REORDER_STEPS = 20;
  private static final int PERSIST_ROUNDS = 16;

  private long sentNs;
  private long end;
  private long rttNs;
  private long highestDelivered;
  private boolean isReorderingSeen;
  private int reorderSteps = 1;
  private int reorderPersist;
  private long dsackRound;

  /** A segment was delivered, cumulatively or selectively. */
  void delivered(Scoreboard b, int i, RttEstimator rtt, boolean isAckOfOriginal, long nowNs) {
    boolean isRetransmitted = b.is(i, Scoreboard.EVER_RETRANSMITTED);
    long sample = nowNs - b.sentNs(i);
    if (isRetransmitted && (isAckOfOriginal || sample < rtt.minNs())) {
      // It is the first sending that arrived: this says nothing about the second.
      return;
    }
    long segmentEnd = b.end(i);
    if (!isRetransmitted && segmentEnd < highestDelivered) {
      isReorderingSeen = true;
    }
    highestDelivered = Math.max(highestDelivered, segmentEnd);
    if (isAfter(b.sentNs(i), segmentEnd, sentNs, end)) {
      sentNs = b.sentNs(i);
      end = segmentEnd;
      rttNs = sample;
    }
  }

  /** A duplicate was reported: the last recovery was too hasty, wait longer (section 7.2). */
  void duplicateSeen(long nxt, long una) {
    if (una >= dsackRound) {
      dsackRound = nxt;
      reorderSteps = Math.min(reorderSteps + 1, MAX_REORDER_STEPS);
      reorderPersist = PERSIST_ROUNDS;
    }
  }

  void recoveryEnded() {
    if (reorderPersist > 0 && --reorderPersist == 0) {
      reorderSteps = 1;
    }
  }

  /**
   * Marks what is lost.
   *
   * @return how long to wait until more may be, or 0
   */
  long detect(Scoreboard b, RttEstimator rtt, boolean isRecovering, long nowNs) {
    long window = reorderWindowNs(b, rtt, isRecovering);
    long wait = 0;
    for (int i = 0; i < b.size(); i++) {
      boolean isOut =
          !b.is(i, Scoreboard.SACKED)
              && (!b.is(i, Scoreboard.LOST) || b.is(i, Scoreboard.RETRANSMITTED));
      if (!isOut) {
        continue;
      }
      if (!isAfter(sentNs, end, b.sentNs(i), b.end(i))) {
        if (!b.is(i, Scoreboard.EVER_RETRANSMITTED) && b.sentNs(i) > sentNs) {
          // First sendings are in order of time: all after this one were sent later still, but
          // retransmissions among them were sent later too.
          break;
        }
        continue;
      }
      long remaining = b.sentNs(i) + rttNs + window - nowNs;
      if (remaining <= 0) {
        b.markLost(i);
      } else {
        wait = Math.max(wait, remaining);
      }
    }
    return wait;
  }

  private long reorderWindowNs(Scoreboard b, RttEstimator rtt, boolean isRecovering) {
    if (!isReorderingSeen && (isRecovering || b.sackedCount() >= DUP_THRESHOLD)) {
      return 0;
    }
    long quarter = rtt.minNs() == Long.MAX_VALUE ? 0 : rtt.minNs() / 4;
    return Math.min(quarter * reorderSteps, rtt.srttNs());
  }

  private static boolean isAfter(long timeA, long endA, long timeB, long endB) {
    return timeA > timeB || (timeA == timeB && endA > endB);
  }
}
