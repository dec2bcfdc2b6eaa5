package redoubt.sentry.ipc.mqueue;

import static redoubt.abi.Errno.EACCES;
import static redoubt.abi.Errno.EAGAIN;
import static redoubt.abi.Errno.EBADF;
import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EMSGSIZE;
import static redoubt.abi.Errno.ENAMETOOLONG;
import static redoubt.abi.Errno.ENOTSOCK;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Fcntl;
import redoubt.abi.Ipc;
import redoubt.abi.Poll;
import redoubt.abi.Signal;
import redoubt.host.Memory;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.Clocks;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.Waiter;
import redoubt.sentry.socket.Socket;
import redoubt.sentry.vfs.FileDescription;

/** The calls of mq_overview(7): ipc/mqueue.c. */
public final class PosixQueueCalls {
  private static final long NS = 1_000_000_000L;
  private static final int NAME_MAX = 255;
  private static final int SIGNALS = 64;
  private static final byte[] NONE = {};

  private PosixQueueCalls() {}

  /** <a href="https://man7.org/linux/man-pages/man3/mq_open.3.html">mq_open(2)</a>. */
  public static long mqOpen(Task t, Args a) {
    int flags = a.int1();
    PosixQueues.Shape shape = PosixQueues.Shape.DEFAULT;
    if (a.a3 != 0) {
      if (t.copyInScratch(a.a3, Ipc.SIZEOF_MQ_ATTR) < 0) {
        return -EFAULT;
      }
      shape =
          new PosixQueues.Shape(
              t.scratch().get(Memory.LONG, Ipc.MQ_ATTR_MQ_MAXMSG),
              t.scratch().get(Memory.LONG, Ipc.MQ_ATTR_MQ_MSGSIZE));
    }
    String name = t.copyInPath(a.a0);
    if (!isName(name)) {
      return name.length() > NAME_MAX ? -ENAMETOOLONG : -EACCES;
    }
    if ((flags & Fcntl.O_ACCMODE) == Fcntl.O_ACCMODE) {
      return -EINVAL;
    }
    PosixQueues table = PosixQueues.of(t);
    PosixQueue q = table.open(t, name, flags, a.int2(), shape);
    int kept = flags & (Fcntl.O_ACCMODE | Fcntl.O_NONBLOCK);
    // The descriptor of a queue is close-on-exec whether asked for or not:
    // get_unused_fd(O_CLOEXEC).
    return t.installFd(new PosixQueueFile(t, table, q, name, kept), true);
  }

  private static boolean isName(String name) {
    return name.length() <= NAME_MAX
        && name.indexOf('/') < 0
        && !name.equals(".")
        && !name.equals("..");
  }

  /** <a href="https://man7.org/linux/man-pages/man3/mq_unlink.3.html">mq_unlink(2)</a>. */
  public static long mqUnlink(Task t, Args a) {
    String name = t.copyInPath(a.a0);
    if (!isName(name)) {
      return name.length() > NAME_MAX ? -ENAMETOOLONG : -EACCES;
    }
    return PosixQueues.of(t).unlink(t.creds(), name);
  }

  /** {@return the deadline of the CLOCK_REALTIME timespec at {@code uaddr}} or -errno */
  private static long deadline(Task t, long uaddr) {
    if (uaddr == 0) {
      return Waiter.FOREVER;
    }
    if (t.copyInScratch(uaddr, 16) < 0) {
      return -EFAULT;
    }
    long sec = t.scratch().get(Memory.LONG, 0);
    long nsec = t.scratch().get(Memory.LONG, 8);
    if (sec < 0 || nsec < 0 || nsec >= NS) {
      return -EINVAL;
    }
    if (sec > Long.MAX_VALUE / NS / 2) {
      return Waiter.FOREVER;
    }
    return Math.max(0, System.nanoTime() + sec * NS + nsec - Clocks.realtimeNs());
  }

  private static @Nullable PosixQueueFile queue(FileDescription f) {
    return f instanceof PosixQueueFile q ? q : null;
  }

