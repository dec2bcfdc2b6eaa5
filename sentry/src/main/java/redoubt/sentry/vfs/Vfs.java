package redoubt.sentry.vfs;

import static redoubt.abi.Errno.EACCES;
import static redoubt.abi.Errno.EBUSY;
import static redoubt.abi.Errno.EEXIST;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EISDIR;
import static redoubt.abi.Errno.ELOOP;
import static redoubt.abi.Errno.ENOENT;
import static redoubt.abi.Errno.ENOTDIR;
import static redoubt.abi.Errno.ENOTEMPTY;
import static redoubt.abi.Errno.ENXIO;
import static redoubt.abi.Errno.EPERM;
import static redoubt.abi.Errno.EROFS;
import static redoubt.abi.Errno.ETXTBSY;
import static redoubt.abi.Errno.EXDEV;
import static redoubt.sentry.vfs.Inode.MAY_EXEC;
import static redoubt.sentry.vfs.Inode.MAY_READ;
import static redoubt.sentry.vfs.Inode.MAY_WRITE;

import org.jspecify.annotations.Nullable;
import redoubt.sentry.kernel.Credentials;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.Task;

/**
 * What the system calls on names do, once arguments are decoded: fs/namei.c. Every method checks
 * what the VFS must check (permissions, read-only mounts, sticky directories, busy mount points),
 * calls the inode, and keeps the dentry cache true.
 */
public final class Vfs {
  public static final int O_CREAT = 0100;
  public static final int O_EXCL = 0200;
  public static final int O_TRUNC = 01000;
  public static final int O_DIRECTORY = 0200000;
  public static final int O_NOFOLLOW = 0400000;
  public static final int O_TMPFILE = 020200000;
  public static final int RENAME_NOREPLACE = 1;
  public static final int RENAME_EXCHANGE = 2;

  private static final int S_ISVTX = 01000;
  private static final int S_ISGID = 02000;
  private static final int CAP_FOWNER = 3;
  private static final int CAP_FSETID = 4;
  private static final int CAP_MKNOD = 27;

  /** One rename at a time in the whole sandbox, so that loops cannot be made. */
  private static final Object RENAME_MU = new Object();

  private Vfs() {}

  /**
   * Opens or creates {@code path}.
   *
   * @param mode permission bits for a new file, before the umask
   * @param resolve RESOLVE_* of openat2(2)
   */
  public static FileDescription open(
      Task t, VfsPath start, String path, int flags, int mode, int resolve) {
    if ((flags & FileDescription.O_PATH) != 0) {
      int follow = (flags & O_NOFOLLOW) != 0 ? 0 : PathWalk.FOLLOW;
      int dir = (flags & O_DIRECTORY) != 0 ? PathWalk.DIRECTORY : 0;
      VfsPath p = new PathWalk(t, start, resolve).to(path, follow | dir);
      return new PathOnlyFile(p, flags, t.creds());
    }
    if ((flags & O_TMPFILE) == O_TMPFILE) {
      return openTmpfile(t, new PathWalk(t, start, resolve), path, flags, mode);
    }
    if ((flags & O_CREAT) != 0) {
      return openCreating(t, new PathWalk(t, start, resolve), path, flags, mode);
    }
    int follow = (flags & O_NOFOLLOW) != 0 ? 0 : PathWalk.FOLLOW;
    int dir = (flags & O_DIRECTORY) != 0 ? PathWalk.DIRECTORY : 0;
    VfsPath p = new PathWalk(t, start, resolve).to(path, follow | dir);
    return openAt(t, p, flags);
  }

  private static FileDescription openCreating(
      Task t, PathWalk walk, String path, int flags, int mode) {
    VfsPath parent = walk.toParent(path);
    for (int i = 0; ; i++) {
      String name = walk.last;
      if (name.isEmpty() || name.equals(".") || name.equals("..") || walk.trailingSlash) {
        if ((flags & O_EXCL) != 0 && !walk.trailingSlash) {
          throw ErrnoException.of(EEXIST);
        }
        throw ErrnoException.of(EISDIR);
      }
      VfsPath p = walk.lookupLast(parent);
      Inode inode = p.dentry.inodeOrNull();
      if (inode == null) {
        FileDescription made = create(t, parent, name, flags, mode);
        if (made != null) {
          return made;
        }
        continue; // somebody else made it meanwhile
      }
      if ((flags & O_EXCL) != 0) {
        throw ErrnoException.of(EEXIST);
      }
      if (inode.isSymlink()) {
        if ((flags & O_NOFOLLOW) != 0 || i >= PathWalk.MAX_LINKS) {
          throw ErrnoException.of(ELOOP);
        }
        parent = walk.followLastToParent(parent, p);
        if (walk.last.isEmpty()) {
          p = parent; // the link led to a root or was a magic link
        } else {
          continue;
        }
      }
      if (p.inode().isDirectory()) {
        throw ErrnoException.of(EISDIR);
      }
      return openAt(t, p, flags);
    }
  }

