package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.EBADF;
import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.EINTR;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ERESTARTNOHAND;
import static redoubt.abi.Errno.ERESTARTSYS;
import static redoubt.abi.Errno.ERESTART_RESTARTBLOCK;
import static redoubt.abi.Errno.ETIMEDOUT;
import static redoubt.abi.Poll.POLLERR;
import static redoubt.abi.Poll.POLLHUP;
import static redoubt.abi.Poll.POLLIN;
import static redoubt.abi.Poll.POLLNVAL;
import static redoubt.abi.Poll.POLLOUT;
import static redoubt.abi.Poll.POLLPRI;
import static redoubt.abi.Poll.POLLRDBAND;
import static redoubt.abi.Poll.POLLRDNORM;
import static redoubt.abi.Poll.POLLWRBAND;
import static redoubt.abi.Poll.POLLWRNORM;
import static redoubt.abi.Poll.SIZEOF_POLLFD;

import java.lang.foreign.MemorySegment;
import redoubt.abi.Resource;
import redoubt.host.Memory;
import redoubt.sentry.ipc.PollState;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.Clocks;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.Waiter;
import redoubt.sentry.vfs.FileDescription;

/**
 * Waiting on many descriptors: <a
 * href="https://man7.org/linux/man-pages/man2/poll.2.html">poll(2)</a>, <a
 * href="https://man7.org/linux/man-pages/man2/select.2.html">select(2)</a>.
 */
public final class Poll {
  private static final int IN_SET = POLLIN | POLLRDNORM | POLLRDBAND | POLLHUP | POLLERR;
  private static final int OUT_SET = POLLOUT | POLLWRNORM | POLLWRBAND | POLLERR;
  private static final int EXCEPT_SET = POLLPRI;
  private static final long SECOND_NS = 1_000_000_000L;

  private Poll() {}

  /**
   * Waits for events on descriptors: <a
   * href="https://man7.org/linux/man-pages/man2/poll.2.html">poll(2)</a>.
   */
  public static long poll(Task t, Args a) {
    int timeoutMs = a.int2();
    long deadline = timeoutMs < 0 ? Waiter.FOREVER : deadlineAfter(timeoutMs * 1_000_000L);
    return pollUntil(t, a.long0(), a.int1() & 0xffffffffL, deadline);
  }

  private static long pollUntil(Task t, long ufds, long nfds, long deadlineNs) {
    long r = pollFds(t, ufds, nfds, deadlineNs);
    if (r == -ERESTARTSYS) {
      t.restartBlock = task -> pollUntil(task, ufds, nfds, deadlineNs);
      return -ERESTART_RESTARTBLOCK;
    }
    return r;
  }

  /**
   * As poll, with a signal mask for the time: <a
   * href="https://man7.org/linux/man-pages/man2/poll.2.html">ppoll(2)</a>.
   */
  public static long ppoll(Task t, Args a) {
    long utimeout = a.long2();
    long deadline = Waiter.FOREVER;
    if (utimeout != 0) {
      deadline = deadlineIn(t, utimeout, false);
      if (deadline < 0) {
        return deadline;
      }
    }
    long r = setMask(t, a.long3(), a.long4());
    if (r < 0) {
      return r;
    }
    r = pollFds(t, a.long0(), a.int1() & 0xffffffffL, deadline);
    return finish(t, r, utimeout, deadline, false);
  }

  private static long pollFds(Task t, long ufds, long nfds, long deadlineNs) {
    if (nfds > t.threadGroup().limits.bound(Resource.RLIMIT_NOFILE)) {
      return -EINVAL;
    }
    PollState s = PollState.of(t);
    int n = (int) nfds;
    MemorySegment fds = s.buffer((long) n * SIZEOF_POLLFD);
    if (t.copyIn(ufds, fds, 0, (long) n * SIZEOF_POLLFD) < 0) {
      return -EFAULT;
    }
    try {
      int ready = open(t, s, fds, n);
      long r = await(t, s, fds, ready, deadlineNs);
      if (r < 0) {
        return r;
      }
      // Only revents is written back, as Linux does; the rest is what was read.
      return n > 0 && t.copyOut(ufds, fds, 0, (long) n * SIZEOF_POLLFD) < 0 ? -EFAULT : r;
    } finally {
      s.clear();
    }
  }

  /** Looks up the descriptors; returns how many are reported already because they are none. */
  private static int open(Task t, PollState s, MemorySegment fds, int n) {
    int ready = 0;
    for (int i = 0; i < n; i++) {
      long at = (long) i * SIZEOF_POLLFD;
      int fd = fds.get(Memory.INT, at);
      fds.set(Memory.SHORT, at + 6, (short) 0);
      if (fd < 0) {
        continue;
      }
      FileDescription f = t.file(fd);
      if (f == null) {
        fds.set(Memory.SHORT, at + 6, (short) POLLNVAL);
        ready++;
      } else {
        s.add(f, (fds.get(Memory.SHORT, at + 4) & 0xffff) | POLLERR | POLLHUP, i);
      }
    }
    return ready;
  }

