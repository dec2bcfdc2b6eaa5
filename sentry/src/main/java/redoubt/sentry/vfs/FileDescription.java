package redoubt.sentry.vfs;

import static redoubt.abi.Errno.EBADF;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ENODEV;
import static redoubt.abi.Errno.ENOTDIR;
import static redoubt.abi.Errno.ENOTTY;
import static redoubt.abi.Errno.EOPNOTSUPP;
import static redoubt.abi.Errno.ESPIPE;

import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.Credentials;
import redoubt.sentry.kernel.IoBuffer;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.WaitQueue;
import redoubt.sentry.mm.Mappable;
import redoubt.sentry.platform.Grants;

/**
 * An open file description: Linux's struct file. Descriptors in tables, SCM_RIGHTS messages and
 * calls in progress hold references; the last {@link #decRef} closes it.
 *
 * <p>Data operations never block: they return {@code -EAGAIN} when they would, and the system call
 * layer waits on {@link #waitQueue} and tries again, which is also where O_NONBLOCK and signals are
 * honoured. They return counts or {@code -errno}, and do not allocate.
 */
public abstract class FileDescription {
  public static final int O_ACCMODE = 3;
  public static final int O_RDONLY = 0;
  public static final int O_WRONLY = 1;
  public static final int O_RDWR = 2;
  public static final int O_APPEND = 02000;
  public static final int O_NONBLOCK = 04000;
  public static final int O_ASYNC = 020000;
  public static final int O_DIRECT = 040000;
  public static final int O_PATH = 010000000;

  private static final int F_SETPIPE_SZ = 1031;
  private static final int F_GETPIPE_SZ = 1032;

  /** Flags that fcntl(F_SETFL) may change. */
  public static final int SETTABLE = O_APPEND | O_NONBLOCK | O_DIRECT | O_ASYNC | 01000000;

  public static final int POLLIN = 1;
  public static final int POLLPRI = 2;
  public static final int POLLOUT = 4;
  public static final int POLLERR = 8;
  public static final int POLLHUP = 0x10;
  public static final int POLLRDNORM = 0x40;
  public static final int POLLWRNORM = 0x100;
  public static final int POLLRDHUP = 0x2000;

  private final AtomicInteger refs = new AtomicInteger(1);
  private final VfsPath path;
  private volatile int flags;

  /** The file whose writers count this description. */
  private @Nullable Inode written;

  /** What is done by it tells no watch: FMODE_NONOTIFY, of those that fanotify gives out. */
  private boolean silent;

  /** Who gets SIGIO, and with which signal; see fcntl(F_SETOWN). */
  public volatile @Nullable FileOwner owner;

  public volatile int ownerSignal;

  /** Whether it holds a lease on its file; written by {@link Leases}. */
  volatile boolean hasLease;

  /** O_ASYNC. */
  volatile @Nullable Fasync fasync;

  /** What of its directory is told by a signal: F_NOTIFY. */
  volatile @Nullable Dnotify dnotify;

  /** The file whose readers count this description. */
  private @Nullable Inode read;

  /** Credentials at open time. */
  public final @Nullable Credentials creds;

  /**
   * Position for read, write, lseek and getdents; guarded by {@code positionMu} in blocking-free
   * steps.
   */
  protected long position;

  /**
   * Epoll registrations of this description; owned by epoll. Run when the description is closed.
   */
  public volatile @Nullable Runnable epollLinks;

  /**
   * @param path kept pinned until the description is closed
   * @param flags as open(2); O_CREAT, O_EXCL, O_NOCTTY, O_TRUNC and O_CLOEXEC are dropped
   */
  protected FileDescription(VfsPath path, int flags, @Nullable Credentials creds) {
    this.path = path;
    this.flags = flags & ~(0100 | 0200 | 0400 | 01000 | 02000000);
    this.creds = creds;
    path.dentry.pin();
    path.mount.pin();
  }

  /** It was opened by name: counts it among its file's writers, if it can write; tells watches. */
  final FileDescription opened() {
    if (isWritable() && written == null) {
      Inode inode = inode();
      inode.addWriters(1);
      path.mount.addWriters(1);
      written = inode;
    } else if (!isWritable() && isReadable() && read == null) {
      Inode inode = inode();
      inode.addReaders(1);
      read = inode;
    }
    if (!silent) {
      FsNotify.opened(path);
    }
    return this;
  }

  /** execve(2) opened it: tells watches. */
  public final FileDescription openedForExec() {
    FsNotify.openedForExec(path);
    return this;
  }

