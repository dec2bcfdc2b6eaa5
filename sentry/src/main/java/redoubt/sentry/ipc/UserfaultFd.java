package redoubt.sentry.ipc;

import static redoubt.abi.Errno.EAGAIN;
import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.EINTR;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ESRCH;
import static redoubt.abi.Userfaultfd.*;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import redoubt.abi.Poll;
import redoubt.host.Memory;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.IoBuffer;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.WaitQueue;
import redoubt.sentry.kernel.Waiter;
import redoubt.sentry.mm.MemoryManager;
import redoubt.sentry.mm.Userfault;
import redoubt.sentry.vfs.FileDescription;

/**
 * Page faults handed to the program: <a
 * href="https://man7.org/linux/man-pages/man2/userfaultfd.2.html">userfaultfd(2)</a>, for missing
 * pages of private anonymous memory. Differs from Linux: a page of zeros that was there before the
 * registration counts as missing; no write protection, minor faults and events.
 *
 * <p>Lock order: {@code MemoryManager.mu}, then this monitor, then the wait queues'.
 */
public final class UserfaultFd extends FileDescription implements Userfault {
  private static final long PAGE = 4096;
  private static final long CHUNK = 64 * 1024;
  private static final long FEATURES =
      UFFD_FEATURE_SIGBUS | UFFD_FEATURE_THREAD_ID | UFFD_FEATURE_EXACT_ADDRESS;

  /** UFFDIO_API, _REGISTER and _UNREGISTER by their numbers. */
  private static final long API_IOCTLS = 1L << 63 | 1 | 1 << 1;

  /** UFFDIO_WAKE, _COPY and _ZEROPAGE. */
  private static final long RANGE_IOCTLS = 1 << 2 | 1 << 3 | 1 << 4;

  private final MemoryManager mm;
  private final boolean userOnly;
  private final WaitQueue queue = new WaitQueue();
  private final WaitQueue faulted = new WaitQueue();
  private final Deque<Fault> unread = new ArrayDeque<>(); // guarded by this
  private final List<Fault> read = new ArrayList<>(); // guarded by this
  private volatile boolean ready;
  private volatile long features;
  private volatile boolean closed;

  /** A task that waits. There are as many as tasks at most. */
  private static final class Fault {
    final Task task;
    final long address;
    final boolean write;
    volatile boolean woken;

    Fault(Task task, long address, boolean write) {
      this.task = task;
      this.address = address;
      this.write = write;
    }
  }

  /**
   * @param flags O_NONBLOCK or 0
   * @param userOnly UFFD_USER_MODE_ONLY: faults of system calls fail
   */
  public UserfaultFd(Task t, int flags, boolean userOnly) {
    super(
        AnonymousFiles.of(t.kernel()).newOther(t.creds(), "[userfaultfd]"),
        O_RDONLY | flags,
        t.creds());
    this.mm = t.mm();
    this.userOnly = userOnly;
  }

  // ---- faults ----

  @Override
  public boolean raisesSigbus() {
    return (features & UFFD_FEATURE_SIGBUS) != 0;
  }

  @Override
  public long await(Task t, long address, boolean write, boolean kernel) {
    if (kernel && userOnly) {
      return -EFAULT;
    }
    Fault f = new Fault(t, address, write);
    synchronized (this) {
      unread.add(f);
    }
    Waiter.Entry entry = new Waiter.Entry(t.waiter()); // the call may be waiting by its own already
    faulted.add(entry, Poll.POLLIN);
    try {
      // A fill that came before the fault was told of did not wake us.
      if (closed || mm.userfaultAt(address) != this) {
        return 0;
      }
      queue.notify(Poll.POLLIN | Poll.POLLRDNORM);
      return block(t, f, kernel);
    } finally {
      faulted.remove(entry);
      synchronized (this) {
        unread.remove(f);
        read.remove(f);
      }
      t.waiter().wake(); // a token of the call's own may have been taken here
    }
  }

  private static long block(Task t, Fault f, boolean kernel) {
    while (!f.woken) {
      if (t.isKilled()) {
        return -EINTR;
      }
      if (!kernel) {
        if (t.waiter().block(Waiter.FOREVER) < 0) {
          return -EINTR;
        }
      } else if (t.isInterrupted()) {
        t.waiter().block(System.nanoTime() + 20_000_000, false); // only a kill ends it
      } else {
        t.waiter().block(Waiter.FOREVER);
      }
    }
    return 0;
  }

