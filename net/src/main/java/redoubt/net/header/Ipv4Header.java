package redoubt.net.header;

/** The IPv4 header (RFC 791). */
public final class Ipv4Header {
  public static final int MIN_LENGTH = 20;
  public static final int MAX_PACKET = 65_535;
  public static final int ICMP = 1;
  public static final int IGMP = 2;
  public static final int TCP = 6;
  public static final int UDP = 17;
  public static final int DONT_FRAGMENT = 0x4000;
  public static final int MORE_FRAGMENTS = 0x2000;
  private static final int OFFSET_MASK = 0x1fff;

  private Ipv4Header() {}

  public static int version(byte[] b, int at) {
    return Bytes.u8(b, at) >>> 4;
  }

  public static int headerLength(byte[] b, int at) {
    return (b[at] & 0xf) * 4;
  }

  public static int totalLength(byte[] b, int at) {
    return Bytes.u16(b, at + 2);
  }

  public static int id(byte[] b, int at) {
    return Bytes.u16(b, at + 4);
  }

  public static boolean hasMoreFragments(byte[] b, int at) {
    return (Bytes.u16(b, at + 6) & MORE_FRAGMENTS) != 0;
  }

  public static boolean isDontFragment(byte[] b, int at) {
    return (Bytes.u16(b, at + 6) & DONT_FRAGMENT) != 0;
  }

  public static int fragmentOffset(byte[] b, int at) {
    return (Bytes.u16(b, at + 6) & OFFSET_MASK) * 8;
  }

  public static int tos(byte[] b, int at) {
    return Bytes.u8(b, at + 1);
  }

  public static int ttl(byte[] b, int at) {
    return Bytes.u8(b, at + 8);
  }

  public static int protocol(byte[] b, int at) {
    return Bytes.u8(b, at + 9);
  }

  public static int source(byte[] b, int at) {
    return Bytes.i32(b, at + 12);
  }

  public static int destination(byte[] b, int at) {
    return Bytes.i32(b, at + 16);
  }

  /** Makes the header of a first fragment that of the whole packet. */
  public static void setUnfragmented(byte[] b, int at, int totalLength) {
    Bytes.put16(b, at + 2, totalLength);
    Bytes.put16(b, at + 6, 0);
    Bytes.put16(b, at + 10, 0);
    Bytes.put16(b, at + 10, Checksum.finish(Checksum.add(0, b, at, headerLength(b, at))));
  }

  /** Writes a header without options and its checksum. */
  public static void write(
      byte[] b,
      int at,
      int tos,
      int totalLength,
      int id,
      int flagsAndOffset,
      int ttl,
      int protocol,
      int source,
      int destination) {
    Bytes.put8(b, at, 0x45);
    Bytes.put8(b, at + 1, tos);
    Bytes.put16(b, at + 2, totalLength);
    Bytes.put16(b, at + 4, id);
    Bytes.put16(b, at + 6, flagsAndOffset);
    Bytes.put8(b, at + 8, ttl);
    Bytes.put8(b, at + 9, protocol);
    Bytes.put16(b, at + 10, 0);
    Bytes.put32(b, at + 12, source);
    Bytes.put32(b, at + 16, destination);
    Bytes.put16(b, at + 10, Checksum.finish(Checksum.add(0, b, at, MIN_LENGTH)));
  }
}
