package redoubt.net.header;

/** The TCP header without its options (RFC 9293, section 3.1). */
public final class TcpHeader {
  public static final int MIN_LENGTH = 20;
  public static final int MAX_LENGTH = 60;
  public static final int FIN = 1;
  public static final int SYN = 2;
  public static final int RST = 4;
  public static final int PSH = 8;
  public static final int ACK = 16;

  private TcpHeader() {}

  public static int sourcePort(byte[] b, int at) {
    return Bytes.u16(b, at);
  }

  public static int destinationPort(byte[] b, int at) {
    return Bytes.u16(b, at + 2);
  }

  public static int sequence(byte[] b, int at) {
    return Bytes.i32(b, at + 4);
  }

  public static int acknowledgement(byte[] b, int at) {
    return Bytes.i32(b, at + 8);
  }

  public static int headerLength(byte[] b, int at) {
    return (b[at + 12] >>> 4 & 0xf) * 4;
  }

  public static int flags(byte[] b, int at) {
    return Bytes.u8(b, at + 13);
  }

  public static int window(byte[] b, int at) {
    return Bytes.u16(b, at + 14);
  }

  /** Writes the fixed part, with a checksum of 0. */
  public static void write(
      byte[] b,
      int at,
      int sourcePort,
      int port,
      int seq,
      int ack,
      int length,
      int flags,
      int window) {
    Bytes.put16(b, at, sourcePort);
    Bytes.put16(b, at + 2, port);
    Bytes.put32(b, at + 4, seq);
    Bytes.put32(b, at + 8, ack);
    Bytes.put8(b, at + 12, length / 4 << 4);
    Bytes.put8(b, at + 13, flags);
    Bytes.put16(b, at + 14, window);
    Bytes.put32(b, at + 16, 0);
  }

  /** Where the checksum is. */
  public static final int CHECKSUM = 16;
}
