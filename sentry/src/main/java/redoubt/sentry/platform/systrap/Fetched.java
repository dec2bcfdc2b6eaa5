package redoubt.sentry.platform.systrap;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;
import redoubt.host.Region;
import redoubt.sentry.platform.GuestContext;

/**
 * Guest memory that the stub brought along with a call: checked copies of what it says, and where
 * in the context the bytes are. Guests can write all of it, so it is what they might as well have
 * had in their memory, no more.
 *
 * <p>Owned by the context's Java thread.
 */
final class Fetched {
  /** How much is read at once where a string is looked for, and where it goes. */
  static final int READ_AHEAD = 4096;

  static final int AHEAD_AT = Layout.CONTEXT_PREFETCH + Layout.PREFETCH_BYTES - READ_AHEAD;

  private static final int NONE = -1;

  private final Region memory;
  private final long[] guest = new long[Layout.FETCHED_LIMIT];
  private final int[] offset = new int[Layout.FETCHED_LIMIT];
  private final int[] length = new int[Layout.FETCHED_LIMIT];
  private int count;

  /** Grows to the longest string seen, PATH_MAX at most. */
  private byte[] text = new byte[64];

  /** The address of an empty string that was an argument, or NONE. */
  private long emptyString = NONE;

  private int windowUsed;
  private int prefetchUsed;

  Fetched(Region memory) {
    this.memory = memory;
  }

  /** {@return bytes of the window that have ever held something} */
  int windowUsed() {
    return windowUsed;
  }

  /** {@return bytes of the prefetch area that have ever held something} */
  int prefetchUsed() {
    return prefetchUsed;
  }

  void windowUsed(int bytes) {
    windowUsed = Math.max(windowUsed, bytes);
  }

  void prefetchUsed(int bytes) {
    prefetchUsed = Math.max(prefetchUsed, bytes);
  }

  void clear() {
    count = 0;
    emptyString = NONE;
  }

  /** Notes that the string at {@code uaddr} is empty. */
  void empty(long uaddr) {
    emptyString = uaddr;
  }

  /**
   * Notes that guest bytes from {@code uaddr} are in the call's line, from word {@code word} of it
   * on; nonsense is as good as none.
   */
  void inLine(long uaddr, int word, int bytes) {
    if (word >= Layout.INLINE_FROM && bytes > 0 && word * 8 + bytes <= Layout.CALL_BYTES) {
      guest[0] = uaddr;
      offset[0] = Layout.CALL + word * 8;
      length[0] = bytes;
      count = 1;
    }
  }

  boolean isEmptyString(long uaddr) {
    return uaddr == emptyString && uaddr != NONE;
  }

  /** Reads {@code n} descriptions; nonsense is as good as none. */
  void read(int n) {
    count = 0;
    if (n >= Layout.FETCHED_LIMIT) {
      return;
    }
    for (int i = 0; i < n; i++) {
      if (!readOne(i)) {
        return;
      }
    }
    count = n;
  }

  private boolean readOne(int i) {
    Region m = memory;
    long at = Layout.FETCHED + i * 16L;
    int from = m.getInt(at + 8);
    int bytes = m.getInt(at + 12);
    if (bytes < 0 || from < Layout.BESIDE || bytes > end(from) - from) {
      return false;
    }
    guest[i] = m.getLong(at);
    offset[i] = from;
    length[i] = bytes;
    if (from >= Layout.CONTEXT_PREFETCH) {
      prefetchUsed(from + bytes - Layout.CONTEXT_PREFETCH);
    } else if (from == Layout.CONTEXT_WINDOW) {
      windowUsed(bytes);
    }
    return true;
  }

  /** {@return the end of the area that bytes brought to {@code from} lie in}, or 0: in none */
  private static int end(int from) {
    if (from < Layout.ANSWERS) {
      return Layout.ANSWERS;
    }
    if (from == Layout.CONTEXT_WINDOW) {
      return Layout.CONTEXT_WINDOW + GuestContext.BUFFER_BYTES;
    }
    int end = Layout.CONTEXT_PREFETCH + Layout.PREFETCH_BYTES;
    return from >= Layout.CONTEXT_PREFETCH && from <= end ? end : 0;
  }

  /** {@return where in the context [uaddr, uaddr+bytes) was brought along to}, or -1 */
  int find(long uaddr, long bytes) {
    // Not the read-ahead: nobody said that those bytes stand still.
    int n = Math.min(count, Layout.FETCHED_LIMIT - 1);
    for (int i = 0; i < n; i++) {
      long into = uaddr - guest[i];
      if (into >= 0 && into <= length[i] && bytes <= length[i] - into) {
        return offset[i] + (int) into;
      }
    }
    return NONE;
  }

  /** {@return the string at {@code uaddr} if all of it came with the call}, else null */
  @Nullable String string(long uaddr, int limit) {
    int n = Math.min(count, Layout.FETCHED_LIMIT - 1);
    for (int i = 0; i < n; i++) {
      if (guest[i] == uaddr && length[i] > 0 && length[i] <= limit) {
        return stringAt(offset[i], length[i]);
      }
    }
    return null;
  }

  /** The byte of each character is its code, as in Latin-1. */
  @SuppressWarnings("deprecation") // the other constructors look for the charset first
  private @Nullable String stringAt(int at, int bytes) {
    // Our copy decides where it ends: the shared one may change meanwhile.
    if (bytes > text.length) {
      text = new byte[Integer.highestOneBit(bytes - 1) << 1];
    }
    byte[] copy = text;
    memory.getBytes(at, copy, bytes);
    int end = 0;
    while (end < bytes && copy[end] != 0) {
      end++;
    }
    return end == bytes ? null : new String(copy, 0, 0, end);
  }

  /**
   * Copies what is here of the string at {@code uaddr}, at most {@code limit} bytes.
   *
   * @return its length if its end was here, or -1
   */
  long copyString(long uaddr, MemorySegment dst, long dstOffset, long limit) {
    for (int i = 0; i < count; i++) {
      long into = uaddr - guest[i];
      if (into >= 0 && into < length[i]) {
        long n = Math.min(length[i] - into, limit);
        memory.get(offset[i] + into, dst, dstOffset, n);
        long end = Region.zeroByte(dst, dstOffset, n);
        if (end >= 0) {
          return end;
        }
      }
    }
    return NONE;
  }

  /**
   * Notes that guest bytes from {@code uaddr} are at AHEAD_AT: in the last place, which the stub
   * never uses.
   */
  void remember(long uaddr, int bytes) {
    int last = Layout.FETCHED_LIMIT - 1;
    while (count < last) {
      length[count++] = -1;
    }
    count = Layout.FETCHED_LIMIT;
    guest[last] = uaddr;
    offset[last] = AHEAD_AT;
    length[last] = bytes;
  }
}
