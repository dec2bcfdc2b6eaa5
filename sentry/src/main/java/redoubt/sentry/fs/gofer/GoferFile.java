package redoubt.sentry.fs.gofer;

import static redoubt.abi.Errno.EAGAIN;
import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.EINTR;
import static redoubt.abi.Errno.EIO;
import static redoubt.abi.Errno.ENOSPC;

import java.lang.foreign.MemorySegment;
import redoubt.abi.Fcntl;
import redoubt.abi.Nr;
import redoubt.abi.Stat;
import redoubt.host.Fd;
import redoubt.host.FileSystemCalls;
import redoubt.host.Memory;
import redoubt.host.RawSyscall;
import redoubt.p9.P9Attr;
import redoubt.sentry.fs.FileContent;
import redoubt.sentry.fs.RegularFile;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.IoBuffer;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.mm.Mappable;
import redoubt.sentry.platform.MapBatch;
import redoubt.sentry.platform.PlatformException;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.SetAttr;
import redoubt.sentry.vfs.VfsPath;

/**
 * A host's regular file. Data moves by pread and pwrite on a donated descriptor; mappings are of
 * that descriptor, so guests share the host's page cache.
 *
 * <p>Descriptors are got at the first opening that needs them, one for reading and one for writing,
 * and stay for a while after the last close. While a description is open the fid is pinned, so that
 * a file without a name can still be reached.
 */
public final class GoferFile extends GoferInode implements FileContent, Mappable {
  private static final long PAGE = Memory.PAGE;
  private static final ThreadLocal<MemorySegment> STAT =
      ThreadLocal.withInitial(() -> java.lang.foreign.Arena.ofAuto().allocate(Stat.SIZEOF_STAT, 8));

  private final Object fdMu = new Object();

  // Guarded by fdMu; read without it by who has the file open, for whom they do not go away.
  private volatile int readFd = -1;
  private volatile int writeFd = -1;

  // Guarded by fdMu.
  private int users;
  private int mappings;
  private int importedRead = -1;
  private int importedWrite = -1;

  GoferFile(GoferFs fs, P9Attr a, long ino) {
    super(fs, a, ino);
  }

  // ---- descriptors ----

  @Override
  public FileDescription open(Task t, VfsPath path, int flags) {
    return RegularFile.open(this, path, flags, t.creds());
  }

  /** Takes a descriptor that came with the file's creation. */
  void adoptWritable(int fd) {
    if (fd < 0) {
      return;
    }
    synchronized (fdMu) {
      if (writeFd < 0) {
        writeFd = fd;
        fd = -1;
      }
    }
    if (fd >= 0) {
      FileSystemCalls.close(fd);
    }
    gofer.fdsIdle(this);
  }

  private static boolean writes(int flags) {
    return (flags & Fcntl.O_ACCMODE) != Fcntl.O_RDONLY;
  }

  @Override
  public long opened(int flags) {
    synchronized (fdMu) {
      if (users++ == 0) {
        gofer.fdsBusy(this);
      }
    }
    long r = ensureFd(writes(flags), true);
    if (r < 0) {
      release();
    }
    return r;
  }

  @Override
  public void closed(int flags) {
    unpinFid();
    release();
  }

  private void release() {
    boolean gone = nlink() == 0;
    synchronized (fdMu) {
      if (--users > 0 || (readFd < 0 && writeFd < 0)) {
        return;
      }
    }
    if (gone) {
      closeIfIdle();
    } else {
      gofer.fdsIdle(this);
    }
  }

  /** Has a descriptor there, and with {@code pin} the fid pinned. Returns 0 or -errno. */
  private long ensureFd(boolean forWriting, boolean pin) {
    boolean have = forWriting ? writeFd >= 0 : readFd >= 0 || writeFd >= 0;
    int hostFlags = forWriting ? Fcntl.O_RDWR : Fcntl.O_RDONLY;
    int[] opened = {-1};
    int f = pinnedFid(have ? -1 : hostFlags, opened);
    if (f < 0) {
      return f;
    }
    long r = 0;
    if (!have) {
      r = opened[0] >= 0 ? opened[0] : gofer.client.openFd(f, hostFlags);
      if (r == -redoubt.abi.Errno.EMFILE || r == -redoubt.abi.Errno.ENFILE) {
        gofer.trimFds(0);
        r = gofer.client.openFd(f, hostFlags);
      }
      if (r >= 0) {
        r = adopt((int) r, forWriting);
      }
    } else if (opened[0] >= 0) {
      FileSystemCalls.close(opened[0]);
    }
    if (r < 0 || !pin) {
      unpinFid();
    }
    return r;
  }

