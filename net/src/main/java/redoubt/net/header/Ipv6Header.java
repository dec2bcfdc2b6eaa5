package redoubt.net.header;

/** The IPv6 header (RFC 8200, section 3). */
public final class Ipv6Header {
  public static final int LENGTH = 40;
  public static final int HOP_BY_HOP = 0;
  public static final int ROUTING = 43;
  public static final int FRAGMENT = 44;
  public static final int ICMPV6 = 58;
  public static final int NONE = 59;
  public static final int DESTINATION_OPTIONS = 60;

  private Ipv6Header() {}

  public static int version(byte[] b, int at) {
    return Bytes.u8(b, at) >>> 4;
  }

  /** {@return the bytes behind the header} */
  public static int payloadLength(byte[] b, int at) {
    return Bytes.u16(b, at + 4);
  }

  public static int nextHeader(byte[] b, int at) {
    return Bytes.u8(b, at + 6);
  }

  public static int hopLimit(byte[] b, int at) {
    return Bytes.u8(b, at + 7);
  }

  public static long sourceHigh(byte[] b, int at) {
    return Bytes.i64(b, at + 8);
  }

  public static long sourceLow(byte[] b, int at) {
    return Bytes.i64(b, at + 16);
  }

  public static long destinationHigh(byte[] b, int at) {
    return Bytes.i64(b, at + 24);
  }

  public static long destinationLow(byte[] b, int at) {
    return Bytes.i64(b, at + 32);
  }

  /** Writes all but the addresses. */
  public static void write(
      byte[] b, int at, int trafficClass, int payloadLength, int nextHeader, int hopLimit) {
    Bytes.put32(b, at, 6 << 28 | trafficClass << 20);
    Bytes.put16(b, at + 4, payloadLength);
    Bytes.put8(b, at + 6, nextHeader);
    Bytes.put8(b, at + 7, hopLimit);
  }
}
