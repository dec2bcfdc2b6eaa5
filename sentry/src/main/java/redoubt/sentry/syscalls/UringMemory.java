package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.IoUring.IORING_OFF_CQ_RING;
import static redoubt.abi.IoUring.IORING_OFF_SQES;
import static redoubt.abi.IoUring.IORING_OFF_SQ_RING;
import static redoubt.abi.IoUring.SIZEOF_CQE;
import static redoubt.abi.IoUring.SIZEOF_SQE;

import java.lang.foreign.MemorySegment;
import redoubt.host.Fd;
import redoubt.host.MemFd;
import redoubt.host.Memory;
import redoubt.host.Region;
import redoubt.sentry.mm.Mappable;
import redoubt.sentry.platform.MapBatch;
import redoubt.sentry.platform.Platform;

/**
 * The rings of one io_uring, a sealed memfd that guest and sentry both map. Everything in it may be
 * changed by the guest at any time: each word is read once, and no index is used unmasked.
 *
 * <pre>
 *   0 sq.head (sentry)   4 sq.tail (guest)    8 sq.mask   12 sq.entries   16 sq.flags   20 sq.dropped
 *  64 cq.head (guest)   68 cq.tail (sentry)  72 cq.mask   76 cq.entries   80 overflow   84 cq.flags
 * 128 completions, then the array of indices; submissions begin on a page of their own
 * </pre>
 */
final class UringMemory implements Mappable {
  static final int SQ_HEAD = 0;
  static final int SQ_TAIL = 4;
  static final int SQ_MASK = 8;
  static final int SQ_ENTRIES = 12;
  static final int SQ_FLAGS = 16;
  static final int SQ_DROPPED = 20;
  static final int CQ_HEAD = 64;
  static final int CQ_TAIL = 68;
  static final int CQ_MASK = 72;
  static final int CQ_ENTRIES = 76;
  static final int CQ_OVERFLOW = 80;
  static final int CQ_FLAGS = 84;
  static final int CQES = 128;

  /** What of an offset says which part is meant; Linux ignores the bits above. */
  private static final long OFFSET_MASK = 0xf800_0000L;

  final int sqEntries;
  final int cqEntries;

  /** The words of the rings and the entries. */
  final Region words;

  private final long ringBytes;
  private final long sqesBytes;
  private final Platform platform;
  private final int imported;
  private final MemorySegment mapping;
  private int references = 1; // guarded by this

  /** Both numbers are powers of two. */
  UringMemory(Platform platform, int sqEntries, int cqEntries) {
    this.platform = platform;
    this.sqEntries = sqEntries;
    this.cqEntries = cqEntries;
    this.ringBytes = pages(array() + 4L * sqEntries);
    this.sqesBytes = pages((long) SIZEOF_SQE * sqEntries);
    try (Fd fd = MemFd.create("io_uring", ringBytes + sqesBytes)) {
      this.mapping = Memory.mapShared(fd, 0, ringBytes + sqesBytes);
      this.imported = platform.importFd(fd);
    }
    this.words = Region.of(mapping);
    words.putInt(SQ_MASK, sqEntries - 1);
    words.putInt(SQ_ENTRIES, sqEntries);
    words.putInt(CQ_MASK, cqEntries - 1);
    words.putInt(CQ_ENTRIES, cqEntries);
  }

  private static long pages(long bytes) {
    return (bytes + Memory.PAGE - 1) & -Memory.PAGE;
  }

  /** {@return where the array of indices begins} */
  int array() {
    return CQES + SIZEOF_CQE * cqEntries;
  }

  /** {@return where submission entry {@code index} is} */
  long sqe(int index) {
    return ringBytes + (long) SIZEOF_SQE * (index & (sqEntries - 1));
  }

  @Override
  public long map(MapBatch batch, long uaddr, long offset, long length, int prot, boolean shared) {
    long which = offset & OFFSET_MASK;
    boolean sqes = which == IORING_OFF_SQES;
    long within = offset & ~OFFSET_MASK & 0x7ff_ffffL;
    long size = sqes ? sqesBytes : ringBytes;
    boolean known = sqes || which == IORING_OFF_CQ_RING || which == IORING_OFF_SQ_RING;
    if (!known || within + length > size || !shared) {
      return -EINVAL;
    }
    batch.mapFile(uaddr, length, prot, true, imported, sqes ? ringBytes + within : within);
    return 0;
  }

  @Override
  public long fault(
      MapBatch batch, long uaddr, long offset, long length, int prot, boolean shared) {
    return map(batch, uaddr, offset, length, prot, shared);
  }

  @Override
  public synchronized void reference() {
    references++;
  }

  @Override
  public void unreference() {
    synchronized (this) {
      if (--references > 0) {
        return;
      }
    }
    platform.releaseFd(imported);
    Memory.unmap(mapping);
  }
}
