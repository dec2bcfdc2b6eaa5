package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.EAGAIN;
import static redoubt.abi.Errno.EBUSY;
import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ENODEV;
import static redoubt.abi.Errno.ENOTDIR;
import static redoubt.abi.Errno.EPERM;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Caps;
import redoubt.abi.Fcntl;
import redoubt.abi.Mount;
import redoubt.host.Memory;
import redoubt.sentry.fs.FileSystems;
import redoubt.sentry.fs.nsfs.NsFs;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.Latin1;
import redoubt.sentry.kernel.Namespace;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.vfs.Dentry;
import redoubt.sentry.vfs.FileSystem;
import redoubt.sentry.vfs.Landlock;
import redoubt.sentry.vfs.Mount.Propagation;
import redoubt.sentry.vfs.MountNamespace;
import redoubt.sentry.vfs.PathWalk;
import redoubt.sentry.vfs.VfsPath;

/** The tree of mounts: mount(2), umount2(2) and pivot_root(2) of fs/namespace.c. */
final class Mounting {
  private static final int PROPAGATION =
      Mount.MS_SHARED | Mount.MS_PRIVATE | Mount.MS_SLAVE | Mount.MS_UNBINDABLE;
  static final int ATIME =
      Mount.MS_NOATIME | Mount.MS_NODIRATIME | Mount.MS_RELATIME | Mount.MS_STRICTATIME;
  private static final int PER_MOUNT =
      Mount.MS_RDONLY
          | Mount.MS_NOSUID
          | Mount.MS_NODEV
          | Mount.MS_NOEXEC
          | Mount.MS_NOSYMFOLLOW
          | ATIME;

  /** Types that a user namespace's root may mount: FS_USERNS_MOUNT. */
  private static final Set<String> USER_TYPES =
      Set.of("proc", "sysfs", "tmpfs", "devpts", "mqueue", "cgroup", "cgroup2", "overlay");

  private Mounting() {}

  private static VfsPath lookup(Task t, String path, int follow) {
    return new PathWalk(t, t.startAt(Fcntl.AT_FDCWD, path)).to(path, follow);
  }

  /** {@return may_mount of fs/namespace.c} */
  static boolean mayMount(Task t) {
    return t.hasCapability(t.mountNamespace().owner(), Caps.CAP_SYS_ADMIN)
        && !Landlock.forbidsMounts(t);
  }

  /** {@return whether {@code m} is in the caller's own mount namespace}: check_mnt */
  static boolean isOurs(Task t, redoubt.sentry.vfs.Mount m) {
    return m.namespace() == t.mountNamespace();
  }

  /** <a href="https://man7.org/linux/man-pages/man2/mount.2.html">mount(2)</a>. */
  static long mount(Task t, Args a) {
    String type = a.a2 == 0 ? "" : t.copyInString(a.a2, Task.PATH_MAX, EINVAL);
    String source = a.a0 == 0 ? "" : t.copyInString(a.a0, Task.PATH_MAX, EINVAL);
    String data = copyData(t, a.a4);
    VfsPath target = lookup(t, t.copyInPath(a.a1), PathWalk.FOLLOW);
    int flags = a.int3();
    if ((flags & Mount.MS_MGC_MSK) == Mount.MS_MGC_VAL) {
      flags &= ~Mount.MS_MGC_MSK;
    }
    if ((flags & Mount.MS_NOUSER) != 0) {
      return -EINVAL;
    }
    if (!mayMount(t)) {
      return -EPERM;
    }
    if ((flags & Mount.MS_REMOUNT) != 0) {
      return remount(t, target, flags, data);
    }
    if ((flags & Mount.MS_BIND) != 0) {
      return bind(t, source, target, flags);
    }
    if ((flags & PROPAGATION) != 0) {
      return changeType(t, target, flags);
    }
    if ((flags & Mount.MS_MOVE) != 0) {
      return move(t, source, target);
    }
    return create(t, type, source, target, flags, data);
  }

