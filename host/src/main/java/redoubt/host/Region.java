package redoubt.host;

import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.util.Objects;
import jdk.internal.misc.Unsafe;
import org.jspecify.annotations.Nullable;

/**
 * A range of this process's native memory for the path of a system call: what {@link MemorySegment}
 * is, bounds checks included, without what it costs while code is young.
 *
 * <p>Each access through {@code java.lang.foreign} is some ten methods for C2 to inline, 0.7 ms of
 * its time, and 20 ns until it has; here it is 0.03 ms and 3 ns (docs/adr/0006-region.md). The
 * memory must outlive the region: no arena is consulted.
 *
 * <p>Little-endian; plain accesses may be unaligned, the ordered ones are aligned.
 */
public final class Region {
  private static final Unsafe U = Unsafe.getUnsafe();

  /** So many are copied word by word: a struct stat is 144 bytes. */
  private static final int FEW_BYTES = 160;

  private final long base;
  private final long size;
  private final MemorySegment segment;

  private Region(MemorySegment segment) {
    this.segment = segment;
    this.base = segment.address();
    this.size = segment.byteSize();
  }

  /**
   * {@return {@code segment} as a region}
   *
   * @throws IllegalArgumentException if its memory is not native
   */
  public static Region of(MemorySegment segment) {
    if (!segment.isNative()) {
      throw new IllegalArgumentException("a region is native memory");
    }
    return new Region(segment);
  }

  /** {@return the same memory as a segment} */
  public MemorySegment segment() {
    return segment;
  }

  /** {@return the host address of the first byte} */
  public long address() {
    return base;
  }

  /** {@return bytes} */
  public long size() {
    return size;
  }

  /**
   * {@return the host address of {@code at}, from which {@code bytes}, 0 or more, are inside} Its
   * 35 bytes of code are the most that C1 inlines.
   */
  private long inside(long at, long bytes) {
    // SAFETY: what is accessed lies in [base, base + size), which the segment's owner keeps mapped.
    long last = size - bytes;
    if ((at | last | last - at) < 0) {
      outside(at, bytes);
    }
    return base + at;
  }

  /** As {@link #inside}, for any number of bytes. */
  private long range(long at, long bytes) {
    if (bytes < 0) {
      outside(at, bytes);
    }
    return inside(at, bytes);
  }

  /** Throws; it returns nothing so that {@link #inside} is short. */
  private void outside(long at, long bytes) {
    throw new IndexOutOfBoundsException(bytes + " bytes at " + at + " of " + size);
  }

  public byte getByte(long at) {
    return U.getByte(inside(at, 1));
  }

  public void putByte(long at, byte value) {
    U.putByte(inside(at, 1), value);
  }

  public short getShort(long at) {
    return U.getShort(inside(at, 2));
  }

  public void putShort(long at, short value) {
    U.putShort(inside(at, 2), value);
  }

  public int getInt(long at) {
    return U.getInt(inside(at, 4));
  }

  public void putInt(long at, int value) {
    U.putInt(inside(at, 4), value);
  }

  public long getLong(long at) {
    return U.getLong(inside(at, 8));
  }

  public void putLong(long at, long value) {
    U.putLong(inside(at, 8), value);
  }

  public int getIntOpaque(long at) {
    return U.getIntOpaque(null, inside(at, 4));
  }

  public int getIntAcquire(long at) {
    return U.getIntAcquire(null, inside(at, 4));
  }

  public int getIntVolatile(long at) {
    return U.getIntVolatile(null, inside(at, 4));
  }

  public void putIntRelease(long at, int value) {
    U.putIntRelease(null, inside(at, 4), value);
  }

  public void putIntVolatile(long at, int value) {
    U.putIntVolatile(null, inside(at, 4), value);
  }

  public void putLongRelease(long at, long value) {
    U.putLongRelease(null, inside(at, 8), value);
  }

  /** Copies {@code words} longs from {@code at} to the beginning of {@code into}. */
  public void getLongs(long at, long[] into, int words) {
    long from = range(at, words * 8L);
    for (int i = 0; i < words; i++) {
      into[i] = U.getLong(from + i * 8L);
    }
  }

