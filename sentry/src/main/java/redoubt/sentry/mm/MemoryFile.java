package redoubt.sentry.mm;

import static redoubt.abi.Errno.EINTR;
import static redoubt.abi.Errno.EIO;
import static redoubt.abi.Errno.ENOSPC;

import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.Iterator;
import java.util.Map;
import java.util.TreeMap;
import redoubt.abi.Nr;
import redoubt.host.Fd;
import redoubt.host.HostException;
import redoubt.host.Memory;
import redoubt.host.RawSyscall;
import redoubt.sentry.platform.Platform;

/**
 * The file whose ranges hold what guests really share: data of tmpfs and overlay-upper files,
 * shared anonymous memory, System V segments. A memfd, or a sparse host file handed in at boot.
 *
 * <p>Offsets are plentiful and pages are the host's: a range that is allocated but not touched
 * costs nothing. Every range that {@link #allocate} returns reads as zeros. Freed ranges are
 * punched out of the file before they are used again; small ones in batches, so that unlinking a
 * small file makes no host call.
 *
 * <p>Whoever frees a range must have seen every mapping of it gone (see {@link
 * Mappable.MappingObserver}): what is freed here may belong to another container a moment later.
 */
public final class MemoryFile implements AutoCloseable {
  /** Bytes in a page, the unit of allocation. */
  public static final long PAGE = Memory.PAGE;

  /** Past the largest file of common host filesystems this ends: 8 TiB. */
  private static final long OFFSET_LIMIT = 1L << 43;

  private static final long GROWTH = 1L << 30;
  private static final int MFD_CLOEXEC = 1;
  private static final int MFD_ALLOW_SEALING = 2;
  private static final int F_ADD_SEALS = 1033;
  private static final int F_SEAL_SHRINK = 2;
  private static final int FALLOC_FL_KEEP_SIZE = 1;
  private static final int FALLOC_FL_PUNCH_HOLE = 2;
  private static final int SEEK_DATA = 3;

  /** A freed range of up to this many bytes waits for others before it is punched out. */
  private static final long DIRTY_RANGE_MAX = 64 * 1024;

  private static final long DIRTY_BYTES_MAX = 4L << 20;

  /** Free ranges looked at before new offsets are taken. */
  private static final int SEARCH_MAX = 32;

  private final Fd fd;
  private int imported = -1; // guarded by this

  // All guarded by this.
  private long end;
  private long size;
  private long allocated;
  private final TreeMap<Long, Long> free = new TreeMap<>(); // offset to length, none adjacent
  private long[] freePages = new long[256]; // single pages that read as zeros
  private int freePageCount;
  private long[] dirty = new long[512]; // offset, length
  private int dirtyCount;
  private long dirtyBytes;

  /**
   * Takes an empty file.
   *
   * @param fd open for reading and writing; owned from now on
   */
  public MemoryFile(Fd fd) {
    this.fd = fd;
  }

  /**
   * Makes a memory file without a name.
   *
   * @throws HostException if the host has no descriptor for it
   */
  public static MemoryFile create(String name) {
    try (Arena arena = Arena.ofConfined()) {
      long r =
          HostException.check(
              "memfd_create",
              RawSyscall.syscall(
                  Nr.MEMFD_CREATE,
                  Memory.cString(arena, name).address(),
                  MFD_CLOEXEC | MFD_ALLOW_SEALING));
      RawSyscall.syscall(Nr.FCNTL, r, F_ADD_SEALS, F_SEAL_SHRINK);
      return new MemoryFile(new Fd((int) r));
    }
  }

  /** {@return the host descriptor}, for pread, pwrite and their kin */
  public int number() {
    return fd.number();
  }

  /** {@return the platform's number for {@link redoubt.sentry.platform.MapBatch#mapFile}} */
  public synchronized int imported(Platform platform) {
    if (imported < 0) {
      imported = platform.importFd(fd);
    }
    return imported;
  }

  /** {@return bytes in use}, touched or not */
  public synchronized long allocatedBytes() {
    return allocated;
  }

  /**
   * Takes a range that reads as zeros.
   *
   * @param bytes a multiple of {@link #PAGE}
   * @return its offset, or -ENOSPC
   */
  public synchronized long allocate(long bytes) {
    long offset = -1;
    if (bytes == PAGE && freePageCount > 0) {
      offset = freePages[--freePageCount];
    } else if (!free.isEmpty()) {
      offset = takeFree(bytes);
    }
    if (offset < 0) {
      offset = takeNew(bytes);
      if (offset < 0) {
        return offset;
      }
    }
    allocated += bytes;
    return offset;
  }

  /**
   * Lengthens a range in place.
   *
   * @param rangeEnd where the caller's range ends
   * @return whether the {@code bytes} after it are the caller's now
   */
  public synchronized boolean extend(long rangeEnd, long bytes) {
    if (rangeEnd != end || takeNew(bytes) < 0) {
      return false;
    }
    allocated += bytes;
    return true;
  }

