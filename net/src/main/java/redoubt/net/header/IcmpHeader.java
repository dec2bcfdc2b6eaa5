package redoubt.net.header;

/** ICMP for IPv4 (RFC 792). */
public final class IcmpHeader {
  public static final int LENGTH = 8;
  public static final int ECHO_REPLY = 0;
  public static final int UNREACHABLE = 3;
  public static final int SOURCE_QUENCH = 4;
  public static final int REDIRECT = 5;
  public static final int ECHO_REQUEST = 8;
  public static final int TIME_EXCEEDED = 11;
  public static final int PARAMETER_PROBLEM = 12;

  public static final int NET_UNREACHABLE = 0;
  public static final int HOST_UNREACHABLE = 1;
  public static final int PROTOCOL_UNREACHABLE = 2;
  public static final int PORT_UNREACHABLE = 3;
  public static final int FRAGMENTATION_NEEDED = 4;

  private IcmpHeader() {}

  public static int type(byte[] b, int at) {
    return Bytes.u8(b, at);
  }

  public static int code(byte[] b, int at) {
    return Bytes.u8(b, at + 1);
  }

  /** {@return the MTU of the next hop in "fragmentation needed" (RFC 1191)} */
  public static int nextHopMtu(byte[] b, int at) {
    return Bytes.u16(b, at + 6);
  }

  /** Writes type, code and the checksum of {@code length} bytes; the rest must be there already. */
  public static void finish(byte[] b, int at, int type, int code, int length) {
    Bytes.put8(b, at, type);
    Bytes.put8(b, at + 1, code);
    Bytes.put16(b, at + 2, 0);
    Bytes.put16(b, at + 2, Checksum.finish(Checksum.add(0, b, at, length)));
  }
}