  private static long await(Task t, PollState s, MemorySegment fds, int closed, long deadlineNs) {
    int ready = scan(s, fds) + closed;
    if (ready > 0 || deadlineNs == 0) {
      return ready;
    }
    s.register();
    for (; ; ) {
      ready = scan(s, fds);
      if (ready > 0) {
        return ready;
      }
      long w = t.block(deadlineNs, s.isFedByLink());
      if (w == -ETIMEDOUT) {
        return scan(s, fds);
      }
      if (w < 0) {
        return w;
      }
    }
  }

  private static int scan(PollState s, MemorySegment fds) {
    int ready = 0;
    for (int i = 0; i < s.count(); i++) {
      int is = s.poll(i);
      if (is != 0) {
        fds.set(Memory.SHORT, (long) s.tag(i) * SIZEOF_POLLFD + 6, (short) is);
        ready++;
      }
    }
    return ready;
  }

  /**
   * Waits for descriptors in sets: <a
   * href="https://man7.org/linux/man-pages/man2/select.2.html">select(2)</a>.
   */
  public static long select(Task t, Args a) {
    long utimeout = a.long4();
    long deadline = Waiter.FOREVER;
    if (utimeout != 0) {
      deadline = deadlineIn(t, utimeout, true);
      if (deadline < 0) {
        return deadline;
      }
    }
    long r = selectUntil(t, a.int0(), a.long1(), a.long2(), a.long3(), deadline);
    return finish(t, r, utimeout, deadline, true);
  }

  /**
   * As select, with a signal mask: <a
   * href="https://man7.org/linux/man-pages/man2/select.2.html">pselect(2)</a>.
   */
  public static long pselect6(Task t, Args a) {
    long umask = 0;
    long size = 0;
    if (a.long5() != 0) {
      if (t.copyInScratch(a.long5(), 16) < 0) {
        return -EFAULT;
      }
      umask = t.scratch().get(Memory.LONG, 0);
      size = t.scratch().get(Memory.LONG, 8);
    }
    long utimeout = a.long4();
    long deadline = Waiter.FOREVER;
    if (utimeout != 0) {
      deadline = deadlineIn(t, utimeout, false);
      if (deadline < 0) {
        return deadline;
      }
    }
    long r = setMask(t, umask, size);
    if (r < 0) {
      return r;
    }
    r = selectUntil(t, a.int0(), a.long1(), a.long2(), a.long3(), deadline);
    return finish(t, r, utimeout, deadline, false);
  }

  private static long selectUntil(
      Task t, int nfds, long uin, long uout, long uexcept, long deadlineNs) {
    if (nfds < 0) {
      return -EINVAL;
    }
    // Bits past the table's size are not looked at; Linux's table has at least 64 entries.
    int n = Math.min(nfds, Math.max(64, (t.fds().limit() + 63) & ~63));
    long bytes = ((n + 63) >> 6) * 8L;
    PollState s = PollState.of(t);
    MemorySegment sets = s.buffer(6 * bytes);
    if (copySet(t, uin, sets, 0, bytes) < 0
        || copySet(t, uout, sets, bytes, bytes) < 0
        || copySet(t, uexcept, sets, 2 * bytes, bytes) < 0) {
      return -EFAULT;
    }
    try {
      long r = openSets(t, s, sets, n, bytes);
      if (r < 0) {
        return r;
      }
      r = awaitSets(t, s, sets, bytes, deadlineNs);
      if (r < 0) {
        return r;
      }
      if (putSet(t, uin, sets, 3 * bytes, bytes) < 0
          || putSet(t, uout, sets, 4 * bytes, bytes) < 0
          || putSet(t, uexcept, sets, 5 * bytes, bytes) < 0) {
        return -EFAULT;
      }
      return r;
    } finally {
      s.clear();
    }
  }

  private static long copySet(Task t, long uaddr, MemorySegment sets, long at, long bytes) {
    if (uaddr == 0) {
      sets.asSlice(at, bytes).fill((byte) 0);
      return 0;
    }
    return t.copyIn(uaddr, sets, at, bytes);
  }

  private static long putSet(Task t, long uaddr, MemorySegment sets, long at, long bytes) {
    return uaddr == 0 ? 0 : t.copyOut(uaddr, sets, at, bytes);
  }

  private static long openSets(Task t, PollState s, MemorySegment sets, int n, long bytes) {
    for (long w = 0; w < bytes; w += 8) {
      long in = sets.get(Memory.LONG, w);
      long out = sets.get(Memory.LONG, bytes + w);
      long except = sets.get(Memory.LONG, 2 * bytes + w);
      long any = in | out | except;
      for (; any != 0; any &= any - 1) {
        long bit = any & -any;
        int fd = (int) (w * 8) + Long.numberOfTrailingZeros(any);
        if (fd >= n) {
          break;
        }
        FileDescription f = t.file(fd);
        if (f == null) {
          return -EBADF;
        }
        int events =
            ((in & bit) != 0 ? IN_SET : 0)
                | ((out & bit) != 0 ? OUT_SET : 0)
                | ((except & bit) != 0 ? EXCEPT_SET : 0);
        s.add(f, events, fd);
      }
    }
    return 0;
  }

