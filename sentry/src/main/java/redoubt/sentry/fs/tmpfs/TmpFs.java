package redoubt.sentry.fs.tmpfs;

import static redoubt.abi.Errno.ENOSPC;

import java.util.concurrent.atomic.AtomicLong;
import redoubt.sentry.kernel.Credentials;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.mm.MemoryFile;
import redoubt.sentry.platform.Platform;
import redoubt.sentry.vfs.FileSystem;
import redoubt.sentry.vfs.Inode;
import redoubt.sentry.vfs.StatfsData;

/**
 * One tmpfs: <a href="https://man7.org/linux/man-pages/man5/tmpfs.5.html">tmpfs(5)</a>. What
 * differs from Linux: without {@code nr_inodes=} there are as many inodes as fit an eighth of the
 * sentry's heap; names, attributes and extended attributes live there. A file's holes count as used
 * once they are mapped.
 */
public final class TmpFs extends FileSystem {
  /** TMPFS_MAGIC. */
  public static final long MAGIC = 0x01021994;

  /** Heap that an inode, its name and its cached dentry may take, generously. */
  private static final long HEAP_PER_INODE = 512;

  final MemoryFile memory;
  final Platform platform;
  private volatile TmpFsOptions options;
  private volatile long pageLimit;
  private volatile long inodeLimit;
  private final long xattrLimit;
  private final AtomicLong pages = new AtomicLong();
  private final AtomicLong inodes = new AtomicLong();
  private final AtomicLong xattrBytes = new AtomicLong();
  private final AtomicLong nextIno = new AtomicLong(1);
  private final TmpDir root;
  private volatile boolean changesBelow;

  public TmpFs(MemoryFile memory, Platform platform, TmpFsOptions options) {
    super("tmpfs");
    this.memory = memory;
    this.platform = platform;
    this.options = options;
    long heap = Runtime.getRuntime().maxMemory();
    this.pageLimit = options.sizeBytes == 0 ? Long.MAX_VALUE : options.sizeBytes / MemoryFile.PAGE;
    long heapInodes = heap / 4 / HEAP_PER_INODE;
    this.inodeLimit = options.inodes == 0 ? heapInodes : Math.min(options.inodes, heapInodes);
    this.xattrLimit = heap / 32;
    this.root = new TmpDir(this, options.mode, options.uid, options.gid, null);
  }

  /** New limits, which must hold what is there: shmem_reconfigure. */
  @Override
  public synchronized void remount(java.util.List<String> given) {
    if (given.isEmpty()) {
      return;
    }
    String text = String.join(",", given);
    TmpFsOptions o = TmpFsOptions.parse(text, options.memoryBytes);
    boolean size = text.contains("size=") || text.contains("nr_blocks=");
    if (size) {
      long limit = o.sizeBytes == 0 ? Long.MAX_VALUE : o.sizeBytes / MemoryFile.PAGE;
      if (pages.get() > limit) {
        throw ErrnoException.of(redoubt.abi.Errno.EINVAL);
      }
      pageLimit = limit;
    }
    if (text.contains("nr_inodes=")) {
      long heapInodes = Runtime.getRuntime().maxMemory() / 4 / HEAP_PER_INODE;
      long limit = o.inodes == 0 ? heapInodes : Math.min(o.inodes, heapInodes);
      if (inodes.get() > limit) {
        throw ErrnoException.of(redoubt.abi.Errno.EINVAL);
      }
      inodeLimit = limit;
    }
    options = options.with(o);
  }

  /** An overlay has its upper directory here: names change behind the dentries' back. */
  public void changesBelow() {
    changesBelow = true;
  }

  @Override
  public boolean needsRevalidate() {
    return changesBelow;
  }

  @Override
  public TmpDir root() {
    return root;
  }

  /** Makes a regular file without a name, for memfds, shared memory and copies. */
  public TmpFile newFile(int mode, Credentials creds) {
    return new TmpFile(this, mode & 07777, creds.fsuid, creds.fsgid, 0);
  }

  @Override
  public void release() {
    root.abandon();
  }

  @Override
  public long magic() {
    return MAGIC;
  }

  @Override
  public void statfs(StatfsData s) {
    super.statfs(s);
    if (pageLimit != Long.MAX_VALUE) {
      s.blocks = pageLimit;
      s.bfree = Math.max(0, pageLimit - pages.get());
      s.bavail = s.bfree;
    }
    s.files = inodeLimit;
    s.ffree = Math.max(0, inodeLimit - inodes.get());
    s.fsid = device();
  }

  @Override
  public String showOptions() {
    return options.shown;
  }

  long newIno() {
    return nextIno.getAndIncrement();
  }

  /** Counts a new inode or throws ENOSPC. */
  void chargeInode() {
    if (inodes.incrementAndGet() > inodeLimit) {
      inodes.decrementAndGet();
      throw ErrnoException.of(ENOSPC);
    }
  }

  void unchargeInode() {
    inodes.decrementAndGet();
  }

  /** {@return how many of {@code wanted} pages may be used now}; they count from now on */
  long chargePages(long wanted) {
    for (; ; ) {
      long used = pages.get();
      long n = Math.min(wanted, pageLimit - used);
      if (n <= 0) {
        return 0;
      }
      if (pages.compareAndSet(used, used + n)) {
        return n;
      }
    }
  }

  void unchargePages(long n) {
    pages.addAndGet(-n);
  }

  /** Counts {@code delta} more bytes of extended attributes, or throws ENOSPC. */
  void chargeXattr(long delta) {
    if (xattrBytes.addAndGet(delta) > xattrLimit && delta > 0) {
      xattrBytes.addAndGet(-delta);
      throw ErrnoException.of(ENOSPC);
    }
  }

  /** {@return whether {@code inode} is one of this filesystem's} */
  boolean owns(Inode inode) {
    return inode.fs == this;
  }
}
