package redoubt.sentry.fs.host;

import static redoubt.abi.Errno.EAGAIN;
import static redoubt.abi.Errno.EINTR;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ENOTTY;

import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import redoubt.host.Fd;
import redoubt.host.HostIo;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.Credentials;
import redoubt.sentry.kernel.IoBuffer;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.WaitQueue;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.Inode;
import redoubt.sentry.vfs.VfsPath;

/**
 * An inherited host descriptor as a guest's file: a pipe, socket, regular file or device that the
 * caller of redoubt gave as standard input or output.
 *
 * <p>The host's description is shared with processes outside, so O_NONBLOCK is never set on it:
 * readiness is asked for before each transfer, and a write to a pipe never brings more than POLLOUT
 * promises room for. Of a regular file the host's own position is used and kept true, because the
 * caller goes on from there.
 *
 * <p>No ioctl reaches the host: a host terminal is no terminal to a guest.
 */
final class HostFile extends FileDescription {
  /** POLLOUT of a pipe means that so many bytes fit (PIPE_BUF). */
  private static final int PIPE_BUF = 4096;

  private final Shared shared;

  /**
   * Opened again by the guest: a regular file then has a position that the host does not know of.
   */
  private final boolean reopened;

  /** What descriptions of one inherited descriptor share. */
  static final class Shared {
    private final Fd fd;
    private final int hostFlags;
    private final boolean regular;
    private final boolean socket;
    private final String name;
    private final HostPoller poller;
    private final long key;
    private final WaitQueue queue = new WaitQueue();
    private final AtomicInteger users = new AtomicInteger(1);

    /**
     * Where the host's position should be after our last sequential transfer, or -1; guarded by
     * this.
     */
    private long expected = -1;

    Shared(Fd fd, int hostFlags, int type, HostPoller poller, String name) {
      this.fd = fd;
      this.hostFlags = hostFlags;
      this.regular = type == Inode.S_IFREG;
      this.socket = type == Inode.S_IFSOCK;
      this.poller = poller;
      this.name = name;
      this.key = regular ? -1 : poller.add(fd, queue);
    }

    boolean allows(int flags) {
      int host = hostFlags & O_ACCMODE;
      return host == O_RDWR || (flags & O_ACCMODE) == host;
    }

    void reference() {
      users.incrementAndGet();
    }

    void release() {
      if (users.decrementAndGet() == 0) {
        poller.remove(fd, key);
        fd.close();
      }
    }
  }

  HostFile(Shared shared, VfsPath path, int flags, Credentials creds, boolean reopened) {
    super(path, flags, creds);
    this.shared = shared;
    this.reopened = reopened;
    if (shared.regular && !reopened) {
      position = Math.max(0, HostIo.seek(shared.fd.number(), 0, 1));
      synchronized (shared) {
        shared.expected = position;
      }
    }
  }

  @Override
  protected void release() {
    shared.release();
  }

  @Override
  public boolean isSeekable() {
    return shared.regular;
  }

  @Override
  public long read(Task t, IoBuffer dst, long offset) {
    int fd = shared.fd.number();
    long want = Math.min(dst.remaining(), dst.windowLimit());
    if (want <= 0) {
      return 0;
    }
    MemorySegment w = dst.window();
    long n;
    if (shared.regular) {
      synchronized (shared) {
        n =
            offset == position && !reopened
                ? sequentialRead(fd, w, want, offset)
                : HostIo.pread(fd, w, want, offset);
      }
    } else if (shared.socket) {
      n = HostIo.receive(fd, w, want);
    } else if (shared.key >= 0 && HostIo.poll(fd, HostIo.POLLIN) == 0) {
      n = -EAGAIN;
    } else {
      n = HostIo.read(fd, w, 0, want);
    }
    if (n == -EINTR) {
      return -EAGAIN;
    }
    return n <= 0 ? n : dst.commit(n);
  }

  private long sequentialRead(int fd, MemorySegment w, long want, long offset) {
    place(fd, offset);
    long n = HostIo.read(fd, w, 0, want);
    shared.expected = offset + Math.max(n, 0);
    return n;
  }

  /** Moves the host's position to {@code offset} unless it is where we left it. Under shared. */
  private void place(int fd, long offset) {
    if (shared.expected != offset) {
      HostIo.seek(fd, offset, 0);
    }
  }

