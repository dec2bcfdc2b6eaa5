package redoubt.sentry.kernel;

import static redoubt.abi.Errno.ENOSPC;

import org.jspecify.annotations.Nullable;
import redoubt.abi.Sched;

/**
 * Users, groups and capabilities of a part of the sandbox: <a
 * href="https://man7.org/linux/man-pages/man7/user_namespaces.7.html">user_namespaces(7)</a>. Ids
 * in the kernel ({@link Credentials}, inodes) are those of the first namespace, Linux's kuid_t;
 * they are translated where a guest gives or gets one.
 */
public final class UserNamespace extends Namespace {
  /** What an id without a mapping is shown as: /proc/sys/kernel/overflowuid. */
  public static final int OVERFLOW_ID = 65534;

  private static final int MAX_LEVEL = 32;
  private static final long INIT_NUMBER = 4026531837L;

  /**
   * One line of uid_map: {@code count} ids from {@code first} here, {@code lower} in the kernel.
   */
  public record Extent(int first, int lower, int count) {
    @Override
    public int hashCode() {
      return first * 31 + lower;
    }

    @Override
    public boolean equals(@Nullable Object o) {
      return o instanceof Extent e && e.first == first && e.lower == lower && e.count == count;
    }
  }

  private static final Extent[] NOTHING = {};
  private static final Extent[] EVERYTHING = {new Extent(0, 0, -1)};

  /** The sandbox's first one, in which every id means itself. */
  public static final UserNamespace ROOT = new UserNamespace();

  private final @Nullable UserNamespace parent;
  private final int level;
  private final int ownerUid;
  private final int ownerGid;
  private final boolean parentCouldSetfcap;

  // Written once, under this object's monitor.
  private volatile Extent[] uids;
  private volatile Extent[] gids;
  private volatile Extent[] projects = NOTHING;
  private volatile boolean setgroupsAllowed = true;

  private UserNamespace() {
    super("user", Sched.CLONE_NEWUSER, null, INIT_NUMBER, false);
    parent = null;
    level = 0;
    ownerUid = 0;
    ownerGid = 0;
    parentCouldSetfcap = true;
    uids = EVERYTHING;
    gids = EVERYTHING;
    projects = EVERYTHING;
  }

  /**
   * A namespace below that of {@code creator}.
   *
   * @throws ErrnoException ENOSPC when it would be too deep or one too many
   */
  public UserNamespace(Credentials creator) {
    super("user", Sched.CLONE_NEWUSER, creator.userNs, Guest.GUEST);
    parent = creator.userNs;
    level = parent.level + 1;
    ownerUid = creator.euid;
    ownerGid = creator.egid;
    parentCouldSetfcap = (creator.effective >>> redoubt.abi.Caps.CAP_SETFCAP & 1) != 0;
    setgroupsAllowed = parent.setgroupsAllowed;
    uids = NOTHING;
    gids = NOTHING;
    if (level > MAX_LEVEL) {
      drop();
      throw ErrnoException.of(ENOSPC);
    }
  }

  public @Nullable UserNamespace parent() {
    return parent;
  }

  public int level() {
    return level;
  }

  /** {@return the user (of the kernel's numbers) who made it} */
  public int ownerUid() {
    return ownerUid;
  }

  public int ownerGid() {
    return ownerGid;
  }

  /** {@return whether its maker could have given file capabilities: for mapping id 0} */
  public boolean parentCouldSetfcap() {
    return parentCouldSetfcap;
  }

  public boolean isRoot() {
    return this == ROOT;
  }

  /** {@return whether this is {@code other} or below it} */
  public boolean isWithin(UserNamespace other) {
    for (UserNamespace n = this; n != null; n = n.parent) {
      if (n == other) {
        return true;
      }
    }
    return false;
  }

  // ---- ids ----

  private static int up(Extent[] map, int id) {
    for (Extent e : map) {
      int n = id - e.first;
      if (Integer.compareUnsigned(n, e.count) < 0) {
        return e.lower + n;
      }
    }
    return -1;
  }

  private static int down(Extent[] map, int kernelId) {
    for (Extent e : map) {
      int n = kernelId - e.lower;
      if (Integer.compareUnsigned(n, e.count) < 0) {
        return e.first + n;
      }
    }
    return -1;
  }

  /** {@return the kernel's number of user {@code uid} here, or -1}: make_kuid */
  public int kernelUid(int uid) {
    return this == ROOT ? uid : up(uids, uid);
  }

  /** {@return the kernel's number of group {@code gid} here, or -1}: make_kgid */
  public int kernelGid(int gid) {
    return this == ROOT ? gid : up(gids, gid);
  }

  /** {@return what user {@code kernelUid} is called here, or -1}: from_kuid */
  public int uid(int kernelUid) {
    return this == ROOT ? kernelUid : down(uids, kernelUid);
  }

  /** {@return what group {@code kernelGid} is called here, or -1}: from_kgid */
  public int gid(int kernelGid) {
    return this == ROOT ? kernelGid : down(gids, kernelGid);
  }

  /** As {@link #uid}, with {@link #OVERFLOW_ID} for who has no name here. */
  public int uidShown(int kernelUid) {
    int id = uid(kernelUid);
    return id == -1 && this != ROOT ? OVERFLOW_ID : id;
  }

  /** As {@link #gid}, with {@link #OVERFLOW_ID} for what has no name here. */
  public int gidShown(int kernelGid) {
    int id = gid(kernelGid);
    return id == -1 && this != ROOT ? OVERFLOW_ID : id;
  }

  /** {@return the lines of uid_map} */
  public Extent[] uidMap() {
    return uids;
  }

  public Extent[] gidMap() {
    return gids;
  }

  public Extent[] projectMap() {
    return projects;
  }

  /** Sets a map that was empty. Returns false if it was not. */
  synchronized boolean setUidMap(Extent[] map) {
    if (uids.length > 0) {
      return false;
    }
    uids = map;
    return true;
  }

  synchronized boolean setGidMap(Extent[] map) {
    if (gids.length > 0) {
      return false;
    }
    gids = map;
    return true;
  }

  synchronized boolean setProjectMap(Extent[] map) {
    if (projects.length > 0) {
      return false;
    }
    projects = map;
    return true;
  }

  // ---- setgroups ----

  /** {@return /proc/PID/setgroups} */
  public boolean setgroupsAllowed() {
    return setgroupsAllowed;
  }

  /** {@return whether setgroups(2) may be used at all} */
  public boolean maySetGroups() {
    return setgroupsAllowed && gids.length > 0;
  }

  /** Writes /proc/PID/setgroups. Returns false where it may not change any more. */
  public synchronized boolean setSetgroups(boolean allowed) {
    if (allowed) {
      return setgroupsAllowed;
    }
    if (gids.length > 0) {
      return false;
    }
    setgroupsAllowed = false;
    return true;
  }
}
