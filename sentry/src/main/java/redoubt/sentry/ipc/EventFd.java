package redoubt.sentry.ipc;

import static redoubt.abi.Errno.EAGAIN;
import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.EINVAL;

import java.lang.foreign.MemorySegment;
import redoubt.abi.Poll;
import redoubt.host.Memory;
import redoubt.sentry.kernel.IoBuffer;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.WaitQueue;
import redoubt.sentry.vfs.FileDescription;

/**
 * A counter to wait on: <a
 * href="https://man7.org/linux/man-pages/man2/eventfd.2.html">eventfd(2)</a>.
 */
public final class EventFd extends FileDescription {
  /** ULLONG_MAX: what the counter never reaches by write(2). */
  private static final long MAX = -1L;

  private final WaitQueue queue = new WaitQueue();
  private final boolean semaphore;
  private long count; // guarded by this, unsigned

  /**
   * @param flags O_NONBLOCK or 0
   */
  public EventFd(Task t, int initial, boolean semaphore, int flags) {
    super(
        AnonymousFiles.of(t.kernel()).newOther(t.creds(), "[eventfd]"), O_RDWR | flags, t.creds());
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

  /** Adds 1, as the kernel does for a completion: eventfd_signal. */
  public void signal() {
    synchronized (this) {
      if (count != MAX - 1) {
        count++;
      }
    }
    queue.notify(Poll.POLLIN | Poll.POLLRDNORM);
  }

  @Override
  public long write(Task t, IoBuffer src, long offset) {
    if (src.remaining() != 8) {
      return -EINVAL; // exactly 8 since Linux 6.9
    }
    MemorySegment s = t.scratch();
    if (src.get(s, 0, 8) != 8) {
      return -EFAULT;
    }
    long value = s.get(Memory.LONG, 0);
    if (value == MAX) {
      return -EINVAL;
    }
    synchronized (this) {
      if (Long.compareUnsigned(MAX - count, value) <= 0) {
        src.rewind(8);
        return -EAGAIN;
      }
      count += value;
    }
    if (value != 0) {
      queue.notify(Poll.POLLIN | Poll.POLLRDNORM);
    }
    return 8;
  }

  @Override
  public boolean writesWhole() {
    return false; // 8 bytes a call, however many were given
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
    return "eventfd-count: "
        + " ".repeat(16 - hex.length())
        + hex
        + "\neventfd-id: "
        + inode().ino()
        + "\n";
  }

  @Override
  public long seek(Task t, long offset, int whence) {
    return 0; // noop_llseek
  }

  @Override
  public String linkText() {
    return "anon_inode:[eventfd]";
  }
}
