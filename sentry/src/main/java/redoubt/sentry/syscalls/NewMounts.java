package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.E2BIG;
import static redoubt.abi.Errno.EBADF;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ENODEV;
import static redoubt.abi.Errno.EOPNOTSUPP;
import static redoubt.abi.Errno.EPERM;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Fcntl;
import redoubt.abi.Mount;
import redoubt.host.Memory;
import redoubt.sentry.fs.FileSystems;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.vfs.Dentry;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.FileSystem;
import redoubt.sentry.vfs.Mount.Propagation;
import redoubt.sentry.vfs.MountNamespace;
import redoubt.sentry.vfs.PathOnlyFile;
import redoubt.sentry.vfs.PathWalk;
import redoubt.sentry.vfs.VfsPath;

/**
 * Mounting in steps: open_tree, move_mount, fsopen, fsconfig, fsmount, fspick and mount_setattr of
 * fs/namespace.c and fs/fsopen.c.
 */
final class NewMounts {
  private static final int KEY_MAX = 256;
  private static final int FSMOUNT_VALID_FLAGS =
      Mount.MOUNT_ATTR_RDONLY
          | Mount.MOUNT_ATTR_NOSUID
          | Mount.MOUNT_ATTR_NODEV
          | Mount.MOUNT_ATTR_NOEXEC
          | Mount.MOUNT_ATTR__ATIME
          | Mount.MOUNT_ATTR_NODIRATIME
          | Mount.MOUNT_ATTR_NOSYMFOLLOW;

  private NewMounts() {}

  private static VfsPath at(Task t, int dirfd, long upath, boolean follow, boolean mayBeEmpty) {
    String path = mayBeEmpty ? t.copyInPathOrEmpty(upath) : t.copyInPath(upath);
    if (path.isEmpty()) {
      return t.startAt(dirfd, path);
    }
    return new PathWalk(t, t.startAt(dirfd, path)).to(path, follow ? PathWalk.FOLLOW : 0);
  }

  /** <a href="https://man7.org/linux/man-pages/man2/open_tree.2.html">open_tree(2)</a>. */
  static long openTree(Task t, Args a) {
    int flags = a.int2();
    int known =
        Fcntl.AT_EMPTY_PATH
            | Fcntl.AT_NO_AUTOMOUNT
            | Mount.AT_RECURSIVE
            | Fcntl.AT_SYMLINK_NOFOLLOW
            | Mount.OPEN_TREE_CLONE
            | Mount.OPEN_TREE_CLOEXEC;
    boolean clone = (flags & Mount.OPEN_TREE_CLONE) != 0;
    boolean deep = (flags & Mount.AT_RECURSIVE) != 0;
    if ((flags & ~known) != 0 || (deep && !clone)) {
      return -EINVAL;
    }
    if (clone && !Mounting.mayMount(t)) {
      return -EPERM;
    }
    boolean follow = (flags & Fcntl.AT_SYMLINK_NOFOLLOW) == 0;
    VfsPath p = at(t, a.int0(), a.a1, follow, (flags & Fcntl.AT_EMPTY_PATH) != 0);
    boolean closeOnExec = (flags & Mount.OPEN_TREE_CLOEXEC) != 0;
    if (!clone) {
      return t.installFd(new PathOnlyFile(p, Fcntl.O_PATH, t.creds()), closeOnExec);
    }
    if (!Mounting.isOurs(t, p.mount)) {
      return -EINVAL;
    }
    MountNamespace copy = MountNamespace.detachedCopy(p, deep, t.userNamespace());
    return t.installFd(new DetachedTree(t, copy), closeOnExec);
  }

  /** <a href="https://man7.org/linux/man-pages/man2/move_mount.2.html">move_mount(2)</a>. */
  static long moveMount(Task t, Args a) {
    int flags = a.int4();
    if (!Mounting.mayMount(t)) {
      return -EPERM;
    }
    int both = Mount.MOVE_MOUNT_BENEATH | Mount.MOVE_MOUNT_SET_GROUP;
    if ((flags & ~(Mount.MOVE_MOUNT__MASK | Mount.MOVE_MOUNT_BENEATH)) != 0
        || (flags & both) == both) {
      return -EINVAL;
    }
    boolean fromFollows = (flags & Mount.MOVE_MOUNT_F_SYMLINKS) != 0;
    boolean toFollows = (flags & Mount.MOVE_MOUNT_T_SYMLINKS) != 0;
    VfsPath from = at(t, a.int0(), a.a1, fromFollows, (flags & Mount.MOVE_MOUNT_F_EMPTY_PATH) != 0);
    VfsPath to = at(t, a.int2(), a.a3, toFollows, (flags & Mount.MOVE_MOUNT_T_EMPTY_PATH) != 0);
    if ((flags & Mount.MOVE_MOUNT_SET_GROUP) != 0) {
      if (from.dentry != from.mount.root
          || to.dentry != to.mount.root
          || from.mount.namespace() == null
          || !Mounting.isOurs(t, to.mount)) {
        return -EINVAL;
      }
      MountNamespace.joinGroup(from.mount, to.mount);
      return 0;
    }
    return Mounting.move(t, from, to, (flags & Mount.MOVE_MOUNT_BENEATH) != 0);
  }

