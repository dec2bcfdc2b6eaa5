package redoubt.sandbox;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Netlink;

/** A message of rtnetlink(7), read: a header, a structure of its family, attributes. */
final class RouteMessage {
  private final byte[] bytes;
  private final ByteBuffer b;
  private final int attributes;

  /**
   * @param structBytes size of the structure after the header
   */
  RouteMessage(byte[] bytes, int structBytes) {
    this.bytes = bytes;
    this.b = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    this.attributes = Netlink.SIZEOF_NLMSGHDR + ((structBytes + 3) & ~3);
  }

  int type() {
    return b.getShort(Netlink.NLMSGHDR_NLMSG_TYPE) & 0xffff;
  }

  /** {@return a byte of the structure} */
  int u8(int offset) {
    return b.get(Netlink.SIZEOF_NLMSGHDR + offset) & 0xff;
  }

  int u16(int offset) {
    return b.getShort(Netlink.SIZEOF_NLMSGHDR + offset) & 0xffff;
  }

  int i32(int offset) {
    return b.getInt(Netlink.SIZEOF_NLMSGHDR + offset);
  }

  /** {@return the value of attribute {@code type}, or null} */
  byte @Nullable [] attribute(int type) {
    int at = attributes;
    while (at + Netlink.SIZEOF_NLATTR <= bytes.length) {
      int length = b.getShort(at) & 0xffff;
      if (length < Netlink.SIZEOF_NLATTR || at + length > bytes.length) {
        return null;
      }
      if ((b.getShort(at + Netlink.NLATTR_NLA_TYPE) & 0x3fff) == type) {
        return Arrays.copyOfRange(bytes, at + Netlink.SIZEOF_NLATTR, at + length);
      }
      at += (length + 3) & ~3;
    }
    return null;
  }

  /** {@return attribute {@code type} as a number, or {@code otherwise}} */
  int number(int type, int otherwise) {
    byte[] v = attribute(type);
    return v == null || v.length < 4
        ? otherwise
        : ByteBuffer.wrap(v).order(ByteOrder.LITTLE_ENDIAN).getInt();
  }

  /** {@return attribute {@code type} as text without its NUL} */
  String text(int type) {
    byte[] v = attribute(type);
    int n = 0;
    while (v != null && n < v.length && v[n] != 0) {
      n++;
    }
    return v == null ? "" : new String(v, 0, n, java.nio.charset.StandardCharsets.ISO_8859_1);
  }

  /** {@return an Ethernet address in the low 48 bits, or 0} */
  long mac(int type) {
    byte[] v = attribute(type);
    if (v == null || v.length != 6) {
      return 0;
    }
    long mac = 0;
    for (byte octet : v) {
      mac = mac << 8 | octet & 0xff;
    }
    return mac;
  }

  /** {@return the same object as an order of another type} */
  byte[] asOrder(int type, int flags) {
    byte[] order = bytes.clone();
    ByteBuffer o = ByteBuffer.wrap(order).order(ByteOrder.LITTLE_ENDIAN);
    o.putShort(Netlink.NLMSGHDR_NLMSG_TYPE, (short) type);
    o.putShort(Netlink.NLMSGHDR_NLMSG_FLAGS, (short) flags);
    return order;
  }
}
