package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.EBADF;
import static redoubt.abi.Errno.EBADFD;
import static redoubt.abi.Errno.EBUSY;
import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.EINTR;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EMFILE;
import static redoubt.abi.Errno.ENOMEM;
import static redoubt.abi.Errno.ENOSYS;
import static redoubt.abi.Errno.ENXIO;
import static redoubt.abi.Errno.EOPNOTSUPP;
import static redoubt.abi.Errno.ETIME;
import static redoubt.abi.Errno.ETIMEDOUT;
import static redoubt.abi.IoUring.*;

import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Poll;
import redoubt.host.HostException;
import redoubt.host.Memory;
import redoubt.sentry.ipc.EventFd;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.Clocks;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.Waiter;
import redoubt.sentry.platform.PlatformException;
import redoubt.sentry.vfs.FileDescription;

/**
 * The calls of io_uring(7): io_uring/io_uring.c, register.c. They give ENOSYS unless the sandbox
 * was started with --io-uring.
 */
final class UringCalls {
  private static final int MAX_ENTRIES = 32768;
  private static final int MAX_CQ_ENTRIES = 65536;
  private static final int MAX_REGISTERED = 32768;
  private static final int MAX_BUFFERS = 16384;

  /** Each ring is a host descriptor and a mapping of the sentry. */
  private static final int MAX_RINGS = 256;

  private static final AtomicInteger RINGS = new AtomicInteger();

  private static final int SETUP_FLAGS =
      IORING_SETUP_CQSIZE
          | IORING_SETUP_CLAMP
          | IORING_SETUP_R_DISABLED
          | IORING_SETUP_SUBMIT_ALL
          | IORING_SETUP_COOP_TASKRUN
          | IORING_SETUP_TASKRUN_FLAG
          | IORING_SETUP_SINGLE_ISSUER
          | IORING_SETUP_DEFER_TASKRUN;
  private static final int FEATURES =
      IORING_FEAT_SINGLE_MMAP
          | IORING_FEAT_NODROP
          | IORING_FEAT_SUBMIT_STABLE
          | IORING_FEAT_RW_CUR_POS
          | IORING_FEAT_FAST_POLL
          | IORING_FEAT_POLL_32BITS
          | IORING_FEAT_EXT_ARG
          | IORING_FEAT_CQE_SKIP;

  private UringCalls() {}

  static void ringGone() {
    RINGS.decrementAndGet();
  }

  // ---- io_uring_setup ----

  /**
   * <a href="https://man7.org/linux/man-pages/man2/io_uring_setup.2.html">io_uring_setup(2)</a>.
   */
  static long setup(Task t, Args a) {
    if (!t.kernel().hasIoUring) {
      AbsentCalls.note(t, a.nr);
      return -ENOSYS;
    }
    MemorySegment s = t.scratch();
    long uparams = a.a1;
    if (t.copyInScratch(uparams, SIZEOF_IO_URING_PARAMS) < 0) {
      return -EFAULT;
    }
    for (int i = IO_URING_PARAMS_RESV; i < IO_URING_PARAMS_SQ_OFF; i += 4) {
      if (s.get(Memory.INT, i) != 0) {
        return -EINVAL;
      }
    }
    int flags = s.get(Memory.INT, IO_URING_PARAMS_FLAGS);
    if ((flags & ~SETUP_FLAGS) != 0 || !areTaskRunFlagsGood(flags)) {
      return -EINVAL;
    }
    boolean clamps = (flags & IORING_SETUP_CLAMP) != 0;
    long sq = entries(a.a0 & 0xffff_ffffL, MAX_ENTRIES, clamps);
    long cq =
        (flags & IORING_SETUP_CQSIZE) == 0
            ? 2 * sq
            : entries(
                s.get(Memory.INT, IO_URING_PARAMS_CQ_ENTRIES) & 0xffff_ffffL,
                MAX_CQ_ENTRIES,
                clamps);
    if (sq < 0 || cq < sq) {
      return -EINVAL;
    }
    return make(t, (int) sq, (int) cq, flags, uparams);
  }

