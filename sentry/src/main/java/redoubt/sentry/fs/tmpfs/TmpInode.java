package redoubt.sentry.fs.tmpfs;

import static redoubt.abi.Errno.E2BIG;
import static redoubt.abi.Errno.EEXIST;
import static redoubt.abi.Errno.ENODATA;
import static redoubt.abi.Errno.EOPNOTSUPP;

import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Xattr;
import redoubt.sentry.kernel.Clocks;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.UserNamespace;
import redoubt.sentry.platform.Grants;
import redoubt.sentry.vfs.Inode;
import redoubt.sentry.vfs.PosixAcl;
import redoubt.sentry.vfs.SetAttr;
import redoubt.sentry.vfs.StatData;

/** What all files of a tmpfs have: attributes, times, a link count and extended attributes. */
public abstract class TmpInode extends Inode {
  private static final int XATTR_SIZE_MAX = 65536;
  private static final long XATTR_OVERHEAD = 64;

  final TmpFs tmpfs;
  private final long ino;
  private volatile int mode; // type and permissions
  private volatile int uid;
  private volatile int gid;

  // Written under this.
  volatile int nlink;
  volatile long atimeNs;
  volatile long mtimeNs;
  volatile long ctimeNs;
  private final long btimeNs;
  private @Nullable TreeMap<String, byte[]> xattrs; // guarded by this
  private volatile @Nullable PosixAcl accessAcl; // written under this
  private volatile @Nullable PosixAcl defaultAcl; // written under this

  /**
   * The overlay's inode above this one, which lives as long as this one does; owned by the overlay.
   */
  public volatile @Nullable Object overlay;

  /** What stubs answer by themselves about this file; made when first asked for. */
  private volatile @Nullable Grants grants;

  TmpInode(TmpFs fs, int mode, int uid, int gid, int nlink) {
    super(fs);
    fs.chargeInode();
    this.tmpfs = fs;
    this.ino = fs.newIno();
    this.mode = mode;
    this.uid = uid;
    this.gid = gid;
    this.nlink = nlink;
    long now = Clocks.realtimeNs();
    atimeNs = now;
    mtimeNs = now;
    ctimeNs = now;
    btimeNs = now;
  }

  @Override
  public final int mode() {
    return mode;
  }

  @Override
  public final int uid() {
    return uid;
  }

  @Override
  public final int gid() {
    return gid;
  }

  @Override
  public final long ino() {
    return ino;
  }

  public final int nlink() {
    return nlink;
  }

  public final Grants grants() {
    Grants g = grants;
    if (g == null) {
      synchronized (this) {
        g = grants;
        if (g == null) {
          g = new Grants();
          grants = g;
        }
      }
    }
    return g;
  }

  /** Something that was shown of it is different now. */
  final void withdrawGrants() {
    Grants g = grants;
    if (g != null) {
      g.withdraw();
    }
  }

  /** Each value is true at some time during the call, as in Linux's generic_fillattr. */
  @Override
  public void stat(StatData s) {
    s.dev = fs.device();
    s.ino = ino;
    s.mode = mode;
    s.nlink = nlink;
    s.uid = uid;
    s.gid = gid;
    s.rdev = rdev();
    s.size = size();
    s.blocks = 0;
    s.blksize = 4096;
    s.atimeNs = atimeNs;
    s.mtimeNs = mtimeNs;
    s.ctimeNs = ctimeNs;
    s.btimeNs = btimeNs;
    s.attributes = 0;
  }

  @Override
  public void setattr(SetAttr a) {
    synchronized (this) {
      long now = Clocks.realtimeNs();
      if (a.has(SetAttr.SIZE)) {
        setSize(a.size);
      }
      if (a.has(SetAttr.MODE)) {
        mode = (mode & S_IFMT) | (a.mode & 07777);
        PosixAcl acl = accessAcl;
        accessAcl = acl == null ? null : acl.withMode(mode);
      }
      if (a.has(SetAttr.UID)) {
        uid = a.uid;
      }
      if (a.has(SetAttr.GID)) {
        gid = a.gid;
      }
      if (a.has(SetAttr.ATIME) || a.has(SetAttr.ATIME_NOW)) {
        atimeNs = a.has(SetAttr.ATIME_NOW) ? now : a.atimeNs;
      }
      if (a.has(SetAttr.MTIME) || a.has(SetAttr.MTIME_NOW)) {
        mtimeNs = a.has(SetAttr.MTIME_NOW) ? now : a.mtimeNs;
      }
      ctimeNs = now;
      withdrawGrants();
    }
  }

  /** Sets the size for {@link #setattr}; EINVAL but for regular files. */
  void setSize(long length) {
    throw ErrnoException.of(redoubt.abi.Errno.EINVAL);
  }

  /** Data or entries changed now. Under this. */
  final void modified() {
    long now = Clocks.realtimeNs();
    mtimeNs = now;
    ctimeNs = now;
    withdrawGrants();
  }

  /** Attributes changed now. Under this. */
  final void changed() {
    ctimeNs = Clocks.realtimeNs();
    withdrawGrants();
  }

  /** Moves the access time as relatime does, or always. */
  final void touchAccessTime(boolean strict) {
    long at = atimeNs;
    if (strict || at <= mtimeNs || at <= ctimeNs) {
      atimeNs = Clocks.realtimeNs();
      withdrawGrants();
      return;
    }
    long now = Clocks.realtimeNs();
    if (now - at >= 86_400_000_000_000L) {
      atimeNs = now;
      withdrawGrants();
    }
  }

  /** Another name. Under this. */
  final void addLink() {
    nlink++;
    changed();
  }

