package redoubt.sentry.kernel;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import redoubt.sentry.vfs.Landlock.Domain;

/**
 * Who a task is: <a
 * href="https://man7.org/linux/man-pages/man7/credentials.7.html">credentials(7)</a> and
 * capabilities(7). Immutable: a change makes a new object, so that open files and other tasks keep
 * theirs.
 */
public final class Credentials {
  /** Every capability up to CAP_CHECKPOINT_RESTORE (40). */
  public static final long ALL_CAPS = (1L << 41) - 1;

  private static final int[] NO_GROUPS = {};

  public final int ruid;
  public final int euid;
  public final int suid;
  public final int fsuid;
  public final int rgid;
  public final int egid;
  public final int sgid;
  public final int fsgid;
  public final int[] groups;
  public final long effective;
  public final long permitted;
  public final long inheritable;
  public final long bounding;
  public final long ambient;
  public final int securebits;
  public final boolean noNewPrivs;

  /** Whose capabilities these are. Ids are the kernel's, whatever the namespace. */
  public final UserNamespace userNs;

  /** What landlock took from it. */
  public final @Nullable Domain landlock;

  private Credentials(Builder b) {
    ruid = b.ruid;
    euid = b.euid;
    suid = b.suid;
    fsuid = b.fsuid;
    rgid = b.rgid;
    egid = b.egid;
    sgid = b.sgid;
    fsgid = b.fsgid;
    groups = b.groups;
    effective = b.effective;
    permitted = b.permitted;
    inheritable = b.inheritable;
    bounding = b.bounding;
    ambient = b.ambient;
    securebits = b.securebits;
    noNewPrivs = b.noNewPrivs;
    userNs = b.userNs;
    landlock = b.landlock;
  }

  /** {@return root with every capability}: the kernel itself */
  public static Credentials root() {
    Builder b = new Builder();
    b.effective = ALL_CAPS;
    b.permitted = ALL_CAPS;
    b.bounding = ALL_CAPS;
    return b.build();
  }

  public Builder toBuilder() {
    return new Builder(this);
  }

  /** {@return whether capability number {@code cap} is effective in the whole sandbox} */
  public boolean hasCapability(int cap) {
    return (effective >>> cap & 1) != 0 && userNs.isRoot();
  }

  /** {@return whether {@code cap} is effective in the own user namespace} */
  public boolean hasOwnCapability(int cap) {
    return (effective >>> cap & 1) != 0;
  }

  /** {@return whether {@code cap} counts in {@code target}}: cap_capable of security/commoncap.c */
  public boolean hasCapability(UserNamespace target, int cap) {
    for (UserNamespace n = target; n != null; n = n.parent()) {
      if (n == userNs) {
        return (effective >>> cap & 1) != 0;
      }
      if (n.level() <= userNs.level()) {
        return false;
      }
      if (n.parent() == userNs && n.ownerUid() == euid) {
        return true;
      }
    }
    return false;
  }

  /**
   * {@return whether {@code cap} counts for a file of {@code uid} and {@code gid}}, both known in
   * the own user namespace: capable_wrt_inode_uidgid
   */
  public boolean hasCapabilityOver(int uid, int gid, int cap) {
    return (effective >>> cap & 1) != 0
        && (userNs.isRoot() || (userNs.uid(uid) != -1 && userNs.gid(gid) != -1));
  }

  /** {@return whether {@code gid} is the filesystem group or a supplementary one} */
  public boolean inGroup(int gid) {
    return fsgid == gid || Arrays.binarySearch(groups, gid) >= 0;
  }

  /** {@return whether {@code gid} is the effective group or a supplementary one} */
  public boolean inEffectiveGroup(int gid) {
    return egid == gid || Arrays.binarySearch(groups, gid) >= 0;
  }

  /** A copy that may be changed. {@code groups} must be sorted. */
  public static final class Builder {
    public int ruid;
    public int euid;
    public int suid;
    public int fsuid;
    public int rgid;
    public int egid;
    public int sgid;
    public int fsgid;
    public int[] groups = NO_GROUPS;
    public long effective;
    public long permitted;
    public long inheritable;
    public long bounding;
    public long ambient;
    public int securebits;
    public boolean noNewPrivs;
    public UserNamespace userNs = UserNamespace.ROOT;
    public @Nullable Domain landlock;

    public Builder() {}

    private Builder(Credentials c) {
      ruid = c.ruid;
      euid = c.euid;
      suid = c.suid;
      fsuid = c.fsuid;
      rgid = c.rgid;
      egid = c.egid;
      sgid = c.sgid;
      fsgid = c.fsgid;
      groups = c.groups;
      effective = c.effective;
      permitted = c.permitted;
      inheritable = c.inheritable;
      bounding = c.bounding;
      ambient = c.ambient;
      securebits = c.securebits;
      noNewPrivs = c.noNewPrivs;
      userNs = c.userNs;
      landlock = c.landlock;
    }

    /** What entering a user namespace gives: every capability there. set_cred_user_ns */
    public void enter(UserNamespace ns) {
      userNs = ns;
      securebits = 0;
      inheritable = 0;
      ambient = 0;
      permitted = ALL_CAPS;
      effective = ALL_CAPS;
      bounding = ALL_CAPS;
    }

    public Credentials build() {
      return new Credentials(this);
    }
  }
}
