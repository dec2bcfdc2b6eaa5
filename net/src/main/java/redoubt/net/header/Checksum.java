package redoubt.net.header;

/** The Internet checksum (RFC 1071): a ones' complement sum of 16-bit words. */
public final class Checksum {
  private Checksum() {}

  /**
   * Adds {@code length} bytes to a running sum. A piece of odd length counts as if a zero byte
   * followed, so only the last piece may be odd.
   */
  public static long add(long sum, byte[] b, int at, int length) {
    int end = at + length;
    while (end - at >= 8) {
      long v = Bytes.i64(b, at);
      sum += (v >>> 32) + (v & 0xffff_ffffL);
      at += 8;
    }
    while (end - at >= 2) {
      sum += Bytes.u16(b, at);
      at += 2;
    }
    return at < end ? sum + (Bytes.u8(b, at) << 8) : sum;
  }

  /**
   * Completes the checksum at {@code start + offset} of the {@code length} bytes from {@code start}
   * on; the field holds the pseudo header's sum, folded.
   */
  public static void complete(byte[] b, int start, int offset, int length) {
    Bytes.put16(b, start + offset, finish(add(0, b, start, length)));
  }

  /** {@return a running sum as a field that {@link #complete} takes} */
  public static int partial(long sum) {
    return fold(sum);
  }

  /** Adds the pseudo header of RFC 9293, section 3.1: addresses, protocol and length. */
  public static long pseudoHeader(int source, int destination, int protocol, int length) {
    return (source & 0xffff_ffffL) + (destination & 0xffff_ffffL) + protocol + length;
  }

  /** {@return the checksum field for a running sum} */
  public static int finish(long sum) {
    return ~fold(sum) & 0xffff;
  }

  /** {@return whether a sum that included the checksum field is right} */
  public static boolean isGood(long sum) {
    return fold(sum) == 0xffff;
  }

  private static int fold(long sum) {
    sum = (sum >>> 32) + (sum & 0xffff_ffffL);
    sum = (sum >>> 32) + (sum & 0xffff_ffffL);
    int s = (int) ((sum >>> 16) + (sum & 0xffff));
    s = (s >>> 16) + (s & 0xffff);
    return (s >>> 16) + (s & 0xffff);
  }
}