  private long adopt(int fd, boolean forWriting) {
    int extra = -1;
    synchronized (fdMu) {
      if (forWriting && writeFd < 0) {
        writeFd = fd;
      } else if (!forWriting && readFd < 0) {
        readFd = fd;
      } else {
        extra = fd;
      }
    }
    if (extra >= 0) {
      FileSystemCalls.close(extra);
    }
    return 0;
  }

  /** Closes the descriptors and forgets what the platform imported, unless they are in use. */
  void closeIfIdle() {
    int a;
    int b;
    int c = -1;
    int d = -1;
    synchronized (fdMu) {
      if (users > 0) {
        return;
      }
      a = readFd;
      b = writeFd;
      readFd = -1;
      writeFd = -1;
      if (mappings == 0) {
        c = importedRead;
        d = importedWrite;
        importedRead = -1;
        importedWrite = -1;
      }
    }
    if (a >= 0) {
      FileSystemCalls.close(a);
    }
    if (b >= 0) {
      FileSystemCalls.close(b);
    }
    if (c >= 0) {
      gofer.platform.releaseFd(c);
    }
    if (d >= 0) {
      gofer.platform.releaseFd(d);
    }
  }

  private int anyFd() {
    int fd = writeFd;
    return fd >= 0 ? fd : readFd;
  }

  // ---- attributes ----

  /** Asks the host itself where there is a descriptor: no message. */
  @Override
  long refresh() {
    synchronized (this) {
      MemorySegment s = STAT.get();
      long r;
      synchronized (fdMu) {
        int fd = anyFd();
        r = fd < 0 ? -1 : FileSystemCalls.fstat(fd, s);
      }
      if (r == 0) {
        updateFromStat(s);
        return 0;
      }
    }
    return super.refresh();
  }

  /** Of an exclusive file we know every change. */
  @Override
  public long size() {
    if (gofer.shared && !isFresh()) {
      refresh();
    }
    return size;
  }

  @Override
  public void setattr(SetAttr a) {
    if (a.valid == SetAttr.SIZE && writeFd >= 0) {
      ErrnoException.check(truncate(a.size));
      return;
    }
    super.setattr(a);
  }

  // ---- data ----

  @Override
  public long readAt(IoBuffer dst, long offset) {
    int fd = anyFd();
    long done = 0;
    for (; ; ) {
      long limit = dst.windowLimit();
      if (limit <= 0) {
        return done;
      }
      MemorySegment window = dst.window();
      long n = FileSystemCalls.pread(fd, window.address(), limit, offset + done);
      if (n == -EINTR) {
        continue;
      }
      if (n <= 0) {
        return done > 0 ? done : n;
      }
      long r = dst.commit(n);
      if (r < 0) {
        return done > 0 ? done : r;
      }
      done += r;
      if (r < n || n < limit) {
        return done; // a short round is the last one
      }
    }
  }

  @Override
  public long writeAt(IoBuffer src, long offset, RegularFile file) {
    synchronized (this) {
      int fd = writeFd;
      long start = offset;
      if (file.isAppending()) {
        start = size();
      }
      long done = 0;
      long error = 0;
      while (src.remaining() > 0) {
        MemorySegment window = src.window();
        long n = src.fetch(Math.min(src.remaining(), src.windowLimit()));
        if (n <= 0) {
          error = n;
          break;
        }
        long w = write(fd, window.address(), start + done, n);
        if (w < 0) {
          error = w;
          break;
        }
        done += w;
        if (w < n) {
          error = -ENOSPC;
          break;
        }
      }
      if (done == 0) {
        return error;
      }
      stale = true;
      if (start + done > size) {
        size = start + done;
      }
      if (file.isAppending()) {
        file.appended(start + done);
      }
      return done;
    }
  }

  private static long write(int fd, long haddr, long offset, long length) {
    long done = 0;
    while (done < length) {
      long r = FileSystemCalls.pwrite(fd, haddr + done, length - done, offset + done);
      if (r == -EINTR) {
        continue;
      }
      if (r <= 0) {
        return done > 0 ? done : r == 0 ? -EIO : r;
      }
      done += r;
    }
    return done;
  }

