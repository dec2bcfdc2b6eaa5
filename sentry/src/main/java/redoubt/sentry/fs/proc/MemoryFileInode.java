package redoubt.sentry.fs.proc;

import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EIO;

import java.lang.foreign.MemorySegment;
import redoubt.sentry.fs.kernfs.KernInode;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.IoBuffer;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.mm.MemoryManager;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.VfsPath;

/** /proc/PID/mem: the memory of the process as it was when opened. */
final class MemoryFileInode extends KernInode {
  private final Target target;

  MemoryFileInode(ProcFs proc, Target target, long ino) {
    super(proc, ino, S_IFREG | 0600);
    this.target = target;
  }

  @Override
  public int uid() {
    return target.uid();
  }

  @Override
  public int gid() {
    return target.gid();
  }

  @Override
  public FileDescription open(Task t, VfsPath path, int flags) {
    if (!target.mayInspect(t)) {
      throw ErrnoException.of(redoubt.abi.Errno.EACCES);
    }
    MemoryManager mm = target.living().mm();
    mm.space().unpatch(); // what is seen there is the program's own text
    return new Mem(mm, path, flags, t);
  }

  private static final class Mem extends FileDescription {
    private final MemoryManager mm;

    Mem(MemoryManager mm, VfsPath path, int flags, Task t) {
      super(path, flags, t.creds());
      this.mm = mm;
    }

    @Override
    public boolean isSeekable() {
      return true;
    }

    @Override
    public long seek(Task t, long offset, int whence) {
      if (whence > 1) {
        return -EINVAL;
      }
      position = whence == 0 ? offset : position + offset;
      return position;
    }

    @Override
    public long read(Task t, IoBuffer dst, long offset) {
      MemorySegment s = t.scratch();
      long n = Math.min(dst.remaining(), Task.PATH_MAX);
      if (n == 0) {
        return 0;
      }
      long got =
          mm == t.mm()
              ? mm.forceCopyIn(t.context()::copyIn, offset, s, 0, n)
              : mm.forceCopyIn(mm.space()::copyIn, offset, s, 0, n);
      return got <= 0 ? -EIO : dst.put(s, 0, got);
    }

    @Override
    public long write(Task t, IoBuffer src, long offset) {
      MemorySegment s = t.scratch();
      long n = src.get(s, 0, Math.min(src.remaining(), Task.PATH_MAX));
      if (n <= 0) {
        return n;
      }
      long put =
          mm == t.mm()
              ? mm.forceCopyOut(t.context()::copyOut, offset, s, 0, n)
              : mm.forceCopyOut(mm.space()::copyOut, offset, s, 0, n);
      return put <= 0 ? -EIO : put;
    }
  }
}
