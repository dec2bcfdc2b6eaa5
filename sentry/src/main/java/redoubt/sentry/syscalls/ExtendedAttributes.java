package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.E2BIG;
import static redoubt.abi.Errno.EACCES;
import static redoubt.abi.Errno.EBADF;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ENODATA;
import static redoubt.abi.Errno.EOPNOTSUPP;
import static redoubt.abi.Errno.EPERM;
import static redoubt.abi.Errno.ERANGE;

import java.io.ByteArrayOutputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Caps;
import redoubt.abi.Fcntl;
import redoubt.abi.Limits;
import redoubt.abi.Stat;
import redoubt.abi.Xattr;
import redoubt.host.Memory;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.Credentials;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.Latin1;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.UserNamespace;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.FsNotify;
import redoubt.sentry.vfs.Inode;
import redoubt.sentry.vfs.PosixAcl;
import redoubt.sentry.vfs.SetAttr;
import redoubt.sentry.vfs.Vfs;
import redoubt.sentry.vfs.VfsPath;

/** Extended attributes: fs/xattr.c. */
final class ExtendedAttributes {
  private ExtendedAttributes() {}

  private static VfsPath follow(Task t, long upath) {
    return FileStatus.at(t, Fcntl.AT_FDCWD, upath, 0);
  }

  private static VfsPath noFollow(Task t, long upath) {
    return FileStatus.at(t, Fcntl.AT_FDCWD, upath, Fcntl.AT_SYMLINK_NOFOLLOW);
  }

  private static VfsPath opened(Task t, int fd) {
    FileDescription f = t.fds().peek(fd);
    if (f == null || (f.flags() & Fcntl.O_PATH) != 0) {
      throw ErrnoException.of(EBADF);
    }
    return f.path();
  }

  /** <a href="https://man7.org/linux/man-pages/man2/setxattr.2.html">setxattr(2)</a>. */
  static long setxattr(Task t, Args a) {
    return set(t, follow(t, a.a0), a);
  }

  /** <a href="https://man7.org/linux/man-pages/man2/setxattr.2.html">lsetxattr(2)</a>. */
  static long lsetxattr(Task t, Args a) {
    return set(t, noFollow(t, a.a0), a);
  }

  /** <a href="https://man7.org/linux/man-pages/man2/setxattr.2.html">fsetxattr(2)</a>. */
  static long fsetxattr(Task t, Args a) {
    return set(t, opened(t, a.int0()), a);
  }

