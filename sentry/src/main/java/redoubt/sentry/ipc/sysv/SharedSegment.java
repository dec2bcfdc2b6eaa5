package redoubt.sentry.ipc.sysv;

import static redoubt.abi.Errno.EFAULT;

import redoubt.sentry.kernel.Task;
import redoubt.sentry.mm.Mappable;
import redoubt.sentry.platform.MapBatch;

/**
 * One segment: a range of the memory file with an owner. Linux's shmid_kernel. Guarded by its
 * table's monitor.
 */
public final class SharedSegment extends IpcObject implements Mappable {
  final SharedSegments table;

  /** Bytes asked for, and the whole pages that hold them. */
  final long size;

  final long pages;

  /** Where the range starts in the memory file. */
  final long base;

  final int creatorPid;
  int attached;
  int lastPid;
  boolean locked;
  long attachedAt;
  long detachedAt;

  SharedSegment(
      SharedSegments table, int id, int key, long size, long pages, long base, int mode, Task t) {
    super(id, key, mode, t);
    this.table = table;
    this.size = size;
    this.pages = pages;
    this.base = base;
    this.creatorPid = t.tgid();
  }

  @Override
  public long map(MapBatch batch, long uaddr, long offset, long length, int prot, boolean shared) {
    if (offset < pages) {
      batch.mapFile(
          uaddr, Math.min(length, pages - offset), prot, shared, table.imported(), base + offset);
    }
    return 0;
  }

  @Override
  public long fault(
      MapBatch batch, long uaddr, long offset, long length, int prot, boolean shared) {
    return offset >= pages ? -EFAULT : map(batch, uaddr, offset, length, prot, shared);
  }

  @Override
  public boolean isInMemoryFile() {
    return true;
  }

  @Override
  public void reference() {
    table.attached(this);
  }

  @Override
  public void unreference() {
    table.detached(this);
  }
}
