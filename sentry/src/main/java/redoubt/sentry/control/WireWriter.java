package redoubt.sentry.control;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;

/**
 * Builds the payload of a frame: fields of {@code u8 tag, u32 length, value}, little-endian.
 * Numbers are eight bytes, strings are UTF-8 without a NUL, lists are repeated fields, records are
 * nested payloads.
 */
public final class WireWriter {
  private byte[] bytes = new byte[512];
  private int size;

  public WireWriter number(int tag, long value) {
    header(tag, 8);
    for (int shift = 0; shift < 64; shift += 8) {
      bytes[size++] = (byte) (value >> shift);
    }
    return this;
  }

  public WireWriter flag(int tag, boolean value) {
    return number(tag, value ? 1 : 0);
  }

  public WireWriter string(int tag, String value) {
    return bytes(tag, value.getBytes(StandardCharsets.UTF_8));
  }

  public WireWriter strings(int tag, List<String> values) {
    for (String value : values) {
      string(tag, value);
    }
    return this;
  }

  public WireWriter record(int tag, WireWriter value) {
    header(tag, value.size);
    System.arraycopy(value.bytes, 0, bytes, size, value.size);
    size += value.size;
    return this;
  }

  public WireWriter bytes(int tag, byte[] value) {
    header(tag, value.length);
    System.arraycopy(value, 0, bytes, size, value.length);
    size += value.length;
    return this;
  }

  /** {@return the payload built so far} */
  public byte[] toBytes() {
    return Arrays.copyOf(bytes, size);
  }

  private void header(int tag, int length) {
    if (size + 5 + length > bytes.length) {
      bytes = Arrays.copyOf(bytes, Math.max(bytes.length * 2, size + 5 + length));
    }
    bytes[size] = (byte) tag;
    bytes[size + 1] = (byte) length;
    bytes[size + 2] = (byte) (length >> 8);
    bytes[size + 3] = (byte) (length >> 16);
    bytes[size + 4] = (byte) (length >> 24);
    size += 5;
  }
}