  private long takeFree(long bytes) {
    int tries = SEARCH_MAX;
    for (Iterator<Map.Entry<Long, Long>> i = free.entrySet().iterator();
        i.hasNext() && tries-- > 0; ) {
      Map.Entry<Long, Long> e = i.next();
      long length = e.getValue();
      if (length >= bytes) {
        long offset = e.getKey();
        i.remove();
        if (length > bytes) {
          free.put(offset + bytes, length - bytes);
        }
        return offset;
      }
    }
    return -1;
  }

  private long takeNew(long bytes) {
    long offset = end;
    if (bytes > OFFSET_LIMIT - offset) {
      return -ENOSPC;
    }
    long newEnd = offset + bytes;
    if (newEnd > size) {
      long newSize = Math.min(OFFSET_LIMIT, (newEnd + GROWTH - 1) / GROWTH * GROWTH);
      long r = RawSyscall.syscall(Nr.FTRUNCATE, fd.number(), newSize);
      if (r < 0) {
        return -ENOSPC;
      }
      size = newSize;
    }
    end = newEnd;
    return offset;
  }

  /** Gives a range back that was used. No mapping of it may be left. */
  public synchronized void free(long offset, long bytes) {
    allocated -= bytes;
    if (bytes > DIRTY_RANGE_MAX) {
      punch(offset, bytes);
      return;
    }
    if (dirtyCount + 2 > dirty.length || dirtyBytes + bytes > DIRTY_BYTES_MAX) {
      punchDirty();
    }
    dirty[dirtyCount++] = offset;
    dirty[dirtyCount++] = bytes;
    dirtyBytes += bytes;
  }

  /** Gives a range back that was never written nor mapped. */
  public synchronized void freeUntouched(long offset, long bytes) {
    allocated -= bytes;
    enterFree(offset, bytes);
  }

  private void punchDirty() {
    int n = dirtyCount / 2;
    for (int i = 0; i < n; i++) {
      punch(dirty[2 * i], dirty[2 * i + 1]);
    }
    dirtyCount = 0;
    dirtyBytes = 0;
  }

  private void punch(long offset, long bytes) {
    long r;
    do {
      r =
          RawSyscall.syscall(
              Nr.FALLOCATE, fd.number(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, bytes);
    } while (r == -EINTR);
    // A range that could not be punched still has old data: it is never used again.
    if (r == 0) {
      enterFree(offset, bytes);
    }
  }

  private void enterFree(long offset, long bytes) {
    if (bytes == PAGE && freePageCount < 1 << 16) {
      if (freePageCount == freePages.length) {
        freePages = Arrays.copyOf(freePages, 2 * freePageCount);
      }
      freePages[freePageCount++] = offset;
      return;
    }
    Map.Entry<Long, Long> before = free.floorEntry(offset);
    if (before != null && before.getKey() + before.getValue() == offset) {
      offset = before.getKey();
      bytes += before.getValue();
    }
    Long after = free.remove(offset + bytes);
    if (after != null) {
      bytes += after;
    }
    if (offset + bytes == end) {
      free.remove(offset);
      end = offset;
      return;
    }
    free.put(offset, bytes);
  }

  /** Reads {@code bytes} at {@code offset} to host address {@code haddr}; returns 0 or -errno. */
  public long read(long haddr, long offset, long bytes) {
    long done = 0;
    while (done < bytes) {
      long r =
          RawSyscall.syscall(Nr.PREAD64, fd.number(), haddr + done, bytes - done, offset + done);
      if (r <= 0) {
        if (r == -EINTR) {
          continue;
        }
        return r == 0 ? -EIO : r;
      }
      done += r;
    }
    return 0;
  }

  /**
   * Writes {@code bytes} at {@code offset} from host address {@code haddr}; returns 0 or -errno.
   */
  public long write(long haddr, long offset, long bytes) {
    long done = 0;
    while (done < bytes) {
      long r =
          RawSyscall.syscall(Nr.PWRITE64, fd.number(), haddr + done, bytes - done, offset + done);
      if (r <= 0) {
        if (r == -EINTR) {
          continue;
        }
        return r == 0 ? -EIO : r;
      }
      done += r;
    }
    return 0;
  }

  /**
   * Makes part of a range read as zeros and gives its whole pages back to the host. 0 or -errno.
   */
  public long zero(long offset, long bytes) {
    return RawSyscall.syscall(
        Nr.FALLOCATE, fd.number(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, bytes);
  }

  /** {@return where the first touched page at or after {@code offset} is}, or -ENXIO */
  public long nextData(long offset) {
    return RawSyscall.syscall(Nr.LSEEK, fd.number(), offset, SEEK_DATA);
  }

  /** {@return where the first untouched page at or after {@code offset} is}, or -ENXIO */
  public long nextHole(long offset) {
    return RawSyscall.syscall(Nr.LSEEK, fd.number(), offset, SEEK_DATA + 1);
  }

  @Override
  public void close() {
    fd.close();
  }
}