  private static @Nullable FileDescription create(
      Task t, VfsPath parent, String name, int flags, int mode) {
    checkWritable(parent.mount);
    Inode dir = parent.inode();
    dir.checkPermission(t.creds(), MAY_WRITE | MAY_EXEC);
    Landlock.check(t, parent, Landlock.MAKE_REG);
    checkOpen(t, parent, flags & ~O_TRUNC, false);
    Inode inode;
    Dentry d;
    try {
      synchronized (dir) {
        inode = dir.create(name, masked(t, dir, mode) & 07777, t.creds());
        d = entered(parent.dentry, name, inode);
      }
    } catch (ErrnoException e) {
      if (e.errno() == EEXIST && (flags & O_EXCL) == 0) {
        parent.dentry.dropNegative(name);
        return null;
      }
      throw e;
    }
    FsNotify.created(parent.dentry, name, d);
    VfsPath p = new VfsPath(parent.mount, d);
    FsNotify.askToOpen(t, p);
    // A new file is opened as asked, whatever its mode says.
    return inode.open(t, p, flags & ~O_TRUNC).opened().created();
  }

  private static FileDescription openTmpfile(
      Task t, PathWalk walk, String path, int flags, int mode) {
    if ((flags & FileDescription.O_ACCMODE) == FileDescription.O_RDONLY) {
      throw ErrnoException.of(EINVAL);
    }
    VfsPath parent = walk.to(path, PathWalk.FOLLOW | PathWalk.DIRECTORY);
    checkWritable(parent.mount);
    Inode dir = parent.inode();
    dir.checkPermission(t.creds(), MAY_WRITE | MAY_EXEC);
    Inode inode = dir.tmpfile(masked(t, dir, mode) & 07777, t.creds());
    Dentry d = Dentry.anonymous(inode, "#" + inode.ino());
    return inode.open(t, new VfsPath(parent.mount, d), flags & ~O_DIRECTORY).opened();
  }

  /**
   * Opens the place {@code p}: checks, truncates, and asks the inode or the special file's driver.
   */
  public static FileDescription openAt(Task t, VfsPath p, int flags) {
    Inode inode = p.inode();
    int access = flags & FileDescription.O_ACCMODE;
    boolean writes = access != FileDescription.O_RDONLY || (flags & O_TRUNC) != 0;
    int type = inode.type();
    if (type == Inode.S_IFLNK) {
      throw ErrnoException.of(ELOOP);
    }
    if (type == Inode.S_IFDIR && writes) {
      throw ErrnoException.of(EISDIR);
    }
    int mask =
        access == FileDescription.O_RDONLY
            ? MAY_READ
            : access == FileDescription.O_WRONLY ? MAY_WRITE : MAY_READ | MAY_WRITE;
    if ((flags & O_TRUNC) != 0) {
      mask |= MAY_WRITE;
    }
    inode.checkPermission(t.creds(), mask);
    checkOpen(t, p, flags, inode.isDirectory());
    if ((flags & 01000000) != 0
        && t.creds().fsuid != inode.uid()
        && !t.creds().hasCapabilityOver(inode.uid(), inode.gid(), CAP_FOWNER)) {
      throw ErrnoException.of(EPERM); // O_NOATIME
    }
    if (type == Inode.S_IFSOCK) {
      throw ErrnoException.of(ENXIO);
    }
    if (type == Inode.S_IFREG || type == Inode.S_IFDIR) {
      if (writes) {
        checkWritable(p.mount);
        if (inode.isExecuted()) {
          throw ErrnoException.of(ETXTBSY);
        }
      }
      if (inode.leases != null) {
        Leases.breakFor(t, inode, writes, (flags & FileDescription.O_NONBLOCK) != 0);
      }
      FsNotify.askToOpen(t, p);
      if (type == Inode.S_IFREG && (flags & O_TRUNC) != 0) {
        SetAttr a = new SetAttr();
        a.valid = SetAttr.SIZE;
        inode.setattr(a);
      }
      FileDescription f = inode.open(t, p, flags).opened();
      if (type == Inode.S_IFREG && (flags & O_TRUNC) != 0) {
        FsNotify.truncated(f);
      }
      return f;
    }
    return t.kernel().specialFiles().open(t, p, flags);
  }

