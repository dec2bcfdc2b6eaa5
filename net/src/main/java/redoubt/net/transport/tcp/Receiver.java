package redoubt.net.transport.tcp;

import java.lang.foreign.MemorySegment;
import redoubt.net.buffer.StreamStore;
import redoubt.net.stack.NetworkStack;

/**
 * The receiving half of a connection: what has arrived, in and out of order, and the window that is
 * offered. Sequence numbers are the peer's: 0 its SYN, 1 its first byte.
 */
final class Receiver {
  /** Linux's middle and last value of {@code tcp_rmem}. */
  static final int INITIAL_LIMIT = 131_072;

  static final int MAX_LIMIT = 6 << 20;

  /** Covers {@link #MAX_LIMIT} in 16 bits. */
  static final int WINDOW_SCALE = 7;

  private static final int MAX_RANGES = 64;

  private final NetworkStack stack;
  private final StreamStore store;

  /** What comes next: all before it has arrived. */
  long nxt = 1;

  /** What the application reads next. */
  private long readAt = 1;

  /** The right edge that was last offered; it never goes back. */
  private long rightEdge = 1;

  /** The peer's FIN, once its place is known. */
  private long finAt = -1;

  private int limit = INITIAL_LIMIT;
  private boolean isLimitFixed;

  // What arrived beyond nxt: disjoint, in order.
  private final long[] rangeStart = new long[MAX_RANGES];
  private final long[] rangeEnd = new long[MAX_RANGES];
  private int ranges;
  private long latestStart;

  // The duplicate to report in the next acknowledgement (RFC 2883).
  private long duplicateStart;
  private long duplicateEnd;

  // Auto-tuning: how much was read in the last round trip.
  private long roundStartNs;
  private long roundReadAt = 1;
  private long rttNs;

  Receiver(NetworkStack stack) {
    this.stack = stack;
    this.store = new StreamStore(stack.chunks(), 1);
  }

  int available() {
    return (int) (dataEnd() - readAt);
  }

  private long dataEnd() {
    return isFinReached() ? finAt : nxt;
  }

  /** {@return whether all of the peer's stream and its end have arrived} */
  boolean isFinReached() {
    return finAt >= 0 && nxt > finAt;
  }

  boolean hasGaps() {
    return ranges > 0;
  }

  /** {@return the bytes that the peer may send beyond {@link #nxt}} */
  long window() {
    return Math.max(rightEdge - nxt, 0);
  }

  /** {@return the window field of a segment to send now} Moves the edge where that helps. */
  int offerWindow(int mss, int scale) {
    long free = Math.max(limit - (nxt - readAt), 0);
    long edge = nxt + free;
    // No silly windows: open in steps worth a segment (RFC 9293, section 3.8.6.2.2).
    if (edge - rightEdge >= Math.min(mss, limit / 2)) {
      rightEdge = Math.min(edge, nxt + (0xffffL << scale));
    }
    return (int) Math.min(window() >> scale, 0xffff);
  }

  /** What the SYN or its answer offered, unscaled. */
  void offerFirst(int bytes) {
    rightEdge = nxt + bytes;
  }

  /** {@return whether reading has opened the window enough to tell the peer} */
  boolean isUpdateDue(int mss) {
    long free = Math.max(limit - (nxt - readAt), 0);
    long gain = nxt + free - rightEdge;
    return gain >= Math.min(Math.max(2L * mss, limit / 4), limit / 2);
  }

  /**
   * Takes a segment's data, which begins at {@code seq}. What lies outside the window is cut off.
   *
   * @return whether it came in order and left no gap, so that the acknowledgement can wait
   */
  boolean accept(long seq, byte[] from, int at, int length, boolean isFin) {
    long end = seq + length;
    if (isFin && end <= rightEdge && finAt < 0 && end >= nxt) {
      finAt = end;
    }
    if (end <= nxt && length > 0) {
      duplicateStart = seq;
      duplicateEnd = end;
      return false;
    }
    if (seq < nxt) {
      at += (int) (nxt - seq);
      seq = nxt;
    }
    end = Math.min(end, Math.max(rightEdge, nxt));
    if (finAt >= 0) {
      end = Math.min(end, finAt);
    }
    boolean wasInOrder = seq == nxt && ranges == 0;
    if (end > seq && seq == nxt) {
      store.write(seq, from, at, (int) (end - seq));
      nxt = end;
    } else if (end > seq) {
      stack.counters().tcpOutOfOrder++;
      if (insert(seq, end)) {
        store.write(seq, from, at, (int) (end - seq));
      }
    }
    advance();
    return wasInOrder && !isFin;
  }

  private void advance() {
    while (ranges > 0 && rangeStart[0] <= nxt) {
      nxt = Math.max(nxt, rangeEnd[0]);
      removeRange(0);
    }
    if (nxt == finAt) {
      nxt++;
    }
  }

