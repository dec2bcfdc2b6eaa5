package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.EAGAIN;
import static redoubt.abi.Errno.EBADF;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EISDIR;
import static redoubt.abi.Errno.EOVERFLOW;
import static redoubt.abi.Errno.EPIPE;
import static redoubt.abi.Errno.ESPIPE;
import static redoubt.abi.Errno.EXDEV;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Fcntl;
import redoubt.abi.Poll;
import redoubt.host.Memory;
import redoubt.sentry.ipc.Pipe;
import redoubt.sentry.ipc.PipeFile;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.KernelIo;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.UserIo;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.Inode;

/**
 * Moving bytes between descriptors: fs/splice.c, sendfile and copy_file_range of fs/read_write.c.
 */
final class Copying {
  private static final int SPLICE_FLAGS =
      Fcntl.SPLICE_F_MOVE | Fcntl.SPLICE_F_NONBLOCK | Fcntl.SPLICE_F_MORE | Fcntl.SPLICE_F_GIFT;
  private static final int PAGE = 4096;
  private static final long BUFFER_BYTES = 64 * 1024;

  /** One buffer for each thread that ever copies so. */
  private static final ThreadLocal<MemorySegment> BUFFER =
      ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(BUFFER_BYTES, 64));

  private Copying() {}

  // ---- sendfile ----

  /** <a href="https://man7.org/linux/man-pages/man2/sendfile.2.html">sendfile(2)</a>. */
  static long sendfile(Task t, Args a) {
    long offset = Blocking.AT_POSITION;
    if (a.a2 != 0) {
      long r = t.copyIn(a.a2, t.scratch(), 0, 8);
      if (r < 0) {
        return r;
      }
      offset = t.scratch().get(Memory.LONG, 0);
    }
    FileDescription in = t.file(a.int1());
    if (in == null) {
      return -EBADF;
    }
    FileDescription out = t.file(a.int0());
    try {
      if (!in.isReadable() || out == null || !out.isWritable()) {
        return in.isReadable() && a.a2 != 0 && !in.isSeekable() ? -ESPIPE : -EBADF;
      }
      if (a.a2 != 0 && !in.isSeekable()) {
        return -ESPIPE;
      }
      boolean seekable = in.isSeekable();
      if (in.inode().isDirectory()
          || (!seekable && in.inode().type() != Inode.S_IFCHR)
          || (out.flags() & Fcntl.O_APPEND) != 0
          || (a.a2 != 0 && offset < 0)
          || a.a3 < 0) {
        return -EINVAL;
      }
      long at = a.a2 != 0 ? offset : in.position();
      long n = copy(t, in, seekable ? at : Blocking.AT_POSITION, out, Blocking.AT_POSITION, a.a3);
      if (a.a2 != 0) {
        // fs/read_write.c writes the offset back, changed or not
        t.scratch().set(Memory.LONG, 0, at + Math.max(n, 0));
        long r = t.copyOut(a.a2, t.scratch(), 0, 8);
        return r < 0 ? r : n;
      }
      if (n > 0 && seekable) {
        in.setPosition(at + n);
      }
      return n;
    } finally {
      in.decRef();
      if (out != null) {
        out.decRef();
      }
    }
  }

  /**
   * Copies up to {@code length} bytes, reading at {@code from} and writing at {@code to};
   * AT_POSITION for descriptions without a position and, for {@code out}, with one of their own.
   *
   * @return bytes written, or -errno if there were none
   */
  private static long copy(
      Task t, FileDescription in, long from, FileDescription out, long to, long length) {
    long want = Math.min(length, UserIo.MAX_RW_COUNT);
    MemorySegment buffer = BUFFER.get();
    KernelIo io = new KernelIo(buffer, 0, 0);
    long done = 0;
    while (done < want) {
      long chunk = Math.min(want - done, BUFFER_BYTES);
      long writeAt = to == Blocking.AT_POSITION ? to : to + done;
      chunk = ReadWrite.allowedLength(t, out, writeAt, out.flags(), chunk);
      if (chunk <= 0) {
        return done > 0 ? done : chunk;
      }
      io.reset(buffer, 0, chunk);
      long readAt = from == Blocking.AT_POSITION ? from : from + done;
      long n = Blocking.read(t, in, io, readAt, in.isNonblocking());
      if (n <= 0) {
        return done > 0 ? done : n;
      }
      io.reset(buffer, 0, n);
      long w = Blocking.write(t, out, io, writeAt, out.isNonblocking());
      if (w < 0) {
        return done > 0 ? done : w;
      }
      done += w;
      if (w < n || (done < want && t.isInterrupted())) {
        break;
      }
    }
    return done;
  }

  // ---- copy_file_range ----

  /**
   * <a href="https://man7.org/linux/man-pages/man2/copy_file_range.2.html">copy_file_range(2)</a>.
   */
  static long copyFileRange(Task t, Args a) {
    FileDescription in = t.file(a.int0());
    if (in == null) {
      return -EBADF;
    }
    FileDescription out = t.file(a.int2());
    try {
      return out == null ? -EBADF : copyFileRange(t, in, out, a);
    } finally {
      in.decRef();
      if (out != null) {
        out.decRef();
      }
    }
  }

  private static long copyFileRange(Task t, FileDescription in, FileDescription out, Args a) {
    long from = in.position();
    long to = out.position();
    if (a.a1 != 0) {
      long r = t.copyIn(a.a1, t.scratch(), 0, 8);
      if (r < 0) {
        return r;
      }
      from = t.scratch().get(Memory.LONG, 0);
    }
    if (a.a3 != 0) {
      long r = t.copyIn(a.a3, t.scratch(), 0, 8);
      if (r < 0) {
        return r;
      }
      to = t.scratch().get(Memory.LONG, 0);
    }
    if (a.int5() != 0) {
      return -EINVAL;
    }
    Inode source = in.inode();
    Inode target = out.inode();
    if (source.isDirectory() || target.isDirectory()) {
      return -EISDIR;
    }
    if (!source.isRegular() || !target.isRegular()) {
      return -EINVAL;
    }
    if (!in.isReadable() || !out.isWritable() || (out.flags() & Fcntl.O_APPEND) != 0) {
      return -EBADF;
    }
    if (source.fs != target.fs) {
      return -EXDEV;
    }
    long length = a.a4 < 0 ? Long.MAX_VALUE : a.a4;
    if (from < 0 || to < 0) {
      return -EINVAL;
    }
    if (a.a4 >= 0 && (from + length < 0 || to + length < 0)) {
      return -EOVERFLOW;
    }
    long size = source.size();
    length = Math.min(length, Math.max(0, size - from));
    if (source == target && from < to + length && to < from + length) {
      return -EINVAL;
    }
    if (length == 0) {
      return 0;
    }
    long n = copy(t, in, from, out, to, length);
    if (n <= 0) {
      return n;
    }
    long r = 0;
    if (a.a1 == 0) {
      in.setPosition(from + n);
    } else {
      r = t.copyOutLong(a.a1, from + n);
    }
    if (a.a3 == 0) {
      out.setPosition(to + n);
    } else if (r == 0) {
      r = t.copyOutLong(a.a3, to + n);
    }
    return r < 0 ? r : n;
  }

  // ---- splice ----

  private static @Nullable Pipe pipeOf(FileDescription f) {
    return f instanceof PipeFile p ? p.pipe() : null;
  }

  /** <a href="https://man7.org/linux/man-pages/man2/splice.2.html">splice(2)</a>. */
  static long splice(Task t, Args a) {
    if (a.a4 == 0) {
      return 0;
    }
    if ((a.int5() & ~SPLICE_FLAGS) != 0) {
      return -EINVAL;
    }
    FileDescription in = t.file(a.int0());
    if (in == null) {
      return -EBADF;
    }
    FileDescription out = t.file(a.int2());
    try {
      return out == null ? -EBADF : splice(t, in, a.a1, out, a.a3, a.a4, a.int5());
    } finally {
      in.decRef();
      if (out != null) {
        out.decRef();
      }
    }
  }

  private static long splice(
      Task t,
      FileDescription in,
      long uin,
      FileDescription out,
      long uout,
      long length,
      int flags) {
    if (!in.isReadable() || !out.isWritable()) {
      return -EBADF;
    }
    Pipe source = pipeOf(in);
    Pipe sink = pipeOf(out);
    if ((source != null && uin != 0) || (sink != null && uout != 0)) {
      return -ESPIPE;
    }
    if ((uin | uout) == 0) {
      return splice(t, in, source, out, sink, Blocking.AT_POSITION, length, flags);
    }
    long uoffset = source != null ? uout : uin;
    FileDescription file = source != null ? out : in;
    if ((source == null && sink == null) || !file.isSeekable() || !canSplice(file)) {
      return -EINVAL;
    }
    long r = t.copyIn(uoffset, t.scratch(), 0, 8);
    if (r < 0) {
      return r;
    }
    long offset = t.scratch().get(Memory.LONG, 0);
    if (offset < 0) {
      return -EINVAL;
    }
    long n = splice(t, in, source, out, sink, offset, length, flags);
    if (n > 0) {
      t.scratch().set(Memory.LONG, 0, offset + n);
      r = t.copyOut(uoffset, t.scratch(), 0, 8);
      return r < 0 ? r : n;
    }
    return n;
  }

  /** As splice(2), with offsets by value, -1 for the file's own: what io_uring's does. */
  static long spliceAt(
      Task t, int fdIn, long inOffset, int fdOut, long outOffset, long length, int flags) {
    if (length == 0) {
      return 0;
    }
    if ((flags & ~SPLICE_FLAGS) != 0) {
      return -EINVAL;
    }
    FileDescription in = t.file(fdIn);
    FileDescription out = t.file(fdOut);
    try {
      if (in == null || out == null || !in.isReadable() || !out.isWritable()) {
        return -EBADF;
      }
      Pipe source = pipeOf(in);
      Pipe sink = pipeOf(out);
      if ((source != null && inOffset != -1) || (sink != null && outOffset != -1)) {
        return -ESPIPE;
      }
      long offset = source != null ? outOffset : inOffset;
      return offset < -1 ? -EINVAL : splice(t, in, source, out, sink, offset, length, flags);
    } finally {
      if (in != null) {
        in.decRef();
      }
      if (out != null) {
        out.decRef();
      }
    }
  }

  private static long splice(
      Task t,
      FileDescription in,
      @Nullable Pipe source,
      FileDescription out,
      @Nullable Pipe sink,
      long offset,
      long length,
      int flags) {
    boolean nonblocking = (flags & Fcntl.SPLICE_F_NONBLOCK) != 0;
    long want = Math.min(length < 0 ? Long.MAX_VALUE : length, UserIo.MAX_RW_COUNT);
    if (source != null && sink != null) {
      boolean nb = nonblocking || in.isNonblocking() || out.isNonblocking();
      return pipeToPipe(t, in, source, out, sink, want, nb, true);
    }
    FileDescription file = source != null ? out : in;
    if ((source == null && sink == null) || !canSplice(file)) {
      return -EINVAL;
    }
    if (source != null && (out.flags() & Fcntl.O_APPEND) != 0) {
      return -EINVAL;
    }
    return source != null
        ? pipeToFile(t, in, source, out, offset, want, nonblocking || in.isNonblocking())
        : fileToPipe(t, in, offset, out, want, nonblocking || out.isNonblocking());
  }

  /** Directories have no bytes; event files and their kin offer them to read and write only. */
  private static boolean canSplice(FileDescription f) {
    int type = f.inode().type();
    return type != Inode.S_IFDIR && type != 0;
  }

  /** splice and tee between pipes. */
  private static long pipeToPipe(
      Task t,
      FileDescription in,
      Pipe source,
      FileDescription out,
      Pipe sink,
      long length,
      boolean nonblocking,
      boolean move) {
    for (; ; ) {
      long r = move ? Pipe.splice(source, sink, length) : Pipe.tee(source, sink, length);
      if (r == -EPIPE) {
        Blocking.sigpipe(t);
      }
      if (r != -EAGAIN || nonblocking) {
        return r;
      }
      boolean empty = (in.poll() & (Poll.POLLIN | Poll.POLLHUP)) == 0;
      long w = empty ? Blocking.await(t, in, Poll.POLLIN) : Blocking.await(t, out, Poll.POLLOUT);
      if (w < 0) {
        return w;
      }
    }
  }

  /** Takes from the pipe no more than the file took: nothing is lost on a short write. */
  private static long pipeToFile(
      Task t,
      FileDescription in,
      Pipe pipe,
      FileDescription out,
      long offset,
      long length,
      boolean nonblocking) {
    MemorySegment buffer = BUFFER.get();
    KernelIo io = new KernelIo(buffer, 0, 0);
    long done = 0;
    while (done < length) {
      long at = offset == Blocking.AT_POSITION ? offset : offset + done;
      long want = Math.min(length - done, BUFFER_BYTES);
      want = ReadWrite.allowedLength(t, out, at, out.flags(), want);
      if (want <= 0) {
        return done > 0 ? done : want;
      }
      long r;
      long w = 0;
      synchronized (pipe) {
        r = pipe.peek(buffer, 0, want);
        if (r > 0) {
          io.reset(buffer, 0, r);
          w = Blocking.write(t, out, io, at, true);
          if (w > 0) {
            pipe.discard(w);
          }
        }
      }
      if (r > 0 && w > 0) {
        done += w;
        continue;
      }
      if (r == 0 || done > 0 || (r < 0 && r != -EAGAIN)) {
        return done > 0 ? done : r;
      }
      if (r > 0 && w != -EAGAIN) {
        return w;
      }
      boolean sinkIsFull = r > 0;
      if (sinkIsFull ? out.isNonblocking() || nonblocking : nonblocking) {
        return -EAGAIN;
      }
      long e =
          sinkIsFull ? Blocking.await(t, out, Poll.POLLOUT) : Blocking.await(t, in, Poll.POLLIN);
      if (e < 0) {
        return e;
      }
    }
    return done;
  }

  private static long fileToPipe(
      Task t,
      FileDescription in,
      long offset,
      FileDescription out,
      long length,
      boolean nonblocking) {
    boolean seekable = in.isSeekable();
    long start = offset != Blocking.AT_POSITION ? offset : seekable ? in.position() : 0;
    MemorySegment buffer = BUFFER.get();
    KernelIo io = new KernelIo(buffer, 0, 0);
    long done = 0;
    while (done < length) {
      if ((out.poll() & (Poll.POLLOUT | Poll.POLLERR)) == 0) {
        if (done > 0 || nonblocking) {
          return done > 0 ? done : -EAGAIN;
        }
        long w = Blocking.await(t, out, Poll.POLLOUT);
        if (w < 0) {
          return w;
        }
      }
      // What cannot be read again is read by pages: there is room for one.
      long chunk = Math.min(length - done, seekable ? BUFFER_BYTES : PAGE);
      io.reset(buffer, 0, chunk);
      boolean nb = in.isNonblocking() || nonblocking || done > 0;
      long n = Blocking.read(t, in, io, seekable ? start + done : Blocking.AT_POSITION, nb);
      if (n <= 0) {
        return done > 0 ? done : n;
      }
      io.reset(buffer, 0, n);
      long w = Blocking.write(t, out, io, Blocking.AT_POSITION, seekable);
      if (w < 0) {
        return done > 0 ? done : w;
      }
      done += w;
      if (seekable && offset == Blocking.AT_POSITION) {
        in.setPosition(start + done);
      }
      if (w < n) {
        break;
      }
    }
    return done;
  }

  /** <a href="https://man7.org/linux/man-pages/man2/tee.2.html">tee(2)</a>. */
  static long tee(Task t, Args a) {
    if ((a.int3() & ~SPLICE_FLAGS) != 0) {
      return -EINVAL;
    }
    if (a.a2 == 0) {
      return 0;
    }
    FileDescription in = t.file(a.int0());
    if (in == null) {
      return -EBADF;
    }
    FileDescription out = t.file(a.int1());
    try {
      if (out == null || !in.isReadable() || !out.isWritable()) {
        return -EBADF;
      }
      Pipe source = pipeOf(in);
      Pipe sink = pipeOf(out);
      if (source == null || sink == null || source == sink) {
        return -EINVAL;
      }
      boolean nb =
          (a.int3() & Fcntl.SPLICE_F_NONBLOCK) != 0 || in.isNonblocking() || out.isNonblocking();
      return pipeToPipe(t, in, source, out, sink, a.a2 < 0 ? Long.MAX_VALUE : a.a2, nb, false);
    } finally {
      in.decRef();
      if (out != null) {
        out.decRef();
      }
    }
  }

  /**
   * <a href="https://man7.org/linux/man-pages/man2/vmsplice.2.html">vmsplice(2)</a>: as readv or
   * writev.
   */
  static long vmsplice(Task t, Args a) {
    int flags = a.int3();
    if ((flags & ~SPLICE_FLAGS) != 0) {
      return -EINVAL;
    }
    FileDescription f = t.file(a.int0());
    if (f == null) {
      return -EBADF;
    }
    try {
      if (pipeOf(f) == null) {
        return -EBADF;
      }
      long total = t.userVectors(a.a1, a.a2 < 0 || a.a2 > UserIo.MAX_IOVECS ? -1 : (int) a.a2);
      if (total <= 0) {
        return total;
      }
      boolean nb = f.isNonblocking() || (flags & Fcntl.SPLICE_F_NONBLOCK) != 0;
      if (!f.isWritable()) {
        return Blocking.read(t, f, t.userIo(), Blocking.AT_POSITION, nb);
      }
      for (; ; ) {
        // Waits for room, then gives what fits.
        long r = Blocking.write(t, f, t.userIo(), Blocking.AT_POSITION, true);
        if (r != -EAGAIN || nb) {
          return r;
        }
        long w = Blocking.await(t, f, Poll.POLLOUT);
        if (w < 0) {
          return w;
        }
      }
    } finally {
      f.decRef();
    }
  }
}
