package redoubt.net.header;

/** ARP for IPv4 over Ethernet (RFC 826). */
public final class ArpHeader {
  public static final int LENGTH = 28;
  public static final int REQUEST = 1;
  public static final int REPLY = 2;
  private static final int HARDWARE_ETHERNET = 1;

  private ArpHeader() {}

  /** {@return whether the fixed fields say IPv4 over Ethernet; needs {@link #LENGTH} bytes} */
  public static boolean isIpv4OverEthernet(byte[] b, int at) {
    return Bytes.u16(b, at) == HARDWARE_ETHERNET
        && Bytes.u16(b, at + 2) == EthernetHeader.TYPE_IPV4
        && Bytes.u8(b, at + 4) == 6
        && Bytes.u8(b, at + 5) == 4;
  }

  public static int operation(byte[] b, int at) {
    return Bytes.u16(b, at + 6);
  }

  public static long senderMac(byte[] b, int at) {
    return Bytes.u48(b, at + 8);
  }

  public static int senderIp(byte[] b, int at) {
    return Bytes.i32(b, at + 14);
  }

  public static int targetIp(byte[] b, int at) {
    return Bytes.i32(b, at + 24);
  }

  public static void write(
      byte[] b, int at, int operation, long senderMac, int senderIp, long targetMac, int targetIp) {
    Bytes.put16(b, at, HARDWARE_ETHERNET);
    Bytes.put16(b, at + 2, EthernetHeader.TYPE_IPV4);
    Bytes.put8(b, at + 4, 6);
    Bytes.put8(b, at + 5, 4);
    Bytes.put16(b, at + 6, operation);
    Bytes.put48(b, at + 8, senderMac);
    Bytes.put32(b, at + 14, senderIp);
    Bytes.put48(b, at + 18, targetMac);
    Bytes.put32(b, at + 24, targetIp);
  }
}