  private static boolean areTaskRunFlagsGood(int flags) {
    boolean deferred = (flags & IORING_SETUP_DEFER_TASKRUN) != 0;
    boolean flagged = (flags & IORING_SETUP_TASKRUN_FLAG) != 0;
    return (!deferred || (flags & IORING_SETUP_SINGLE_ISSUER) != 0)
        && (!flagged || deferred || (flags & IORING_SETUP_COOP_TASKRUN) != 0);
  }

  private static long entries(long asked, int most, boolean clamps) {
    if (asked == 0 || (asked > most && !clamps)) {
      return -EINVAL;
    }
    long n = Math.min(asked, most);
    return n == 1 ? 1 : Long.highestOneBit(n - 1) << 1;
  }

  private static long make(Task t, int sq, int cq, int flags, long uparams) {
    if (RINGS.incrementAndGet() > MAX_RINGS) {
      RINGS.decrementAndGet();
      return -ENOMEM;
    }
    UringMemory memory;
    try {
      memory = new UringMemory(t.kernel().platform(), sq, cq);
    } catch (HostException | PlatformException e) {
      RINGS.decrementAndGet();
      return -ENOMEM;
    }
    Uring ring = new Uring(t, memory, flags);
    MemorySegment s = t.scratch();
    s.asSlice(IO_URING_PARAMS_SQ_OFF, SIZEOF_IO_URING_PARAMS - IO_URING_PARAMS_SQ_OFF)
        .fill((byte) 0);
    s.set(Memory.INT, IO_URING_PARAMS_SQ_ENTRIES, sq);
    s.set(Memory.INT, IO_URING_PARAMS_CQ_ENTRIES, cq);
    s.set(Memory.INT, IO_URING_PARAMS_FEATURES, FEATURES);
    int[] sqOffsets = {
      UringMemory.SQ_HEAD,
      UringMemory.SQ_TAIL,
      UringMemory.SQ_MASK,
      UringMemory.SQ_ENTRIES,
      UringMemory.SQ_FLAGS,
      UringMemory.SQ_DROPPED,
      memory.array()
    };
    int[] cqOffsets = {
      UringMemory.CQ_HEAD,
      UringMemory.CQ_TAIL,
      UringMemory.CQ_MASK,
      UringMemory.CQ_ENTRIES,
      UringMemory.CQ_OVERFLOW,
      UringMemory.CQES,
      UringMemory.CQ_FLAGS
    };
    for (int i = 0; i < 7; i++) {
      s.set(Memory.INT, IO_URING_PARAMS_SQ_OFF + 4L * i, sqOffsets[i]);
      s.set(Memory.INT, IO_URING_PARAMS_CQ_OFF + 4L * i, cqOffsets[i]);
    }
    if (t.copyOutNow(uparams, s, 0, SIZEOF_IO_URING_PARAMS) < 0) {
      ring.decRef();
      return -EFAULT;
    }
    return t.installFd(ring, true);
  }

  // ---- io_uring_enter ----

  /**
   * <a href="https://man7.org/linux/man-pages/man2/io_uring_enter.2.html">io_uring_enter(2)</a>.
   */
  static long enter(Task t, Args a) {
    if (!t.kernel().hasIoUring) {
      AbsentCalls.note(t, a.nr);
      return -ENOSYS;
    }
    int flags = a.int3();
    int known =
        IORING_ENTER_GETEVENTS
            | IORING_ENTER_SQ_WAKEUP
            | IORING_ENTER_SQ_WAIT
            | IORING_ENTER_EXT_ARG;
    if ((flags & ~known) != 0) {
      return -EINVAL;
    }
    FileDescription f = t.file(a.int0());
    if (f == null) {
      return -EBADF;
    }
    try {
      if (!(f instanceof Uring ring)) {
        return -EOPNOTSUPP;
      }
      if (!ring.enabled) {
        return -EBADFD;
      }
      return enter(t, ring, a, flags);
    } finally {
      f.decRef();
    }
  }