  /** As {@link #opened}, for an event's reader: nothing that is done by it is an event. */
  public final FileDescription openedSilently() {
    silent = true;
    return opened();
  }

  /** {@return whether watches do not hear of what is done by it} */
  final boolean isSilent() {
    return silent;
  }

  public final VfsPath path() {
    return path;
  }

  public final Inode inode() {
    return path.dentry.inode();
  }

  public final int flags() {
    return flags;
  }

  /** Set by the open that made the file: F_CREATED_QUERY. */
  private boolean created;

  /** {@return this}, whose open has just made its file */
  final FileDescription created() {
    created = true;
    return this;
  }

  /** {@return whether the open of this description made its file} */
  public final boolean isCreator() {
    return created;
  }

  /** Replaces the {@link #SETTABLE} flags. Returns 0 or -errno. */
  public long setFlags(int newFlags) {
    flags = (flags & ~SETTABLE) | (newFlags & SETTABLE);
    Grants grants = hasStandingAnswers ? grants() : null;
    if (grants != null) {
      grants.withdraw(); // what a write means is different now
    }
    return 0;
  }

  public final boolean isNonblocking() {
    return (flags & O_NONBLOCK) != 0;
  }

  public final boolean isReadable() {
    return (flags & O_ACCMODE) != O_WRONLY && (flags & O_PATH) == 0;
  }

  public final boolean isWritable() {
    return (flags & O_ACCMODE) != O_RDONLY && (flags & O_PATH) == 0;
  }

  // ---- references ----

  /** Whether the platform was ever let answer calls on this by itself (FdTable.answer). */
  public volatile boolean hasStandingAnswers;

  /** Calls that a view would have answered, roughly; see FileGrants. */
  public int heat;

  /** Likewise fstat(2). */
  public int statusHeat;

  /** Adds a reference; the caller must hold one. */
  public final void incRef() {
    refs.incrementAndGet();
  }

  /** Adds a reference unless the description is closed already. */
  public final boolean tryIncRef() {
    for (; ; ) {
      int n = refs.get();
      if (n == 0) {
        return false;
      }
      if (refs.compareAndSet(n, n + 1)) {
        return true;
      }
    }
  }

  /** {@return how many references there are now} */
  public final int refCount() {
    return refs.get();
  }

  /** Drops a reference; the last one closes the description. */
  public final void decRef() {
    if (refs.decrementAndGet() == 0) {
      Runnable links = epollLinks;
      if (links != null) {
        links.run();
      }
      FsNotify.closed(this);
      if (hasLease) {
        Leases.closed(this);
      }
      Fasync async = fasync;
      if (async != null) {
        async.end();
      }
      Dnotify d = dnotify;
      if (d != null) {
        d.end();
      }
      release();
      if (written != null) {
        written.addWriters(-1);
        path.mount.addWriters(-1);
      }
      if (read != null) {
        read.addReaders(-1);
      }
      dropLocks(this);
      path.dentry.unpin();
      FsNotify.unpinned(path.dentry);
      path.mount.unpin();
    }
  }

  /**
   * A descriptor in {@code table} was closed: its processes give up their record locks on the file,
   * as POSIX wants it, whatever other descriptors they have of it. Returns 0 or -errno.
   */
  public final long closedIn(Task t, Object table) {
    dropLocks(table);
    return flush(t);
  }

  private void dropLocks(Object owner) {
    Inode inode = path.dentry.inodeOrNull();
    if (inode != null && inode.locks != null) {
      FileLocks.release(inode, owner);
    }
  }

  /**
   * The last reference is gone: free what the description owns and wake who waits for the other
   * end.
   */
  protected void release() {}

  /**
   * A descriptor in some table was closed (locks are dropped here, as Linux's flush). Returns 0 or
   * -errno.
   */
  public long flush(Task t) {
    return 0;
  }

  // ---- data ----

  /**
   * {@return whether reads and writes have a position} When true the system call layer passes one
   * in and keeps {@code position}; pipes, sockets and terminals have none (ESPIPE for pread,
   * lseek).
   */
  public boolean isSeekable() {
    return false;
  }

  /**
   * Reads at {@code offset} (ignored when not seekable) into {@code dst}.
   *
   * @return bytes read, 0 at the end of the file, -EAGAIN when it would block
   */
  public long read(Task t, IoBuffer dst, long offset) {
    return -EINVAL;
  }

  /**
   * Writes {@code src} at {@code offset}; O_APPEND is the implementation's to honour, with the new
   * position in {@link #positionAfterAppend}.
   */
  public long write(Task t, IoBuffer src, long offset) {
    return -EINVAL;
  }

