package redoubt.sentry.boot;

import java.lang.foreign.MemorySegment;
import redoubt.abi.Nr;
import redoubt.host.Fd;
import redoubt.host.RawSyscall;
import redoubt.sentry.kernel.IoBuffer;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.VfsPath;

/** A host stream as a process's standard file. */
final class BlockingHostFile extends FileDescription {
  private final Fd fd;

  BlockingHostFile(VfsPath path, Fd fd) {
    super(path, O_RDWR, null);
    this.fd = fd;
  }

  @Override
  public long read(Task t, IoBuffer dst, long offset) {
    MemorySegment w = dst.window();
    long n = RawSyscall.syscall(Nr.READ, fd.number(), w.address(), dst.windowLimit());
    return n <= 0 ? n : dst.commit(n);
  }

  @Override
  public long write(Task t, IoBuffer src, long offset) {
    MemorySegment w = src.window();
    long n = src.fetch(src.windowLimit());
    return n <= 0 ? n : RawSyscall.syscall(Nr.WRITE, fd.number(), w.address(), n);
  }

  @Override
  protected void release() {
    fd.close();
  }
}
