package redoubt.sentry.ipc.sysv;

import static redoubt.abi.Errno.EFAULT;

import redoubt.sentry.kernel.Clocks;
import redoubt.sentry.kernel.Credentials;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.mm.Mappable;
import redoubt.sentry.platform.MapBatch;

/**
 * One segment: a range of the memory file with an owner. Linux's shmid_kernel. Guarded by its
 * table's monitor.
 */
public final class SharedSegment implements Mappable {
  final SharedSegments table;
  final int id;
  final int key;

  /** Bytes asked for, and the whole pages that hold them. */
  final long size;

  final long pages;

  /** Where the range starts in the memory file. */
  final long base;

  final int creatorUid;
  final int creatorGid;
  final int creatorPid;
  int uid;
  int gid;
  int mode;
  int attached;
  int lastPid;
  boolean removed;
  boolean locked;
  long attachedAt;
  long detachedAt;
  long changedAt = now();

  SharedSegment(
      SharedSegments table, int id, int key, long size, long pages, long base, int mode, Task t) {
    this.table = table;
    this.id = id;
    this.key = key;
    this.size = size;
    this.pages = pages;
    this.base = base;
    this.mode = mode;
    this.uid = t.creds().euid;
    this.gid = t.creds().egid;
    this.creatorUid = uid;
    this.creatorGid = gid;
    this.creatorPid = t.tgid();
  }

  static long now() {
    return Clocks.realtimeNs() / 1_000_000_000L;
  }

  /** {@return whether {@code c} may do what {@code want} (4 read, 2 write) says}: ipcperms */
  boolean permits(Credentials c, int want) {
    if (c.hasCapability(redoubt.abi.Caps.CAP_IPC_OWNER)) {
      return true;
    }
    int granted = mode;
    if (c.euid == uid || c.euid == creatorUid) {
      granted >>= 6;
    } else if (c.inEffectiveGroup(gid) || c.inEffectiveGroup(creatorGid)) {
      granted >>= 3;
    }
    return (granted & want) == want;
  }

  boolean isOwner(Credentials c) {
    return c.euid == uid || c.euid == creatorUid || c.hasCapability(redoubt.abi.Caps.CAP_SYS_ADMIN);
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
  public void reference() {
    table.attached(this);
  }

  @Override
  public void unreference() {
    table.detached(this);
  }
}