  /** truncate(2) is at {@code inode}: leases on it are broken first. */
  public static void breakLeases(Task t, Inode inode) {
    Leases.breakFor(t, inode, true, false);
  }

  /** What landlock says of an open. */
  private static void checkOpen(Task t, VfsPath p, int flags, boolean directory) {
    if (t.creds().landlock == null) {
      return;
    }
    int access = flags & FileDescription.O_ACCMODE;
    long need =
        access == FileDescription.O_WRONLY ? 0 : directory ? Landlock.READ_DIR : Landlock.READ_FILE;
    need |= access == FileDescription.O_RDONLY ? 0 : Landlock.WRITE_FILE;
    need |= (flags & O_TRUNC) != 0 ? Landlock.TRUNCATE : 0;
    Landlock.check(t, p, need);
  }

  public static void mkdir(Task t, VfsPath start, String path, int mode) {
    makeNode(
        t,
        start,
        path,
        Inode.S_IFDIR,
        (dir, name) -> dir.mkdir(name, masked(t, dir, mode) & 01777, t.creds()));
  }

  /**
   * mknod(2) for every type but directories; {@code mode} has the type, 0 meaning a regular file.
   */
  public static void mknod(Task t, VfsPath start, String path, int mode, long rdev) {
    int type = mode & Inode.S_IFMT;
    int perm = mode & 07777;
    switch (type) {
      case 0, Inode.S_IFREG ->
          makeNode(
              t,
              start,
              path,
              Inode.S_IFREG,
              (dir, name) -> dir.create(name, masked(t, dir, perm), t.creds()));
      case Inode.S_IFIFO, Inode.S_IFSOCK ->
          makeNode(
              t,
              start,
              path,
              type,
              (dir, name) -> dir.mknod(name, type | masked(t, dir, perm), 0, t.creds()));
      case Inode.S_IFCHR, Inode.S_IFBLK -> {
        if (!t.creds().hasCapability(CAP_MKNOD)) {
          throw ErrnoException.of(EPERM);
        }
        makeNode(
            t,
            start,
            path,
            type,
            (dir, name) -> dir.mknod(name, type | masked(t, dir, perm), rdev, t.creds()));
      }
      case Inode.S_IFDIR -> throw ErrnoException.of(EPERM);
      default -> throw ErrnoException.of(EINVAL);
    }
  }

  public static void symlink(Task t, String target, VfsPath start, String path) {
    if (target.isEmpty()) {
      throw ErrnoException.of(ENOENT);
    }
    makeNode(t, start, path, Inode.S_IFLNK, (dir, name) -> dir.symlink(name, target, t.creds()));
  }

  /**
   * Binds a socket's name: as mknod with S_IFSOCK; {@return where it is now}. EADDRINUSE is the
   * caller's.
   */
  public static VfsPath bindSocket(Task t, VfsPath start, String path, int mode) {
    int perm = mode & 07777;
    return makeNode(
        t,
        start,
        path,
        Inode.S_IFSOCK,
        (dir, name) -> dir.mknod(name, Inode.S_IFSOCK | masked(t, dir, perm), 0, t.creds()));
  }

  /** Gives the file at {@code old} another name. */
  public static void link(Task t, VfsPath old, VfsPath start, String path) {
    Inode target = old.inode();
    PathWalk walk = new PathWalk(t, start);
    VfsPath parent = newNameParent(walk, path, false);
    if (parent.mount != old.mount) {
      throw ErrnoException.of(EXDEV);
    }
    Inode dir = checkedForCreate(t, parent);
    checkLinkMove(t, old, parent, target);
    if (target.isDirectory()) {
      throw ErrnoException.of(EPERM);
    }
    Dentry d;
    synchronized (dir) {
      dir.link(walk.last, target);
      d = entered(parent.dentry, walk.last, target);
    }
    FsNotify.linked(parent.dentry, walk.last, d);
  }

