package redoubt.sentry.kernel;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;
import redoubt.sentry.vfs.Inode;

/**
 * What a program's file gives to who executes it: the attribute security.capability, struct
 * vfs_cap_data of linux/capability.h.
 */
record FileCapabilities(long permitted, long inheritable, boolean effective) {
  private static final String NAME = "security.capability";
  private static final int VERSION_1 = 0x01000000;
  private static final int VERSION_2 = 0x02000000;
  private static final int VERSION_3 = 0x03000000;
  private static final int VERSION_MASK = 0xff000000;
  private static final int EFFECTIVE = 1;

  /** {@return the capabilities of {@code inode} for a task in {@code ns}}, or null */
  static @Nullable FileCapabilities of(Inode inode, UserNamespace ns) {
    byte[] raw;
    try {
      raw = inode.getxattr(NAME);
    } catch (ErrnoException e) {
      return null; // ENODATA, or a filesystem without attributes
    }
    if (raw.length < 12) {
      return null;
    }
    ByteBuffer b = ByteBuffer.wrap(raw).order(ByteOrder.LITTLE_ENDIAN);
    int magic = b.getInt(0);
    boolean effective = (magic & EFFECTIVE) != 0;
    long permitted = b.getInt(4) & 0xffffffffL;
    long inheritable = b.getInt(8) & 0xffffffffL;
    switch (magic & VERSION_MASK) {
      case VERSION_1 -> {
        if (raw.length != 12 || !ns.isRoot()) {
          return null;
        }
      }
      case VERSION_2, VERSION_3 -> {
        boolean rooted = (magic & VERSION_MASK) == VERSION_3;
        if (raw.length != (rooted ? 24 : 20)) {
          return null;
        }
        permitted |= (long) b.getInt(12) << 32;
        inheritable |= (long) b.getInt(16) << 32;
        int root = rooted ? b.getInt(20) : 0;
        if (root != ns.kernelUid(0)) {
          return null; // of another namespace's root
        }
      }
      default -> {
        return null;
      }
    }
    return new FileCapabilities(
        permitted & Credentials.ALL_CAPS, inheritable & Credentials.ALL_CAPS, effective);
  }

  @Override
  public int hashCode() {
    return Long.hashCode(permitted);
  }

  @Override
  public boolean equals(@Nullable Object o) {
    return o instanceof FileCapabilities f
        && f.permitted == permitted
        && f.inheritable == inheritable
        && f.effective == effective;
  }
}