  /** The data page need not end with a NUL; a fault behind its beginning ends it. */
  private static String copyData(Task t, long udata) {
    if (udata == 0) {
      return "";
    }
    MemorySegment s = t.scratch();
    long n = t.context().copyIn(udata, s, 0, Task.PATH_MAX);
    if (n <= 0) {
      throw redoubt.sentry.kernel.ErrnoException.of(EFAULT);
    }
    int end = 0;
    while (end < n && s.get(Memory.BYTE, end) != 0) {
      end++;
    }
    return Latin1.string(s, 0, end);
  }

  /**
   * {@return the mount's own flags of {@code flags}}, with relatime unless another atime rule is
   * asked for
   */
  static int perMount(int flags) {
    int f = flags & PER_MOUNT;
    f = (f & (Mount.MS_NOATIME | Mount.MS_STRICTATIME)) == 0 ? f | Mount.MS_RELATIME : f;
    return (f & Mount.MS_STRICTATIME) != 0
        ? f & ~(Mount.MS_STRICTATIME | Mount.MS_RELATIME | Mount.MS_NOATIME)
        : f;
  }

  /** {@return the type called {@code name}, or null}; guests see no types of the kernel's own */
  static FileSystems.@Nullable Type type(Task t, String name) {
    return name.startsWith("gofer") ? null : t.kernel().subsystem(FileSystems.class).type(name);
  }

  /** {@return whether the caller may make a filesystem of type {@code name}}: mount_capable */
  static boolean mayMake(Task t, String name) {
    return USER_TYPES.contains(name)
        ? t.creds().hasOwnCapability(Caps.CAP_SYS_ADMIN)
        : t.hasCapability(Caps.CAP_SYS_ADMIN);
  }

  /** Makes a filesystem for the caller. */
  static FileSystem make(Task t, FileSystems.Type maker, String source, List<String> options) {
    FileSystem fs = maker.make(FileSystems.Owner.of(t), source, options);
    fs.setOwner(t.userNamespace());
    return fs;
  }

  private static long create(
      Task t, String type, String source, VfsPath target, int flags, String data) {
    if (type.isEmpty()) {
      return -EINVAL;
    }
    FileSystems.Type maker = type(t, type);
    if (maker == null) {
      return -ENODEV;
    }
    if (!mayMake(t, type)) {
      return -EPERM;
    }
    if (!isOurs(t, target.mount)) {
      return -EINVAL;
    }
    if (!target.inode().isDirectory()) {
      return -ENOTDIR;
    }
    if (!MountNamespace.isRoom()) {
      return -redoubt.abi.Errno.ENOSPC;
    }
    List<String> options = data.isEmpty() ? List.of() : Arrays.asList(data.split(","));
    FileSystem fs = make(t, maker, source, options);
    fs.setReadOnly((flags & Mount.MS_RDONLY) != 0);
    String device = source.isEmpty() ? "none" : source;
    var mount = new redoubt.sentry.vfs.Mount(fs, new Dentry(fs.root()), device, perMount(flags));
    attach(mount, target);
    return 0;
  }

  /** Attaches {@code mount}, or ends its filesystem again where that fails. */
  private static void attach(redoubt.sentry.vfs.Mount mount, VfsPath target) {
    try {
      MountNamespace.attach(mount, target);
    } catch (redoubt.sentry.kernel.ErrnoException e) {
      mount.discard();
      throw e;
    }
  }

  private static long bind(Task t, String source, VfsPath target, int flags) {
    if (source.isEmpty()) {
      return -EINVAL;
    }
    VfsPath from = lookup(t, source, PathWalk.FOLLOW);
    boolean deep = (flags & Mount.MS_REC) != 0;
    Namespace ns = NsFs.namespaceOf(from.inode());
    if (ns instanceof MountNamespace m && m.number() >= t.mountNamespace().number()) {
      return -EINVAL; // would hold itself: mnt_ns_loop
    }
    if (!isOurs(t, target.mount) || (!isOurs(t, from.mount) && ns == null)) {
      return -EINVAL;
    }
    if (from.inode().isDirectory() != target.inode().isDirectory()) {
      return -ENOTDIR;
    }
    MountNamespace.bind(from, target, deep);
    return 0;
  }

  private static long changeType(Task t, VfsPath target, int flags) {
    if (target.dentry != target.mount.root || !isOurs(t, target.mount)) {
      return -EINVAL;
    }
    Propagation how = propagation(flags & ~(Mount.MS_REC | Mount.MS_SILENT));
    if (how == null) {
      return -EINVAL;
    }
    MountNamespace.propagate(target.mount, how, (flags & Mount.MS_REC) != 0);
    return 0;
  }

