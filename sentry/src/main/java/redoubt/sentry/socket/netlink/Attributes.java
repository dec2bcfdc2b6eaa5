package redoubt.sentry.socket.netlink;

import java.lang.foreign.MemorySegment;
import redoubt.host.Memory;
import redoubt.sentry.kernel.Latin1;

/**
 * The attributes behind a netlink message's family header, as a guest sent them: {@code struct
 * nlattr}s one after the other. Of several of a type the last one counts, as in Linux's nla_parse.
 */
final class Attributes {
  private static final int HEADER = 4;
  private static final int TYPE_MASK = 0x3fff;

  private final MemorySegment bytes;
  private final int from;
  private final int to;

  Attributes(MemorySegment bytes, int from, int to) {
    this.bytes = bytes;
    this.from = from;
    this.to = to;
  }

  /** {@return where the attribute of {@code type} begins, or -1} */
  private int find(int type) {
    int found = -1;
    for (int at = from; at + HEADER <= to; ) {
      int size = bytes.get(Memory.SHORT, at) & 0xffff;
      if (size < HEADER || size > to - at) {
        break;
      }
      if ((bytes.get(Memory.SHORT, at + 2) & TYPE_MASK) == type) {
        found = at;
      }
      at += (size + 3) & ~3;
    }
    return found;
  }

  boolean has(int type) {
    return find(type) >= 0;
  }

  /** {@return how long the value is, or -1 without one} */
  int size(int type) {
    int at = find(type);
    return at < 0 ? -1 : (bytes.get(Memory.SHORT, at) & 0xffff) - HEADER;
  }

  /** {@return a value of four bytes, or {@code otherwise}} */
  int integer(int type, int otherwise) {
    return size(type) < 4 ? otherwise : bytes.get(Memory.INT, find(type) + HEADER);
  }

  /** {@return an IPv4 address, or {@code otherwise}} */
  int address(int type, int otherwise) {
    return size(type) < 4
        ? otherwise
        : Integer.reverseBytes(bytes.get(Memory.INT, find(type) + HEADER));
  }

  /** {@return eight bytes of an IPv6 address, from byte {@code skip} on; 0 without one} */
  long half(int type, int skip) {
    return size(type) < 16
        ? 0
        : Long.reverseBytes(bytes.get(Memory.LONG, find(type) + HEADER + skip));
  }

  /** {@return an Ethernet address, or -1} */
  long mac(int type) {
    if (size(type) != 6) {
      return -1;
    }
    int at = find(type) + HEADER;
    long mac = 0;
    for (int i = 0; i < 6; i++) {
      mac = mac << 8 | bytes.get(Memory.BYTE, at + i) & 0xff;
    }
    return mac;
  }

  /** {@return a string up to its NUL, or an empty one} */
  String string(int type) {
    int size = size(type);
    if (size <= 0) {
      return "";
    }
    int at = find(type) + HEADER;
    int n = 0;
    while (n < size && bytes.get(Memory.BYTE, at + n) != 0) {
      n++;
    }
    return Latin1.string(bytes, at, n);
  }
}