  @Override
  public void wake(long start, long end) {
    synchronized (this) {
      for (Fault f : unread) {
        f.woken |= f.address >= start && f.address < end;
      }
      for (Fault f : read) {
        f.woken |= f.address >= start && f.address < end;
      }
    }
    faulted.notify(Poll.POLLIN);
  }

  // ---- the descriptor ----

  @Override
  public long read(Task t, IoBuffer dst, long offset) {
    if (!ready || dst.remaining() < SIZEOF_UFFD_MSG) {
      return -EINVAL;
    }
    MemorySegment s = t.scratch();
    long done = 0;
    while (dst.remaining() >= SIZEOF_UFFD_MSG) {
      Fault f;
      synchronized (this) {
        f = unread.poll();
        if (f == null) {
          break;
        }
        read.add(f);
      }
      write(t, s, f);
      if (dst.put(s, 0, SIZEOF_UFFD_MSG) != SIZEOF_UFFD_MSG) {
        synchronized (this) {
          if (read.remove(f)) {
            unread.addFirst(f);
          }
        }
        return done > 0 ? done : -EFAULT;
      }
      done += SIZEOF_UFFD_MSG;
    }
    return done > 0 ? done : -EAGAIN;
  }

  private void write(Task t, MemorySegment s, Fault f) {
    s.asSlice(0, SIZEOF_UFFD_MSG).fill((byte) 0);
    boolean exact = (features & UFFD_FEATURE_EXACT_ADDRESS) != 0;
    s.set(Memory.BYTE, 0, (byte) UFFD_EVENT_PAGEFAULT);
    s.set(Memory.LONG, UFFD_MSG_FLAGS, f.write ? UFFD_PAGEFAULT_FLAG_WRITE : 0);
    s.set(Memory.LONG, UFFD_MSG_ADDRESS, exact ? f.address : f.address & -PAGE);
    if ((features & UFFD_FEATURE_THREAD_ID) != 0) {
      s.set(Memory.INT, UFFD_MSG_PTID, f.task.tidIn(t.pidNamespace()));
    }
  }

  @Override
  public int poll() {
    if (!ready || !isNonblocking()) {
      return Poll.POLLERR; // fs/userfaultfd.c: poll is for O_NONBLOCK alone
    }
    synchronized (this) {
      return unread.isEmpty() ? 0 : Poll.POLLIN | Poll.POLLRDNORM;
    }
  }

  @Override
  public WaitQueue waitQueue() {
    return queue;
  }

  @Override
  public boolean writesWhole() {
    return false;
  }

  @Override
  public String linkText() {
    return "anon_inode:[userfaultfd]";
  }

  @Override
  public String fdinfo() {
    int pending;
    int total;
    synchronized (this) {
      pending = unread.size();
      total = pending + read.size();
    }
    return "pending:\t"
        + pending
        + "\ntotal:\t"
        + total
        + "\nAPI:\t"
        + Long.toHexString(UFFD_API)
        + ":"
        + Long.toHexString(features)
        + ":"
        + Long.toHexString(API_IOCTLS)
        + "\n";
  }

  @Override
  protected void release() {
    closed = true;
    if (!mm.isGone()) {
      mm.dropUserfault(this);
    }
    wake(0, Long.MAX_VALUE);
  }

  // ---- ioctl ----

  @Override
  public long ioctl(Task t, Args a) {
    int command = a.int1();
    if (command != UFFDIO_API && !ready) {
      return -EINVAL;
    }
    return switch (command) {
      case UFFDIO_API -> api(t, a.long2());
      case UFFDIO_REGISTER -> register(t, a.long2());
      case UFFDIO_UNREGISTER -> range(t, a.long2(), false);
      case UFFDIO_WAKE -> range(t, a.long2(), true);
      case UFFDIO_COPY -> copy(t, a.long2());
      case UFFDIO_ZEROPAGE -> zero(t, a.long2());
      default -> -EINVAL;
    };
  }

  private long api(Task t, long uaddr) {
    MemorySegment s = t.scratch();
    if (t.copyInScratch(uaddr, 24) < 0) {
      return -EFAULT;
    }
    long wanted = s.get(Memory.LONG, 8);
    boolean good = s.get(Memory.LONG, 0) == UFFD_API && (wanted & ~FEATURES) == 0;
    synchronized (this) {
      if (good && !ready) {
        s.set(Memory.LONG, 8, FEATURES);
        s.set(Memory.LONG, 16, API_IOCTLS);
        if (t.copyOutNow(uaddr, s, 0, 24) < 0) {
          return -EFAULT;
        }
        features = wanted;
        ready = true;
        return 0;
      }
    }
    s.asSlice(0, 24).fill((byte) 0);
    return t.copyOutNow(uaddr, s, 0, 24) < 0 ? -EFAULT : -EINVAL;
  }

