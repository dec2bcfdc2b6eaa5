package redoubt.net.transport.tcp;

import java.util.Arrays;

/**
 * The segments in flight, oldest first: where each ends, when it was last sent, and what became of
 * it. A ring of primitive arrays: nothing is allocated per segment.
 */
final class Scoreboard {
  static final int SACKED = 1;
  static final int LOST = 2;

  /** Sent again since it was marked lost, so that it counts as in flight. */
  static final int RETRANSMITTED = 4;

  /** Sent more than once, so that its round trip is not a measure (Karn). */
  static final int EVER_RETRANSMITTED = 8;

  /** The last number of it is a FIN. */
  static final int FIN = 16;

  private static final int MAX = 16_384;

  private long[] end = new long[8];
  private long[] sentNs = new long[8];
  private byte[] flags = new byte[8];
  private int head;
  private int size;
  private long start;
  private long pipe;
  private int sackedCount;

  Scoreboard(long start) {
    this.start = start;
  }

  int size() {
    return size;
  }

  boolean isFull() {
    return size >= MAX;
  }

  /** {@return the bytes that are in the network, as far as is known} */
  long pipe() {
    return pipe;
  }

  int sackedCount() {
    return sackedCount;
  }

  long start(int i) {
    return i == 0 ? start : end[slot(i - 1)];
  }

  long end(int i) {
    return end[slot(i)];
  }

  long length(int i) {
    return end(i) - start(i);
  }

  long sentNs(int i) {
    return sentNs[slot(i)];
  }

  boolean is(int i, int flag) {
    return (flags[slot(i)] & flag) != 0;
  }

  void add(long segmentEnd, int initialFlags, long nowNs) {
    if (size == end.length) {
      grow();
    }
    int s = slot(size++);
    end[s] = segmentEnd;
    sentNs[s] = nowNs;
    flags[s] = (byte) initialFlags;
    pipe += length(size - 1);
  }

  /** Takes the oldest out, or its part below {@code ack}. {@return the bytes taken out} */
  long acknowledge(long ack) {
    long upTo = Math.min(ack, end(0));
    long n = upTo - start;
    pipe -= isInPipe(0) ? n : 0;
    if (upTo == end(0)) {
      sackedCount -= is(0, SACKED) ? 1 : 0;
      head = (head + 1) & (end.length - 1);
      size--;
    }
    start = upTo;
    return n;
  }

  void markSacked(int i) {
    pipe -= isInPipe(i) ? length(i) : 0;
    flags[slot(i)] |= SACKED;
    sackedCount++;
  }

  void markLost(int i) {
    pipe -= isInPipe(i) ? length(i) : 0;
    flags[slot(i)] = (byte) ((flags[slot(i)] | LOST) & ~RETRANSMITTED);
  }

  void markRetransmitted(int i, long nowNs) {
    pipe -= isInPipe(i) ? length(i) : 0;
    flags[slot(i)] |= RETRANSMITTED | EVER_RETRANSMITTED;
    sentNs[slot(i)] = nowNs;
    pipe += length(i);
  }

  /** A timeout: all that is not known to have arrived is lost; the peer may forget SACKs too. */
  void markAllLost() {
    for (int i = 0; i < size; i++) {
      if (!is(i, SACKED)) {
        markLost(i);
      }
    }
  }

  /** The timeout was none: what was marked lost and not sent again is in flight after all. */
  void clearLost() {
    for (int i = 0; i < size; i++) {
      int s = slot(i);
      if ((flags[s] & LOST) != 0) {
        pipe += isInPipe(i) || is(i, SACKED) ? 0 : length(i);
        flags[s] &= ~LOST;
      }
    }
  }

  /** The peer went back on its word: what it had acknowledged selectively is to be sent again. */
  void forgetSacks() {
    for (int i = 0; i < size; i++) {
      if (is(i, SACKED)) {
        flags[slot(i)] &= ~SACKED;
        sackedCount--;
        pipe += isInPipe(i) ? length(i) : 0;
      }
    }
  }

  /** Cuts a segment in two so that the first part is {@code length} long. */
  void split(int i, long length) {
    long cut = start(i) + length;
    if (size == end.length) {
      grow();
    }
    for (int j = size; j > i; j--) {
      copy(slot(j - 1), slot(j));
    }
    size++;
    end[slot(i)] = cut;
    flags[slot(i)] &= ~FIN;
    sackedCount += is(i, SACKED) ? 1 : 0;
  }

  private void copy(int from, int to) {
    end[to] = end[from];
    sentNs[to] = sentNs[from];
    flags[to] = flags[from];
  }

  private boolean isInPipe(int i) {
    int f = flags[slot(i)];
    return (f & SACKED) == 0 && ((f & LOST) == 0 || (f & RETRANSMITTED) != 0);
  }

  private int slot(int i) {
    return (head + i) & (end.length - 1);
  }

  private void grow() {
    int old = end.length;
    end = rotate(Arrays.copyOf(end, old * 2), old);
    sentNs = rotate(Arrays.copyOf(sentNs, old * 2), old);
    byte[] grown = new byte[old * 2];
    for (int i = 0; i < old; i++) {
      grown[i] = flags[(head + i) & (old - 1)];
    }
    flags = grown;
    head = 0;
  }

  /** Puts the ring of the first {@code old} elements in order from 0 on. */
  private long[] rotate(long[] a, int old) {
    long[] ring = Arrays.copyOf(a, old);
    for (int i = 0; i < old; i++) {
      a[i] = ring[(head + i) & (old - 1)];
    }
    return a;
  }
}