  /** {@return what exactly one of MS_SHARED, MS_PRIVATE, MS_SLAVE and MS_UNBINDABLE means} */
  static @Nullable Propagation propagation(int flag) {
    return switch (flag) {
      case Mount.MS_SHARED -> Propagation.SHARED;
      case Mount.MS_PRIVATE -> Propagation.PRIVATE;
      case Mount.MS_SLAVE -> Propagation.SLAVE;
      case Mount.MS_UNBINDABLE -> Propagation.UNBINDABLE;
      default -> null;
    };
  }

  private static long remount(Task t, VfsPath target, int flags, String data) {
    redoubt.sentry.vfs.Mount m = target.mount;
    if (target.dentry != m.root || !isOurs(t, m)) {
      return -EINVAL;
    }
    int f = perMount(flags);
    if ((flags & ATIME) == 0) {
      f = f & ~ATIME | m.flags() & ATIME; // nothing said: as it was
    }
    if (!mayChange(m, f)) {
      return -EPERM;
    }
    boolean readOnly = (flags & Mount.MS_RDONLY) != 0;
    if ((flags & Mount.MS_BIND) == 0) {
      if (!t.hasCapability(m.fs.owner(), Caps.CAP_SYS_ADMIN)) {
        return -EPERM;
      }
      if (readOnly && !m.fs.isReadOnly() && m.fs.hasWriters()) {
        return -EBUSY;
      }
      m.fs.remount(data.isEmpty() ? List.of() : Arrays.asList(data.split(",")));
      m.fs.setReadOnly(readOnly);
    } else if (readOnly && (m.flags() & Mount.MS_RDONLY) == 0 && m.hasWriters()) {
      return -EBUSY;
    }
    MountNamespace.setFlags(m, f);
    return 0;
  }

  /** can_change_locked_flags: what came from a namespace with more rights stays. */
  private static boolean mayChange(redoubt.sentry.vfs.Mount m, int flags) {
    int locked = m.lockedFlags();
    int strict = Mount.MS_RDONLY | Mount.MS_NODEV | Mount.MS_NOSUID | Mount.MS_NOEXEC;
    if ((locked & strict & m.flags() & ~flags) != 0) {
      return false;
    }
    return (locked & Mount.MS_RELATIME) == 0 || ((m.flags() ^ flags) & ATIME) == 0;
  }

  private static long move(Task t, String source, VfsPath target) {
    if (source.isEmpty()) {
      return -EINVAL;
    }
    VfsPath from = lookup(t, source, PathWalk.FOLLOW);
    return move(t, from, target, false);
  }

  /**
   * do_move_mount of fs/namespace.c.
   *
   * @param beneath below what is on top of the target: MOVE_MOUNT_BENEATH
   */
  static long move(Task t, VfsPath from, VfsPath target, boolean beneath) {
    redoubt.sentry.vfs.Mount m = from.mount;
    MountNamespace ns = m.namespace();
    VfsPath to = target;
    if (beneath) {
      VfsPath top = MountNamespace.topmost(target);
      redoubt.sentry.vfs.Mount up = top.mount.parent();
      Dentry at = top.mount.mountPoint();
      if (top.dentry != top.mount.root || up == null || at == null || top.mount.isLocked()) {
        return -EINVAL;
      }
      to = new VfsPath(up, at);
    }
    if (!isOurs(t, to.mount)
        || ns == null
        || (!ns.isAnonymous() && (ns != t.mountNamespace() || m.parent() == null))
        || m.isLocked()
        || from.dentry != m.root
        || from.inode().isDirectory() != target.inode().isDirectory()) {
      return -EINVAL;
    }
    MountNamespace.move(m, to, beneath);
    return 0;
  }

