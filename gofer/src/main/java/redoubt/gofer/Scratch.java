package redoubt.gofer;

import redoubt.host.FileSystemCalls;
import redoubt.host.Memory;
import redoubt.host.Region;
import redoubt.p9.P9;
import redoubt.p9.P9Attr;
import redoubt.p9.P9Buffer;

/**
 * One worker's memory for what system calls read and write. Not thread-safe.
 *
 * <p>Names come in two slots, NUL-terminated, with eight bytes to spare for word-wise checks.
 */
final class Scratch {
  static final int NAME_SLOT = 272;
  static final int DENTS_BYTES = 32 * 1024;

  private static final long SLASHES = 0x2f2f2f2f2f2f2f2fL;
  private static final long ONES = 0x0101010101010101L;
  private static final long HIGHS = 0x8080808080808080L;

  final Region how = Region.of(Memory.allocateGlobal(FileSystemCalls.OPEN_HOW_BYTES));
  private final Region statx = Region.of(Memory.allocateGlobal(FileSystemCalls.STATX_BYTES));
  final Region statfs = Region.of(Memory.allocateGlobal(FileSystemCalls.STATFS_BYTES));
  final Region xattrArgs = Region.of(Memory.allocateGlobal(FileSystemCalls.XATTR_ARGS_BYTES));
  final Region times = Region.of(Memory.allocateGlobal(32));
  final Region dents = Region.of(Memory.mapAnonymous(DENTS_BYTES));
  final Region path = Region.of(Memory.mapAnonymous(2 * P9.PATH_MAX));

  private final Region names = Region.of(Memory.allocateGlobal(4 * NAME_SLOT));

  /** The empty string. */
  final long empty;

  /** ".". */
  final long dot;

  /** The last number that {@link #fdName} wrote. */
  private final Region number = Region.of(Memory.allocateGlobal(16));

  Scratch() {
    Region constants = Region.of(Memory.allocateGlobal(8));
    constants.putByte(4, (byte) '.');
    empty = constants.address();
    dot = constants.address() + 4;
  }

  /** {@return the host address of a name slot, 0 or 1, or of an attribute's name, 2} */
  long name(int slot) {
    return names.address() + (long) slot * NAME_SLOT;
  }

  /**
   * Copies a name of one file out of a message into a slot.
   *
   * @return 0, or -ENOENT (empty), -ENAMETOOLONG, or -EINVAL ("." and ".." and names with a slash
   *     or NUL)
   */
  int copyName(P9Buffer in, int offset, int length, int slot) {
    if (length == 0) {
      return -redoubt.abi.Errno.ENOENT;
    }
    if (length > P9.NAME_MAX) {
      return -redoubt.abi.Errno.ENAMETOOLONG;
    }
    Region n = names;
    long at = (long) slot * NAME_SLOT;
    n.put(at, in.region(), offset, length);
    n.putLong(at + length, 0);
    if (length <= 2 && n.getByte(at) == '.' && (length == 1 || n.getByte(at + 1) == '.')) {
      return -redoubt.abi.Errno.EINVAL;
    }
    for (int i = 0; i < length; i += 8) {
      long w = n.getLong(at + i);
      if (length - i < 8) {
        // Bytes past the end count as neither NUL nor slash.
        w |= -1L << (8 * (length - i));
      }
      if (hasZero(w) || hasZero(w ^ SLASHES)) {
        return -redoubt.abi.Errno.EINVAL;
      }
    }
    return 0;
  }

  /** Copies the name of an extended attribute; returns 0 or -errno. */
  int copyXattrName(P9Buffer in, int offset, int length) {
    if (length == 0 || length > P9.NAME_MAX) {
      return -redoubt.abi.Errno.ERANGE;
    }
    Region n = names;
    long at = 2L * NAME_SLOT;
    n.put(at, in.region(), offset, length);
    n.putByte(at + length, (byte) 0);
    for (int i = 0; i < length; i++) {
      if (n.getByte(at + i) == 0) {
        return -redoubt.abi.Errno.EINVAL;
      }
    }
    return 0;
  }

  /** Writes {@code fd} as a decimal string and {@return its host address} */
  long fdName(int fd) {
    int at = 12;
    number.putByte(at, (byte) 0);
    int v = fd;
    do {
      number.putByte(--at, (byte) ('0' + v % 10));
      v /= 10;
    } while (v > 0);
    return number.address() + at;
  }

  /** Gets a file's attributes; returns 0 or -errno, {@code into} as it was. */
  long statx(int fd, long nameHaddr, int flags, P9Attr into) {
    long r = FileSystemCalls.statx(fd, nameHaddr, flags, FileSystemCalls.STATX_WANTED, statx);
    if (r == 0) {
      into.readStatx(statx, 0);
    }
    return r;
  }

  void free() {
    Memory.unmap(dents.segment());
    Memory.unmap(path.segment());
  }

  private static boolean hasZero(long w) {
    return ((w - ONES) & ~w & HIGHS) != 0;
  }
}
