package redoubt.sentry.fs.tmpfs;

import static redoubt.abi.Errno.EBUSY;
import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.EFBIG;
import static redoubt.abi.Errno.ENOENT;
import static redoubt.abi.Errno.ENOSPC;
import static redoubt.abi.Errno.ENXIO;
import static redoubt.abi.Errno.EOPNOTSUPP;
import static redoubt.abi.Errno.EPERM;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;
import java.util.concurrent.locks.StampedLock;
import redoubt.abi.Fcntl;
import redoubt.abi.Mman;
import redoubt.sentry.fs.FileContent;
import redoubt.sentry.fs.RegularFile;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.IoBuffer;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.mm.Mappable;
import redoubt.sentry.mm.MemoryFile;
import redoubt.sentry.platform.MapBatch;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.StatData;
import redoubt.sentry.vfs.VfsPath;

/**
 * A regular file: extents of the memory file, read and written by host calls on its descriptor
 * straight between there and the window of the caller's context.
 *
 * <p>Writers and whoever changes the size hold the monitor, as Linux's inode lock, also while they
 * copy from the guest. Readers, and faults of mappings, hold only {@link #extentLock}, and never
 * while they copy: a fault in the middle of a copy needs it. Extents change under its write mode.
 *
 * <p>The file lives while it has a name, an open description or a mapping; then its ranges are
 * freed.
 */
public final class TmpFile extends TmpInode implements FileContent, Mappable {
  private static final long PAGE = MemoryFile.PAGE;

  /** Most that is set aside after the end of a growing file, in bytes. */
  private static final long RESERVE_MAX = 16L << 20;

  private final StampedLock extentLock = new StampedLock();

  // Written under the monitor and extentLock; read under either. Faults write extents under
  // extentLock alone.
  private final Extents extents = new Extents();
  private volatile long size;

  /** Untouched memory right behind the last extent's, for the next append. */
  private long reserveMemory;

  private long reserveLength;

  // Guarded by users' monitor: this. Descriptions and mappings; the file is freed at none and no
  // name.
  private int users;
  private boolean freed;
  private int seals = Fcntl.F_SEAL_SEAL; // but for memory files that ask for less

  /** Whether a shared writable mapping was ever made; F_SEAL_WRITE looks at it. */
  private boolean mappedForWriting;

  private int mappings;
  private final List<MappingObserver> observers = new ArrayList<>(0); // guarded by itself

  TmpFile(TmpFs fs, int permissions, int uid, int gid, int nlink) {
    super(fs, S_IFREG | permissions & 07777, uid, gid, nlink);
  }

  // ---- life ----

  @Override
  public FileDescription open(Task t, VfsPath path, int flags) {
    return RegularFile.open(this, path, flags, t.creds());
  }

  @Override
  public long opened(int flags) {
    synchronized (this) {
      if (freed) {
        return -ENOENT; // its last name went while the walk was under way
      }
      users++;
      return 0;
    }
  }

  @Override
  public void closed(int flags) {
    unreferenceUser();
  }

  @Override
  public boolean isInMemoryFile() {
    return true;
  }

  @Override
  public void reference() {
    synchronized (this) {
      users++;
      mappings++;
    }
  }

  @Override
  public void unreference() {
    synchronized (this) {
      mappings--;
    }
    unreferenceUser();
  }

  private void unreferenceUser() {
    synchronized (this) {
      if (--users > 0 || nlink > 0) {
        return;
      }
    }
    freeIfUnused();
  }

  @Override
  void unnamed() {
    freeIfUnused();
  }

  private void freeIfUnused() {
    synchronized (this) {
      if (freed || users > 0 || nlink > 0) {
        return;
      }
      freed = true;
      Extents gone = new Extents();
      long stamp = extentLock.writeLock();
      try {
        extents.cut(0, Long.MAX_VALUE, gone);
        size = 0;
      } finally {
        extentLock.unlockWrite(stamp);
      }
      invalidate(0, Long.MAX_VALUE); // views; nobody maps it any more
      releaseReserve();
      release(gone);
    }
    gone();
  }

  boolean isFreed() {
    return freed;
  }

  // ---- attributes ----

  @Override
  public long size() {
    return size;
  }

