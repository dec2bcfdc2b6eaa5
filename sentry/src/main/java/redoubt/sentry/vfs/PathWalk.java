package redoubt.sentry.vfs;

import static redoubt.abi.Errno.ELOOP;
import static redoubt.abi.Errno.ENAMETOOLONG;
import static redoubt.abi.Errno.ENOENT;
import static redoubt.abi.Errno.ENOTDIR;
import static redoubt.abi.Errno.EXDEV;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.Task;

/**
 * From a path to a place: <a
 * href="https://man7.org/linux/man-pages/man7/path_resolution.7.html">path_resolution(7)</a>,
 * fs/namei.c.
 *
 * <p>An object serves one walk. After {@link #toParent} the fields {@link #last} and {@link
 * #trailingSlash} tell what remains.
 */
public final class PathWalk {
  /** Follow a symbolic link at the end. */
  public static final int FOLLOW = 1;

  /** The end must be a directory. */
  public static final int DIRECTORY = 2;

  // openat2's restrictions, with the values of RESOLVE_*.
  public static final int RESOLVE_NO_XDEV = 0x01;
  public static final int RESOLVE_NO_MAGICLINKS = 0x02;
  public static final int RESOLVE_NO_SYMLINKS = 0x04;
  public static final int RESOLVE_BENEATH = 0x08;
  public static final int RESOLVE_IN_ROOT = 0x10;

  /** Most symbolic links followed in one walk, as Linux's MAXSYMLINKS. */
  static final int MAX_LINKS = 40;

  private static final int NAME_MAX = 255;

  private final Task task;
  private final VfsPath start;
  private final int resolve;
  private VfsPath root;
  private VfsPath at;
  private int links;

  /** The last component after {@link #toParent}: a name, "." or "..", or "" for the root itself. */
  public String last = "";

  public boolean trailingSlash;

  /**
   * @param start where a relative path begins
   */
  public PathWalk(Task task, VfsPath start, int resolve) {
    this.task = task;
    this.start = start;
    this.at = start;
    this.resolve = resolve;
    this.root = (resolve & (RESOLVE_IN_ROOT | RESOLVE_BENEATH)) != 0 ? start : task.fs().root();
  }

  public PathWalk(Task task, VfsPath start) {
    this(task, start, 0);
  }

  /**
   * {@return the place that {@code path} names}
   *
   * @param flags {@link #FOLLOW}, {@link #DIRECTORY}
   * @throws ErrnoException ENOENT, ENOTDIR, EACCES, ELOOP, ENAMETOOLONG, …
   */
  public VfsPath to(String path, int flags) {
    VfsPath p = walk(path, flags, false);
    if (p.dentry.isNegative()) {
      throw ErrnoException.of(ENOENT);
    }
    if (((flags & DIRECTORY) != 0 || trailingSlash) && !p.inode().isDirectory()) {
      throw ErrnoException.of(ENOTDIR);
    }
    return p;
  }

  /**
   * {@return the directory that holds the last component of {@code path}} The rest is in {@link
   * #last}.
   */
  public VfsPath toParent(String path) {
    return walk(path, 0, true);
  }

  /**
   * Goes on from the directory that {@link #toParent} returned: {@return the place of {@link
   * #last}, whose dentry may be negative}
   */
  public VfsPath lookupLast(VfsPath parent) {
    at = parent;
    return mountsOn(parent.mount, child(parent.dentry, last, "", 0));
  }

  /**
   * Follows the symbolic link at {@code link}, found as the last component in {@code parent}, up to
   * the next parent: for open with O_CREAT, which creates what a dangling link points to.
   */
  public VfsPath followLastToParent(VfsPath parent, VfsPath link) {
    at = parent;
    String target = linkTarget(link);
    if (target == null) {
      last = "";
      return at; // a magic link: at is the place itself
    }
    return walk(target, 0, true);
  }

  private VfsPath walk(String path, int flags, boolean parentOnly) {
    if (path.isEmpty()) {
      throw ErrnoException.of(ENOENT);
    }
    String rest = path;
    int i = 0;
    trailingSlash = false;
    if (rest.charAt(0) == '/') {
      jumpToRoot();
    }
    for (; ; ) {
      int n = rest.length();
      while (i < n && rest.charAt(i) == '/') {
        i++;
      }
      if (i == n) {
        last = "";
        return at;
      }
      int end = rest.indexOf('/', i);
      if (end < 0) {
        end = n;
      }
      int after = end;
      while (after < n && rest.charAt(after) == '/') {
        after++;
      }
      boolean isLast = after == n;
      String name = rest.substring(i, end);
      checkSearch();
      if (isLast) {
        trailingSlash = after > end;
        if (parentOnly) {
          last = name;
          return at;
        }
      }
      i = after;
      if (name.equals(".")) {
        continue;
      }
      if (name.equals("..")) {
        dotDot();
        continue;
      }
      VfsPath next = mountsOn(at.mount, child(at.dentry, name, rest, after));
      Inode inode = next.dentry.inodeOrNull();
      if (inode == null) {
        if (isLast) {
          last = name;
          return next;
        }
        throw ErrnoException.of(ENOENT);
      }
      if (inode.isSymlink() && (!isLast || trailingSlash || (flags & FOLLOW) != 0)) {
        String target = linkTarget(next);
        if (target == null) {
          continue; // magic: at has moved
        }
        rest = isLast && !trailingSlash ? target : target + "/" + rest.substring(after);
        i = 0;
        if (target.isEmpty()) {
          throw ErrnoException.of(ENOENT);
        }
        if (target.charAt(0) == '/') {
          jumpToRoot();
        }
        continue;
      }
      at = next;
    }
  }

