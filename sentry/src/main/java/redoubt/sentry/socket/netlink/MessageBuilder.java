package redoubt.sentry.socket.netlink;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import redoubt.abi.Netlink;
import redoubt.host.Memory;
import redoubt.sentry.kernel.Latin1;

/** Writes netlink messages one behind the other. */
final class MessageBuilder {
  private static final int LIMIT = 16384;

  final MemorySegment bytes = Arena.ofAuto().allocate(LIMIT, 8);
  private int length;
  private int start;

  int length() {
    return length;
  }

  /**
   * Begins a message with a family header of {@code headerBytes} zeros; {@return where that header
   * is}
   */
  int begin(int type, int flags, int seq, int port, int headerBytes) {
    start = length;
    bytes.set(Memory.SHORT, start + Netlink.NLMSGHDR_NLMSG_TYPE, (short) type);
    bytes.set(Memory.SHORT, start + Netlink.NLMSGHDR_NLMSG_FLAGS, (short) flags);
    bytes.set(Memory.INT, start + Netlink.NLMSGHDR_NLMSG_SEQ, seq);
    bytes.set(Memory.INT, start + Netlink.NLMSGHDR_NLMSG_PID, port);
    int header = start + Netlink.SIZEOF_NLMSGHDR;
    bytes.asSlice(header, headerBytes).fill((byte) 0);
    length = header + ((headerBytes + 3) & ~3);
    return header;
  }

  /** Completes the message begun last. */
  void end() {
    bytes.set(Memory.INT, start, length - start);
    length = (length + 3) & ~3;
  }

  /** Begins an attribute of {@code size} bytes; {@return where its value is} */
  int attribute(int type, int size) {
    int at = length;
    bytes.set(Memory.SHORT, at, (short) (4 + size));
    bytes.set(Memory.SHORT, at + 2, (short) type);
    int padded = (size + 3) & ~3;
    bytes.asSlice(at + 4, padded).fill((byte) 0);
    length = at + 4 + padded;
    return at + 4;
  }

  void attributeInt(int type, int value) {
    bytes.set(Memory.INT, attribute(type, 4), value);
  }

  void attributeByte(int type, int value) {
    bytes.set(Memory.BYTE, attribute(type, 1), (byte) value);
  }

  void attributeString(int type, String value) {
    Latin1.writeZ(bytes, attribute(type, value.length() + 1), value);
  }
}
