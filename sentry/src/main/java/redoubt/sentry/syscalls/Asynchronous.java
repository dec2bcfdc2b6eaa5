package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.EAGAIN;
import static redoubt.abi.Errno.EBADF;
import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ERESTARTSYS;
import static redoubt.abi.Errno.ETIMEDOUT;

import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Errno;
import redoubt.host.Memory;
import redoubt.sentry.ipc.EventFd;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.WaitQueue;
import redoubt.sentry.kernel.Waiter;
import redoubt.sentry.mm.MemoryManager;
import redoubt.sentry.vfs.FileDescription;

/**
 * Asynchronous I/O: io_setup(2) and its kin, fs/aio.c. A request is carried out by io_submit(2)
 * itself, as Linux does with buffered files; only its completion is collected later. A context is
 * known by the address of a page that is mapped for it, whose zeros tell libaio not to look for a
 * ring there.
 */
final class Asynchronous {
  private static final int SIZEOF_IOCB = 64;
  private static final int SIZEOF_IO_EVENT = 32;

  /** /proc/sys/fs/aio-max-nr. */
  private static final int MAX_EVENTS = 65536;

  private static final int IOCB_CMD_PREAD = 0;
  private static final int IOCB_CMD_PWRITE = 1;
  private static final int IOCB_CMD_FSYNC = 2;
  private static final int IOCB_CMD_FDSYNC = 3;
  private static final int IOCB_CMD_NOOP = 6;
  private static final int IOCB_CMD_PREADV = 7;
  private static final int IOCB_CMD_PWRITEV = 8;
  private static final int IOCB_FLAG_RESFD = 1;
  private static final int IOCB_FLAG_IOPRIO = 2;

  /** Events of all contexts of the sandbox: aio-nr. */
  private static final AtomicInteger ALL_EVENTS = new AtomicInteger();

  private Asynchronous() {}

  private record Event(long data, long iocb, long result) {}

  /** struct kioctx. */
  private static final class Context {
    final int limit;
    final WaitQueue queue = new WaitQueue();
    private final ArrayDeque<Event> done = new ArrayDeque<>(); // guarded by this
    private boolean dead; // guarded by this

    Context(int limit) {
      this.limit = limit;
    }

    synchronized boolean hasRoom() {
      return !dead && done.size() < limit;
    }

    void add(Event e) {
      synchronized (this) {
        done.add(e);
      }
      queue.notify(1);
    }

    synchronized @Nullable Event take() {
      return done.poll();
    }

    synchronized int ready() {
      return done.size();
    }

    void die() {
      synchronized (this) {
        dead = true;
        done.clear();
      }
      queue.notify(1);
    }

    synchronized boolean isDead() {
      return dead;
    }
  }

  /** The contexts of one address space. */
  private static final class Contexts implements MemoryManager.Attachment {
    private final Map<Long, Context> byId = new HashMap<>(); // guarded by this

    @Override
    public void spaceEnded() {
      synchronized (this) {
        for (Context c : byId.values()) {
          ALL_EVENTS.addAndGet(-c.limit);
        }
        byId.clear();
      }
    }

    synchronized @Nullable Context get(long id) {
      return byId.get(id);
    }
  }

  private static Contexts contexts(MemoryManager mm) {
    synchronized (mm.asynchronousMu) {
      Object o = mm.asynchronous;
      if (o instanceof Contexts c) {
        return c;
      }
      Contexts made = new Contexts();
      mm.asynchronous = made;
      return made;
    }
  }

  /** <a href="https://man7.org/linux/man-pages/man2/io_setup.2.html">io_setup(2)</a>. */
  static long ioSetup(Task t, Args a) {
    int count = a.int0();
    MemorySegment s = t.scratch();
    long r = t.copyInScratch(a.a1, 8);
    if (r < 0) {
      return r;
    }
    if (s.get(Memory.LONG, 0) != 0
        || count == 0
        || Integer.compareUnsigned(count, 0x10000000 / SIZEOF_IO_EVENT) > 0) {
      return -EINVAL;
    }
    Contexts all = contexts(t.mm());
    synchronized (all) {
      if (Integer.compareUnsigned(count, MAX_EVENTS) > 0) {
        return -EAGAIN;
      }
      if (ALL_EVENTS.addAndGet(count) > MAX_EVENTS) {
        ALL_EVENTS.addAndGet(-count);
        return -EAGAIN;
      }
      long page = MmapCalls.anonymousPage(t);
      if (page < 0) {
        ALL_EVENTS.addAndGet(-count);
        return page;
      }
      s.set(Memory.LONG, 0, page);
      if (t.copyOutNow(a.a1, s, 0, 8) < 0) {
        t.mm().munmap(page, Memory.PAGE);
        ALL_EVENTS.addAndGet(-count);
        return -EFAULT;
      }
      all.byId.put(page, new Context(count));
    }
    return 0;
  }

