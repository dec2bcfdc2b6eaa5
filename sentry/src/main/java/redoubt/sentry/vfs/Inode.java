package redoubt.sentry.vfs;

import static redoubt.abi.Errno.EACCES;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ENODATA;
import static redoubt.abi.Errno.ENOTDIR;
import static redoubt.abi.Errno.EOPNOTSUPP;
import static redoubt.abi.Errno.EPERM;

import java.util.List;
import java.util.concurrent.atomic.AtomicIntegerFieldUpdater;
import org.jspecify.annotations.Nullable;
import redoubt.sentry.kernel.Credentials;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.mm.Mappable;

/**
 * A file as its filesystem knows it, whatever its names: Linux's inode with its operations.
 * Directory operations take a name of 1–255 bytes (Latin-1 chars, no '/', never "." or ".."), and
 * are called after the VFS has checked permissions, read-only mounts and busy mount points; the
 * filesystem does the rest, atomically against itself.
 *
 * <p>Operations throw {@link ErrnoException}. Attributes that no filesystem computes are plain
 * fields, guarded by the inode's monitor where they change together.
 */
public abstract class Inode {
  public static final int S_IFMT = 0170000;
  public static final int S_IFSOCK = 0140000;
  public static final int S_IFLNK = 0120000;
  public static final int S_IFREG = 0100000;
  public static final int S_IFBLK = 0060000;
  public static final int S_IFDIR = 0040000;
  public static final int S_IFCHR = 0020000;
  public static final int S_IFIFO = 0010000;
  public static final int MAY_EXEC = 1;
  public static final int MAY_WRITE = 2;
  public static final int MAY_READ = 4;

  private static final int CAP_DAC_OVERRIDE = 1;
  private static final int CAP_DAC_READ_SEARCH = 2;

  public final FileSystem fs;

  /** The endpoint bound here when this is a socket's file; owned by AF_UNIX. */
  public volatile @Nullable Object boundSocket;

  /** State shared by the descriptions of a FIFO; owned by the pipe code. */
  public volatile @Nullable Object pipe;

  /** POSIX, OFD and flock locks; made by the lock code at first use. */
  public volatile @Nullable Object locks;

  /** Who wants to know what happens to it: inotify(7). See {@link FsNotify}. */
  volatile @Nullable InodeWatches watches;

  private static final AtomicIntegerFieldUpdater<Inode> WRITERS =
      AtomicIntegerFieldUpdater.newUpdater(Inode.class, "writers");

  /** Descriptions by open(2) that can write: such a file is not executed (i_writecount). */
  private volatile int writers;

  private static final AtomicIntegerFieldUpdater<Inode> READERS =
      AtomicIntegerFieldUpdater.newUpdater(Inode.class, "readers");

  /** Descriptions by open(2) that can only read (i_readcount). */
  private volatile int readers;

  /** F_SETLEASE; made at first use. */
  volatile @Nullable Leases leases;

  protected Inode(FileSystem fs) {
    this.fs = fs;
  }

  final void addWriters(int n) {
    WRITERS.addAndGet(this, n);
    fs.addWriters(n);
  }

  private static final AtomicIntegerFieldUpdater<Inode> EXECUTIONS =
      AtomicIntegerFieldUpdater.newUpdater(Inode.class, "executions");

  /** Address spaces that run it: it is not opened for writing (deny_write_access). */
  private volatile int executions;

  /** An address space begins (1) or ends (-1) to run this file. */
  public final void addExecutions(int n) {
    EXECUTIONS.addAndGet(this, n);
  }

  /** {@return whether some process runs this file} */
  public final boolean isExecuted() {
    return executions > 0;
  }

  final void addReaders(int n) {
    READERS.addAndGet(this, n);
  }

  /** {@return whether {@code f} is the file's only description}: check_conflicting_open */
  final boolean isOpenedOnlyBy(FileDescription f) {
    return writers == (f.isWritable() ? 1 : 0) && readers == (f.isWritable() ? 0 : 1);
  }

