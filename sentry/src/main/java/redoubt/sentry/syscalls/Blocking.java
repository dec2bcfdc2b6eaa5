package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.EAGAIN;
import static redoubt.abi.Errno.EINTR;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EISDIR;
import static redoubt.abi.Errno.EPIPE;
import static redoubt.abi.Errno.ERESTARTSYS;
import static redoubt.abi.Errno.ETIMEDOUT;

import org.jspecify.annotations.Nullable;
import redoubt.abi.Poll;
import redoubt.abi.Signal;
import redoubt.sentry.kernel.IoBuffer;
import redoubt.sentry.kernel.SignalInfo;
import redoubt.sentry.kernel.Signals;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.WaitQueue;
import redoubt.sentry.kernel.Waiter;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.FsNotify;

/**
 * Reads and writes that may wait, over descriptions that never do: what vfs_read and vfs_write are
 * in Linux. Attempts that return -EAGAIN are repeated when the description's queue says so.
 */
final class Blocking {
  /** For descriptions that have a position: use and advance it. */
  static final long AT_POSITION = -1;

  private Blocking() {}

  /**
   * Reads once, waiting for data unless {@code nonblocking}.
   *
   * @param offset where to read, or {@link #AT_POSITION}
   * @return bytes read or -errno
   */
  static long read(Task t, FileDescription f, IoBuffer dst, long offset, boolean nonblocking) {
    long r = FsNotify.askToRead(t, f);
    if (r < 0) {
      return r;
    }
    r = tryRead(t, f, dst, offset);
    if (r == -EAGAIN && !nonblocking) {
      r = waitAndRead(t, f, dst, offset);
    }
    if (r > 0) {
      FsNotify.accessed(f);
    }
    return r;
  }

  private static long tryRead(Task t, FileDescription f, IoBuffer dst, long offset) {
    long r;
    if (offset == AT_POSITION && f.isSeekable()) {
      if (t.isSoleUser(f)) {
        r = readAtPosition(t, f, dst);
      } else {
        synchronized (f) {
          r = readAtPosition(t, f, dst);
        }
      }
    } else {
      r = f.read(t, dst, offset);
    }
    return r == -EINVAL && f.inode().isDirectory() ? -EISDIR : r;
  }

  private static long readAtPosition(Task t, FileDescription f, IoBuffer dst) {
    long at = f.position();
    long r = f.read(t, dst, at);
    if (r > 0) {
      f.setPosition(at + r);
    }
    return r;
  }

  private static long waitAndRead(Task t, FileDescription f, IoBuffer dst, long offset) {
    WaitQueue queue = f.waitQueue(t);
    if (queue == null) {
      return -EAGAIN;
    }
    long timeoutNs = f.readTimeoutNs();
    long deadlineNs = deadline(timeoutNs);
    Waiter.Entry entry = t.waitEntry();
    queue.add(entry, Poll.POLLIN | Poll.POLLRDNORM | Poll.POLLRDHUP | Poll.POLLPRI);
    try {
      for (; ; ) {
        long r = tryRead(t, f, dst, offset);
        if (r != -EAGAIN) {
          return r;
        }
        long w = t.block(deadlineNs, f.isFedByLink());
        if (w < 0) {
          return interrupted(w, timeoutNs);
        }
      }
    } finally {
      queue.remove(entry);
    }
  }

  /**
   * Writes all of {@code src} if the description is of the kind that waits for that, else once.
   *
   * @param offset where to write, or {@link #AT_POSITION}
   * @return bytes written or -errno; SIGPIPE has been sent for -EPIPE
   */
  static long write(Task t, FileDescription f, IoBuffer src, long offset, boolean nonblocking) {
    long r = tryWrite(t, f, src, offset);
    if (r == -EAGAIN
        ? !nonblocking
        : r > 0 && src.remaining() > 0 && !nonblocking && f.writesWhole()) {
      r = waitAndWrite(t, f, src, offset, Math.max(r, 0));
    }
    if (r > 0) {
      FsNotify.modified(f);
    } else if (r == -EPIPE) {
      sigpipe(t);
    }
    return r;
  }

  private static long tryWrite(Task t, FileDescription f, IoBuffer src, long offset) {
    if (offset == AT_POSITION && f.isSeekable()) {
      if (t.isSoleUser(f)) {
        return writeAtPosition(t, f, src);
      }
      synchronized (f) {
        return writeAtPosition(t, f, src);
      }
    }
    return f.write(t, src, offset);
  }

  private static long writeAtPosition(Task t, FileDescription f, IoBuffer src) {
    long at = f.position();
    long r = f.write(t, src, at);
    if (r > 0) {
      long after = f.positionAfterAppend();
      f.setPosition(after >= 0 ? after : at + r);
    }
    return r;
  }

  private static long waitAndWrite(
      Task t, FileDescription f, IoBuffer src, long offset, long before) {
    WaitQueue queue = f.waitQueue(t);
    if (queue == null) {
      return before > 0 ? before : -EAGAIN;
    }
    long timeoutNs = f.writeTimeoutNs();
    long deadlineNs = deadline(timeoutNs);
    long done = before;
    Waiter.Entry entry = t.waitEntry();
    queue.add(entry, Poll.POLLOUT | Poll.POLLWRNORM);
    try {
      for (; ; ) {
        long r = tryWrite(t, f, src, offset);
        if (r >= 0) {
          done += r;
          if (src.remaining() == 0 || r == 0 || !f.writesWhole()) {
            return done;
          }
        } else if (r != -EAGAIN) {
          if (done > 0 && r == -EPIPE) {
            sigpipe(t);
          }
          return done > 0 ? done : r;
        }
        long w = r > 0 ? interruption(t) : t.block(deadlineNs, f.isFedByLink());
        if (w < 0) {
          return done > 0 ? done : interrupted(w, timeoutNs);
        }
      }
    } finally {
      queue.remove(entry);
    }
  }

  private static long interruption(Task t) {
    return t.isInterrupted() ? -ERESTARTSYS : 0;
  }

  /** {@return when {@code timeoutNs} from now is over} */
  static long deadline(long timeoutNs) {
    if (timeoutNs == Long.MAX_VALUE) {
      return Waiter.FOREVER;
    }
    long now = System.nanoTime();
    long at = now + timeoutNs;
    return at < now ? Waiter.FOREVER : at;
  }

  /** A socket with a timeout is not restarted: net/sock.h sock_intr_errno. */
  private static long interrupted(long w, long timeoutNs) {
    if (w == -ETIMEDOUT) {
      return -EAGAIN;
    }
    return w == -ERESTARTSYS && timeoutNs != Long.MAX_VALUE ? -EINTR : w;
  }

  /** Not for io_uring's requests: they have IOCB_NOSIGNAL. */
  static void sigpipe(Task t) {
    if (t.neverBlocks) {
      return;
    }
    Signals.send(t, SignalInfo.user(Signal.SIGPIPE, Signal.SI_USER, t));
  }

  /**
   * Waits until one of {@code events} is true of {@code f}.
   *
   * @return 0, or -ERESTARTSYS
   */
  static long await(Task t, FileDescription f, int events) {
    @Nullable WaitQueue queue = f.waitQueue(t);
    if (queue == null) {
      return 0;
    }
    Waiter.Entry entry = t.waitEntry();
    queue.add(entry, events);
    try {
      while ((f.poll(t) & (events | Poll.POLLERR | Poll.POLLHUP)) == 0) {
        long w = t.block(Waiter.FOREVER, f.isFedByLink());
        if (w < 0) {
          return w;
        }
      }
      return 0;
    } finally {
      queue.remove(entry);
    }
  }
}
