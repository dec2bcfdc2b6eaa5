package redoubt.sentry.control;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import redoubt.abi.Errno;

/**
 * Walks the fields that {@link WireWriter} wrote: {@code while (r.next()) switch (r.tag()) …}.
 * Every length is checked against the payload; a malformed one throws EPROTO.
 */
public final class WireReader {
  private final byte[] bytes;
  private final int end;
  private int next;
  private int tag;
  private int value;
  private int length;

  public WireReader(byte[] payload) {
    this(payload, 0, payload.length);
  }

  private WireReader(byte[] bytes, int start, int end) {
    this.bytes = bytes;
    this.next = start;
    this.end = end;
  }

  /** Moves to the next field; false at the end. */
  public boolean next() {
    if (next == end) {
      return false;
    }
    if (end - next < 5) {
      throw malformed();
    }
    tag = bytes[next] & 0xff;
    length =
        (bytes[next + 1] & 0xff)
            | (bytes[next + 2] & 0xff) << 8
            | (bytes[next + 3] & 0xff) << 16
            | (bytes[next + 4] & 0xff) << 24;
    value = next + 5;
    if (length < 0 || length > end - value) {
      throw malformed();
    }
    next = value + length;
    return true;
  }

  public int tag() {
    return tag;
  }

  public long number() {
    if (length != 8) {
      throw malformed();
    }
    long result = 0;
    for (int i = 7; i >= 0; i--) {
      result = result << 8 | bytes[value + i] & 0xff;
    }
    return result;
  }

  /** {@return a number that fits an int}; EPROTO otherwise */
  public int int32() {
    long number = number();
    if (number != (int) number) {
      throw malformed();
    }
    return (int) number;
  }

  public boolean flag() {
    return number() != 0;
  }

  public String string() {
    return new String(bytes, value, length, StandardCharsets.UTF_8);
  }

  public byte[] bytes() {
    return Arrays.copyOfRange(bytes, value, value + length);
  }

  /** {@return a reader of the nested record that is this field's value} */
  public WireReader record() {
    return new WireReader(bytes, value, value + length);
  }

  private static ControlException malformed() {
    return new ControlException(Errno.EPROTO, "malformed control message");
  }
}