  private static long enter(Task t, Uring ring, Args a, int flags) {
    int submit = a.int1();
    int least = a.int2();
    UringWork work = UringWork.of(t);
    work.uses(ring);
    work.run(t);
    int taken = 0;
    if (submit != 0) {
      taken = ring.submit(t, Integer.compareUnsigned(submit, Uring.MOST) > 0 ? Uring.MOST : submit);
      work.run(t);
      if (taken != submit) {
        return taken;
      }
    }
    if ((flags & IORING_ENTER_GETEVENTS) == 0) {
      return taken;
    }
    long uarg = a.a4;
    long size = a.a5;
    long deadline = Waiter.FOREVER;
    if ((flags & IORING_ENTER_EXT_ARG) != 0) {
      if (size != 24) {
        return taken > 0 ? taken : -EINVAL;
      }
      MemorySegment s = t.scratch();
      if (t.copyInScratch(uarg, 24) < 0) {
        return taken > 0 ? taken : -EFAULT;
      }
      uarg = s.get(Memory.LONG, 0);
      size = s.get(Memory.INT, 8);
      long uts = s.get(Memory.LONG, 16);
      if (uts != 0) {
        if (t.copyInScratch(uts, 16) < 0) {
          return taken > 0 ? taken : -EFAULT;
        }
        long sec = Math.min(s.get(Memory.LONG, 0), 4_000_000_000L);
        deadline = Clocks.monotonicNs() + sec * 1_000_000_000L + s.get(Memory.LONG, 8);
      }
    }
    long r = uarg == 0 ? 0 : redoubt.sentry.syscalls.Poll.setMask(t, uarg, size);
    if (r == 0) {
      r = await(t, ring, work, Math.min(least & 0x7fff_ffff, ring.memory.cqEntries), deadline);
    }
    return taken > 0 ? taken : r;
  }

  /** Waits until there are {@code least} completions. Returns 0 or -errno. */
  private static long await(Task t, Uring ring, UringWork work, int least, long deadline) {
    Waiter.Entry e = t.waitEntry();
    ring.queue.add(e, Poll.POLLIN);
    work.awaits = true;
    try {
      for (; ; ) {
        work.run(t);
        ring.flushOverflow();
        if (ring.available() >= least) {
          return 0;
        }
        long r = t.block(deadline);
        if (r == -ETIMEDOUT) {
          return -ETIME;
        }
        if (r < 0 && !t.dismissInterrupt()) {
          return ring.available() > 0 ? 0 : -EINTR;
        }
      }
    } finally {
      work.awaits = false;
      ring.queue.remove(e);
      work.run(t); // what was ready before awaits was taken back
    }
  }

  // ---- io_uring_register ----

  /**
   * <a
   * href="https://man7.org/linux/man-pages/man2/io_uring_register.2.html">io_uring_register(2)</a>.
   */
  static long register(Task t, Args a) {
    if (!t.kernel().hasIoUring) {
      AbsentCalls.note(t, a.nr);
      return -ENOSYS;
    }
    FileDescription f = t.file(a.int0());
    if (f == null) {
      return -EBADF;
    }
    try {
      if (!(f instanceof Uring ring)) {
        return -EOPNOTSUPP;
      }
      int opcode = a.int1();
      synchronized (ring) {
        if (ring.restricted
            && ring.enabled
            && (opcode < 0 || opcode > 63 || (ring.allowedRegisters >>> opcode & 1) == 0)) {
          return -redoubt.abi.Errno.EACCES;
        }
      }
      return register(t, ring, opcode, a.a2, a.int3());
    } finally {
      f.decRef();
    }
  }