  private static long set(Task t, VfsPath p, Args a) {
    int flags = a.int4();
    if ((flags & ~(Xattr.XATTR_CREATE | Xattr.XATTR_REPLACE)) != 0) {
      return -EINVAL;
    }
    String name = name(t, a.a1);
    if (Long.compareUnsigned(a.a3, Limits.XATTR_SIZE_MAX) > 0) {
      return -E2BIG;
    }
    byte[] value = new byte[(int) a.a3];
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment buffer = arena.allocate(Math.max(1, value.length));
      long r = t.copyIn(a.a2, buffer, 0, value.length);
      if (r < 0) {
        return r;
      }
      MemorySegment.copy(buffer, Memory.BYTE, 0, value, 0, value.length);
    }
    if (isAcl(name)) {
      PosixAcl acl = value.length == 0 ? null : PosixAcl.parse(value, t.userNamespace());
      return setAcl(t, p, name, acl);
    }
    Vfs.checkWritable(p.mount);
    checkPermission(t, p.inode(), name, true);
    p.inode().setxattr(name, value, flags);
    FsNotify.attributes(p.dentry);
    return 0;
  }

  // ---- access control lists ----

  private static boolean isAcl(String name) {
    return name.equals(Xattr.XATTR_NAME_POSIX_ACL_ACCESS)
        || name.equals(Xattr.XATTR_NAME_POSIX_ACL_DEFAULT);
  }

  /** set_posix_acl of fs/posix_acl.c; null takes the list away. */
  private static long setAcl(Task t, VfsPath p, String name, @Nullable PosixAcl acl) {
    Vfs.checkWritable(p.mount);
    Inode inode = p.inode();
    boolean access = name.equals(Xattr.XATTR_NAME_POSIX_ACL_ACCESS);
    if (!inode.hasAcls()) {
      return -EOPNOTSUPP;
    }
    if (!access && !inode.isDirectory()) {
      return acl == null ? 0 : -EACCES;
    }
    if (!Attributes.isOwnerOrCapable(t, inode)) {
      return -EPERM;
    }
    if (acl != null && !acl.isValid()) {
      return -EINVAL;
    }
    synchronized (inode) {
      if (acl == null || (access && acl.isMode())) {
        removeIfThere(inode, name);
      } else {
        inode.setxattr(name, acl.toXattr(UserNamespace.ROOT), 0);
      }
      if (access) {
        SetAttr s = new SetAttr();
        s.valid = SetAttr.MODE;
        s.mode = (acl == null ? inode.mode() : acl.mode(inode.mode())) & 07777;
        if (!Attributes.inGroupOrCapable(t, inode)) {
          s.mode &= ~Stat.S_ISGID;
        }
        inode.setattr(s);
      }
    }
    FsNotify.attributes(p.dentry);
    return 0;
  }

  private static void removeIfThere(Inode inode, String name) {
    try {
      inode.removexattr(name);
    } catch (ErrnoException e) {
      if (e.errno() != ENODATA) {
        throw e;
      }
    }
  }

  /** Anyone who finds the file may read its list: vfs_get_acl. */
  private static byte[] acl(Task t, Inode inode, String name) {
    if (!inode.hasAcls()) {
      throw ErrnoException.of(EOPNOTSUPP);
    }
    PosixAcl acl = PosixAcl.parse(inode.getxattr(name), UserNamespace.ROOT);
    if (acl == null) {
      throw ErrnoException.of(ENODATA);
    }
    return acl.toXattr(t.userNamespace());
  }

  private static String name(Task t, long uname) {
    String name = t.copyInString(uname, Limits.XATTR_NAME_MAX + 1, ERANGE);
    if (name.isEmpty()) {
      throw ErrnoException.of(ERANGE);
    }
    return name;
  }

  /** Linux's xattr_permission, and what the capability module adds for security.*. */
  private static void checkPermission(Task t, Inode inode, String name, boolean write) {
    Credentials c = t.creds();
    int mask = write ? Inode.MAY_WRITE : Inode.MAY_READ;
    if (name.startsWith(Xattr.XATTR_SECURITY_PREFIX)) {
      int cap = name.equals(Xattr.XATTR_NAME_CAPS) ? Caps.CAP_SETFCAP : Caps.CAP_SYS_ADMIN;
      if (write && !c.hasCapability(cap)) {
        throw ErrnoException.of(EPERM);
      }
      return;
    }
    if (name.startsWith(Xattr.XATTR_SYSTEM_PREFIX)) {
      throw ErrnoException.of(EOPNOTSUPP); // ACLs do not come here
    }
    if (name.startsWith(Xattr.XATTR_TRUSTED_PREFIX)) {
      if (!c.hasCapability(Caps.CAP_SYS_ADMIN)) {
        throw ErrnoException.of(write ? EPERM : ENODATA);
      }
      return;
    }
    if (!name.startsWith(Xattr.XATTR_USER_PREFIX)) {
      throw ErrnoException.of(EOPNOTSUPP);
    }
    if (!inode.isRegular() && !inode.isDirectory()) {
      throw ErrnoException.of(write ? EPERM : ENODATA);
    }
    if (write
        && inode.isDirectory()
        && (inode.mode() & Stat.S_ISVTX) != 0
        && !Attributes.isOwnerOrCapable(t, inode)) {
      throw ErrnoException.of(EPERM);
    }
    inode.checkPermission(c, mask);
  }

  /** <a href="https://man7.org/linux/man-pages/man2/getxattr.2.html">getxattr(2)</a>. */
  static long getxattr(Task t, Args a) {
    return get(t, follow(t, a.a0), a);
  }

  /** <a href="https://man7.org/linux/man-pages/man2/getxattr.2.html">lgetxattr(2)</a>. */
  static long lgetxattr(Task t, Args a) {
    return get(t, noFollow(t, a.a0), a);
  }

  /** <a href="https://man7.org/linux/man-pages/man2/getxattr.2.html">fgetxattr(2)</a>. */
  static long fgetxattr(Task t, Args a) {
    return get(t, opened(t, a.int0()), a);
  }

  private static long get(Task t, VfsPath p, Args a) {
    String name = name(t, a.a1);
    if (isAcl(name)) {
      return give(t, acl(t, p.inode(), name), a.a2, a.a3);
    }
    checkPermission(t, p.inode(), name, false);
    return give(t, p.inode().getxattr(name), a.a2, a.a3);
  }

  /** Copies {@code value} out; a buffer of size 0 asks for the length. */
  private static long give(Task t, byte[] value, long ubuf, long size) {
    if (size == 0) {
      return value.length;
    }
    if (Long.compareUnsigned(size, value.length) < 0) {
      return -ERANGE;
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment buffer = arena.allocate(Math.max(1, value.length));
      MemorySegment.copy(value, 0, buffer, Memory.BYTE, 0, value.length);
      long r = t.copyOutNow(ubuf, buffer, 0, value.length);
      return r < 0 ? r : value.length;
    }
  }

  /** <a href="https://man7.org/linux/man-pages/man2/listxattr.2.html">listxattr(2)</a>. */
  static long listxattr(Task t, Args a) {
    return list(t, follow(t, a.a0), a.a1, a.a2);
  }

  /** <a href="https://man7.org/linux/man-pages/man2/listxattr.2.html">llistxattr(2)</a>. */
  static long llistxattr(Task t, Args a) {
    return list(t, noFollow(t, a.a0), a.a1, a.a2);
  }

  /** <a href="https://man7.org/linux/man-pages/man2/listxattr.2.html">flistxattr(2)</a>. */
  static long flistxattr(Task t, Args a) {
    return list(t, opened(t, a.int0()), a.a1, a.a2);
  }

  private static long list(Task t, VfsPath p, long ubuf, long size) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    boolean trusted = t.hasCapability(Caps.CAP_SYS_ADMIN);
    for (String name : p.inode().listxattr()) {
      if (trusted || !name.startsWith(Xattr.XATTR_TRUSTED_PREFIX)) {
        out.writeBytes(Latin1.bytes(name));
        out.write(0);
      }
    }
    if (out.size() > Limits.XATTR_LIST_MAX) {
      return -E2BIG;
    }
    return give(t, out.toByteArray(), ubuf, size);
  }

  /** <a href="https://man7.org/linux/man-pages/man2/removexattr.2.html">removexattr(2)</a>. */
  static long removexattr(Task t, Args a) {
    return remove(t, follow(t, a.a0), a.a1);
  }

  /** <a href="https://man7.org/linux/man-pages/man2/removexattr.2.html">lremovexattr(2)</a>. */
  static long lremovexattr(Task t, Args a) {
    return remove(t, noFollow(t, a.a0), a.a1);
  }

  /** <a href="https://man7.org/linux/man-pages/man2/removexattr.2.html">fremovexattr(2)</a>. */
  static long fremovexattr(Task t, Args a) {
    return remove(t, opened(t, a.int0()), a.a1);
  }

  private static long remove(Task t, VfsPath p, long uname) {
    String name = name(t, uname);
    if (isAcl(name)) {
      return setAcl(t, p, name, null);
    }
    Vfs.checkWritable(p.mount);
    checkPermission(t, p.inode(), name, true);
    p.inode().removexattr(name);
    FsNotify.attributes(p.dentry);
    return 0;
  }
}
