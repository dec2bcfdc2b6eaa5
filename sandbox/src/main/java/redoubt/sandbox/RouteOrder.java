package redoubt.sandbox;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import redoubt.abi.Netlink;

/** A message of rtnetlink(7), written: a header, a structure of its family, attributes. */
final class RouteOrder {
  private static final int LIMIT = 512;

  private final ByteBuffer b = ByteBuffer.allocate(LIMIT).order(ByteOrder.LITTLE_ENDIAN);

  /**
   * @param structBytes size of the structure after the header
   */
  RouteOrder(int type, int flags, int structBytes) {
    b.putShort(Netlink.NLMSGHDR_NLMSG_TYPE, (short) type);
    b.putShort(Netlink.NLMSGHDR_NLMSG_FLAGS, (short) flags);
    b.position(Netlink.SIZEOF_NLMSGHDR + structBytes);
  }

  /** Sets a number of the structure. */
  RouteOrder i32(int offset, int value) {
    b.putInt(Netlink.SIZEOF_NLMSGHDR + offset, value);
    return this;
  }

  RouteOrder attribute(int type, int value) {
    return attribute(
        type, ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(0, value).array());
  }

  /** Adds text, ended by NUL. */
  RouteOrder attribute(int type, String value) {
    byte[] text = value.getBytes(java.nio.charset.StandardCharsets.ISO_8859_1);
    return attribute(type, Arrays.copyOf(text, text.length + 1));
  }

  RouteOrder attribute(int type, byte[] value) {
    int start = begin(type);
    b.put(value);
    return end(start);
  }

  /** {@return where a nested attribute starts, for {@link #end}} */
  int begin(int type) {
    int start = b.position();
    b.putShort((short) 0).putShort((short) type);
    return start;
  }

  RouteOrder end(int start) {
    b.putShort(start, (short) (b.position() - start));
    b.position((b.position() + 3) & ~3);
    return this;
  }

  byte[] toBytes() {
    byte[] message = Arrays.copyOf(b.array(), b.position());
    ByteBuffer.wrap(message).order(ByteOrder.LITTLE_ENDIAN).putInt(0, message.length);
    return message;
  }
}