  private void checkSearch() {
    Inode dir = at.inode();
    if (!dir.isDirectory()) {
      throw ErrnoException.of(ENOTDIR);
    }
    dir.checkPermission(task.creds(), Inode.MAY_EXEC);
  }

  private void jumpToRoot() {
    if ((resolve & RESOLVE_BENEATH) != 0) {
      throw ErrnoException.of(EXDEV);
    }
    if ((resolve & RESOLVE_NO_XDEV) != 0 && root.mount != at.mount) {
      throw ErrnoException.of(EXDEV);
    }
    at = root;
  }

  private void dotDot() {
    Mount mount = at.mount;
    Dentry dentry = at.dentry;
    for (; ; ) {
      if (mount == root.mount && dentry == root.dentry) {
        if ((resolve & RESOLVE_BENEATH) != 0) {
          throw ErrnoException.of(EXDEV);
        }
        break;
      }
      if (dentry == mount.root) {
        Mount up = mount.parent();
        Dentry point = mount.mountPoint();
        if (up == null || point == null) {
          break;
        }
        if ((resolve & RESOLVE_NO_XDEV) != 0) {
          throw ErrnoException.of(EXDEV);
        }
        mount = up;
        dentry = point;
        continue;
      }
      Dentry parent = dentry.parent();
      if (parent != null) {
        dentry = parent;
      }
      break;
    }
    at = mountsOn(mount, dentry);
  }

  /** Crosses to whatever is mounted on top of {@code dentry}. */
  private VfsPath mountsOn(Mount mount, Dentry dentry) {
    while (dentry.isMountPoint()) {
      Mount over = mount.child(dentry);
      if (over == null) {
        break;
      }
      if ((resolve & RESOLVE_NO_XDEV) != 0) {
        throw ErrnoException.of(EXDEV);
      }
      mount = over;
      dentry = over.root;
    }
    return new VfsPath(mount, dentry);
  }

  private Dentry child(Dentry dir, String name, String rest, int after) {
    if (name.length() > NAME_MAX) {
      throw ErrnoException.of(ENAMETOOLONG);
    }
    Dentry cached = dir.cachedChild(name);
    if (cached != null) {
      if (!dir.fs.needsRevalidate() || cached.isMountPoint() || dir.inode().revalidate(cached)) {
        return cached;
      }
      dir.forget(cached);
    }
    return lookup(dir, name, rest, after);
  }

  private static Dentry lookup(Dentry dir, String name, String rest, int after) {
    Inode inode = dir.inode();
    synchronized (inode) {
      Dentry cached = dir.cachedChild(name);
      if (cached != null) {
        return cached;
      }
      if (after < rest.length() && dir.fs.batchesWalks()) {
        inode.prefetch(dir, upcoming(name, rest, after));
        cached = dir.cachedChild(name);
        if (cached != null) {
          return cached;
        }
      }
      Inode found = inode.lookup(name);
      if (found == null && !inode.cachesNegative()) {
        return Dentry.negative(dir, name);
      }
      return dir.enterChild(name, found);
    }
  }

  private static List<String> upcoming(String name, String rest, int from) {
    List<String> names = new ArrayList<>();
    names.add(name);
    int i = from;
    while (i < rest.length() && names.size() < 16) {
      int end = rest.indexOf('/', i);
      if (end < 0) {
        end = rest.length();
      }
      String next = rest.substring(i, end);
      if (next.equals("..") || next.length() > NAME_MAX) {
        break;
      }
      if (!next.isEmpty() && !next.equals(".")) {
        names.add(next);
      }
      i = end + 1;
    }
    return names;
  }

  /**
   * {@return the text of the link at {@code link}}, or null after a magic link moved {@link #at}.
   */
  private @Nullable String linkTarget(VfsPath link) {
    if (++links > MAX_LINKS || (resolve & RESOLVE_NO_SYMLINKS) != 0) {
      throw ErrnoException.of(ELOOP);
    }
    Inode inode = link.inode();
    VfsPath magic = inode.followMagic(task);
    if (magic != null) {
      if ((resolve & RESOLVE_NO_MAGICLINKS) != 0) {
        throw ErrnoException.of(ELOOP);
      }
      if ((resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT)) != 0) {
        throw ErrnoException.of(EXDEV);
      }
      at = magic;
      return null;
    }
    return inode.readlink(task);
  }

  /** {@return where the walk began} */
  public VfsPath start() {
    return start;
  }

  /**
   * {@return the path of {@code place} as seen from {@code root}: "(unreachable)/…" when outside}
   */
  public static String textOf(VfsPath place, VfsPath root) {
    StringBuilder out = new StringBuilder();
    Mount mount = place.mount;
    Dentry dentry = place.dentry;
    boolean deleted = dentry.isDetached();
    for (; ; ) {
      if (mount == root.mount && dentry == root.dentry) {
        break;
      }
      if (dentry == mount.root) {
        Mount up = mount.parent();
        Dentry point = mount.mountPoint();
        if (up == null || point == null) {
          break;
        }
        mount = up;
        dentry = point;
        continue;
      }
      out.insert(0, dentry.name()).insert(0, '/');
      Dentry parent = dentry.parent();
      if (parent == null) {
        break;
      }
      dentry = parent;
    }
    if (out.isEmpty()) {
      out.append('/');
    }
    return deleted ? out.append(" (deleted)").toString() : out.toString();
  }
}
