package redoubt.sentry.kernel;

import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import redoubt.host.Memory;
import redoubt.host.Region;

/**
 * Guest strings are bytes: a Java string holds one byte a char, so that nothing is lost or
 * translated.
 */
public final class Latin1 {
  private Latin1() {}

  /** {@return {@code length} bytes as a string} */
  public static String string(MemorySegment s, long offset, int length) {
    byte[] b = new byte[length];
    MemorySegment.copy(s, Memory.BYTE, offset, b, 0, length);
    return new String(b, StandardCharsets.ISO_8859_1);
  }

  /** As the other {@code string}. */
  public static String string(Region r, long offset, int length) {
    byte[] b = new byte[length];
    r.getBytes(offset, b, length);
    return new String(b, StandardCharsets.ISO_8859_1);
  }

  public static byte[] bytes(String s) {
    return s.getBytes(StandardCharsets.ISO_8859_1);
  }

  /** Writes {@code s} and a NUL at {@code offset}; returns the bytes written, NUL included. */
  public static int writeZ(MemorySegment dst, long offset, String s) {
    byte[] b = bytes(s);
    MemorySegment.copy(b, 0, dst, Memory.BYTE, offset, b.length);
    dst.set(Memory.BYTE, offset + b.length, (byte) 0);
    return b.length + 1;
  }
}