  /** validate_range: {@return 0 or -EINVAL} */
  private static long check(long start, long length) {
    return ((start | length) & (PAGE - 1)) != 0
            || length <= 0
            || start < 0
            || start + length <= start
            || start + length > 0x7fff_ffff_f000L
        ? -EINVAL
        : 0;
  }

  private long register(Task t, long uaddr) {
    MemorySegment s = t.scratch();
    if (t.copyInScratch(uaddr, 24) < 0) {
      return -EFAULT;
    }
    long start = s.get(Memory.LONG, 0);
    long length = s.get(Memory.LONG, 8);
    if (s.get(Memory.LONG, 16) != UFFDIO_REGISTER_MODE_MISSING || check(start, length) < 0) {
      return -EINVAL;
    }
    if (mm.isGone()) {
      return -NO_MM;
    }
    long r = mm.registerUserfault(this, start, length);
    if (r < 0) {
      return r;
    }
    s.set(Memory.LONG, 0, RANGE_IOCTLS);
    return t.copyOutNow(uaddr + 24, s, 0, 8);
  }

  /** fs/userfaultfd.c: no mm_struct is ENOMEM here, ESRCH elsewhere. */
  private static final long NO_MM = redoubt.abi.Errno.ENOMEM;

  private long range(Task t, long uaddr, boolean wakes) {
    MemorySegment s = t.scratch();
    if (t.copyInScratch(uaddr, 16) < 0) {
      return -EFAULT;
    }
    long start = s.get(Memory.LONG, 0);
    long length = s.get(Memory.LONG, 8);
    if (check(start, length) < 0) {
      return -EINVAL;
    }
    if (wakes) {
      wake(start, start + length);
      return 0;
    }
    return mm.isGone() ? -NO_MM : mm.unregisterUserfault(this, start, length);
  }

  private long copy(Task t, long uaddr) {
    MemorySegment s = t.scratch();
    if (t.copyInScratch(uaddr, 32) < 0) {
      return -EFAULT;
    }
    long to = s.get(Memory.LONG, 0);
    long from = s.get(Memory.LONG, 8);
    long length = s.get(Memory.LONG, 16);
    long mode = s.get(Memory.LONG, 24);
    if (check(to, length) < 0
        || from + length <= from
        || (mode & ~UFFDIO_COPY_MODE_DONTWAKE) != 0) {
      return -EINVAL;
    }
    return finish(
        t, uaddr + 32, to, length, mode == 0, mm.isGone() ? -ESRCH : fill(t, to, from, length));
  }

  private long fill(Task t, long to, long from, long length) {
    long done = 0;
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment chunk = arena.allocate(Math.min(CHUNK, length), PAGE);
      while (done < length) {
        long n = Math.min(length - done, chunk.byteSize());
        if (t.copyIn(from + done, chunk, 0, n) < 0) {
          return done > 0 ? done : -EFAULT;
        }
        long r = mm.fillUserfault(this, to + done, n, chunk.address());
        if (r < 0) {
          return done > 0 ? done : r;
        }
        done += r;
        if (r < n) {
          break;
        }
      }
    }
    return done;
  }

  private long zero(Task t, long uaddr) {
    MemorySegment s = t.scratch();
    if (t.copyInScratch(uaddr, 24) < 0) {
      return -EFAULT;
    }
    long to = s.get(Memory.LONG, 0);
    long length = s.get(Memory.LONG, 8);
    long mode = s.get(Memory.LONG, 16);
    if (check(to, length) < 0 || (mode & ~UFFDIO_ZEROPAGE_MODE_DONTWAKE) != 0) {
      return -EINVAL;
    }
    long done = mm.isGone() ? -ESRCH : mm.fillUserfault(this, to, length, 0);
    return finish(t, uaddr + 24, to, length, mode == 0, done);
  }

  /** Says how far it came, and wakes who waited for it. */
  private long finish(Task t, long uresult, long to, long length, boolean wakes, long done) {
    if (done == -ESRCH) {
      return done;
    }
    MemorySegment s = t.scratch();
    s.set(Memory.LONG, 0, done);
    if (t.copyOutNow(uresult, s, 0, 8) < 0) {
      return -EFAULT;
    }
    if (done < 0) {
      return done;
    }
    if (wakes) {
      wake(to, to + done);
    }
    return done == length ? 0 : -EAGAIN;
  }
}
