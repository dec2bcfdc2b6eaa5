package redoubt.sentry.mm;

import static redoubt.abi.Errno.EFAULT;

import redoubt.sentry.platform.MapBatch;
import redoubt.sentry.platform.Platform;

/** Shared anonymous memory: a range of the memory file that lives as long as somebody maps it. */
final class SharedAnonymous implements Mappable {
  private final MemoryFile memory;
  private final Platform platform;
  private final long base;
  private final long length;
  private int references; // guarded by this

  /** Takes over the range. */
  SharedAnonymous(MemoryFile memory, Platform platform, long base, long length) {
    this.memory = memory;
    this.platform = platform;
    this.base = base;
    this.length = length;
  }

  @Override
  public long map(MapBatch batch, long uaddr, long offset, long size, int prot, boolean shared) {
    if (offset >= length) {
      return 0;
    }
    batch.mapFile(
        uaddr,
        Math.min(size, length - offset),
        prot,
        shared,
        memory.imported(platform),
        base + offset);
    return 0;
  }

  @Override
  public long fault(MapBatch batch, long uaddr, long offset, long size, int prot, boolean shared) {
    return offset >= length ? -EFAULT : map(batch, uaddr, offset, size, prot, shared);
  }

  @Override
  public boolean isInMemoryFile() {
    return true;
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
    memory.free(base, length);
  }
}