  /** <a href="https://man7.org/linux/man-pages/man2/umount.2.html">umount2(2)</a>. */
  static long umount2(Task t, Args a) {
    int flags = a.int1();
    int known = Mount.MNT_FORCE | Mount.MNT_DETACH | Mount.MNT_EXPIRE | Mount.UMOUNT_NOFOLLOW;
    if ((flags & ~known) != 0) {
      return -EINVAL;
    }
    int follow = (flags & Mount.UMOUNT_NOFOLLOW) != 0 ? 0 : PathWalk.FOLLOW;
    VfsPath p = MountNamespace.topmost(lookup(t, t.copyInPath(a.a0), follow));
    if (!mayMount(t)) {
      return -EPERM;
    }
    if (p.dentry != p.mount.root || !isOurs(t, p.mount) || p.mount.isLocked()) {
      return -EINVAL;
    }
    if ((flags & Mount.MNT_FORCE) != 0 && !t.hasCapability(Caps.CAP_SYS_ADMIN)) {
      return -EPERM;
    }
    if ((flags & Mount.MNT_EXPIRE) != 0) {
      if ((flags & (Mount.MNT_FORCE | Mount.MNT_DETACH)) != 0) {
        return -EINVAL;
      }
      if (p.mount.isPinned()) {
        return -EBUSY;
      }
      if (!p.mount.expiring) {
        p.mount.expiring = true;
        return -EAGAIN;
      }
    }
    MountNamespace.detach(p.mount, (flags & Mount.MNT_DETACH) != 0);
    return 0;
  }

  /** <a href="https://man7.org/linux/man-pages/man2/pivot_root.2.html">pivot_root(2)</a>. */
  static long pivotRoot(Task t, Args a) {
    if (!mayMount(t)) {
      return -EPERM;
    }
    VfsPath newRoot = lookup(t, t.copyInPath(a.a0), PathWalk.FOLLOW | PathWalk.DIRECTORY);
    VfsPath putOld = lookup(t, t.copyInPath(a.a1), PathWalk.FOLLOW | PathWalk.DIRECTORY);
    MountNamespace ns = t.mountNamespace();
    VfsPath root = t.fs().root();
    if (!isOurs(t, newRoot.mount) || !isOurs(t, putOld.mount) || !isOurs(t, root.mount)) {
      return -EINVAL;
    }
    if (newRoot.mount == root.mount || putOld.mount == root.mount) {
      return -EBUSY;
    }
    if (newRoot.dentry != newRoot.mount.root
        || root.dentry != root.mount.root
        || newRoot.mount.parent() == null
        || !isBelow(putOld, newRoot)
        || !isBelow(newRoot, root)) {
      return -EINVAL;
    }
    ns.pivot(newRoot.mount, root.mount, putOld);
    List<Task> tasks;
    synchronized (t.kernel().tasks().mu) {
      tasks = t.container().pids.tasks();
    }
    for (Task o : tasks) {
      if (o.fs().root().same(root)) {
        o.fs().setRoot(newRoot);
      }
      if (o.fs().cwd().same(root)) {
        o.fs().setCwd(newRoot);
      }
    }
    return 0;
  }

  /** {@return whether {@code p} is {@code top} or below it, across mounts} */
  static boolean isBelow(VfsPath p, VfsPath top) {
    redoubt.sentry.vfs.Mount m = p.mount;
    Dentry d = p.dentry;
    while (m != top.mount) {
      redoubt.sentry.vfs.Mount up = m.parent();
      Dentry at = m.mountPoint();
      if (up == null || at == null) {
        return false;
      }
      m = up;
      d = at;
    }
    return d.isBelow(top.dentry);
  }

  /**
   * <a href="https://man7.org/linux/man-pages/man2/sysfs.2.html">sysfs(2)</a>: filesystem types by
   * number.
   */
  static long sysfs(Task t, Args a) {
    List<String> names = t.kernel().subsystem(FileSystems.class).names();
    switch (a.int0()) {
      case 1 -> {
        int i = names.indexOf(t.copyInString(a.a1, Task.PATH_MAX, EINVAL));
        return i < 0 ? -EINVAL : i;
      }
      case 2 -> {
        if (a.a1 < 0 || a.a1 >= names.size()) {
          return -EINVAL;
        }
        int n = Latin1.writeZ(t.scratch(), 0, names.get((int) a.a1));
        return t.copyOutScratch(a.a2, n);
      }
      case 3 -> {
        return names.size();
      }
      default -> {
        return -EINVAL;
      }
    }
  }
}