  private static void checkLinkMove(Task t, VfsPath old, VfsPath parent, Inode target) {
    Dentry up = old.dentry.parent();
    if (t.creds().landlock != null && up != null) {
      Landlock.checkMove(t, new VfsPath(old.mount, up), parent, target.mode(), 0, 0);
    }
  }

  public static void unlink(Task t, VfsPath start, String path) {
    remove(t, start, path, false);
  }

  public static void rmdir(Task t, VfsPath start, String path) {
    remove(t, start, path, true);
  }

  private static void remove(Task t, VfsPath start, String path, boolean directory) {
    PathWalk walk = new PathWalk(t, start);
    VfsPath parent = walk.toParent(path);
    String name = walk.last;
    if (directory) {
      if (name.isEmpty()) {
        throw ErrnoException.of(EBUSY);
      }
      if (name.equals(".")) {
        throw ErrnoException.of(EINVAL);
      }
      if (name.equals("..")) {
        throw ErrnoException.of(ENOTEMPTY);
      }
    } else if (name.isEmpty() || name.equals(".") || name.equals("..")) {
      throw ErrnoException.of(EISDIR);
    }
    boolean slash = walk.trailingSlash;
    while (!removeOnce(t, walk, parent, name, directory, slash)) {
      // Somebody else gave the name to another file meanwhile.
    }
  }

  /** Returns false if the name was somebody else's by the time that the directory was locked. */
  private static boolean removeOnce(
      Task t, PathWalk walk, VfsPath parent, String name, boolean directory, boolean slash) {
    VfsPath p = walk.lookupLast(parent);
    Inode child = p.dentry.inode();
    if (!directory && slash) {
      throw ErrnoException.of(child.isDirectory() ? EISDIR : ENOTDIR);
    }
    checkWritable(parent.mount);
    checkDelete(t.creds(), parent.inode(), child);
    Landlock.check(t, parent, directory ? Landlock.REMOVE_DIR : Landlock.REMOVE_FILE);
    if (directory && !child.isDirectory()) {
      throw ErrnoException.of(ENOTDIR);
    }
    if (!directory && child.isDirectory()) {
      throw ErrnoException.of(EISDIR);
    }
    if (p.mount != parent.mount || p.dentry.isMountPoint()) {
      throw ErrnoException.of(EBUSY);
    }
    Inode dir = parent.inode();
    synchronized (dir) {
      if (walk.lookupLast(parent).dentry != p.dentry) {
        return false;
      }
      if (directory) {
        dir.rmdir(name, child);
      } else {
        dir.unlink(name, child);
      }
      p.dentry.detach();
      if (dir.cachesNegative()) {
        parent.dentry.enterChild(
            name, null); // a name just removed is often made or asked for again
      }
    }
    FsNotify.removed(parent.dentry, p.dentry, child);
    return true;
  }

  /** renameat2(2). */
  public static void rename(
      Task t, VfsPath oldStart, String oldPath, VfsPath newStart, String newPath, int flags) {
    PathWalk oldWalk = new PathWalk(t, oldStart);
    PathWalk newWalk = new PathWalk(t, newStart);
    VfsPath oldParent = oldWalk.toParent(oldPath);
    VfsPath newParent = newWalk.toParent(newPath);
    if (oldParent.mount != newParent.mount) {
      throw ErrnoException.of(EXDEV);
    }
    String oldName = checkedRenameName(oldWalk.last);
    String newName = checkedRenameName(newWalk.last);
    synchronized (RENAME_MU) {
      while (!renameOnce(t, oldWalk, oldParent, oldName, newWalk, newParent, newName, flags)) {
        // Somebody else made or removed one of the names meanwhile.
      }
    }
  }