  /** <a href="https://man7.org/linux/man-pages/man2/io_destroy.2.html">io_destroy(2)</a>. */
  static long ioDestroy(Task t, Args a) {
    Contexts all = contexts(t.mm());
    Context c;
    synchronized (all) {
      c = all.byId.remove(a.a0);
      if (c == null) {
        return -EINVAL;
      }
    }
    ALL_EVENTS.addAndGet(-c.limit);
    c.die();
    t.mm().munmap(a.a0, Memory.PAGE);
    return 0;
  }

  /** <a href="https://man7.org/linux/man-pages/man2/io_submit.2.html">io_submit(2)</a>. */
  static long ioSubmit(Task t, Args a) {
    long count = a.a1;
    if (count < 0) {
      return -EINVAL;
    }
    Context c = contexts(t.mm()).get(a.a0);
    if (c == null) {
      return -EINVAL;
    }
    MemorySegment s = t.scratch();
    long done = 0;
    for (; done < count; done++) {
      long r = t.copyInScratch(a.a2 + 8 * done, 8);
      r = r < 0 ? r : one(t, c, s.get(Memory.LONG, 0));
      if (r < 0) {
        return done > 0 ? done : r;
      }
    }
    return done;
  }

  private static long one(Task t, Context c, long uiocb) {
    MemorySegment s = t.scratch();
    long r = t.copyInScratch(uiocb, SIZEOF_IOCB);
    if (r < 0) {
      return r;
    }
    long data = s.get(Memory.LONG, 0);
    int opcode = s.get(Memory.SHORT, 16) & 0xffff;
    int fd = s.get(Memory.INT, 20);
    long buffer = s.get(Memory.LONG, 24);
    long bytes = s.get(Memory.LONG, 32);
    long offset = s.get(Memory.LONG, 40);
    int flags = s.get(Memory.INT, 56);
    int resFd = s.get(Memory.INT, 60);
    if (s.get(Memory.LONG, 48) != 0 || bytes < 0) {
      return -EINVAL;
    }
    if (!c.hasRoom()) {
      return -EAGAIN;
    }
    FileDescription f = t.file(fd);
    if (f == null) {
      return -EBADF;
    }
    FileDescription notify = null;
    try {
      if ((flags & IOCB_FLAG_RESFD) != 0) {
        notify = t.file(resFd);
        if (notify == null) {
          return -EBADF;
        }
        if (!(notify instanceof EventFd)) {
          return -EINVAL;
        }
      }
      if ((flags & ~(IOCB_FLAG_RESFD | IOCB_FLAG_IOPRIO)) != 0) {
        return -EINVAL;
      }
      s.set(Memory.INT, 0, 0);
      if (t.copyOutNow(uiocb + 8, s, 0, 4) < 0) {
        return -EFAULT; // aio_key
      }
      long result = perform(t, f, opcode, buffer, bytes, offset);
      if (result == Long.MIN_VALUE) {
        return -EINVAL;
      }
      if (result == -EBADF && !isPossible(f, opcode)) {
        return -EBADF;
      }
      c.add(new Event(data, uiocb, result == -ERESTARTSYS ? -Errno.EINTR : result));
      if (notify instanceof EventFd e) {
        e.signal();
      }
      return 0;
    } finally {
      f.decRef();
      if (notify != null) {
        notify.decRef();
      }
    }
  }

  private static boolean isPossible(FileDescription f, int opcode) {
    return switch (opcode) {
      case IOCB_CMD_PREAD, IOCB_CMD_PREADV -> f.isReadable();
      case IOCB_CMD_PWRITE, IOCB_CMD_PWRITEV -> f.isWritable();
      default -> true;
    };
  }