  /** Copies {@code bytes} bytes from {@code at} to the beginning of {@code into}. */
  public void getBytes(long at, byte[] into, int bytes) {
    getBytes(at, into, 0, bytes);
  }

  /** Copies {@code bytes} bytes from {@code at} to {@code into}, beginning there at {@code to}. */
  public void getBytes(long at, byte[] into, int to, int bytes) {
    long from = range(at, bytes);
    Objects.checkFromIndexSize(to, bytes, into.length);
    move(null, from, into, Unsafe.ARRAY_BYTE_BASE_OFFSET + to, bytes);
  }

  /** Copies {@code bytes} bytes of {@code from}, beginning at {@code fromAt}, to {@code at}. */
  public void putBytes(long at, byte[] from, int fromAt, int bytes) {
    long to = range(at, bytes);
    Objects.checkFromIndexSize(fromAt, bytes, from.length);
    move(from, Unsafe.ARRAY_BYTE_BASE_OFFSET + fromAt, null, to, bytes);
  }

  /**
   * Copies between ranges that were checked and do not overlap, of arrays or, without one, from and
   * to an address. Until C2 has compiled it, {@code copyMemory} is a call into the JVM of some 50
   * ns, and most copies of system calls are short.
   */
  private static void move(
      byte @Nullable [] source, long from, byte @Nullable [] target, long to, long bytes) {
    if (bytes > FEW_BYTES) {
      U.copyMemory(source, from, target, to, bytes);
      return;
    }
    long i = 0;
    for (; i <= bytes - 8; i += 8) {
      U.putLong(target, to + i, U.getLong(source, from + i));
    }
    for (; i < bytes; i++) {
      U.putByte(target, to + i, U.getByte(source, from + i));
    }
  }

  /** Writes zeros to {@code bytes} bytes from {@code at}. */
  public void clear(long at, long bytes) {
    U.setMemory(range(at, bytes), bytes, (byte) 0);
  }

  /** Copies {@code bytes} bytes of {@code from}, beginning at {@code fromAt}, to {@code at}. */
  public void put(long at, Region from, long fromAt, long bytes) {
    move(null, from.range(fromAt, bytes), null, range(at, bytes), bytes);
  }

  /** As the other {@code put}, from any segment. */
  public void put(long at, MemorySegment from, long fromAt, long bytes) {
    if (!from.isNative()) {
      MemorySegment.copy(from, fromAt, segment, at, bytes);
      return;
    }
    long last = from.byteSize() - bytes;
    if ((fromAt | bytes | last) < 0 || fromAt > last) {
      outside(fromAt, bytes);
    }
    try {
      move(null, from.address() + fromAt, null, range(at, bytes), bytes);
    } finally {
      Reference.reachabilityFence(from);
    }
  }

  /** Copies {@code bytes} bytes from {@code at} to {@code to}, beginning there at {@code toAt}. */
  public void get(long at, MemorySegment to, long toAt, long bytes) {
    if (!to.isNative() || to.isReadOnly()) {
      MemorySegment.copy(segment, at, to, toAt, bytes);
      return;
    }
    long last = to.byteSize() - bytes;
    if ((toAt | bytes | last) < 0 || toAt > last) {
      outside(toAt, bytes);
    }
    try {
      move(null, range(at, bytes), null, to.address() + toAt, bytes);
    } finally {
      Reference.reachabilityFence(to);
    }
  }

  /**
   * {@return where the first zero byte in [at, at + bytes) of {@code segment} is, counted from
   * {@code at}}, or -1
   */
  public static long zeroByte(MemorySegment segment, long at, long bytes) {
    long last = segment.byteSize() - bytes;
    if (!segment.isNative() || (at | bytes | last) < 0 || at > last) {
      throw new IndexOutOfBoundsException(bytes + " bytes at " + at);
    }
    long from = segment.address() + at;
    try {
      for (long i = 0; i < bytes; i++) {
        if (U.getByte(from + i) == 0) {
          return i;
        }
      }
      return -1;
    } finally {
      Reference.reachabilityFence(segment);
    }
  }
}
