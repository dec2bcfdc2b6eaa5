package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.EACCES;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EOPNOTSUPP;

import redoubt.abi.Mman;
import redoubt.sentry.fs.tmpfs.TmpFile;
import redoubt.sentry.kernel.IoBuffer;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.mm.Mappable;
import redoubt.sentry.platform.MapBatch;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.VfsPath;

/**
 * Memory that only those who map it can see: mm/secretmem.c. Neither read(2) nor another process's
 * ptrace, process_vm_readv or /proc/PID/mem reaches it. Differs from Linux: the pages are the
 * memory file's, so they are not hidden from the host.
 */
final class SecretFile extends FileDescription {
  private final TmpFile pages;

  SecretFile(Task t, VfsPath path, TmpFile pages) {
    super(path, O_RDWR, t.creds());
    this.pages = pages;
  }

  @Override
  public boolean isSeekable() {
    return false;
  }

  @Override
  public long read(Task t, IoBuffer dst, long offset) {
    return -EINVAL;
  }

  @Override
  public long write(Task t, IoBuffer src, long offset) {
    return -EINVAL;
  }

  /** Its size is set once. */
  @Override
  public synchronized long truncate(long length) {
    return pages.size() != 0 ? -EINVAL : pages.truncate(length);
  }

  @Override
  public long allocate(int mode, long offset, long length) {
    return -EOPNOTSUPP;
  }

  @Override
  public long checkMmap(int prot, int flags) {
    if ((prot & Mman.PROT_EXEC) != 0) {
      return -EACCES;
    }
    int type = flags & Mman.MAP_TYPE;
    return type == Mman.MAP_SHARED || type == Mman.MAP_SHARED_VALIDATE ? 0 : -EINVAL;
  }

  @Override
  public Mappable mappable() {
    return new Secret(pages);
  }

  @Override
  public String linkText() {
    return "/secretmem (deleted)";
  }

  /** The file's pages, marked; equal for mappings of one file. */
  private record Secret(TmpFile pages) implements Mappable {
    @Override
    public boolean isSecret() {
      return true;
    }

    @Override
    public long map(
        MapBatch batch, long uaddr, long offset, long length, int prot, boolean shared) {
      return pages.map(batch, uaddr, offset, length, prot, shared);
    }

    @Override
    public long fault(
        MapBatch batch, long uaddr, long offset, long length, int prot, boolean shared) {
      return pages.fault(batch, uaddr, offset, length, prot, shared);
    }

    @Override
    public boolean mapsWhole(long offset, long length) {
      return pages.mapsWhole(offset, length);
    }

    @Override
    public void protect(MapBatch batch, long uaddr, long offset, long length, int prot) {
      pages.protect(batch, uaddr, offset, length, prot);
    }

    @Override
    public boolean isInMemoryFile() {
      return true;
    }

    @Override
    public void reference() {
      pages.reference();
    }

    @Override
    public void unreference() {
      pages.unreference();
    }

    @Override
    public Object identity() {
      return pages.identity();
    }
  }
}
