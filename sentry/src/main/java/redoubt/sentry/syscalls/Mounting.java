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
import redoubt.abi.Caps;
import redoubt.abi.Fcntl;
import redoubt.abi.Mount;
import redoubt.host.Memory;
import redoubt.sentry.fs.FileSystems;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.Latin1;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.vfs.Dentry;
import redoubt.sentry.vfs.FileSystem;
import redoubt.sentry.vfs.MountNamespace;
import redoubt.sentry.vfs.PathWalk;
import redoubt.sentry.vfs.VfsPath;

/** The tree of mounts: fs/namespace.c. Propagation types are accepted and mean private. */
final class Mounting {
  private static final int PROPAGATION =
      Mount.MS_SHARED | Mount.MS_PRIVATE | Mount.MS_SLAVE | Mount.MS_UNBINDABLE;
  private static final int ATIME =
      Mount.MS_NOATIME | Mount.MS_NODIRATIME | Mount.MS_RELATIME | Mount.MS_STRICTATIME;
  private static final int PER_MOUNT =
      Mount.MS_RDONLY | Mount.MS_NOSUID | Mount.MS_NODEV | Mount.MS_NOEXEC | ATIME;

  private Mounting() {}

  private static VfsPath lookup(Task t, String path, int follow) {
    return new PathWalk(t, t.startAt(Fcntl.AT_FDCWD, path)).to(path, follow);
  }

