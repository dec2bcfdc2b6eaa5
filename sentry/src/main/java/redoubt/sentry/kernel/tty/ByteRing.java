package redoubt.sentry.kernel.tty;

import java.lang.foreign.MemorySegment;
import redoubt.host.Memory;

/** A queue of bytes that grows as needed; how much may be put in is its user's to limit. */
final class ByteRing {
  private byte[] buffer;
  private int head; // next to take
  private int size;

  ByteRing(int capacity) {
    buffer = new byte[Integer.highestOneBit(Math.max(16, capacity - 1)) << 1];
  }

  int size() {
    return size;
  }

  boolean isEmpty() {
    return size == 0;
  }

  void clear() {
    head = 0;
    size = 0;
  }

  void add(int b) {
    if (size == buffer.length) {
      grow();
    }
    buffer[(head + size) & (buffer.length - 1)] = (byte) b;
    size++;
  }

  /** Takes the oldest byte, which must be there; unsigned. */
  int take() {
    int b = buffer[head] & 0xff;
    head = (head + 1) & (buffer.length - 1);
    size--;
    return b;
  }

  /** {@return byte {@code index} from the oldest} */
  int peek(int index) {
    return buffer[(head + index) & (buffer.length - 1)] & 0xff;
  }

  /** Appends {@code n} bytes of {@code src}. */
  void addAll(MemorySegment src, long offset, int n) {
    while (size + n > buffer.length) {
      grow();
    }
    int at = (head + size) & (buffer.length - 1);
    int first = Math.min(n, buffer.length - at);
    MemorySegment.copy(src, Memory.BYTE, offset, buffer, at, first);
    MemorySegment.copy(src, Memory.BYTE, offset + first, buffer, 0, n - first);
    size += n;
  }

  /** Takes up to {@code limit} bytes into {@code dst}; returns how many. */
  int takeAll(MemorySegment dst, long offset, int limit) {
    int n = Math.min(limit, size);
    int first = Math.min(n, buffer.length - head);
    MemorySegment.copy(buffer, head, dst, Memory.BYTE, offset, first);
    MemorySegment.copy(buffer, 0, dst, Memory.BYTE, offset + first, n - first);
    head = (head + n) & (buffer.length - 1);
    size -= n;
    return n;
  }

  private void grow() {
    byte[] bigger = new byte[buffer.length * 2];
    for (int i = 0; i < size; i++) {
      bigger[i] = buffer[(head + i) & (buffer.length - 1)];
    }
    buffer = bigger;
    head = 0;
  }
}