  /** {@return whether the file is open for writing} */
  public final boolean hasWriters() {
    return writers > 0;
  }

  // ---- attributes ----

  /** {@return file type and permission bits (st_mode)} Cheap: walks call it at every component. */
  public abstract int mode();

  public abstract int uid();

  public abstract int gid();

  public abstract long ino();

  /** {@return the size in bytes} */
  public abstract long size();

  /** Fills in every field of {@code s}. */
  public abstract void stat(StatData s);

  /** Changes attributes; the caller has checked that it may. Times move as in Linux's setattr. */
  public void setattr(SetAttr a) {
    throw ErrnoException.of(EPERM);
  }

  public final int type() {
    return mode() & S_IFMT;
  }

  public final boolean isDirectory() {
    return type() == S_IFDIR;
  }

  public final boolean isRegular() {
    return type() == S_IFREG;
  }

  public final boolean isSymlink() {
    return type() == S_IFLNK;
  }

  /** {@return st_rdev of a device file} */
  public long rdev() {
    return 0;
  }

  // ---- names ----

  /** {@return the inode called {@code name} in this directory, or null if there is none} */
  public @Nullable Inode lookup(String name) {
    throw ErrnoException.of(ENOTDIR);
  }

  /**
   * Hints that {@code names} will be looked up one below the other, beginning in this directory: a
   * remote filesystem fetches them in one message and enters them below {@code self}.
   */
  public void prefetch(Dentry self, List<String> names) {}

  /**
   * {@return whether {@code child}, cached under this directory, still stands} (see
   * FileSystem.needsRevalidate)
   */
  public boolean revalidate(Dentry child) {
    return true;
  }

  /** {@return whether names looked up in vain may be remembered} */
  public boolean cachesNegative() {
    return true;
  }

  /**
   * Makes a regular file; EEXIST if the name is taken. {@code mode}: permission bits after umask.
   */
  public Inode create(String name, int mode, Credentials creds) {
    throw ErrnoException.of(EPERM);
  }

  public Inode mkdir(String name, int mode, Credentials creds) {
    throw ErrnoException.of(EPERM);
  }

  /** Makes a FIFO, socket or device file; {@code mode} has the type. */
  public Inode mknod(String name, int mode, long rdev, Credentials creds) {
    throw ErrnoException.of(EPERM);
  }

  public Inode symlink(String name, String target, Credentials creds) {
    throw ErrnoException.of(EPERM);
  }

  /** Gives {@code target}, an inode of the same filesystem, another name here. */
  public void link(String name, Inode target) {
    throw ErrnoException.of(EPERM);
  }

  /** Removes a name that is not a directory's; {@code child} is what the caller saw there. */
  public void unlink(String name, Inode child) {
    throw ErrnoException.of(EPERM);
  }

  public void rmdir(String name, Inode child) {
    throw ErrnoException.of(EPERM);
  }

  /**
   * Moves {@code name} to {@code newName} in {@code newDir} (same filesystem). The VFS has checked
   * loops, types and stickiness; {@code flags}: RENAME_NOREPLACE 1, RENAME_EXCHANGE 2,
   * RENAME_WHITEOUT 4.
   */
  public void rename(String name, Inode newDir, String newName, int flags) {
    throw ErrnoException.of(EPERM);
  }

  /** Makes an unnamed file for O_TMPFILE. */
  public Inode tmpfile(int mode, Credentials creds) {
    throw ErrnoException.of(EOPNOTSUPP);
  }

  /** {@return the target of a symbolic link} */
  public String readlink() {
    throw ErrnoException.of(EINVAL);
  }

  /** As {@link #readlink()}, for links whose text depends on who reads them (/proc/self). */
  public String readlink(Task t) {
    return readlink();
  }

  /**
   * Follows a magic link (/proc/PID/fd/3, exe, cwd): the place itself, whatever its name is now.
   *
   * @return null if this link is followed by its text
   */
  public @Nullable VfsPath followMagic(Task t) {
    return null;
  }