  /** {@return the request's result}, {@link Long#MIN_VALUE} when there is no such request */
  private static long perform(
      Task t, FileDescription f, int opcode, long buffer, long bytes, long offset) {
    if (!isPossible(f, opcode)) {
      return -EBADF;
    }
    boolean before = t.copiesAtOnce(true);
    try {
      return switch (opcode) {
        case IOCB_CMD_PREAD -> f.read(t, t.userBuffer(buffer, clamp(bytes)), offset);
        case IOCB_CMD_PWRITE -> f.write(t, t.userBuffer(buffer, clamp(bytes)), offset);
        case IOCB_CMD_PREADV -> {
          long r = bytes > 1024 ? -EINVAL : t.userVectors(buffer, (int) bytes);
          yield r <= 0 ? r : f.read(t, t.userIo(), offset);
        }
        case IOCB_CMD_PWRITEV -> {
          long r = bytes > 1024 ? -EINVAL : t.userVectors(buffer, (int) bytes);
          yield r <= 0 ? r : f.write(t, t.userIo(), offset);
        }
        case IOCB_CMD_FSYNC -> f.fsync(false);
        case IOCB_CMD_FDSYNC -> f.fsync(true);
        case IOCB_CMD_NOOP -> Long.MIN_VALUE;
        default -> Long.MIN_VALUE;
      };
    } finally {
      t.copiesAtOnce(before);
    }
  }

  private static long clamp(long bytes) {
    return Math.min(bytes, redoubt.sentry.kernel.UserIo.MAX_RW_COUNT);
  }

  /** <a href="https://man7.org/linux/man-pages/man2/io_getevents.2.html">io_getevents(2)</a>. */
  static long ioGetevents(Task t, Args a) {
    return getEvents(t, a);
  }

  /** io_pgetevents(2): with a signal mask for the time of waiting. */
  static long ioPgetevents(Task t, Args a) {
    if (a.a5 != 0) {
      MemorySegment s = t.scratch();
      long r = t.copyInScratch(a.a5, 16);
      if (r < 0) {
        return r;
      }
      long umask = s.get(Memory.LONG, 0);
      if (umask != 0) {
        if (s.get(Memory.LONG, 8) != 8) {
          return -EINVAL;
        }
        r = t.copyInScratch(umask, 8);
        if (r < 0) {
          return r;
        }
        t.setTemporaryMask(s.get(Memory.LONG, 0));
      }
    }
    long r = getEvents(t, a);
    return r == -ERESTARTSYS ? -Errno.ERESTARTNOHAND : r;
  }

  private static long getEvents(Task t, Args a) {
    long least = a.a1;
    long most = a.a2;
    long deadline = Waiter.FOREVER;
    if (a.a4 != 0) {
      MemorySegment s = t.scratch();
      long r = t.copyInScratch(a.a4, 16);
      if (r < 0) {
        return r;
      }
      deadline = Deadlines.after(s.get(Memory.LONG, 0), s.get(Memory.LONG, 8));
    }
    Context c = contexts(t.mm()).get(a.a0);
    if (c == null || least < 0 || most < 0 || least > most) {
      return -EINVAL;
    }
    long got = 0;
    Waiter.Entry e = t.waitEntry();
    c.queue.add(e, 1);
    try {
      for (; ; ) {
        Event ev;
        while (got < most && (ev = c.take()) != null) {
          if (put(t, a.a3 + got * SIZEOF_IO_EVENT, ev) < 0) {
            return got > 0 ? got : -EFAULT;
          }
          got++;
        }
        if (got >= least || c.isDead()) {
          return got;
        }
        long r = t.block(deadline);
        if (r == -ETIMEDOUT) {
          return got;
        }
        if (r < 0) {
          return got > 0 ? got : r;
        }
      }
    } finally {
      c.queue.remove(e);
    }
  }

  private static long put(Task t, long uaddr, Event e) {
    MemorySegment s = t.scratch();
    s.set(Memory.LONG, 0, e.data);
    s.set(Memory.LONG, 8, e.iocb);
    s.set(Memory.LONG, 16, e.result);
    s.set(Memory.LONG, 24, 0);
    return t.copyOutNow(uaddr, s, 0, SIZEOF_IO_EVENT);
  }

  /**
   * <a href="https://man7.org/linux/man-pages/man2/io_cancel.2.html">io_cancel(2)</a>: whatever was
   * submitted is done already.
   */
  static long ioCancel(Task t, Args a) {
    long key = t.copyInInt(a.a1 + 8);
    return key < 0 ? key : -EINVAL;
  }
}
