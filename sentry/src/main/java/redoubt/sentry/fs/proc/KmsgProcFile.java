package redoubt.sentry.fs.proc;

import static redoubt.abi.Errno.EAGAIN;
import static redoubt.abi.Errno.EPERM;

import java.lang.foreign.MemorySegment;
import redoubt.abi.Caps;
import redoubt.sentry.fs.kernfs.KernInode;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.IoBuffer;
import redoubt.sentry.kernel.KernelLog;
import redoubt.sentry.kernel.Latin1;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.WaitQueue;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.VfsPath;

/** /proc/kmsg: the log as syslog(2) gives it. Each description reads it from the beginning. */
final class KmsgProcFile extends KernInode {
  KmsgProcFile(ProcFs proc) {
    super(proc, proc.nextInode(), S_IFREG | 0400);
  }

  @Override
  public FileDescription open(Task t, VfsPath path, int flags) {
    if (!t.hasCapability(Caps.CAP_SYSLOG) && !t.hasCapability(Caps.CAP_SYS_ADMIN)) {
      throw ErrnoException.of(EPERM);
    }
    return new Log(t, path, flags);
  }

  private static final class Log extends FileDescription {
    private final KernelLog log;
    private byte[] line = {}; // guarded by this
    private int taken; // guarded by this
    private long next; // guarded by this

    Log(Task t, VfsPath path, int flags) {
      super(path, flags, t.creds());
      log = t.kernel().log();
    }

    @Override
    public long read(Task t, IoBuffer dst, long offset) {
      byte[] now;
      int from;
      int n;
      synchronized (this) {
        if (taken == line.length) {
          var entries = log.since(next);
          if (entries.isEmpty()) {
            return -EAGAIN;
          }
          line = Latin1.bytes(KernelLog.format(entries.getFirst()));
          next = entries.getFirst().sequence() + 1;
          taken = 0;
        }
        now = line;
        from = taken;
        n = (int) Math.min(dst.remaining(), line.length - taken);
        taken += n;
      }
      return dst.put(MemorySegment.ofArray(now), from, n);
    }

    @Override
    public synchronized int poll() {
      return taken < line.length || !log.since(next).isEmpty() ? POLLIN | POLLRDNORM : 0;
    }

    @Override
    public WaitQueue waitQueue() {
      return log.queue;
    }
  }
}
