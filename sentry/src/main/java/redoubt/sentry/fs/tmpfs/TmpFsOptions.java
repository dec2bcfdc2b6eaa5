package redoubt.sentry.fs.tmpfs;

import static redoubt.abi.Errno.EINVAL;

import redoubt.sentry.kernel.Credentials;
import redoubt.sentry.kernel.ErrnoException;

/** Mount options of tmpfs(5). */
public final class TmpFsOptions {
  /** Most bytes of data; 0: no limit but the host's. */
  public long sizeBytes;

  /** Most inodes; 0: as many as the sentry's heap bears. */
  public long inodes;

  /** Permission bits of the root. */
  public int mode = 01777;

  public int uid;
  public int gid;

  /** What /proc/mounts shows, beginning with a comma when not empty. */
  String shown = "";

  /** The machine's memory, of which {@code size=50%} is a part. */
  long memoryBytes = Long.MAX_VALUE;

  private boolean hasUid;
  private boolean hasGid;

  public TmpFsOptions() {}

  /**
   * Reads {@code size=64m,mode=1777,…}.
   *
   * @param memoryBytes the machine's memory, of which {@code size=50%} is a part
   * @throws ErrnoException EINVAL for what tmpfs does not know
   */
  public static TmpFsOptions parse(String text, long memoryBytes) {
    TmpFsOptions o = new TmpFsOptions();
    o.memoryBytes = memoryBytes;
    o.sizeBytes = memoryBytes / 2 / 4096 * 4096;
    StringBuilder shown = new StringBuilder();
    int at = 0;
    while (at < text.length()) {
      int end = text.indexOf(',', at);
      if (end < 0) {
        end = text.length();
      }
      String option = text.substring(at, end);
      at = end + 1;
      if (option.isEmpty()) {
        continue;
      }
      int eq = option.indexOf('=');
      String name = eq < 0 ? option : option.substring(0, eq);
      String value = eq < 0 ? "" : option.substring(eq + 1);
      switch (name) {
        case "size" -> {
          o.sizeBytes = (size(value, memoryBytes) + 4095) / 4096 * 4096;
          shown.append(",size=").append(o.sizeBytes / 1024).append('k');
        }
        case "nr_blocks" -> {
          o.sizeBytes = size(value, -1) * 4096;
          shown.append(",size=").append(o.sizeBytes / 1024).append('k');
        }
        case "nr_inodes" -> {
          o.inodes = size(value, -1);
          shown.append(",nr_inodes=").append(o.inodes);
        }
        case "mode" -> {
          o.mode = (int) number(value, 8) & 07777;
          shown.append(",mode=").append(Integer.toOctalString(o.mode));
        }
        case "uid" -> {
          o.uid = (int) number(value, 10);
          o.hasUid = true;
          shown.append(",uid=").append(Integer.toUnsignedString(o.uid));
        }
        case "gid" -> {
          o.gid = (int) number(value, 10);
          o.hasGid = true;
          shown.append(",gid=").append(Integer.toUnsignedString(o.gid));
        }
        case "huge", "mpol", "inode32", "inode64", "noswap" -> {}
        default -> throw ErrnoException.of(EINVAL);
      }
    }
    o.shown = shown.toString();
    return o;
  }

  /**
   * Makes {@code c} the root's owner unless the options named one, whose number is one of {@code
   * c}'s user namespace.
   *
   * @throws ErrnoException EINVAL for an owner that is not there
   */
  public TmpFsOptions ownedBy(Credentials c) {
    uid = hasUid ? c.userNs.kernelUid(uid) : c.fsuid;
    gid = hasGid ? c.userNs.kernelGid(gid) : c.fsgid;
    if ((hasUid && uid == -1) || (hasGid && gid == -1)) {
      throw ErrnoException.of(EINVAL);
    }
    return this;
  }

  /** {@return these options with those of a remount} */
  TmpFsOptions with(TmpFsOptions changed) {
    StringBuilder s = new StringBuilder();
    for (String old : shown.isEmpty() ? new String[0] : shown.substring(1).split(",", -1)) {
      String name = old.substring(0, old.indexOf('=') + 1);
      if (!changed.shown.contains("," + name)) {
        s.append(',').append(old);
      }
    }
    TmpFsOptions o = new TmpFsOptions();
    o.mode = mode;
    o.uid = uid;
    o.gid = gid;
    o.memoryBytes = memoryBytes;
    o.shown = changed.shown + s;
    return o;
  }

  /** {@return whether {@code option} alone is one that tmpfs takes} */
  public static boolean isValid(String option) {
    try {
      parse(option, 1L << 40);
      return true;
    } catch (ErrnoException e) {
      return false;
    }
  }

  private static long size(String value, long memoryBytes) {
    if (value.isEmpty()) {
      throw ErrnoException.of(EINVAL);
    }
    char last = value.charAt(value.length() - 1);
    int shift =
        switch (last) {
          case 'k', 'K' -> 10;
          case 'm', 'M' -> 20;
          case 'g', 'G' -> 30;
          case 't', 'T' -> 40;
          case '%' -> -1;
          default -> 0;
        };
    long n = number(shift == 0 ? value : value.substring(0, value.length() - 1), 10);
    if (shift < 0) {
      if (memoryBytes < 0) {
        throw ErrnoException.of(EINVAL);
      }
      return (long) (memoryBytes * (n / 100.0));
    }
    if (n > Long.MAX_VALUE >> shift) {
      throw ErrnoException.of(EINVAL);
    }
    return n << shift;
  }

  private static long number(String digits, int radix) {
    try {
      long n = Long.parseLong(digits, radix);
      if (n < 0) {
        throw ErrnoException.of(EINVAL);
      }
      return n;
    } catch (NumberFormatException e) {
      throw ErrnoException.of(EINVAL);
    }
  }
}
