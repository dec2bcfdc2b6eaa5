package redoubt.sentry.ipc;

import static redoubt.abi.Errno.EBADF;
import static redoubt.abi.Errno.ENOTTY;
import static redoubt.abi.Errno.ENXIO;

import org.jspecify.annotations.Nullable;
import redoubt.abi.Fcntl;
import redoubt.abi.Ioctls;
import redoubt.abi.Poll;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.Credentials;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.IoBuffer;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.WaitQueue;
import redoubt.sentry.kernel.Waiter;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.Inode;
import redoubt.sentry.vfs.VfsPath;

/** One open end, or both, of a {@link Pipe}. */
public final class PipeFile extends FileDescription {
  private static final long PIPEFS_MAGIC = 0x50495045;

  private final Pipe pipe;
  private final boolean reads;
  private final boolean writes;
  private final boolean fifo;

  /**
   * Hang-ups are reported once this many writers have been there (a FIFO opened before its first).
   */
  private volatile int quietWriterOpens = -1;

  private PipeFile(Pipe pipe, VfsPath path, int flags, Credentials creds, boolean fifo) {
    super(path, flags, creds);
    this.pipe = pipe;
    this.reads = (flags & O_ACCMODE) != O_WRONLY;
    this.writes = (flags & O_ACCMODE) != O_RDONLY;
    this.fifo = fifo;
  }

  /**
   * Makes a pipe.
   *
   * @param flags O_NONBLOCK and O_DIRECT for both ends
   * @return the reading end and the writing end
   */
  public static PipeFile[] newPair(Task t, int flags) {
    Pipe pipe = new Pipe();
    VfsPath path = AnonymousFiles.of(t.kernel()).newPipe(t.creds());
    path.inode().pipe = pipe;
    PipeFile r = new PipeFile(pipe, path, O_RDONLY | (flags & O_NONBLOCK), t.creds(), false);
    PipeFile w =
        new PipeFile(pipe, path, O_WRONLY | (flags & (O_NONBLOCK | O_DIRECT)), t.creds(), false);
    pipe.opened(true, false);
    pipe.opened(false, true);
    return new PipeFile[] {r, w};
  }

  /** Opens a FIFO, waiting for the other end as fifo(7) says. */
  static FileDescription openFifo(Task t, VfsPath path, int flags) {
    Inode inode = path.inode();
    Pipe pipe;
    synchronized (inode) {
      if (inode.pipe instanceof Pipe p) {
        pipe = p;
      } else {
        pipe = new Pipe();
        inode.pipe = pipe;
      }
    }
    int access = flags & O_ACCMODE;
    boolean nonblocking = (flags & O_NONBLOCK) != 0;
    // fs/pipe.c: a pipe(2) opened again through /proc/PID/fd waits for nobody
    boolean named = inode.fs.magic() != PIPEFS_MAGIC;
    if (named && access == O_WRONLY && nonblocking && !pipe.hasReaders()) {
      throw ErrnoException.of(ENXIO);
    }
    PipeFile f = new PipeFile(pipe, path, flags, t.creds(), true);
    int otherOpens = access == O_RDONLY ? pipe.writerOpens() : pipe.readerOpens();
    boolean met = pipe.opened(f.reads, f.writes);
    if (met || !named) {
      return f;
    }
    if (access == O_RDONLY) {
      if (nonblocking) {
        f.quietWriterOpens = otherOpens;
      } else {
        f.awaitOtherEnd(t, otherOpens);
      }
    } else if (access == O_WRONLY) {
      f.awaitOtherEnd(t, otherOpens);
    }
    return f;
  }

  private void awaitOtherEnd(Task t, int opensBefore) {
    Waiter.Entry e = t.waitEntry();
    pipe.queue.add(e, Poll.POLLIN | Poll.POLLOUT);
    long r = 0;
    try {
      while (r == 0 && (reads ? pipe.writerOpens() : pipe.readerOpens()) == opensBefore) {
        r = t.block(Waiter.FOREVER);
      }
    } finally {
      pipe.queue.remove(e);
    }
    if (r < 0) {
      decRef();
      throw ErrnoException.of((int) -r);
    }
  }

  public Pipe pipe() {
    return pipe;
  }

  @Override
  public long fcntl(Task t, int command, long argument) {
    return switch (command) {
      case Fcntl.F_GETPIPE_SZ -> pipe.capacity();
      case Fcntl.F_SETPIPE_SZ -> pipe.setCapacity(t, argument);
      default -> super.fcntl(t, command, argument);
    };
  }

  @Override
  protected void release() {
    pipe.closed(reads, writes);
  }

  @Override
  public long read(Task t, IoBuffer dst, long offset) {
    return reads ? pipe.read(dst) : -EBADF;
  }

  @Override
  public long write(Task t, IoBuffer src, long offset) {
    return writes ? pipe.write(src, (flags() & O_DIRECT) != 0) : -EBADF;
  }

  @Override
  public int poll() {
    boolean sawWriter = !fifo || quietWriterOpens < 0 || quietWriterOpens != pipe.writerOpens();
    return pipe.poll(reads, writes, sawWriter);
  }

  @Override
  public WaitQueue waitQueue() {
    return pipe.queue;
  }

  @Override
  public long ioctl(Task t, Args a) {
    if (a.int1() == Ioctls.FIONREAD) {
      return t.copyOutInt(a.long2(), (int) Math.min(pipe.bytes(), Integer.MAX_VALUE));
    }
    return -ENOTTY;
  }

  @Override
  public @Nullable String linkText() {
    return fifo ? null : "pipe:[" + inode().ino() + "]";
  }
}