  /**
   * Returns false if the names had changed by the time that the directories were locked. Under
   * RENAME_MU.
   */
  private static boolean renameOnce(
      Task t,
      PathWalk oldWalk,
      VfsPath oldParent,
      String oldName,
      PathWalk newWalk,
      VfsPath newParent,
      String newName,
      int flags) {
    VfsPath from = oldWalk.lookupLast(oldParent);
    Inode moving = from.dentry.inode();
    VfsPath to = newWalk.lookupLast(newParent);
    Inode replaced = to.dentry.inodeOrNull();
    if ((flags & RENAME_NOREPLACE) != 0 && replaced != null) {
      throw ErrnoException.of(EEXIST);
    }
    if ((flags & RENAME_EXCHANGE) != 0) {
      if (replaced == null) {
        throw ErrnoException.of(ENOENT);
      }
      if (!replaced.isDirectory() && newWalk.trailingSlash) {
        throw ErrnoException.of(ENOTDIR);
      }
    }
    if (!moving.isDirectory()
        && (oldWalk.trailingSlash || (newWalk.trailingSlash && (flags & RENAME_EXCHANGE) == 0))) {
      throw ErrnoException.of(ENOTDIR);
    }
    if (from.mount != oldParent.mount || to.mount != newParent.mount) {
      throw ErrnoException.of(EBUSY);
    }
    checkRename(t, from, oldParent, to, newParent, flags);
    if (replaced == moving && (flags & RENAME_EXCHANGE) == 0) {
      return true; // two names of one file: nothing to do
    }
    Inode oldDir = oldParent.inode();
    Inode newDir = newParent.inode();
    Inode first = oldDir.ino() <= newDir.ino() ? oldDir : newDir;
    Inode second = first == oldDir ? newDir : oldDir;
    synchronized (first) {
      synchronized (second) {
        Dentry now = newWalk.lookupLast(newParent).dentry;
        if (oldWalk.lookupLast(oldParent).dentry != from.dentry
            || (replaced == null ? !now.isNegative() : now != to.dentry)) {
          return false;
        }
        oldDir.rename(oldName, newDir, newName, flags);
        if ((flags & RENAME_EXCHANGE) != 0) {
          Dentry other = to.dentry;
          from.dentry.exchange(other);
        } else {
          if (replaced != null) {
            to.dentry.detach();
          } else {
            newParent.dentry.dropNegative(newName);
          }
          from.dentry.move(newParent.dentry, newName);
        }
      }
    }
    if ((flags & RENAME_EXCHANGE) != 0 && replaced != null) {
      FsNotify.moved(oldParent.dentry, oldName, newParent.dentry, newName, from.dentry, null);
      FsNotify.moved(newParent.dentry, newName, oldParent.dentry, oldName, to.dentry, null);
    } else {
      FsNotify.moved(oldParent.dentry, oldName, newParent.dentry, newName, from.dentry, to.dentry);
      if (replaced != null) {
        FsNotify.nameGone(to.dentry, replaced);
      }
    }
    return true;
  }

  private static String checkedRenameName(String name) {
    if (name.isEmpty() || name.equals(".") || name.equals("..")) {
      throw ErrnoException.of(EBUSY);
    }
    return name;
  }

  private static void checkRename(
      Task t, VfsPath from, VfsPath oldParent, VfsPath to, VfsPath newParent, int flags) {
    Inode moving = from.inode();
    Inode replaced = to.dentry.inodeOrNull();
    if (newParent.dentry.isBelow(from.dentry)) {
      throw ErrnoException.of(EINVAL);
    }
    if (oldParent.dentry.isBelow(to.dentry)) {
      throw ErrnoException.of((flags & RENAME_EXCHANGE) != 0 ? EINVAL : ENOTEMPTY);
    }
    checkWritable(oldParent.mount);
    checkDelete(t.creds(), oldParent.inode(), moving);
    if (replaced == null) {
      newParent.inode().checkPermission(t.creds(), MAY_WRITE | MAY_EXEC);
    } else {
      checkDelete(t.creds(), newParent.inode(), replaced);
      if ((flags & RENAME_EXCHANGE) == 0) {
        if (moving.isDirectory() && !replaced.isDirectory()) {
          throw ErrnoException.of(ENOTDIR);
        }
        if (!moving.isDirectory() && replaced.isDirectory()) {
          throw ErrnoException.of(EISDIR);
        }
      }
    }
    if (moving.isDirectory() && oldParent.dentry != newParent.dentry) {
      moving.checkPermission(t.creds(), MAY_WRITE);
    }
    if (t.creds().landlock != null) {
      Landlock.checkMove(
          t, oldParent, newParent, moving.mode(), removing(moving), removing(replaced));
    }
    if (from.dentry.isMountPoint() || to.dentry.isMountPoint()) {
      throw ErrnoException.of(EBUSY);
    }
  }

  private static long removing(@Nullable Inode inode) {
    return inode == null ? 0 : inode.isDirectory() ? Landlock.REMOVE_DIR : Landlock.REMOVE_FILE;
  }

