package redoubt.sentry.ipc.mqueue;

import java.lang.foreign.MemorySegment;
import redoubt.sentry.ipc.AnonymousFiles;
import redoubt.sentry.kernel.IoBuffer;
import redoubt.sentry.kernel.Latin1;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.WaitQueue;
import redoubt.sentry.vfs.FileDescription;

/** An open message queue. Read as a file it tells its state, as in Linux's mqueue file system. */
final class PosixQueueFile extends FileDescription {
  final PosixQueue queue;
  private final PosixQueues table;
  private final String name;

  PosixQueueFile(Task t, PosixQueues table, PosixQueue queue, String name, int flags) {
    super(AnonymousFiles.of(t.kernel()).newOther(t.creds(), name), flags, t.creds());
    this.table = table;
    this.queue = queue;
    this.name = name;
  }

  @Override
  public boolean isSeekable() {
    return true;
  }

  @Override
  public long read(Task t, IoBuffer dst, long offset) {
    String text = queue.text();
    if (offset >= text.length()) {
      return 0;
    }
    MemorySegment s = t.scratch();
    Latin1.writeZ(s, 0, text);
    return dst.put(s, offset, Math.min(dst.remaining(), text.length() - offset));
  }

  @Override
  public int poll() {
    return queue.poll();
  }

  @Override
  public WaitQueue waitQueue() {
    return queue.queue;
  }

  /** Whichever of its descriptors a process closes, it gives up its notice. */
  @Override
  public long flush(Task t) {
    queue.unregister(t.threadGroup());
    return 0;
  }

  @Override
  public String linkText() {
    return "/" + name;
  }

  @Override
  protected void release() {
    table.closed(queue);
  }
}