  /** <a href="https://man7.org/linux/man-pages/man2/fsopen.2.html">fsopen(2)</a>. */
  static long fsopen(Task t, Args a) {
    if (!Mounting.mayMount(t)) {
      return -EPERM;
    }
    if ((a.int1() & ~Mount.FSOPEN_CLOEXEC) != 0) {
      return -EINVAL;
    }
    String name = t.copyInString(a.a0, Task.PATH_MAX, EINVAL);
    FileSystems.Type type = Mounting.type(t, name);
    if (type == null) {
      return -ENODEV;
    }
    return t.installFd(new FsContextFile(t, name, type), (a.int1() & 1) != 0);
  }

  /** <a href="https://man7.org/linux/man-pages/man2/fspick.2.html">fspick(2)</a>. */
  static long fspick(Task t, Args a) {
    if (!Mounting.mayMount(t)) {
      return -EPERM;
    }
    int flags = a.int2();
    int known =
        Mount.FSPICK_CLOEXEC
            | Mount.FSPICK_SYMLINK_NOFOLLOW
            | Mount.FSPICK_NO_AUTOMOUNT
            | Mount.FSPICK_EMPTY_PATH;
    if ((flags & ~known) != 0) {
      return -EINVAL;
    }
    boolean follow = (flags & Mount.FSPICK_SYMLINK_NOFOLLOW) == 0;
    VfsPath p = at(t, a.int0(), a.a1, follow, (flags & Mount.FSPICK_EMPTY_PATH) != 0);
    if (p.dentry != p.mount.root) {
      return -EINVAL;
    }
    return t.installFd(new FsContextFile(t, p.mount.fs), (flags & Mount.FSPICK_CLOEXEC) != 0);
  }

  /** <a href="https://man7.org/linux/man-pages/man2/fsconfig.2.html">fsconfig(2)</a>. */
  static long fsconfig(Task t, Args a) {
    int command = a.int1();
    int aux = a.int4();
    boolean key = a.a2 != 0;
    boolean value = a.a3 != 0;
    if (a.int0() < 0) {
      return -EINVAL;
    }
    boolean right =
        switch (command) {
          case Mount.FSCONFIG_SET_FLAG -> key && !value && aux == 0;
          case Mount.FSCONFIG_SET_STRING -> key && value && aux == 0;
          case Mount.FSCONFIG_SET_BINARY -> key && value && aux > 0 && aux <= 1024 * 1024;
          case Mount.FSCONFIG_SET_PATH, Mount.FSCONFIG_SET_PATH_EMPTY ->
              key && value && (aux == Fcntl.AT_FDCWD || aux >= 0);
          case Mount.FSCONFIG_SET_FD -> key && !value && aux >= 0;
          case Mount.FSCONFIG_CMD_CREATE,
              Mount.FSCONFIG_CMD_CREATE_EXCL,
              Mount.FSCONFIG_CMD_RECONFIGURE ->
              !key && !value && aux == 0;
          default -> throw ErrnoException.of(EOPNOTSUPP);
        };
    if (!right) {
      return -EINVAL;
    }
    FileDescription f = t.file(a.int0());
    if (f == null) {
      return -EBADF;
    }
    try {
      return f instanceof FsContextFile c ? configure(t, a, c, command) : -EINVAL;
    } finally {
      f.decRef();
    }
  }

  private static long configure(Task t, Args a, FsContextFile c, int command) {
    String key = a.a2 == 0 ? "" : t.copyInString(a.a2, KEY_MAX, EINVAL);
    return switch (command) {
      case Mount.FSCONFIG_SET_FLAG -> c.set(key, null);
      case Mount.FSCONFIG_SET_STRING -> c.set(key, t.copyInString(a.a3, KEY_MAX, EINVAL));
      case Mount.FSCONFIG_CMD_CREATE, Mount.FSCONFIG_CMD_CREATE_EXCL -> c.create(t);
      case Mount.FSCONFIG_CMD_RECONFIGURE -> c.reconfigure(t);
      // No filesystem of ours takes a blob, a path or a descriptor.
      case Mount.FSCONFIG_SET_PATH -> {
        t.copyInPath(a.a3);
        yield -EINVAL;
      }
      case Mount.FSCONFIG_SET_FD -> t.fds().peek(a.int4()) == null ? -EBADF : -EINVAL;
      default -> -EINVAL;
    };
  }

  /** {@return the MS_* flags of MOUNT_ATTR_* flags} */
  private static int mountFlags(long attr) {
    int f = (int) attr & (Mount.MS_RDONLY | Mount.MS_NOSUID | Mount.MS_NODEV | Mount.MS_NOEXEC);
    f |= (attr & Mount.MOUNT_ATTR_NODIRATIME) != 0 ? Mount.MS_NODIRATIME : 0;
    f |= (attr & Mount.MOUNT_ATTR_NOSYMFOLLOW) != 0 ? Mount.MS_NOSYMFOLLOW : 0;
    return f;
  }