  /** <a href="https://man7.org/linux/man-pages/man3/mq_send.3.html">mq_timedsend(2)</a>. */
  public static long mqTimedsend(Task t, Args a) {
    long deadlineNs = deadline(t, a.a4);
    if (deadlineNs < 0) {
      return deadlineNs;
    }
    if (Integer.compareUnsigned(a.int3(), Ipc.MQ_PRIO_MAX) >= 0) {
      return -EINVAL;
    }
    FileDescription f = t.file(a.int0());
    if (f == null) {
      return -EBADF;
    }
    try {
      PosixQueueFile file = queue(f);
      if (file == null || !f.isWritable()) {
        return -EBADF;
      }
      if (Long.compareUnsigned(a.a2, file.queue.maxSize) > 0) {
        return -EMSGSIZE;
      }
      byte[] text = new byte[(int) a.a2];
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment m = arena.allocate(Math.max(1, text.length));
        if (t.copyIn(a.a1, m, 0, text.length) < 0) {
          return -EFAULT;
        }
        MemorySegment.copy(m, Memory.BYTE, 0, text, 0, text.length);
      }
      return send(t, file, a.int3(), text, deadlineNs);
    } finally {
      f.decRef();
    }
  }

  private static long send(
      Task t, PosixQueueFile file, int priority, byte[] text, long deadlineNs) {
    PosixQueue q = file.queue;
    Waiter.Entry entry = t.waitEntry();
    q.queue.add(entry, Poll.POLLOUT);
    try {
      for (; ; ) {
        long r = q.send(t, priority, text);
        if (r != -EAGAIN || file.isNonblocking()) {
          return r;
        }
        long w = t.block(deadlineNs);
        if (w < 0) {
          return w;
        }
      }
    } finally {
      q.queue.remove(entry);
    }
  }

  /** <a href="https://man7.org/linux/man-pages/man3/mq_receive.3.html">mq_timedreceive(2)</a>. */
  public static long mqTimedreceive(Task t, Args a) {
    long deadlineNs = deadline(t, a.a4);
    if (deadlineNs < 0) {
      return deadlineNs;
    }
    FileDescription f = t.file(a.int0());
    if (f == null) {
      return -EBADF;
    }
    try {
      PosixQueueFile file = queue(f);
      if (file == null || !f.isReadable()) {
        return -EBADF;
      }
      if (Long.compareUnsigned(a.a2, file.queue.maxSize) < 0) {
        return -EMSGSIZE;
      }
      return receive(t, file, a, deadlineNs);
    } finally {
      f.decRef();
    }
  }

  private static long receive(Task t, PosixQueueFile file, Args a, long deadlineNs) {
    PosixQueue q = file.queue;
    Waiter.Entry entry = t.waitEntry();
    q.queue.add(entry, Poll.POLLIN);
    q.waiting(1);
    try {
      for (; ; ) {
        PosixQueue.Message m = q.receive();
        if (m != null) {
          return give(t, a, m);
        }
        if (file.isNonblocking()) {
          return -EAGAIN;
        }
        long w = t.block(deadlineNs);
        if (w < 0) {
          return w;
        }
      }
    } finally {
      q.waiting(-1);
      q.queue.remove(entry);
    }
  }

  private static long give(Task t, Args a, PosixQueue.Message message) {
    byte[] text = message.text;
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment m = arena.allocate(Math.max(1, text.length));
      MemorySegment.copy(text, 0, m, Memory.BYTE, 0, text.length);
      if (t.copyOutNow(a.a1, m, 0, text.length) < 0) {
        return -EFAULT;
      }
    }
    if (a.a3 != 0 && t.copyOutInt(a.a3, message.priority) < 0) {
      return -EFAULT;
    }
    return text.length;
  }

  /**
   * <a href="https://man7.org/linux/man-pages/man3/mq_notify.3.html">mq_notify(2)</a>: by signal,
   * or for SIGEV_THREAD by a cookie through a netlink socket.
   */
  public static long mqNotify(Task t, Args a) {
    if (a.a1 == 0) {
      return withdraw(t, a.int0());
    }
    if (t.copyInScratch(a.a1, Signal.SIZEOF_SIGEVENT) < 0) {
      return -EFAULT;
    }
    MemorySegment s = t.scratch();
    int notify = s.get(Memory.INT, Signal.SIGEVENT_SIGEV_NOTIFY);
    int signo = s.get(Memory.INT, Signal.SIGEVENT_SIGEV_SIGNO);
    long value = s.get(Memory.LONG, Signal.SIGEVENT_SIGEV_VALUE);
    if (notify < Signal.SIGEV_SIGNAL || notify > Signal.SIGEV_THREAD) {
      return -EINVAL;
    }
    if (notify == Signal.SIGEV_SIGNAL && (signo < 0 || signo > SIGNALS)) {
      return -EINVAL;
    }
    if (notify != Signal.SIGEV_THREAD) {
      return register(t, a.int0(), new Notice(t.threadGroup(), notify, signo, value, null, NONE));
    }
    byte[] cookie = new byte[Notice.COOKIE_BYTES];
    if (t.copyInScratch(value, cookie.length) < 0) {
      return -EFAULT;
    }
    MemorySegment.copy(t.scratch(), 0, MemorySegment.ofArray(cookie), 0, cookie.length);
    FileDescription socket = t.file(signo);
    if (!(socket instanceof NoticeSocket)) {
      if (socket != null) {
        socket.decRef();
      }
      return socket == null ? -EBADF : socket instanceof Socket ? -EINVAL : -ENOTSOCK;
    }
    long r =
        register(t, a.int0(), new Notice(t.threadGroup(), notify, signo, value, socket, cookie));
    if (r < 0) {
      socket.decRef();
    }
    return r;
  }

  private static long withdraw(Task t, int fd) {
    FileDescription f = t.file(fd);
    PosixQueueFile file = f == null ? null : queue(f);
    if (file != null) {
      file.queue.unregister(t.threadGroup());
    }
    if (f != null) {
      f.decRef();
    }
    return file == null ? -EBADF : 0;
  }

  private static long register(Task t, int fd, Notice n) {
    FileDescription f = t.file(fd);
    PosixQueueFile file = f == null ? null : queue(f);
    long r = file == null ? -EBADF : file.queue.register(n);
    if (f != null) {
      f.decRef();
    }
    return r;
  }

  /** <a href="https://man7.org/linux/man-pages/man3/mq_getattr.3.html">mq_getsetattr(2)</a>. */
  public static long mqGetsetattr(Task t, Args a) {
    long newFlags = 0;
    if (a.a1 != 0) {
      if (t.copyInScratch(a.a1, Ipc.SIZEOF_MQ_ATTR) < 0) {
        return -EFAULT;
      }
      newFlags = t.scratch().get(Memory.LONG, Ipc.MQ_ATTR_MQ_FLAGS);
      if ((newFlags & ~Fcntl.O_NONBLOCK) != 0) {
        return -EINVAL;
      }
    }
    FileDescription f = t.file(a.int0());
    if (f == null) {
      return -EBADF;
    }
    try {
      PosixQueueFile file = queue(f);
      if (file == null) {
        return -EBADF;
      }
      MemorySegment m = t.scratch();
      m.asSlice(0, Ipc.SIZEOF_MQ_ATTR).fill((byte) 0);
      m.set(Memory.LONG, Ipc.MQ_ATTR_MQ_FLAGS, f.flags() & Fcntl.O_NONBLOCK);
      m.set(Memory.LONG, Ipc.MQ_ATTR_MQ_MAXMSG, file.queue.maxMessages);
      m.set(Memory.LONG, Ipc.MQ_ATTR_MQ_MSGSIZE, file.queue.maxSize);
      m.set(Memory.LONG, Ipc.MQ_ATTR_MQ_CURMSGS, file.queue.count());
      if (a.a1 != 0) {
        f.setFlags((f.flags() & ~Fcntl.O_NONBLOCK) | (int) newFlags);
      }
      return a.a2 == 0 ? 0 : t.copyOutScratch(a.a2, Ipc.SIZEOF_MQ_ATTR);
    } finally {
      f.decRef();
    }
  }
}