  /** EROFS for a read-only mount. */
  public static void checkWritable(Mount m) {
    if (m.isReadOnly()) {
      throw ErrnoException.of(EROFS);
    }
  }

  /** Linux's may_delete: write and search on the directory, and the sticky bit. */
  private static void checkDelete(Credentials c, Inode dir, Inode child) {
    dir.checkPermission(c, MAY_WRITE | MAY_EXEC);
    if ((dir.mode() & S_ISVTX) != 0
        && c.fsuid != child.uid()
        && c.fsuid != dir.uid()
        && !c.hasCapabilityOver(child.uid(), child.gid(), CAP_FOWNER)) {
      throw ErrnoException.of(EPERM);
    }
  }

  private interface Maker {
    Inode make(Inode dir, String name);
  }

  private static VfsPath makeNode(Task t, VfsPath start, String path, int type, Maker maker) {
    PathWalk walk = new PathWalk(t, start);
    VfsPath parent = newNameParent(walk, path, type == Inode.S_IFDIR);
    Inode dir = checkedForCreate(t, parent);
    Landlock.check(t, parent, Landlock.making(type));
    VfsPath p;
    synchronized (dir) {
      Inode made = maker.make(dir, walk.last);
      p = new VfsPath(parent.mount, entered(parent.dentry, walk.last, made));
    }
    FsNotify.created(parent.dentry, walk.last, p.dentry);
    return p;
  }

  /** Walks to the parent of a name that must not exist yet. */
  private static VfsPath newNameParent(PathWalk walk, String path, boolean directory) {
    VfsPath parent = walk.toParent(path);
    if (walk.last.isEmpty() || walk.last.equals(".") || walk.last.equals("..")) {
      throw ErrnoException.of(EEXIST);
    }
    VfsPath p = walk.lookupLast(parent);
    if (!p.dentry.isNegative()) {
      throw ErrnoException.of(EEXIST);
    }
    if (walk.trailingSlash && !directory) {
      throw ErrnoException.of(ENOENT);
    }
    return parent;
  }

  /**
   * {@return {@code mode} without what the umask takes}; a default ACL stands in the umask's place.
   * The set-group-ID bit goes before, while group execution still tells what it means:
   * vfs_prepare_mode.
   */
  private static int masked(Task t, Inode dir, int mode) {
    int sgid = S_ISGID | 0010;
    int m = mode;
    if ((m & sgid) == sgid
        && (dir.mode() & S_ISGID) != 0
        && !t.creds().inGroup(dir.gid())
        && !t.creds().hasCapabilityOver(dir.uid(), dir.gid(), CAP_FSETID)) {
      m &= ~S_ISGID;
    }
    return dir.acl(true) != null ? m : m & ~t.fs().umask();
  }

  private static Inode checkedForCreate(Task t, VfsPath parent) {
    checkWritable(parent.mount);
    Inode dir = parent.inode();
    dir.checkPermission(t.creds(), MAY_WRITE | MAY_EXEC);
    return dir;
  }

  private static Dentry entered(Dentry parent, String name, Inode inode) {
    return parent.enterChild(name, inode);
  }

  /** chdir's and chroot's check: a directory that may be searched. */
  public static VfsPath directory(Task t, VfsPath start, String path) {
    VfsPath p = new PathWalk(t, start).to(path, PathWalk.FOLLOW | PathWalk.DIRECTORY);
    p.inode().checkPermission(t.creds(), MAY_EXEC);
    return p;
  }

  /** execve's check: {@return the regular, executable file at {@code path}} */
  public static VfsPath executable(Task t, VfsPath start, String path, boolean follow) {
    VfsPath p = new PathWalk(t, start).to(path, follow ? PathWalk.FOLLOW : 0);
    if (p.inode().isSymlink()) {
      throw ErrnoException.of(ELOOP);
    }
    checkExecutable(t, p);
    return p;
  }

  public static void checkExecutable(Task t, VfsPath p) {
    if (!p.inode().isRegular() || (p.mount.flags() & Mount.MS_NOEXEC) != 0) {
      throw ErrnoException.of(EACCES);
    }
    p.inode().checkPermission(t.creds(), MAY_EXEC);
    Landlock.check(t, p, Landlock.EXECUTE | Landlock.READ_FILE);
  }
}