  private static long awaitSets(
      Task t, PollState s, MemorySegment sets, long bytes, long deadlineNs) {
    int ready = scanSets(s, sets, bytes);
    if (ready > 0 || deadlineNs == 0) {
      return ready;
    }
    s.register();
    for (; ; ) {
      ready = scanSets(s, sets, bytes);
      if (ready > 0) {
        return ready;
      }
      long w = t.block(deadlineNs, s.isFedByLink());
      if (w == -ETIMEDOUT) {
        return scanSets(s, sets, bytes);
      }
      if (w < 0) {
        return w;
      }
    }
  }

  /** Fills the three result sets; returns how many bits are set in them. */
  private static int scanSets(PollState s, MemorySegment sets, long bytes) {
    sets.asSlice(3 * bytes, 3 * bytes).fill((byte) 0);
    int ready = 0;
    for (int i = 0; i < s.count(); i++) {
      int is = s.poll(i);
      if (is != 0) {
        int fd = s.tag(i);
        ready += mark(sets, 0, 3 * bytes, fd, is & IN_SET);
        ready += mark(sets, bytes, 4 * bytes, fd, is & OUT_SET);
        ready += mark(sets, 2 * bytes, 5 * bytes, fd, is & EXCEPT_SET);
      }
    }
    return ready;
  }

  private static int mark(MemorySegment sets, long asked, long result, int fd, int is) {
    long at = (fd >> 6) * 8L;
    if (is == 0 || (sets.get(Memory.LONG, asked + at) >>> fd & 1) == 0) {
      return 0;
    }
    sets.set(Memory.LONG, result + at, sets.get(Memory.LONG, result + at) | 1L << fd);
    return 1;
  }

  // ---- timeouts and masks ----

  /** {@return the point {@code ns} from now}; 0 for none at all: do not block */
  static long deadlineAfter(long ns) {
    return ns == 0 ? 0 : saturated(Clocks.monotonicNs(), ns);
  }

  private static long saturated(long now, long ns) {
    long sum = now + ns;
    return sum < 0 ? Waiter.FOREVER : sum;
  }

  /**
   * {@return the deadline that the relative timespec or timeval at {@code uaddr} means}, as {@link
   * #deadlineAfter}, or -EFAULT or -EINVAL
   */
  static long deadlineIn(Task t, long uaddr, boolean micros) {
    if (t.copyInScratch(uaddr, 16) < 0) {
      return -EFAULT;
    }
    long seconds = t.scratch().get(Memory.LONG, 0);
    long part = t.scratch().get(Memory.LONG, 8);
    if (micros) {
      // fs/select.c lets microseconds overflow into seconds.
      if (seconds < 0 || part < 0) {
        return -EINVAL;
      }
      seconds = Math.min(seconds, Long.MAX_VALUE / 4) + part / 1_000_000;
      part = part % 1_000_000 * 1000;
    } else if (seconds < 0 || part < 0 || part >= SECOND_NS) {
      return -EINVAL;
    }
    if (seconds >= Waiter.FOREVER / SECOND_NS - 1) {
      return Waiter.FOREVER;
    }
    return deadlineAfter(seconds * SECOND_NS + part);
  }

  /** Puts the mask at {@code umask} in place until the call ends; 0 means none. */
  static long setMask(Task t, long umask, long size) {
    if (umask == 0) {
      return 0;
    }
    if (size != 8) {
      return -EINVAL;
    }
    if (t.copyInScratch(umask, 8) < 0) {
      return -EFAULT;
    }
    t.setTemporaryMask(t.scratch().get(Memory.LONG, 0));
    return 0;
  }

  /** personality(2): the timeout is left alone. A restart would begin it anew, so there is none. */
  private static final int STICKY_TIMEOUTS = 0x4000000;

  /** Writes back what is left of the timeout, as Linux does for all but poll(2). */
  private static long finish(Task t, long result, long utimeout, long deadlineNs, boolean micros) {
    long r = result == -ERESTARTSYS ? -ERESTARTNOHAND : result;
    if (utimeout == 0 || (r < 0 && r != -ERESTARTNOHAND)) {
      return r;
    }
    if ((t.personality & STICKY_TIMEOUTS) != 0) {
      return r == -ERESTARTNOHAND ? -EINTR : r;
    }
    if (deadlineNs == Waiter.FOREVER || deadlineNs == 0) {
      return r; // nothing changed that could be seen
    }
    long left = Math.max(0, deadlineNs - Clocks.monotonicNs());
    MemorySegment s = t.scratch();
    s.set(Memory.LONG, 0, left / SECOND_NS);
    s.set(Memory.LONG, 8, micros ? left % SECOND_NS / 1000 : left % SECOND_NS);
    if (r == -ERESTARTNOHAND) {
      // Now: a restart reads it again. Where it cannot be written, the call is not restarted.
      return t.copyOutNow(utimeout, s, 0, 16) < 0 ? -EINTR : r;
    }
    // On the way back, to save a round trip; libraries pass a copy of their own, which can be
    // written.
    return t.copyOut(utimeout, s, 0, 16) < 0 ? -EFAULT : r;
  }
}
