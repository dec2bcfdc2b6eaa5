package redoubt.net.header;

/** The UDP header (RFC 768). */
public final class UdpHeader {
  public static final int LENGTH = 8;

  private UdpHeader() {}

  public static int sourcePort(byte[] b, int at) {
    return Bytes.u16(b, at);
  }

  public static int destinationPort(byte[] b, int at) {
    return Bytes.u16(b, at + 2);
  }

  public static int length(byte[] b, int at) {
    return Bytes.u16(b, at + 4);
  }

  public static int checksum(byte[] b, int at) {
    return Bytes.u16(b, at + 6);
  }

  /**
   * Writes header and checksum for the {@code length} bytes (header included) at {@code at}.
   *
   * @param pseudoHeader the sum over the IP's pseudo header
   */
  public static void write(
      byte[] b, int at, int length, int sourcePort, int port, long pseudoHeader) {
    Bytes.put16(b, at, sourcePort);
    Bytes.put16(b, at + 2, port);
    Bytes.put16(b, at + 4, length);
    Bytes.put16(b, at + 6, 0);
    int c = Checksum.finish(Checksum.add(pseudoHeader, b, at, length));
    // 0 means "no checksum" on the wire; 0xffff is its equal in ones' complement.
    Bytes.put16(b, at + 6, c == 0 ? 0xffff : c);
  }
}
