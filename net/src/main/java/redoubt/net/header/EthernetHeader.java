package redoubt.net.header;

/** The 14 bytes before every payload on Ethernet: destination, source, type. */
public final class EthernetHeader {
  public static final int LENGTH = 14;
  public static final int TYPE_IPV4 = 0x0800;
  public static final int TYPE_ARP = 0x0806;
  public static final int TYPE_IPV6 = 0x86dd;
  public static final long BROADCAST = 0xffff_ffff_ffffL;

  private EthernetHeader() {}

  public static long destination(byte[] b, int at) {
    return Bytes.u48(b, at);
  }

  public static long source(byte[] b, int at) {
    return Bytes.u48(b, at + 6);
  }

  public static int type(byte[] b, int at) {
    return Bytes.u16(b, at + 12);
  }

  /** {@return whether {@code mac} names a group: bit 0 of its first byte} */
  public static boolean isGroup(long mac) {
    return (mac >>> 40 & 1) != 0;
  }

  public static void write(byte[] b, int at, long destination, long source, int type) {
    Bytes.put48(b, at, destination);
    Bytes.put48(b, at + 6, source);
    Bytes.put16(b, at + 12, type);
  }
}