  private static long register(Task t, Uring ring, int opcode, long uarg, int count) {
    return switch (opcode) {
      case IORING_REGISTER_BUFFERS -> buffers(t, ring, uarg, count);
      case IORING_UNREGISTER_BUFFERS -> {
        synchronized (ring) {
          long r = uarg != 0 || count != 0 ? -EINVAL : ring.buffers == null ? -ENXIO : 0;
          if (r == 0) {
            ring.buffers = null;
          }
          yield r;
        }
      }
      case IORING_REGISTER_FILES -> files(t, ring, uarg, count);
      case IORING_UNREGISTER_FILES -> uarg != 0 || count != 0 ? -EINVAL : ring.setFiles(null);
      case IORING_REGISTER_FILES_UPDATE -> updateFiles(t, ring, uarg, count);
      case IORING_REGISTER_EVENTFD, IORING_REGISTER_EVENTFD_ASYNC ->
          count != 1 ? -EINVAL : eventfd(t, ring, uarg);
      case IORING_UNREGISTER_EVENTFD -> {
        EventFd old;
        synchronized (ring) {
          old = ring.eventfd;
          ring.eventfd = null;
        }
        if (old != null) {
          old.decRef();
        }
        yield uarg != 0 || count != 0 ? -EINVAL : old == null ? -ENXIO : 0;
      }
      case IORING_REGISTER_PROBE -> probe(t, uarg, count);
      case IORING_REGISTER_RESTRICTIONS -> restrict(t, ring, uarg, count);
      case IORING_REGISTER_ENABLE_RINGS -> {
        synchronized (ring) {
          long r = uarg != 0 || count != 0 ? -EINVAL : ring.enabled ? -EBADFD : 0;
          if (r == 0) {
            ring.enabled = true;
          }
          yield r;
        }
      }
      default -> -EINVAL;
    };
  }

  private static long buffers(Task t, Uring ring, long uarg, int count) {
    if (count <= 0 || count > MAX_BUFFERS) {
      return -EINVAL;
    }
    synchronized (ring) {
      if (ring.buffers != null) {
        return -EBUSY;
      }
    }
    long[] all = new long[2 * count];
    MemorySegment s = t.scratch();
    for (int i = 0; i < count; i++) {
      if (t.copyInScratch(uarg + 16L * i, 16) < 0) {
        return -EFAULT;
      }
      long base = s.get(Memory.LONG, 0);
      long length = s.get(Memory.LONG, 8);
      if (base == 0 ? length != 0 : length <= 0 || length > 1L << 30) {
        return -EFAULT;
      }
      if (base != 0 && t.mm().checkMapped(base & -Memory.PAGE, span(base, length)) < 0) {
        return -EFAULT;
      }
      all[2 * i] = base;
      all[2 * i + 1] = length;
    }
    synchronized (ring) {
      ring.buffers = all;
    }
    return 0;
  }

  private static long span(long base, long length) {
    return ((base & Memory.PAGE - 1) + length + Memory.PAGE - 1) & -Memory.PAGE;
  }

  private static long files(Task t, Uring ring, long uarg, int count) {
    if (count <= 0) {
      return -EINVAL;
    }
    if (count > MAX_REGISTERED) {
      return -EMFILE;
    }
    @Nullable FileDescription[] all = new @Nullable FileDescription[count];
    for (int i = 0; i < count; i++) {
      long fd = t.copyInInt(uarg + 4L * i);
      FileDescription f = fd < 0 || (int) fd == -1 ? null : t.file((int) fd);
      if (fd < 0 || (f == null && (int) fd != -1) || f instanceof Uring) {
        if (f != null) {
          f.decRef();
        }
        Uring.drop(all);
        return fd < 0 ? -EFAULT : -EBADF;
      }
      all[i] = f;
    }
    long r = ring.setFiles(all);
    if (r < 0) {
      Uring.drop(all);
    }
    return r;
  }

  /** struct io_uring_files_update: offset, resv, address of the numbers. */
  private static long updateFiles(Task t, Uring ring, long uarg, int count) {
    MemorySegment s = t.scratch();
    if (t.copyInScratch(uarg, 16) < 0) {
      return -EFAULT;
    }
    int offset = s.get(Memory.INT, 0);
    int reserved = s.get(Memory.INT, 4);
    long numbers = s.get(Memory.LONG, 8);
    if (count <= 0 || reserved != 0) {
      return -EINVAL;
    }
    synchronized (ring) {
      if (ring.files == null) {
        return -ENXIO;
      }
      if (offset < 0 || (long) offset + count > ring.files.length) {
        return -EINVAL;
      }
    }
    for (int i = 0; i < count; i++) {
      long fd = t.copyInInt(numbers + 4L * i);
      if (fd < 0) {
        return i > 0 ? i : -EFAULT;
      }
      if ((int) fd == -2) { // IORING_REGISTER_FILES_SKIP
        continue;
      }
      FileDescription f = (int) fd == -1 ? null : t.file((int) fd);
      if (f == null && (int) fd != -1) {
        return i > 0 ? i : -EBADF;
      }
      FileDescription old = f;
      synchronized (ring) {
        @Nullable FileDescription[] all = ring.files;
        if (all != null && !(f instanceof Uring)) {
          old = all[offset + i];
          all[offset + i] = f;
        }
      }
      if (old != null) {
        old.decRef();
      }
      if (f instanceof Uring) {
        return i > 0 ? i : -EBADF;
      }
    }
    return count;
  }

