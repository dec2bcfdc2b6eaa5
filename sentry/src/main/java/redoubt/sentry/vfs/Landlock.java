package redoubt.sentry.vfs;

import static redoubt.abi.Errno.EACCES;
import static redoubt.abi.Errno.EXDEV;

import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.HeapBudget;
import redoubt.sentry.kernel.Task;

/**
 * Rights to files that a program takes from itself: <a
 * href="https://man7.org/linux/man-pages/man7/landlock.7.html">landlock(7)</a>, security/landlock.
 * Of its rules there are those for file hierarchies, as of ABI 3.
 */
public final class Landlock {
  /** LANDLOCK_CREATE_RULESET_VERSION's answer. */
  public static final int ABI = 3;

  public static final long EXECUTE = 1;
  public static final long WRITE_FILE = 1 << 1;
  public static final long READ_FILE = 1 << 2;
  public static final long READ_DIR = 1 << 3;
  public static final long REMOVE_DIR = 1 << 4;
  public static final long REMOVE_FILE = 1 << 5;
  public static final long MAKE_CHAR = 1 << 6;
  public static final long MAKE_DIR = 1 << 7;
  public static final long MAKE_REG = 1 << 8;
  public static final long MAKE_SOCK = 1 << 9;
  public static final long MAKE_FIFO = 1 << 10;
  public static final long MAKE_BLOCK = 1 << 11;
  public static final long MAKE_SYM = 1 << 12;
  public static final long REFER = 1 << 13;
  public static final long TRUNCATE = 1 << 14;

  /** Every right of this ABI. */
  public static final long ALL = (1 << 15) - 1;

  /** What makes sense for a file that is no directory. */
  public static final long FILE_RIGHTS = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE;

  /** LANDLOCK_MAX_NUM_LAYERS. */
  public static final int MAX_LAYERS = 16;

  private static final int MAX_RULES = 4096;
  private static final int RULE_BYTES = 100;
  private static final HeapBudget BUDGET = new HeapBudget(16);

  private Landlock() {}

  /** What a program is about to take from itself. Guarded by its monitor. */
  public static final class Ruleset {
    private final long handled;
    private final Map<Inode, Long> rules = new HashMap<>();

    public Ruleset(long handled) {
      this.handled = handled;
    }

    public long handled() {
      return handled;
    }

    /** Allows {@code access} on {@code inode} and below. Returns false when there are too many. */
    public synchronized boolean add(Inode inode, long access) {
      if (!rules.containsKey(inode)
          && (rules.size() >= MAX_RULES
              || (rules.size() % 16 == 0 && !BUDGET.charge(this, 16 * RULE_BYTES)))) {
        return false;
      }
      rules.merge(inode, access, (a, b) -> a | b);
      return true;
    }

    synchronized Map<Inode, Long> copyOfRules() {
      return Map.copyOf(rules);
    }
  }

  /** The restrictions of a task, the newest and those before it. Immutable. */
  public static final class Domain {
    private final long handled;
    private final Map<Inode, Long> rules;
    private final @Nullable Domain parent;
    private final int layers;

    public Domain(Ruleset set, @Nullable Domain parent) {
      this.handled = set.handled();
      this.rules = set.copyOfRules();
      if (!BUDGET.charge(this, 200 + (long) rules.size() * RULE_BYTES)) {
        throw ErrnoException.of(redoubt.abi.Errno.ENOMEM);
      }
      this.parent = parent;
      this.layers = parent == null ? 1 : parent.layers + 1;
    }

    public int layers() {
      return layers;
    }

    /** {@return whether this is {@code other} or was made below it} */
    public boolean isWithin(Domain other) {
      for (Domain d = this; d != null; d = d.parent) {
        if (d == other) {
          return true;
        }
      }
      return false;
    }

    private boolean permits(VfsPath place, long access) {
      for (Domain d = this; d != null; d = d.parent) {
        // Moving between directories is refused unless it is handled and allowed.
        long left = access & (d.handled | REFER);
        if (left != 0 && !d.allows(place, left)) {
          return false;
        }
      }
      return true;
    }

    private boolean allows(VfsPath place, long wanted) {
      long left = wanted;
      Mount mount = place.mount;
      Dentry dentry = place.dentry;
      for (; ; ) {
        Inode inode = dentry.inodeOrNull();
        Long rule = inode == null ? null : rules.get(inode);
        if (rule != null) {
          left &= ~rule;
          if (left == 0) {
            return true;
          }
        }
        if (dentry == mount.root) {
          Mount up = mount.parent();
          Dentry at = mount.mountPoint();
          if (up == null || at == null) {
            return false;
          }
          mount = up;
          dentry = at;
          continue;
        }
        Dentry parent = dentry.parent();
        if (parent == null) {
          return false;
        }
        dentry = parent;
      }
    }
  }

  /**
   * Checks that {@code t} may have {@code access} to {@code place}.
   *
   * @throws ErrnoException EACCES
   */
  static void check(Task t, VfsPath place, long access) {
    Domain d = t.creds().landlock;
    if (d != null && !d.permits(place, access)) {
      throw ErrnoException.of(EACCES);
    }
  }

  /** As {@link #check}, for callers that are not of this package. */
  public static void require(Task t, VfsPath place, long access) {
    check(t, place, access);
  }

  /** {@return whether {@code t} may not change mounts or roots at all} */
  public static boolean forbidsMounts(Task t) {
    return t.creds().landlock != null;
  }

  /** {@return the right to make a file of {@code mode}} */
  static long making(int mode) {
    return switch (mode & Inode.S_IFMT) {
      case Inode.S_IFDIR -> MAKE_DIR;
      case Inode.S_IFCHR -> MAKE_CHAR;
      case Inode.S_IFBLK -> MAKE_BLOCK;
      case Inode.S_IFIFO -> MAKE_FIFO;
      case Inode.S_IFSOCK -> MAKE_SOCK;
      case Inode.S_IFLNK -> MAKE_SYM;
      default -> MAKE_REG;
    };
  }

  /**
   * Checks a rename or link from one directory to another.
   *
   * @param removes what is needed in the old directory besides, 0 for link
   * @throws ErrnoException EACCES, EXDEV where REFER is what is missing
   */
  static void checkMove(
      Task t, VfsPath oldParent, VfsPath newParent, int mode, long removes, long replaces) {
    Domain d = t.creds().landlock;
    if (d == null) {
      return;
    }
    boolean same = oldParent.dentry == newParent.dentry && oldParent.mount == newParent.mount;
    if (!d.permits(newParent, making(mode) | replaces)
        || (removes != 0 && !d.permits(oldParent, removes))) {
      throw ErrnoException.of(EACCES);
    }
    if (!same && (!d.permits(oldParent, REFER) || !d.permits(newParent, REFER))) {
      throw ErrnoException.of(EXDEV);
    }
  }
}