  /** {@return MS_NOATIME, MS_RELATIME or 0 for an access time rule}, -1 for a contradiction */
  private static int atime(long attr) {
    return switch ((int) (attr & Mount.MOUNT_ATTR__ATIME)) {
      case Mount.MOUNT_ATTR_RELATIME -> Mount.MS_RELATIME;
      case Mount.MOUNT_ATTR_NOATIME -> Mount.MS_NOATIME;
      case Mount.MOUNT_ATTR_STRICTATIME -> 0;
      default -> -1;
    };
  }

  /** <a href="https://man7.org/linux/man-pages/man2/fsmount.2.html">fsmount(2)</a>. */
  static long fsmount(Task t, Args a) {
    if (!Mounting.mayMount(t)) {
      return -EPERM;
    }
    int attr = a.int2();
    if ((a.int1() & ~Mount.FSMOUNT_CLOEXEC) != 0
        || (attr & ~FSMOUNT_VALID_FLAGS) != 0
        || atime(attr) < 0) {
      return -EINVAL;
    }
    FileDescription f = t.file(a.int0());
    if (f == null) {
      return -EBADF;
    }
    try {
      if (!(f instanceof FsContextFile c)) {
        return -EINVAL;
      }
      if (!MountNamespace.isRoom()) {
        return -redoubt.abi.Errno.ENOSPC;
      }
      FileSystem fs = c.take();
      var mount =
          new redoubt.sentry.vfs.Mount(
              fs, new Dentry(fs.root()), c.source(), mountFlags(attr) | atime(attr));
      MountNamespace tree = MountNamespace.detachedMount(mount, t.userNamespace());
      return t.installFd(new DetachedTree(t, tree), (a.int1() & 1) != 0);
    } finally {
      f.decRef();
    }
  }

  /** <a href="https://man7.org/linux/man-pages/man2/mount_setattr.2.html">mount_setattr(2)</a>. */
  static long mountSetattr(Task t, Args a) {
    int flags = a.int2();
    int known =
        Fcntl.AT_EMPTY_PATH
            | Mount.AT_RECURSIVE
            | Fcntl.AT_SYMLINK_NOFOLLOW
            | Fcntl.AT_NO_AUTOMOUNT;
    if ((flags & ~known) != 0) {
      return -EINVAL;
    }
    long size = a.a4;
    if (Long.compareUnsigned(size, Memory.PAGE) > 0) {
      return -E2BIG;
    }
    if (size < Mount.MOUNT_ATTR_SIZE_VER0) {
      return -EINVAL;
    }
    if (!Mounting.mayMount(t)) {
      return -EPERM;
    }
    long r = t.copyInScratch(a.a3, size);
    if (r < 0) {
      return r;
    }
    MemorySegment s = t.scratch();
    for (long i = Mount.SIZEOF_MOUNT_ATTR; i < size; i++) {
      if (s.get(Memory.BYTE, i) != 0) {
        return -E2BIG;
      }
    }
    long set = s.get(Memory.LONG, Mount.MOUNT_ATTR_ATTR_SET);
    long clear = s.get(Memory.LONG, Mount.MOUNT_ATTR_ATTR_CLR);
    long how = s.get(Memory.LONG, Mount.MOUNT_ATTR_PROPAGATION);
    if (set == 0 && clear == 0 && how == 0) {
      return 0;
    }
    Change c = change(set, clear, how);
    if (c == null) {
      return -EINVAL;
    }
    boolean follow = (flags & Fcntl.AT_SYMLINK_NOFOLLOW) == 0;
    VfsPath p = at(t, a.int0(), a.a1, follow, (flags & Fcntl.AT_EMPTY_PATH) != 0);
    MountNamespace ns = p.mount.namespace();
    if (p.dentry != p.mount.root || ns == null || (ns != t.mountNamespace() && !ns.isAnonymous())) {
      return -EINVAL;
    }
    boolean deep = (flags & Mount.AT_RECURSIVE) != 0;
    MountNamespace.change(p.mount, deep, c.set, c.clear, c.how);
    return 0;
  }

  private record Change(int set, int clear, @Nullable Propagation how) {}

  /** build_mount_kattr: null for EINVAL. Mounts with id maps are not there. */
  private static @Nullable Change change(long set, long clear, long how) {
    Propagation propagation = how == 0 ? null : Mounting.propagation((int) how);
    if ((how != 0 && (propagation == null || how >>> 32 != 0))
        || ((set | clear) & ~(long) FSMOUNT_VALID_FLAGS) != 0) {
      return null;
    }
    int on = mountFlags(set);
    int off = mountFlags(clear);
    if ((clear & Mount.MOUNT_ATTR__ATIME) != 0) {
      if ((clear & Mount.MOUNT_ATTR__ATIME) != Mount.MOUNT_ATTR__ATIME || atime(set) < 0) {
        return null;
      }
      off |= Mount.MS_NOATIME | Mount.MS_RELATIME;
      on |= atime(set);
    } else if ((set & Mount.MOUNT_ATTR__ATIME) != 0) {
      return null;
    }
    return new Change(on, off, propagation);
  }
}