  // ---- opening and data ----

  /**
   * Opens this file; permissions have been checked, O_TRUNC and O_CREAT done by the VFS. {@code
   * flags} as open(2). Called with {@code path} for the description to keep.
   */
  public abstract FileDescription open(Task t, VfsPath path, int flags);

  /**
   * {@return whether a special file is opened by {@link #open} and not by its number} (the host's
   * pipes)
   */
  public boolean opensItself() {
    return false;
  }

  /** {@return how its pages are mapped, or null if it cannot be mapped (ENODEV)} */
  public @Nullable Mappable mappable() {
    return null;
  }

  /**
   * {@return whether a write needs no more than its bytes in the mapped page}: nothing is sealed,
   * synchronous or taken away by it
   */
  public boolean mayWriteInPlace() {
    return false;
  }

  /** There is one more mount whose root this is. */
  void mountMade() {
    mounted(1);
  }

  /** There is one mount less whose root this is. */
  void mountGone() {
    mounted(-1);
  }

  /** Hears of mounts whose root this is: a file of nsfs keeps its namespace so. */
  protected void mounted(int delta) {}

  // ---- extended attributes; the VFS has checked the namespace's permission ----

  public byte[] getxattr(String name) {
    throw ErrnoException.of(ENODATA);
  }

  /** {@code flags}: XATTR_CREATE 1, XATTR_REPLACE 2. */
  public void setxattr(String name, byte[] value, int flags) {
    throw ErrnoException.of(EOPNOTSUPP);
  }

  public void removexattr(String name) {
    throw ErrnoException.of(ENODATA);
  }

  public List<String> listxattr() {
    return List.of();
  }

  // ---- permissions ----

  /** {@return whether its filesystem has access control lists for files like this one} */
  public boolean hasAcls() {
    return false;
  }

  /**
   * {@return its access control list}, or null if mode bits say all
   *
   * @param inherited what a directory gives to files made in it: its default ACL
   */
  public @Nullable PosixAcl acl(boolean inherited) {
    return null;
  }

  /**
   * Checks {@code mask} (MAY_*) as Linux's generic_permission.
   *
   * @throws ErrnoException EACCES
   */
  public void checkPermission(Credentials c, int mask) {
    if (!permits(c, mask)) {
      throw ErrnoException.of(EACCES);
    }
  }

  /** {@return what {@code mode} or the ACL grants {@code c}, who does not own the file} */
  private int othersBits(Credentials c, int mode, int mask) {
    PosixAcl acl = (mode & 0070) != 0 ? acl(false) : null; // its mask is there, or nothing is
    if (acl != null) {
      return acl.permits(c, gid(), mask) ? mask : 0;
    }
    return c.inGroup(gid()) ? mode >> 3 : mode;
  }

  /** {@return whether {@code c} may access this file as {@code mask} says} */
  public boolean permits(Credentials c, int mask) {
    int mode = mode();
    int bits;
    if (c.fsuid == uid()) {
      bits = mode >> 6;
    } else {
      bits = othersBits(c, mode, mask);
    }
    if ((bits & mask & 7) == mask) {
      return true;
    }
    if ((mode & S_IFMT) == S_IFDIR) {
      if ((mask & MAY_WRITE) == 0 && c.hasCapabilityOver(uid(), gid(), CAP_DAC_READ_SEARCH)) {
        return true;
      }
      return c.hasCapabilityOver(uid(), gid(), CAP_DAC_OVERRIDE);
    }
    if (mask == MAY_READ && c.hasCapabilityOver(uid(), gid(), CAP_DAC_READ_SEARCH)) {
      return true;
    }
    // CAP_DAC_OVERRIDE executes only what somebody may execute.
    return ((mask & MAY_EXEC) == 0 || (mode & 0111) != 0)
        && c.hasCapabilityOver(uid(), gid(), CAP_DAC_OVERRIDE);
  }
}
