package redoubt.sentry.fs.tmpfs;

import java.util.Arrays;

/**
 * Which bytes of a file lie where in the memory file: sorted, disjoint ranges, all multiples of a
 * page. What is not in a range is a hole. Not thread-safe.
 */
final class Extents {
  private long[] starts = new long[2];
  private long[] lengths = new long[2];
  private long[] memory = new long[2];
  private int count;
  private long total;

  int count() {
    return count;
  }

  long start(int i) {
    return starts[i];
  }

  long end(int i) {
    return starts[i] + lengths[i];
  }

  long length(int i) {
    return lengths[i];
  }

  /** {@return where extent {@code i} begins in the memory file} */
  long memory(int i) {
    return memory[i];
  }

  /** {@return the first extent that ends past {@code offset}}, {@link #count} if there is none */
  int firstEndingAfter(long offset) {
    int low = 0;
    int high = count;
    while (low < high) {
      int mid = (low + high) >>> 1;
      if (starts[mid] + lengths[mid] > offset) {
        high = mid;
      } else {
        low = mid + 1;
      }
    }
    return low;
  }

  /** {@return bytes that are not holes} */
  long total() {
    return total;
  }

  /**
   * Adds a range that fills (part of) a hole, joined with its neighbours where the memory joins
   * too.
   */
  void add(long start, long length, long mem) {
    total += length;
    int i = firstEndingAfter(start);
    boolean joinsBefore = i > 0 && end(i - 1) == start && memory[i - 1] + lengths[i - 1] == mem;
    boolean joinsAfter = i < count && starts[i] == start + length && memory[i] == mem + length;
    if (joinsBefore && joinsAfter) {
      lengths[i - 1] += length + lengths[i];
      removeAt(i);
    } else if (joinsBefore) {
      lengths[i - 1] += length;
    } else if (joinsAfter) {
      starts[i] = start;
      lengths[i] += length;
      memory[i] = mem;
    } else {
      insertAt(i, start, length, mem);
    }
  }

  /** Makes [from, to) a hole; what was there is added to {@code freed}. */
  void cut(long from, long to, Extents freed) {
    int i = firstEndingAfter(from);
    while (i < count && starts[i] < to) {
      long s = starts[i];
      long e = end(i);
      long m = memory[i];
      long cutFrom = Math.max(s, from);
      long cutTo = Math.min(e, to);
      give(freed, cutFrom, cutTo - cutFrom, m + (cutFrom - s));
      if (s < cutFrom && cutTo < e) {
        lengths[i] = cutFrom - s;
        insertAt(i + 1, cutTo, e - cutTo, m + (cutTo - s));
        return;
      }
      if (s < cutFrom) {
        lengths[i] = cutFrom - s;
        i++;
      } else if (cutTo < e) {
        starts[i] = cutTo;
        lengths[i] = e - cutTo;
        memory[i] = m + (cutTo - s);
        i++;
      } else {
        int last = i + 1;
        while (last < count && end(last) <= to) {
          give(freed, starts[last], lengths[last], memory[last]);
          last++;
        }
        removeRange(i, last);
      }
    }
  }

  private void give(Extents to, long start, long length, long mem) {
    total -= length;
    to.total += length;
    to.insertAt(to.count, start, length, mem);
  }

  private void insertAt(int i, long start, long length, long mem) {
    if (count == starts.length) {
      int n = 2 * count;
      starts = Arrays.copyOf(starts, n);
      lengths = Arrays.copyOf(lengths, n);
      memory = Arrays.copyOf(memory, n);
    }
    System.arraycopy(starts, i, starts, i + 1, count - i);
    System.arraycopy(lengths, i, lengths, i + 1, count - i);
    System.arraycopy(memory, i, memory, i + 1, count - i);
    starts[i] = start;
    lengths[i] = length;
    memory[i] = mem;
    count++;
  }

  private void removeAt(int i) {
    removeRange(i, i + 1);
  }

  private void removeRange(int from, int to) {
    System.arraycopy(starts, to, starts, from, count - to);
    System.arraycopy(lengths, to, lengths, from, count - to);
    System.arraycopy(memory, to, memory, from, count - to);
    count -= to - from;
  }
}