  /** Adds a range, merging. {@return whether there was room, and so the data is to be kept} */
  private boolean insert(long start, long end) {
    int i = 0;
    while (i < ranges && rangeEnd[i] < start) {
      i++;
    }
    if (i < ranges && rangeStart[i] <= start && rangeEnd[i] >= end) {
      duplicateStart = start;
      duplicateEnd = end;
      latestStart = rangeStart[i];
      return false;
    }
    boolean touches = i < ranges && rangeStart[i] <= end;
    if (!touches) {
      if (ranges == MAX_RANGES || isMemoryShort()) {
        return false;
      }
      System.arraycopy(rangeStart, i, rangeStart, i + 1, ranges - i);
      System.arraycopy(rangeEnd, i, rangeEnd, i + 1, ranges - i);
      ranges++;
      rangeStart[i] = start;
      rangeEnd[i] = end;
    } else {
      rangeStart[i] = Math.min(rangeStart[i], start);
      rangeEnd[i] = Math.max(rangeEnd[i], end);
      while (i + 1 < ranges && rangeStart[i + 1] <= rangeEnd[i]) {
        rangeEnd[i] = Math.max(rangeEnd[i], rangeEnd[i + 1]);
        removeRange(i + 1);
      }
    }
    latestStart = rangeStart[i];
    return true;
  }

  private void removeRange(int i) {
    ranges--;
    System.arraycopy(rangeStart, i + 1, rangeStart, i, ranges - i);
    System.arraycopy(rangeEnd, i + 1, rangeEnd, i, ranges - i);
  }

  private boolean isMemoryShort() {
    return stack.chunks().outBytes() > TcpTable.MEMORY_LIMIT_BYTES;
  }

  /** Puts up to {@code most} SACK blocks into {@code w}: a duplicate first, then the latest. */
  void writeSacks(SegmentWriter w, int initial, int most) {
    int n = 0;
    if (duplicateEnd > duplicateStart && most > 0) {
      n = put(w, initial, n, duplicateStart, duplicateEnd);
      duplicateEnd = duplicateStart;
    }
    for (int i = 0; i < ranges && n < most; i++) {
      if (rangeStart[i] == latestStart) {
        n = put(w, initial, n, rangeStart[i], rangeEnd[i]);
      }
    }
    for (int i = ranges - 1; i >= 0 && n < most; i--) {
      if (rangeStart[i] != latestStart) {
        n = put(w, initial, n, rangeStart[i], rangeEnd[i]);
      }
    }
    w.sackCount = n;
  }

  private static int put(SegmentWriter w, int initial, int n, long start, long end) {
    w.sackStart[n] = Sequence.toWire(initial, start);
    w.sackEnd[n] = Sequence.toWire(initial, end);
    return n + 1;
  }

  /** Copies out what is next, and keeps it. {@return the bytes copied} */
  int read(byte[] to, int at, int max) {
    int n = Math.min(max, available());
    store.read(readAt, to, at, n);
    return n;
  }

  /** As {@link #read}, from {@code skip} bytes on, to native memory. */
  int peek(MemorySegment to, long at, int max, int skip) {
    int n = Math.min(max, available() - skip);
    store.read(readAt + skip, to, at, n);
    return n;
  }

  /** Forgets {@code n} bytes, which have been read. */
  void consume(int n) {
    readAt += n;
    // nxt counts the FIN, which holds no byte.
    if (readAt == dataEnd() && ranges == 0) {
      store.discardAll(readAt);
    } else {
      store.discardTo(readAt);
    }
    tune();
  }

  long rttNs() {
    return rttNs;
  }

  /** {@return all bytes that came in order so far} */
  long received() {
    return dataEnd() - 1;
  }

  /** A measure of the path's round trip, from the echo of a timestamp. */
  void sampleRtt(long ns) {
    rttNs = rttNs == 0 ? ns : rttNs + (ns - rttNs) / 8;
  }

  /** The limit follows twice what the application reads in a round trip, as Linux's does. */
  private void tune() {
    long now = stack.nowNs();
    if (rttNs == 0 || now - roundStartNs < rttNs) {
      return;
    }
    long wanted = 2 * (readAt - roundReadAt) + 16 * 1460;
    if (roundStartNs != 0 && wanted > limit && !isLimitFixed && !isMemoryShort()) {
      limit = (int) Math.min(wanted, MAX_LIMIT);
    }
    roundStartNs = now;
    roundReadAt = readAt;
  }

  int limit() {
    return limit;
  }

  /** SO_RCVBUF: fixes the limit. */
  void fixLimit(int bytes) {
    limit = bytes;
    isLimitFixed = true;
  }

  /** Forgets what came and was not read. */
  void discard() {
    readAt = dataEnd();
    store.discardTo(readAt);
  }

  void release() {
    readAt = dataEnd();
    ranges = 0;
    store.discardAll(nxt);
  }
}