  /** A name less. Frees what nobody uses any more. */
  final void dropLink() {
    boolean last;
    synchronized (this) {
      last = --nlink == 0;
      changed();
    }
    if (last) {
      unnamed();
    }
  }

  /** The last name is gone. */
  void unnamed() {
    gone();
  }

  /** Nothing uses this inode any more: it stops counting. Once only. */
  final void gone() {
    tmpfs.unchargeInode();
    synchronized (this) {
      TreeMap<String, byte[]> x = xattrs;
      if (x != null) {
        x.forEach((k, v) -> tmpfs.chargeXattr(-(k.length() + v.length + XATTR_OVERHEAD)));
        xattrs = null;
      }
      tmpfs.chargeXattr(-weight(accessAcl) - weight(defaultAcl));
      accessAcl = null;
      defaultAcl = null;
    }
  }

  // ---- access control lists ----

  private static long weight(@Nullable PosixAcl acl) {
    return acl == null ? 0 : acl.weight();
  }

  @Override
  public final boolean hasAcls() {
    return !isSymlink();
  }

  @Override
  public final @Nullable PosixAcl acl(boolean inherited) {
    return inherited ? defaultAcl : accessAcl;
  }

  private void setAcl(boolean inherited, @Nullable PosixAcl acl) {
    synchronized (this) {
      tmpfs.chargeXattr(weight(acl) - weight(acl(inherited)));
      if (inherited) {
        defaultAcl = acl;
      } else {
        accessAcl = acl;
        mode = acl == null ? mode : acl.mode(mode);
      }
      changed();
    }
  }

  /** Gets what {@code dir}, in which it is made, gives to new files: simple_acl_create. */
  final void inherit(TmpDir dir) {
    PosixAcl given = dir.acl(true);
    if (given == null || isSymlink()) {
      return;
    }
    try {
      PosixAcl mine = given.limitedTo(mode);
      mode = mine.mode(mode);
      if (!mine.isMode()) {
        setAcl(false, mine);
      }
      if (isDirectory()) {
        setAcl(true, given);
      }
    } catch (ErrnoException e) {
      gone();
      throw e;
    }
  }

  private static boolean isAcl(String name) {
    return name.equals(Xattr.XATTR_NAME_POSIX_ACL_ACCESS)
        || name.equals(Xattr.XATTR_NAME_POSIX_ACL_DEFAULT);
  }

  private static boolean isDefault(String name) {
    return name.equals(Xattr.XATTR_NAME_POSIX_ACL_DEFAULT);
  }

  // ---- extended attributes ----

  /** {@return whether it has extended attributes}, of which a write may take some away */
  final boolean hasXattrs() {
    synchronized (this) {
      return xattrs != null && !xattrs.isEmpty();
    }
  }

  @Override
  public final byte[] getxattr(String name) {
    if (isAcl(name)) {
      PosixAcl acl = acl(isDefault(name));
      if (acl == null) {
        throw ErrnoException.of(ENODATA);
      }
      return acl.toXattr(UserNamespace.ROOT);
    }
    synchronized (this) {
      byte[] v = xattrs == null ? null : xattrs.get(name);
      if (v == null) {
        throw ErrnoException.of(isStored(name) ? ENODATA : EOPNOTSUPP);
      }
      return v.clone();
    }
  }

  @Override
  public final void setxattr(String name, byte[] value, int flags) {
    if (isAcl(name) && hasAcls()) {
      setAcl(isDefault(name), PosixAcl.parse(value, UserNamespace.ROOT));
      return;
    }
    if (!isStored(name)) {
      throw ErrnoException.of(EOPNOTSUPP);
    }
    if (value.length > XATTR_SIZE_MAX) {
      throw ErrnoException.of(E2BIG);
    }
    synchronized (this) {
      TreeMap<String, byte[]> x = xattrs;
      if (x == null) {
        x = new TreeMap<>();
        xattrs = x;
      }
      byte[] old = x.get(name);
      if (old != null && (flags & Xattr.XATTR_CREATE) != 0) {
        throw ErrnoException.of(EEXIST);
      }
      if (old == null && (flags & Xattr.XATTR_REPLACE) != 0) {
        throw ErrnoException.of(ENODATA);
      }
      tmpfs.chargeXattr(
          value.length - (old == null ? -(name.length() + XATTR_OVERHEAD) : old.length));
      x.put(name, value.clone());
      changed();
    }
  }

  @Override
  public final void removexattr(String name) {
    if (isAcl(name)) {
      setAcl(isDefault(name), null);
      return;
    }
    synchronized (this) {
      byte[] old = xattrs == null ? null : xattrs.remove(name);
      if (old == null) {
        throw ErrnoException.of(isStored(name) ? ENODATA : EOPNOTSUPP);
      }
      tmpfs.chargeXattr(-(name.length() + old.length + XATTR_OVERHEAD));
      changed();
    }
  }

  @Override
  public final List<String> listxattr() {
    synchronized (this) {
      List<String> names = new ArrayList<>();
      if (accessAcl != null) {
        names.add(Xattr.XATTR_NAME_POSIX_ACL_ACCESS);
      }
      if (defaultAcl != null) {
        names.add(Xattr.XATTR_NAME_POSIX_ACL_DEFAULT);
      }
      if (xattrs != null) {
        names.addAll(xattrs.keySet());
      }
      return names;
    }
  }

  private static boolean isStored(String name) {
    return name.startsWith(Xattr.XATTR_USER_PREFIX)
        || name.startsWith(Xattr.XATTR_TRUSTED_PREFIX)
        || name.startsWith(Xattr.XATTR_SECURITY_PREFIX);
  }
}
