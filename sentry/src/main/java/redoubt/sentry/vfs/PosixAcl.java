package redoubt.sentry.vfs;

import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EOPNOTSUPP;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;
import redoubt.sentry.kernel.Credentials;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.UserNamespace;

/**
 * An access control list: <a href="https://man7.org/linux/man-pages/man5/acl.5.html">acl(5)</a>,
 * fs/posix_acl.c. Immutable; ids are the kernel's. As an extended attribute it is a version and
 * eight bytes an entry (uapi/linux/posix_acl_xattr.h).
 */
public final class PosixAcl {
  private static final int VERSION = 2;
  private static final int HEADER = 4;
  private static final int ENTRY = 8;

  // The tags, in the order in which a list has them.
  private static final int USER_OBJ = 0x01;
  private static final int USER = 0x02;
  private static final int GROUP_OBJ = 0x04;
  private static final int GROUP = 0x08;
  private static final int MASK = 0x10;
  private static final int OTHER = 0x20;

  /** What entries without an id have in its place. */
  private static final int NO_ID = -1;

  private static final VarHandle INT =
      MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);
  private static final VarHandle SHORT =
      MethodHandles.byteArrayViewVarHandle(short[].class, ByteOrder.LITTLE_ENDIAN);

  private final byte[] tags;
  private final byte[] perms;
  private final int[] ids;

  private PosixAcl(byte[] tags, byte[] perms, int[] ids) {
    this.tags = tags;
    this.perms = perms;
    this.ids = ids;
  }

  /**
   * {@return the list in {@code value}, whose ids are those of {@code ns}; null if it has no
   * entries} Its order is not checked: see {@link #isValid}.
   */
  public static @Nullable PosixAcl parse(byte[] value, UserNamespace ns) {
    if (value.length < HEADER) {
      throw ErrnoException.of(EINVAL);
    }
    if ((int) INT.get(value, 0) != VERSION) {
      throw ErrnoException.of(EOPNOTSUPP);
    }
    int count = (value.length - HEADER) / ENTRY;
    if (HEADER + count * ENTRY != value.length) {
      throw ErrnoException.of(EINVAL);
    }
    if (count == 0) {
      return null;
    }
    PosixAcl acl = new PosixAcl(new byte[count], new byte[count], new int[count]);
    for (int i = 0; i < count; i++) {
      acl.readEntry(i, value, HEADER + i * ENTRY, ns);
    }
    return acl;
  }

  private void readEntry(int i, byte[] value, int at, UserNamespace ns) {
    int tag = (short) SHORT.get(value, at) & 0xffff;
    int perm = (short) SHORT.get(value, at + 2) & 0xffff;
    int id = (int) INT.get(value, at + 4);
    int kernelId =
        switch (tag) {
          case USER_OBJ, GROUP_OBJ, MASK, OTHER -> NO_ID;
          case USER -> mapped(ns.kernelUid(id));
          case GROUP -> mapped(ns.kernelGid(id));
          default -> throw ErrnoException.of(EINVAL);
        };
    tags[i] = (byte) tag;
    perms[i] = (byte) (perm > 7 ? -1 : perm); // isValid says no
    ids[i] = kernelId;
  }

  private static int mapped(int kernelId) {
    if (kernelId == -1) {
      throw ErrnoException.of(EINVAL);
    }
    return kernelId;
  }

  /** {@return the extended attribute's value, with the ids of {@code ns}} */
  public byte[] toXattr(UserNamespace ns) {
    byte[] out = new byte[HEADER + tags.length * ENTRY];
    INT.set(out, 0, VERSION);
    for (int i = 0; i < tags.length; i++) {
      int at = HEADER + i * ENTRY;
      SHORT.set(out, at, (short) tags[i]);
      SHORT.set(out, at + 2, (short) perms[i]);
      int id =
          switch (tags[i]) {
            case USER -> ns.uid(ids[i]);
            case GROUP -> ns.gid(ids[i]);
            default -> NO_ID;
          };
      INT.set(out, at + 4, id);
    }
    return out;
  }

  /** {@return bytes of memory that it takes}, roughly */
  public long weight() {
    return 64 + 8L * tags.length;
  }

  /** {@return whether entries stand in order, and those that must be there are}: posix_acl_valid */
  public boolean isValid() {
    int next = USER_OBJ;
    boolean needsMask = false;
    for (int i = 0; i < tags.length; i++) {
      if (perms[i] < 0) {
        return false;
      }
      int tag = tags[i];
      switch (tag) {
        case USER_OBJ, GROUP_OBJ -> {
          if (next != (tag == USER_OBJ ? USER_OBJ : USER)) {
            return false;
          }
          next = tag << 1;
        }
        case USER, GROUP -> {
          if (next != tag) {
            return false;
          }
          needsMask = true;
        }
        case MASK -> {
          if (next != GROUP) {
            return false;
          }
          next = OTHER;
        }
        default -> {
          if (next != OTHER && (next != GROUP || needsMask)) {
            return false;
          }
          next = 0;
        }
      }
    }
    return next == 0;
  }

  /** {@return whether mode bits say as much}: posix_acl_equiv_mode */
  public boolean isMode() {
    for (byte tag : tags) {
      if (tag == USER || tag == GROUP || tag == MASK) {
        return false;
      }
    }
    return true;
  }

  /** {@return {@code mode} with the permission bits that show this list}: posix_acl_equiv_mode */
  public int mode(int mode) {
    int bits = 0;
    for (int i = 0; i < tags.length; i++) {
      switch (tags[i]) {
        case USER_OBJ -> bits |= perms[i] << 6;
        case GROUP_OBJ -> bits |= perms[i] << 3;
        case MASK -> bits = bits & ~0070 | perms[i] << 3;
        case OTHER -> bits |= perms[i];
        default -> {}
      }
    }
    return mode & ~0777 | bits;
  }

  /** {@return this list after chmod(2) to {@code mode}}: __posix_acl_chmod_masq */
  public PosixAcl withMode(int mode) {
    return withClasses(mode, false);
  }

  /**
   * {@return this list for a new file that was asked for with {@code mode}}: posix_acl_create_masq
   */
  public PosixAcl limitedTo(int mode) {
    return withClasses(mode, true);
  }

  /** Each class gets the bits of {@code mode}; of those only what it {@code had}. */
  private PosixAcl withClasses(int mode, boolean had) {
    byte[] p = perms.clone();
    int group = -1;
    for (int i = 0; i < tags.length; i++) {
      switch (tags[i]) {
        case USER_OBJ -> p[i] = limited(p[i], mode >> 6, had);
        case OTHER -> p[i] = limited(p[i], mode, had);
        case GROUP_OBJ, MASK -> group = i; // the mask comes later
        default -> {}
      }
    }
    if (group >= 0) {
      p[group] = limited(p[group], mode >> 3, had);
    }
    return new PosixAcl(tags, p, ids);
  }

  private static byte limited(byte perm, int bits, boolean had) {
    return (byte) ((had ? perm : 7) & bits & 7);
  }

  /**
   * {@return whether {@code c}, who does not own the file, may access it as {@code mask} says}:
   * posix_acl_permission
   */
  boolean permits(Credentials c, int gid, int mask) {
    int want = mask & 7;
    boolean inGroup = false;
    for (int i = 0; i < tags.length; i++) {
      switch (tags[i]) {
        case USER -> {
          if (ids[i] == c.fsuid) {
            return (perms[i] & groupMask() & want) == want;
          }
        }
        case GROUP_OBJ, GROUP -> {
          if (c.inGroup(tags[i] == GROUP ? ids[i] : gid)) {
            inGroup = true;
            if ((perms[i] & want) == want) {
              return (groupMask() & want) == want;
            }
          }
        }
        case OTHER -> {
          return !inGroup && (perms[i] & want) == want;
        }
        default -> {}
      }
    }
    return false;
  }

  private int groupMask() {
    for (int i = 0; i < tags.length; i++) {
      if (tags[i] == MASK) {
        return perms[i];
      }
    }
    return 7;
  }
}