  /**
   * {@return the position after the last O_APPEND write by this thread}, else -1 for offset + count
   */
  public long positionAfterAppend() {
    return -1;
  }

  /**
   * {@return whether a blocking write goes on until everything is written}: pipes, streams,
   * terminals
   */
  public boolean writesWhole() {
    return !isSeekable() && waitQueue() != null;
  }

  /** {@return POLL* bits that are true now} */
  public int poll() {
    return POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
  }

  /** {@return who is told when {@link #poll} changes}, or null if it never does */
  public @Nullable WaitQueue waitQueue() {
    return null;
  }

  /** {@return whether what makes it ready comes from outside, in frames} */
  public boolean isFedByLink() {
    return false;
  }

  /** As {@link #poll()}, for files that are different for each process that looks (signalfd). */
  public int poll(Task t) {
    return poll();
  }

  /** As {@link #waitQueue()}, for files that are different for each process that looks. */
  public @Nullable WaitQueue waitQueue(Task t) {
    return waitQueue();
  }

  /**
   * {@return how long a blocking read may wait in ns} (SO_RCVTIMEO), {@link Long#MAX_VALUE} without
   * end
   */
  public long readTimeoutNs() {
    return Long.MAX_VALUE;
  }

  public long writeTimeoutNs() {
    return Long.MAX_VALUE;
  }

  /**
   * lseek(2) for whence SEEK_SET 0, SEEK_CUR 1, SEEK_END 2, SEEK_DATA 3, SEEK_HOLE 4. Returns the
   * position.
   */
  public long seek(Task t, long offset, int whence) {
    if (!isSeekable()) {
      return -ESPIPE;
    }
    long size = inode().size();
    long target;
    switch (whence) {
      case 0 -> target = offset;
      case 1 -> target = position + offset;
      case 2 -> target = size + offset;
      case 3, 4 -> {
        if (offset < 0 || offset >= size) {
          return -redoubt.abi.Errno.ENXIO;
        }
        target = whence == 3 ? offset : size;
      }
      default -> {
        return -EINVAL;
      }
    }
    if (target < 0) {
      return -EINVAL;
    }
    position = target;
    return target;
  }

  public final long position() {
    return position;
  }

  public final void setPosition(long newPosition) {
    position = newPosition;
  }

  /**
   * Gives directory entries from {@link #position} on to {@code sink}; updates position. 0 or
   * -errno.
   */
  public long readdir(Task t, DirSink sink) {
    return -ENOTDIR;
  }

  /** ioctl(2); command in {@code int1()}, argument in {@code long2()}. */
  public long ioctl(Task t, Args a) {
    return -ENOTTY;
  }

  /**
   * fcntl(2) commands of one kind of file: pipe sizes (EBADF elsewhere), seals (EINVAL elsewhere).
   */
  public long fcntl(Task t, int command, long argument) {
    return command == F_SETPIPE_SZ || command == F_GETPIPE_SZ ? -EBADF : -EINVAL;
  }

  /** fsync(2) and fdatasync(2). */
  public long fsync(boolean dataOnly) {
    return -EINVAL;
  }

  /** ftruncate(2); the description is writable. */
  public long truncate(long length) {
    return -EINVAL;
  }

  /** fallocate(2). */
  public long allocate(int mode, long offset, long length) {
    return -EOPNOTSUPP;
  }

  /** {@return how its pages are mapped, or null (ENODEV)} */
  public @Nullable Mappable mappable() {
    return inode().mappable();
  }

  /** {@return what stubs answer by themselves about its file}, or null where they never do */
  public final @Nullable Grants grants() {
    Mappable file = mappable();
    return file == null ? null : file.grants();
  }

  /** {@return 0, or why it cannot be mapped with these PROT_* and MAP_* bits} */
  public long checkMmap(int prot, int flags) {
    return mappable() == null ? -ENODEV : 0;
  }

  /** {@return lines for /proc/PID/fdinfo after pos, flags, mnt_id and ino}; "" for most */
  public String fdinfo() {
    return "";
  }

  /**
   * {@return the text of /proc/PID/fd/N when the description has no name in the tree}, as
   * "pipe:[12]"
   */
  public @Nullable String linkText() {
    return null;
  }

  /** For calls that need an ordinary description: {@return -EBADF if this one is O_PATH, else 0} */
  public final long checkNotPath() {
    return (flags & O_PATH) != 0 ? -EBADF : 0;
  }
}