  @Override
  public void stat(StatData s) {
    super.stat(s);
    long stamp = extentLock.tryOptimisticRead();
    s.blocks = extents.total() / 512;
    if (!extentLock.validate(stamp)) {
      stamp = extentLock.readLock();
      try {
        s.blocks = extents.total() / 512;
      } finally {
        extentLock.unlockRead(stamp);
      }
    }
  }

  @Override
  void setSize(long length) {
    ErrnoException.check(truncate(length));
  }

  /** {@return the F_SEAL_* bits of fcntl(F_GET_SEALS)} */
  @Override
  public int seals() {
    return seals;
  }

  /** A fresh memory file: seals may be put on it. */
  public void allowSealing() {
    synchronized (this) {
      seals = 0;
    }
  }

  /** What can be sealed one day must not be in the reach of guests that may write it today. */
  @Override
  public boolean mayWriteInPlace() {
    return seals == Fcntl.F_SEAL_SEAL && !hasXattrs();
  }

  /** fcntl(F_ADD_SEALS): 0, -EPERM when sealed against it, -EBUSY when mapped for writing. */
  @Override
  public long addSeals(int more) {
    synchronized (this) {
      if ((seals & Fcntl.F_SEAL_SEAL) != 0) {
        return -EPERM;
      }
      if ((more & ~seals & Fcntl.F_SEAL_WRITE) != 0 && mappings > 0 && mappedForWriting) {
        return -EBUSY;
      }
      seals |= more;
      return 0;
    }
  }

  // ---- reading ----

