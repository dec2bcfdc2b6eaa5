package redoubt.sentry.socket.inet;

import static redoubt.abi.Errno.EAFNOSUPPORT;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Socket.AF_INET;
import static redoubt.abi.Socket.AF_INET6;

import java.lang.foreign.MemorySegment;
import redoubt.host.Memory;
import redoubt.sentry.socket.SocketAddress;

/** Internet addresses as two longs in host order, IPv4 in its mapped form. */
final class InetAddresses {
  private static final long MAPPED = 0xffff_0000_0000L;

  /** The low half of 127.0.0.1. */
  static final long LOOPBACK4 = MAPPED | 0x7f000001L;

  /** The low half of 0.0.0.0 in its mapped form. */
  static final long ANY4 = MAPPED;

  private InetAddresses() {}

  static boolean isV4(long high, long low) {
    return high == 0 && low >>> 32 == 0xffff;
  }

  static boolean isAny(long high, long low) {
    return high == 0 && (low == 0 || low == ANY4);
  }

  /** {@return the low half of an IPv4 address in its mapped form} */
  static long mapped(int address) {
    return MAPPED | (address & 0xffffffffL);
  }

  /** {@return whether an address means a group, or all} */
  static boolean isGroup(long high, long low) {
    return isV4(high, low) ? (int) low >>> 28 == 0xe || (int) low == -1 : high >>> 56 == 0xff;
  }

  /** {@return whether the loopback interface has this address}: 127.0.0.0/8 and ::1 */
  static boolean isLoopback(long high, long low) {
    return high == 0 && (low == 1 || low >>> 24 == 0xffff7fL);
  }

  /**
   * {@return 0 if {@code a} can be an address of family {@code family}, else -errno} as bind(2)
   * checks it
   */
  static long check(SocketAddress a, int family) {
    if (family == AF_INET) {
      if (a.length < 16) {
        return -EINVAL;
      }
      return a.family() == AF_INET ? 0 : -EAFNOSUPPORT;
    }
    if (a.length < 24) {
      return a.family() == AF_INET && a.length >= 16 ? -EAFNOSUPPORT : -EINVAL;
    }
    return a.family() == AF_INET6 ? 0 : -EAFNOSUPPORT;
  }

  static int port(SocketAddress a) {
    return Short.reverseBytes(a.bytes.get(Memory.SHORT, 2)) & 0xffff;
  }

  static long high(SocketAddress a) {
    return a.family() == AF_INET ? 0 : Long.reverseBytes(a.bytes.get(Memory.LONG, 8));
  }

  static long low(SocketAddress a) {
    return a.family() == AF_INET
        ? MAPPED | (Integer.reverseBytes(a.bytes.get(Memory.INT, 4)) & 0xffffffffL)
        : Long.reverseBytes(a.bytes.get(Memory.LONG, 16));
  }

  /** Writes an address for a socket of {@code family}. */
  static void write(int family, long high, long low, int port, SocketAddress out) {
    MemorySegment s = out.bytes;
    s.set(Memory.SHORT, 0, (short) family);
    s.set(Memory.SHORT, 2, Short.reverseBytes((short) port));
    if (family == AF_INET) {
      s.set(Memory.INT, 4, Integer.reverseBytes((int) low));
      s.set(Memory.LONG, 8, 0L);
      out.length = 16;
    } else {
      s.set(Memory.INT, 4, 0);
      s.set(Memory.LONG, 8, Long.reverseBytes(high));
      s.set(Memory.LONG, 16, Long.reverseBytes(low));
      s.set(Memory.INT, 24, 0);
      out.length = 28;
    }
  }

  /**
   * {@return the address as /proc/net/tcp or tcp6 shows it}: words in memory order, in hexadecimal
   */
  static String procForm(boolean v6, long high, long low) {
    if (!v6) {
      return word((int) low);
    }
    return word((int) (high >>> 32))
        + word((int) high)
        + word((int) (low >>> 32))
        + word((int) low);
  }

  private static String word(int bigEndian) {
    return hex(Integer.reverseBytes(bigEndian), 8);
  }

  static String hex(int v, int width) {
    String s = Integer.toHexString(v).toUpperCase(java.util.Locale.ROOT);
    return s.length() >= width ? s : "0".repeat(width - s.length()) + s;
  }
}
