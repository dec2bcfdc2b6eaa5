package redoubt.host;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Searches of machine code that would be slow in Java before it is compiled: a program's text is
 * looked through once, when it is first mapped.
 */
public final class TextScan {
  private TextScan() {}

  /**
   * {@return the offsets of the bytes {@code 0f 05} in the first {@code bytes} of {@code text}}, at
   * most {@code max}
   */
  public static int[] syscalls(MemorySegment text, long bytes, int max) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(4L * max, 4);
      long n = Natives.findSyscalls(check(text, bytes), bytes, out.address(), max);
      return ints(out, (int) n);
    }
  }

  /**
   * {@return pairs of offset and target} of what would be a relative branch, if an instruction
   * began there, to an offset whose bit is set in {@code danger}; at most {@code max} pairs.
   */
  public static int[] branches(MemorySegment text, long bytes, byte[] danger, int max) {
    if (danger.length < (bytes + 7) / 8) {
      throw new IllegalArgumentException("the bitmap is too short: " + danger.length);
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment bits = arena.allocate(danger.length, 8);
      MemorySegment.copy(danger, 0, bits, Memory.BYTE, 0, danger.length);
      MemorySegment out = arena.allocate(8L * max, 4);
      long n = Natives.findBranches(check(text, bytes), bytes, bits.address(), out.address(), max);
      return ints(out, (int) n * 2);
    }
  }

  private static long check(MemorySegment text, long bytes) {
    if (!text.isNative() || bytes < 0 || bytes > text.byteSize()) {
      throw new IllegalArgumentException("text of " + bytes + " bytes");
    }
    return text.address();
  }

  private static int[] ints(MemorySegment m, int n) {
    int[] r = new int[n];
    MemorySegment.copy(m, Memory.INT, 0, r, 0, n);
    return r;
  }
}