  /** <a href="https://man7.org/linux/man-pages/man2/mount.2.html">mount(2)</a>. */
  static long mount(Task t, Args a) {
    String type = a.a2 == 0 ? "" : t.copyInString(a.a2, Task.PATH_MAX, EINVAL);
    String source = a.a0 == 0 ? "" : t.copyInString(a.a0, Task.PATH_MAX, EINVAL);
    String data = copyData(t, a.a4);
    VfsPath target = lookup(t, t.copyInPath(a.a1), PathWalk.FOLLOW);
    if (!t.hasCapability(Caps.CAP_SYS_ADMIN)) {
      return -EPERM;
    }
    int flags = a.int3();
    if ((flags & Mount.MS_MGC_MSK) == Mount.MS_MGC_VAL) {
      flags &= ~Mount.MS_MGC_MSK;
    }
    if ((flags & Mount.MS_NOUSER) != 0) {
      return -EINVAL;
    }
    if ((flags & Mount.MS_REMOUNT) != 0) {
      return remount(t, target, flags);
    }
    if ((flags & Mount.MS_BIND) != 0) {
      return bind(t, source, target, flags);
    }
    if ((flags & PROPAGATION) != 0) {
      boolean one = Integer.bitCount(flags & PROPAGATION) == 1;
      return one && target.dentry == target.mount.root ? 0 : -EINVAL;
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
      throw ErrnoException.of(EFAULT);
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
  private static int perMount(int flags) {
    int f = flags & PER_MOUNT;
    return (f & (Mount.MS_NOATIME | Mount.MS_STRICTATIME)) == 0 ? f | Mount.MS_RELATIME : f;
  }

  private static long create(
      Task t, String type, String source, VfsPath target, int flags, String data) {
    if (type.isEmpty()) {
      return -EINVAL;
    }
    FileSystems.Type maker = t.kernel().subsystem(FileSystems.class).type(type);
    if (maker == null) {
      return -ENODEV;
    }
    List<String> options = data.isEmpty() ? List.of() : Arrays.asList(data.split(","));
    FileSystem fs = maker.make(t.container(), source, options);
    if (!target.inode().isDirectory()) {
      return -ENOTDIR;
    }
    String device = source.isEmpty() ? "none" : source;
    var mount = new redoubt.sentry.vfs.Mount(fs, new Dentry(fs.root()), device, perMount(flags));
    t.mountNamespace().attach(mount, target);
    return 0;
  }

  private static long bind(Task t, String source, VfsPath target, int flags) {
    if (source.isEmpty()) {
      return -EINVAL;
    }
    VfsPath from = lookup(t, source, PathWalk.FOLLOW);
    if (from.inode().isDirectory() != target.inode().isDirectory()) {
      return -ENOTDIR;
    }
    MountNamespace ns = t.mountNamespace();
    List<redoubt.sentry.vfs.Mount> before = ns.mounts();
    var copy = copyOf(from.mount, from.dentry);
    ns.attach(copy, target);
    if ((flags & Mount.MS_REC) != 0) {
      copyBelow(ns, before, from.mount, from.dentry, copy);
    }
    return 0;
  }

  private static redoubt.sentry.vfs.Mount copyOf(redoubt.sentry.vfs.Mount m, Dentry root) {
    return new redoubt.sentry.vfs.Mount(m.fs, root, m.source, m.flags());
  }

  private static void copyBelow(
      MountNamespace ns,
      List<redoubt.sentry.vfs.Mount> before,
      redoubt.sentry.vfs.Mount parent,
      Dentry below,
      redoubt.sentry.vfs.Mount newParent) {
    for (redoubt.sentry.vfs.Mount m : before) {
      Dentry at = m.mountPoint();
      if (m.parent() == parent && at != null && at.isBelow(below)) {
        var copy = copyOf(m, m.root);
        ns.attach(copy, new VfsPath(newParent, at));
        copyBelow(ns, before, m, m.root, copy);
      }
    }
  }

  private static long remount(Task t, VfsPath target, int flags) {
    if (target.dentry != target.mount.root) {
      return -EINVAL;
    }
    int f = perMount(flags);
    if ((flags & ATIME) == 0) {
      f = f & ~ATIME | target.mount.flags() & ATIME; // nothing said: as it was
    }
    t.mountNamespace().setFlags(target.mount, f);
    return 0;
  }

  private static long move(Task t, String source, VfsPath target) {
    if (source.isEmpty()) {
      return -EINVAL;
    }
    VfsPath from = lookup(t, source, PathWalk.FOLLOW);
    if (from.dentry != from.mount.root || from.mount.parent() == null) {
      return -EINVAL;
    }
    if (from.inode().isDirectory() != target.inode().isDirectory()) {
      return -EINVAL;
    }
    t.mountNamespace().move(from.mount, target);
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
    VfsPath p = t.mountNamespace().topmost(lookup(t, t.copyInPath(a.a0), follow));
    if (!t.hasCapability(Caps.CAP_SYS_ADMIN)) {
      return -EPERM;
    }
    if (p.dentry != p.mount.root) {
      return -EINVAL;
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
    t.mountNamespace().detach(p.mount, (flags & Mount.MNT_DETACH) != 0);
    return 0;
  }

  /** <a href="https://man7.org/linux/man-pages/man2/pivot_root.2.html">pivot_root(2)</a>. */
  static long pivotRoot(Task t, Args a) {
    if (!t.hasCapability(Caps.CAP_SYS_ADMIN)) {
      return -EPERM;
    }
    VfsPath newRoot = lookup(t, t.copyInPath(a.a0), PathWalk.FOLLOW | PathWalk.DIRECTORY);
    VfsPath putOld = lookup(t, t.copyInPath(a.a1), PathWalk.FOLLOW | PathWalk.DIRECTORY);
    MountNamespace ns = t.mountNamespace();
    VfsPath root = t.fs().root();
    if (newRoot.mount == root.mount || putOld.mount == root.mount) {
      return -EBUSY;
    }
    if (newRoot.dentry != newRoot.mount.root
        || root.dentry != root.mount.root
        || root.mount != ns.root()
        || newRoot.mount.parent() == null
        || !isBelow(putOld, newRoot)) {
      return -EINVAL;
    }
    ns.pivot(newRoot.mount, putOld);
    List<Task> tasks;
    synchronized (t.kernel().tasks().mu) {
      tasks = t.pidNamespace().tasks();
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