  private static long eventfd(Task t, Uring ring, long uarg) {
    synchronized (ring) {
      if (ring.eventfd != null) {
        return -EBUSY;
      }
    }
    long fd = t.copyInInt(uarg);
    if (fd < 0) {
      return -EFAULT;
    }
    FileDescription f = t.file((int) fd);
    if (!(f instanceof EventFd e)) {
      if (f != null) {
        f.decRef();
      }
      return f == null ? -EBADF : -EINVAL;
    }
    synchronized (ring) {
      ring.eventfd = e;
    }
    return 0;
  }

  /** struct io_uring_probe: last_op, ops_len, then {op, resv, flags, resv2} for each. */
  private static long probe(Task t, long uarg, int count) {
    if (uarg == 0 || count < 0 || count > 256) {
      return -EINVAL;
    }
    MemorySegment s = t.scratch();
    int n = Math.min(count, UringOps.opcodes());
    int bytes = 16 + 8 * count;
    if (t.copyInScratch(uarg, bytes) < 0) {
      return -EFAULT;
    }
    for (int i = 0; i < bytes; i++) {
      if (s.get(Memory.BYTE, i) != 0) {
        return -EINVAL;
      }
    }
    s.set(Memory.BYTE, 0, (byte) (UringOps.opcodes() - 1));
    s.set(Memory.BYTE, 1, (byte) n);
    for (int i = 0; i < n; i++) {
      s.set(Memory.BYTE, 16 + 8L * i, (byte) i);
      s.set(
          Memory.SHORT, 16 + 8L * i + 2, (short) (UringOps.isKnown(i) ? IO_URING_OP_SUPPORTED : 0));
    }
    return t.copyOutNow(uarg, s, 0, bytes) < 0 ? -EFAULT : 0;
  }

  /** struct io_uring_restriction: opcode (16 bits), operation or flags (8), then zeros. */
  private static long restrict(Task t, Uring ring, long uarg, int count) {
    synchronized (ring) {
      if (ring.enabled) {
        return -EBADFD;
      }
      if (ring.restricted) {
        return -EBUSY;
      }
    }
    if (uarg == 0 || count <= 0 || count > 256) {
      return -EINVAL;
    }
    MemorySegment s = t.scratch();
    if (t.copyInScratch(uarg, 16L * count) < 0) {
      return -EFAULT;
    }
    long registers = 0;
    long ops = 0;
    int allowed = 0;
    int required = 0;
    for (int i = 0; i < count; i++) {
      int what = s.get(Memory.BYTE, 16L * i + 2) & 0xff;
      switch (s.get(Memory.SHORT, 16L * i)) {
        case IORING_RESTRICTION_REGISTER_OP -> registers |= bit(what);
        case IORING_RESTRICTION_SQE_OP -> ops |= bit(what);
        case IORING_RESTRICTION_SQE_FLAGS_ALLOWED -> allowed = what;
        case IORING_RESTRICTION_SQE_FLAGS_REQUIRED -> required = what;
        default -> {
          return -EINVAL;
        }
      }
    }
    synchronized (ring) {
      ring.allowedRegisters = registers;
      ring.allowedOps = ops;
      ring.allowedFlags = allowed;
      ring.requiredFlags = required;
      ring.restricted = true;
    }
    return 0;
  }

  private static long bit(int n) {
    return n < 64 ? 1L << n : 0;
  }
}