  @Override
  public long truncate(long length) {
    synchronized (this) {
      int fd = writeFd;
      if (fd < 0) {
        SetAttr a = new SetAttr();
        a.valid = SetAttr.SIZE;
        a.size = length;
        try {
          super.setattr(a);
        } catch (ErrnoException e) {
          return -e.errno();
        }
        return 0;
      }
      long r = FileSystemCalls.ftruncate(fd, length);
      if (r == 0) {
        size = length;
        stale = true;
      }
      return r;
    }
  }

  @Override
  public long allocate(int mode, long offset, long length) {
    synchronized (this) {
      long r;
      do {
        r = RawSyscall.syscall(Nr.FALLOCATE, writeFd, mode, offset, length);
      } while (r == -EINTR || r == -EAGAIN);
      stale = true;
      if (r == 0 && (mode & Fcntl.FALLOC_FL_KEEP_SIZE) == 0) {
        size = Math.max(size, offset + length);
        if ((mode & (Fcntl.FALLOC_FL_COLLAPSE_RANGE | Fcntl.FALLOC_FL_INSERT_RANGE)) != 0) {
          refresh();
        }
      }
      return r;
    }
  }

  @Override
  public long seekData(long offset, boolean hole) {
    return RawSyscall.syscall(Nr.LSEEK, anyFd(), offset, hole ? Fcntl.SEEK_HOLE : Fcntl.SEEK_DATA);
  }

  @Override
  public long fsync(boolean dataOnly) {
    return FileSystemCalls.fsync(anyFd(), dataOnly);
  }

  /** The host moves the access time when it is read. */
  @Override
  public void accessed(boolean strict) {}

  // ---- mappings ----

  @Override
  public Mappable mappable() {
    return this;
  }

  @Override
  public long prepareMap(boolean sharedWritable) {
    return 0;
  }

  @Override
  public long map(MapBatch batch, long uaddr, long offset, long length, int prot, boolean shared) {
    int imported;
    try {
      imported = imported(shared);
    } catch (PlatformException e) {
      return -redoubt.abi.Errno.ENFILE;
    }
    if (imported < 0) {
      return imported;
    }
    // Past the end the host gives SIGBUS by itself.
    batch.mapFile(uaddr, length, prot, shared, imported, offset);
    return 0;
  }

  /**
   * {@return the platform's number} A shared mapping is made of the writable descriptor where there
   * is one, so that mprotect can allow writing later; the memory manager knows who may.
   */
  private int imported(boolean shared) {
    synchronized (fdMu) {
      if (shared && (writeFd >= 0 || importedWrite >= 0)) {
        if (importedWrite < 0) {
          importedWrite = importFd(writeFd);
        }
        return importedWrite;
      }
      if (importedRead >= 0) {
        return importedRead;
      }
      if (importedWrite >= 0) {
        return importedWrite;
      }
      int fd = readFd;
      if (fd >= 0) {
        importedRead = importFd(fd);
        return importedRead;
      }
      if (writeFd >= 0) {
        importedWrite = importFd(writeFd);
        return importedWrite;
      }
    }
    // Mapped without being open: a VMA that outlived its description and every import of it.
    long r = ensureFd(false, false);
    return r < 0 ? (int) r : imported(false);
  }

  private int importFd(int fd) {
    Fd borrowed = new Fd(fd);
    try {
      return gofer.platform.importFd(borrowed);
    } finally {
      borrowed.release();
    }
  }

  @Override
  public long fault(
      MapBatch batch, long uaddr, long offset, long length, int prot, boolean shared) {
    stale |= gofer.shared;
    if (offset >= (size() + PAGE - 1) / PAGE * PAGE) {
      return -EFAULT;
    }
    return map(batch, uaddr, offset, length, prot, shared);
  }

  @Override
  public void reference() {
    synchronized (fdMu) {
      mappings++;
    }
  }

  @Override
  public void unreference() {
    synchronized (fdMu) {
      if (--mappings > 0) {
        return;
      }
    }
    boolean idle;
    synchronized (fdMu) {
      idle = users == 0 && mappings == 0;
    }
    if (idle) {
      gofer.fdsIdle(this);
    }
  }
}