  @Override
  public long write(Task t, IoBuffer src, long offset) {
    int fd = shared.fd.number();
    boolean mayBlock = shared.key >= 0;
    boolean sequential = offset == position && !reopened;
    long done = 0;
    while (src.remaining() > 0) {
      if (mayBlock && HostIo.poll(fd, HostIo.POLLOUT) == 0) {
        return done > 0 ? done : -EAGAIN;
      }
      MemorySegment w = src.window();
      long want = Math.min(src.remaining(), src.windowLimit());
      long have = src.fetch(mayBlock ? Math.min(want, PIPE_BUF) : want);
      if (have <= 0) {
        return done > 0 ? done : have;
      }
      long n =
          shared.regular ? putRegular(fd, w, have, offset + done, sequential) : put(fd, w, have);
      if (n < 0) {
        return done > 0 ? done : n;
      }
      done += n;
      if (n < have) {
        break; // a full disk
      }
    }
    return done;
  }

  /**
   * Writes all {@code bytes}: they were promised room, so the waiting in here is for rare races
   * only.
   */
  private long put(int fd, MemorySegment w, long bytes) {
    long done = 0;
    while (done < bytes) {
      MemorySegment rest = w.asSlice(done, bytes - done);
      long n =
          shared.socket
              ? HostIo.send(fd, rest, bytes - done)
              : HostIo.write(fd, rest, 0, bytes - done);
      if (n == -EAGAIN) {
        HostIo.awaitWritable(fd);
      } else if (n < 0 && n != -EINTR) {
        return done > 0 ? done : n;
      } else {
        done += Math.max(n, 0);
      }
    }
    return done;
  }

  private long putRegular(int fd, MemorySegment w, long bytes, long offset, boolean sequential) {
    synchronized (shared) {
      boolean append = ((flags() | shared.hostFlags) & O_APPEND) != 0;
      if (append && reopened) {
        long end = inode().size();
        long n = HostIo.pwrite(fd, w, bytes, end);
        appended = end + Math.max(n, 0);
        return n;
      }
      if (append && (shared.hostFlags & O_APPEND) == 0) {
        HostIo.seek(fd, 0, 2);
        shared.expected = -1;
      } else if (!append && !sequential) {
        return HostIo.pwrite(fd, w, bytes, offset);
      } else if (!append) {
        place(fd, offset);
      }
      long n = HostIo.write(fd, w, 0, bytes);
      shared.expected = append ? HostIo.seek(fd, 0, 1) : offset + Math.max(n, 0);
      appended = append ? shared.expected : -1;
      return n;
    }
  }

  private volatile long appended = -1;

  @Override
  public long positionAfterAppend() {
    return appended;
  }

  @Override
  public int poll() {
    int fd = shared.fd.number();
    if (shared.key < 0) {
      return POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
    }
    int r = HostIo.poll(fd, HostIo.POLLIN | HostIo.POLLOUT | HostIo.POLLPRI | HostIo.POLLRDHUP);
    if ((r & POLLIN) != 0) {
      r |= POLLRDNORM;
    }
    return (r & POLLOUT) != 0 ? r | POLLWRNORM : r;
  }

  @Override
  public @Nullable WaitQueue waitQueue() {
    return shared.key < 0 ? null : shared.queue;
  }

  @Override
  public long seek(Task t, long offset, int whence) {
    if (!shared.regular) {
      return -redoubt.abi.Errno.ESPIPE;
    }
    if (reopened) {
      return super.seek(t, offset, whence);
    }
    int fd = shared.fd.number();
    synchronized (shared) {
      if (shared.expected != position) {
        HostIo.seek(fd, position, 0);
      }
      long r = HostIo.seek(fd, offset, whence);
      if (r >= 0) {
        position = r;
        shared.expected = r;
      }
      return r;
    }
  }

  @Override
  public long ioctl(Task t, Args a) {
    if (a.int1() == redoubt.abi.Ioctls.FIONREAD && shared.regular) {
      return t.copyOutInt(
          a.long2(), (int) Math.clamp(inode().size() - position, 0, Integer.MAX_VALUE));
    }
    return -ENOTTY;
  }

  @Override
  public long fsync(boolean dataOnly) {
    return shared.regular ? HostIo.sync(shared.fd.number(), dataOnly) : -EINVAL;
  }

  @Override
  public long truncate(long length) {
    return shared.regular ? HostIo.truncate(shared.fd.number(), length) : -EINVAL;
  }

  @Override
  public String linkText() {
    return shared.name;
  }
}
