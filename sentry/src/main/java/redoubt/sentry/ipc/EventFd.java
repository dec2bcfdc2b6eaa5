package redoubt.sentry.ipc;

import static redoubt.abi.Errno.EAGAIN;
import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.EINVAL;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Poll;
import redoubt.host.Memory;
import redoubt.sentry.kernel.IoBuffer;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.WaitQueue;
import redoubt.sentry.vfs.FileDescription;

/** A counter to wait on: <a href="https://man7.org/linux/man-pages/man2/eventfd.2.html">eventfd(2)</a>. */
public final class EventFd extends FileDescription {
  /** ULLONG_MAX: what the counter never reaches by write(2). */
  private static final long MAX = -1L;

  private final WaitQueue queue = new WaitQueue();
  private final boolean semaphore;
  private long count; // guarded by this, unsigned

  /** @param flags O_NONBLOCK or 0 */
  public EventFd(Task t, int initial, boolean semaphore, int flags) {
    super(AnonymousFiles.of(t.kernel()).newOther(t.creds(), "[eventfd]"), O_RDWR | flags, t.creds());
    this.count = initial & 0xffffffffL;
    this.semaphore = semaphore;
  }

  @Override
  public long read(Task t, IoBuffer dst, long offset) {
    if (dst.remaining() < 8) {
      return -EINVAL;
    }
    MemorySegment s = t.scratch();
    long value;
    synchronized (this) {
      if (count == 0) {
        return -EAGAIN;
      }
      value = semaphore ? 1 : count;
      count -= value;
    }
    queue.notify(Poll.POLLOUT | Poll.POLLWRNORM);
    s.set(Memory.LONG, 0, value);
    return dst.put(s, 0, 8) == 8 ? 8 : -EFAULT;
  }

  @Override
  public long write(Task t, IoBuffer src, long offset) {
    long before = src.remaining();
    if (before < 8) {
      return -EINVAL;
    }
    MemorySegment s = t.scratch();
    synchronized (this) {
      // Checked before the value is taken, so that a blocked write can be tried again from the start.
      if (pendingTask == t) {
        return add(pendingValue, t);
      }
    }
    if (src.get(s, 0, 8) != 8) {
      return -EFAULT;
    }
    return add(s.get(Memory.LONG, 0), t);
  }

  // A write that would overflow has consumed its buffer: the value waits here for the next attempt of the
  // same task. Guarded by this.
  private @Nullable Task pendingTask;
  private long pendingValue;

  private long add(long value, Task t) {
    if (value == MAX) {
      return -EINVAL;
    }
    synchronized (this) {
      if (Long.compareUnsigned(MAX - count, value) <= 0) {
        pendingTask = t;
        pendingValue = value;
        return -EAGAIN;
      }
      pendingTask = null;
      count += value;
    }
    if (value != 0) {
      queue.notify(Poll.POLLIN | Poll.POLLRDNORM);
    }
    return 8;
  }

  @Override
  public int poll() {
    long c;
    synchronized (this) {
      c = count;
    }
    int mask = 0;
    if (c != 0) {
      mask |= Poll.POLLIN;
    }
    if (c == MAX) {
      mask |= Poll.POLLERR;
    }
    if (Long.compareUnsigned(c, MAX - 1) < 0) {
      mask |= Poll.POLLOUT;
    }
    return mask;
  }

  @Override
  public WaitQueue waitQueue() {
    return queue;
  }

  @Override
  public String fdinfo() {
    long c;
    synchronized (this) {
      c = count;
    }
    String hex = Long.toHexString(c);
    return "eventfd-count: " + " ".repeat(16 - hex.length()) + hex + "\neventfd-id: " + inode().ino() + "\n";
  }

  @Override
  public String linkText() {
    return "anon_inode:[eventfd]";
  }
}