  @Override
  public long readAt(IoBuffer dst, long offset) {
    long done = 0;
    for (; ; ) {
      long limit = dst.windowLimit();
      long n = Math.min(limit, size - (offset + done));
      if (n <= 0) {
        return done;
      }
      MemorySegment window = dst.window();
      n = fill(window, offset + done, n);
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

  /**
   * Reads up to {@code length} bytes at {@code offset} into {@code window}; returns how many or
   * -errno.
   */
  private long fill(MemorySegment window, long offset, long length) {
    long stamp = extentLock.readLock();
    try {
      long end = Math.min(offset + length, size);
      long at = offset;
      int i = extents.firstEndingAfter(at);
      while (at < end) {
        if (i == extents.count() || extents.start(i) >= end) {
          zero(window, at - offset, end - at);
          at = end;
          break;
        }
        long start = extents.start(i);
        if (at < start) {
          zero(window, at - offset, start - at);
          at = start;
        }
        long run = Math.min(end, extents.end(i)) - at;
        long r =
            tmpfs.memory.read(
                window.address() + (at - offset), extents.memory(i) + (at - start), run);
        if (r < 0) {
          return at > offset ? at - offset : r;
        }
        at += run;
        i++;
      }
      return Math.max(0, at - offset);
    } finally {
      extentLock.unlockRead(stamp);
    }
  }

  private static void zero(MemorySegment window, long offset, long length) {
    window.asSlice(offset, length).fill((byte) 0);
  }

  @Override
  public void accessed(boolean strict) {
    touchAccessTime(strict);
  }

  // ---- writing ----

  @Override
  public long writeAt(IoBuffer src, long offset, RegularFile file) {
    synchronized (this) {
      if ((seals & (Fcntl.F_SEAL_WRITE | Fcntl.F_SEAL_FUTURE_WRITE)) != 0) {
        return -EPERM;
      }
      long start = file.isAppending() ? size : offset;
      if (src.remaining() > MAX_BYTES - PAGE - start) {
        return -EFBIG;
      }
      if ((seals & Fcntl.F_SEAL_GROW) != 0 && start + src.remaining() > size) {
        return -EPERM;
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
        long w = store(window.address(), start + done, n);
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
      if (file.isAppending()) {
        file.appended(start + done);
      }
      modified();
      return done;
    }
  }

  /**
   * Writes bytes of kernel memory, for who copies files. Grows the file as needed.
   *
   * @return bytes written, short when the filesystem is full, or -errno
   */
  public long storeAt(long haddr, long offset, long length) {
    synchronized (this) {
      return store(haddr, offset, length);
    }
  }

  /** Under the monitor. */
  private long store(long haddr, long offset, long length) {
    long end = offset + length;
    long done = storePresent(haddr, offset, end);
    while (done >= 0 && done < length) {
      long hole = offset + done;
      long got = fillHole(hole / PAGE * PAGE, (end + PAGE - 1) / PAGE * PAGE);
      if (got <= 0) {
        if (done == 0) {
          return got == 0 ? -ENOSPC : got;
        }
        break;
      }
      long r = storePresent(haddr + done, hole, end);
      if (r < 0) {
        if (done == 0) {
          return r;
        }
        break;
      }
      done += r;
    }
    if (done > 0 && offset + done > size) {
      size = offset + done;
    }
    return done;
  }

  /** Writes [offset, end) up to the first hole; returns bytes written or -errno. */
  private long storePresent(long haddr, long offset, long end) {
    long stamp = extentLock.readLock();
    try {
      long at = offset;
      int i = extents.firstEndingAfter(at);
      while (at < end && i < extents.count() && extents.start(i) <= at) {
        long run = Math.min(end, extents.end(i)) - at;
        long r =
            tmpfs.memory.write(
                haddr + (at - offset), extents.memory(i) + (at - extents.start(i)), run);
        if (r < 0) {
          return at > offset ? at - offset : r;
        }
        at += run;
        i++;
      }
      return at - offset;
    } finally {
      extentLock.unlockRead(stamp);
    }
  }

  /**
   * Allocates pages from {@code from}, which lies in a hole or at an extent's end, up to {@code to}
   * or the next extent. Returns the bytes allocated, 0 when the filesystem is full.
   */
  private long fillHole(long from, long to) {
    long stamp = extentLock.writeLock();
    try {
      return fillHoleLocked(from, to);
    } finally {
      extentLock.unlockWrite(stamp);
    }
  }

  private long fillHoleLocked(long from, long to) {
    int i = extents.firstEndingAfter(from);
    if (i < extents.count()) {
      if (extents.start(i) <= from) {
        return Math.min(to, extents.end(i)) - from; // a fault was faster
      }
      to = Math.min(to, extents.start(i));
    }
    long want = to - from;
    long length = tmpfs.chargePages(want / PAGE) * PAGE;
    if (length == 0) {
      return 0;
    }
    boolean appends = i > 0 && i == extents.count() && extents.end(i - 1) == from;
    long mem;
    if (appends && reserveLength > 0) {
      mem = reserveMemory;
      long taken = Math.min(length, reserveLength);
      reserveMemory += taken;
      reserveLength -= taken;
      tmpfs.unchargePages((length - taken) / PAGE);
      length = taken;
    } else if (appends
        && tmpfs.memory.extend(extents.memory(i - 1) + extents.length(i - 1), length)) {
      mem = extents.memory(i - 1) + extents.length(i - 1);
    } else {
      long reserve = appends ? Math.min(Math.max(extents.end(i - 1), length), RESERVE_MAX) : 0;
      mem = tmpfs.memory.allocate(length + reserve);
      if (mem < 0) {
        tmpfs.unchargePages(length / PAGE);
        return mem;
      }
      if (reserve > 0) {
        releaseReserve();
        reserveMemory = mem + length;
        reserveLength = reserve;
      }
    }
    extents.add(from, length, mem);
    withdrawGrants(); // st_blocks
    return length;
  }

  // ---- views ----

  @Override
  public long viewableBytes() {
    return size;
  }

  @Override
  public long view(MapBatch batch, long address, long offset, long length, boolean writable) {
    int imported = tmpfs.memory.imported(tmpfs.platform);
    int prot = writable ? Mman.PROT_READ | Mman.PROT_WRITE : Mman.PROT_READ;
    long stamp = extentLock.readLock();
    try {
      long end = Math.min(offset + length, pageEnd());
      long at = offset;
      for (int i = extents.firstEndingAfter(at);
          at < end && i < extents.count() && extents.start(i) <= at;
          i++) {
        long run = Math.min(end, extents.end(i)) - at;
        long memory = extents.memory(i) + (at - extents.start(i));
        batch.mapFile(address + (at - offset), run, prot, true, imported, memory);
        at += run;
      }
      if (at > offset) {
        batch.advise(address, at - offset, Mman.MADV_DONTFORK);
      }
      return at - offset;
    } finally {
      extentLock.unlockRead(stamp);
    }
  }

  private void releaseReserve() {
    if (reserveLength > 0) {
      tmpfs.memory.freeUntouched(reserveMemory, reserveLength);
      reserveLength = 0;
    }
  }

  // ---- sizes and holes ----

  @Override
  public long truncate(long length) {
    synchronized (this) {
      long old = size;
      if (length < old && (seals & Fcntl.F_SEAL_SHRINK) != 0
          || length > old && (seals & Fcntl.F_SEAL_GROW) != 0) {
        return -EPERM;
      }
      if (length > MAX_BYTES - PAGE) {
        return -EFBIG;
      }
      if (length < old) {
        long pageEnd = (length + PAGE - 1) / PAGE * PAGE;
        Extents gone = new Extents();
        long stamp = extentLock.writeLock();
        try {
          size = length;
          zeroPresent(length, pageEnd);
          extents.cut(pageEnd, Long.MAX_VALUE, gone);
          releaseReserve();
        } finally {
          extentLock.unlockWrite(stamp);
        }
        invalidate(pageEnd, Long.MAX_VALUE);
        release(gone);
      } else {
        size = length;
      }
      modified();
      return 0;
    }
  }

  /** Zeroes [from, to), which lies within a page, if it is present. Under extentLock. */
  private void zeroPresent(long from, long to) {
    int i = extents.firstEndingAfter(from);
    if (from < to && i < extents.count() && extents.start(i) <= from) {
      tmpfs.memory.zero(extents.memory(i) + (from - extents.start(i)), to - from);
    }
  }

  private void release(Extents gone) {
    for (int i = 0; i < gone.count(); i++) {
      tmpfs.memory.free(gone.memory(i), gone.length(i));
    }
    tmpfs.unchargePages(gone.total() / PAGE);
  }

  @Override
  public long allocate(int mode, long offset, long length) {
    if ((mode & ~(Fcntl.FALLOC_FL_KEEP_SIZE | Fcntl.FALLOC_FL_PUNCH_HOLE)) != 0) {
      return -EOPNOTSUPP;
    }
    if ((mode & Fcntl.FALLOC_FL_PUNCH_HOLE) != 0) {
      return (mode & Fcntl.FALLOC_FL_KEEP_SIZE) == 0 ? -EOPNOTSUPP : punch(offset, length);
    }
    synchronized (this) {
      long end = offset + length;
      boolean grows = (mode & Fcntl.FALLOC_FL_KEEP_SIZE) == 0 && end > size;
      if (grows && (seals & Fcntl.F_SEAL_GROW) != 0) {
        return -EPERM;
      }
      if (end > MAX_BYTES - PAGE) {
        return -EFBIG;
      }
      Extents made = new Extents();
      long at = offset / PAGE * PAGE;
      long pageEnd = (end + PAGE - 1) / PAGE * PAGE;
      long stamp = extentLock.writeLock();
      try {
        while (at < pageEnd) {
          int i = extents.firstEndingAfter(at);
          if (i < extents.count() && extents.start(i) <= at) {
            at = extents.end(i);
            continue;
          }
          long got = fillHoleLocked(at, pageEnd);
          if (got <= 0) {
            undo(made);
            return -ENOSPC;
          }
          made.add(at, got, -1 - 2 * at); // memory that never joins: only the ranges matter
          at += got;
        }
      } finally {
        extentLock.unlockWrite(stamp);
      }
      if (grows) {
        size = end;
      }
      changed();
      return 0;
    }
  }

  /** Takes back ranges that a fallocate which found no space has made. Under extentLock. */
  private void undo(Extents made) {
    Extents gone = new Extents();
    for (int i = 0; i < made.count(); i++) {
      extents.cut(made.start(i), made.end(i), gone);
    }
    release(gone);
    releaseReserve();
  }

  /** Makes a hole of [offset, offset+length): FALLOC_FL_PUNCH_HOLE, MADV_REMOVE. */
  @Override
  public long punch(long offset, long length) {
    synchronized (this) {
      if ((seals & (Fcntl.F_SEAL_WRITE | Fcntl.F_SEAL_FUTURE_WRITE)) != 0) {
        return -EPERM;
      }
      long end = offset + length;
      long first = (offset + PAGE - 1) / PAGE * PAGE;
      long last = end / PAGE * PAGE;
      Extents gone = new Extents();
      long stamp = extentLock.writeLock();
      try {
        if (first > last) {
          zeroPresent(offset, end);
        } else {
          zeroPresent(offset, first);
          zeroPresent(last, end);
          extents.cut(first, last, gone);
          releaseReserve();
        }
      } finally {
        extentLock.unlockWrite(stamp);
      }
      if (gone.count() > 0) {
        invalidate(first, last);
        release(gone);
      }
      modified();
      return 0;
    }
  }

  @Override
  public long seekData(long offset, boolean hole) {
    long stamp = extentLock.readLock();
    try {
      long end = size;
      if (offset >= end) {
        return -ENXIO;
      }
      // What was allocated and never touched counts as a hole, as on Linux: the host knows.
      long at = offset;
      for (int i = extents.firstEndingAfter(at); at < end; i++) {
        if (i == extents.count() || extents.start(i) >= end) {
          return hole ? at : -ENXIO;
        }
        if (extents.start(i) > at) {
          if (hole) {
            return at;
          }
          at = extents.start(i);
        }
        long shift = extents.memory(i) - extents.start(i); // from here to the memory file
        long found = hole ? tmpfs.memory.nextHole(at + shift) : tmpfs.memory.nextData(at + shift);
        if (found >= 0 && found - shift < Math.min(extents.end(i), end)) {
          return Math.max(at, found - shift);
        }
        at = extents.end(i);
      }
      return hole ? end : -ENXIO;
    } finally {
      extentLock.unlockRead(stamp);
    }
  }

  @Override
  public long fsync(boolean dataOnly) {
    return 0;
  }

  // ---- mappings ----

  @Override
  public Mappable mappable() {
    return this;
  }

  @Override
  public long prepareMap(boolean sharedWritable) {
    if (sharedWritable) {
      synchronized (this) {
        if ((seals & (Fcntl.F_SEAL_WRITE | Fcntl.F_SEAL_FUTURE_WRITE)) != 0) {
          return -EPERM;
        }
        mappedForWriting = true;
      }
    }
    return 0;
  }

  /** Maps what lies below the end; holes get pages now, as far as the filesystem has any. */
  @Override
  public long map(MapBatch batch, long uaddr, long offset, long length, int prot, boolean shared) {
    long end = Math.min(offset + length, pageEnd());
    if (offset < end) {
      mapRange(batch, uaddr, offset, end, prot, shared);
    }
    return 0;
  }

  @Override
  public long fault(
      MapBatch batch, long uaddr, long offset, long length, int prot, boolean shared) {
    long end = Math.min(offset + length, pageEnd());
    if (offset >= end || mapRange(batch, uaddr, offset, end, prot, shared) == offset) {
      return -EFAULT;
    }
    return 0;
  }

  @Override
  public boolean mapsWhole(long offset, long length) {
    return offset + length <= pageEnd();
  }

  private long pageEnd() {
    return (size + PAGE - 1) / PAGE * PAGE;
  }

  /** Maps [offset, end) as far as there are pages; returns where it stopped. */
  private long mapRange(
      MapBatch batch, long uaddr, long offset, long end, int prot, boolean shared) {
    int imported = tmpfs.memory.imported(tmpfs.platform);
    long stamp = extentLock.writeLock();
    try {
      long at = offset;
      while (at < end) {
        int i = extents.firstEndingAfter(at);
        if (i == extents.count() || extents.start(i) > at) {
          if (fillHoleLocked(at, end) <= 0) {
            return at;
          }
          continue;
        }
        long run = Math.min(end, extents.end(i)) - at;
        batch.mapFile(
            uaddr + (at - offset),
            run,
            prot,
            shared,
            imported,
            extents.memory(i) + (at - extents.start(i)));
        at += run;
      }
      return at;
    } finally {
      extentLock.unlockWrite(stamp);
    }
  }

  @Override
  public void addMapping(MappingObserver observer) {
    synchronized (observers) {
      observers.add(observer);
    }
  }

  @Override
  public void removeMapping(MappingObserver observer) {
    synchronized (observers) {
      observers.remove(observer);
    }
  }

  /** Has every address space drop its pages of [start, end). Waits until they have. */
  private void invalidate(long start, long end) {
    MappingObserver[] all;
    synchronized (observers) {
      if (observers.isEmpty()) {
        return;
      }
      all = observers.toArray(new MappingObserver[0]);
    }
    // One address space may observe once for each of its VMAs.
    Set<MappingObserver> told = Collections.newSetFromMap(new IdentityHashMap<>());
    for (MappingObserver o : all) {
      if (told.add(o)) {
        o.invalidate(this, start, end);
      }
    }
  }
}
