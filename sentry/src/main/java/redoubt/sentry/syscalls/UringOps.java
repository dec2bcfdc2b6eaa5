package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.EAGAIN;
import static redoubt.abi.Errno.EBADF;
import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.EINPROGRESS;
import static redoubt.abi.Errno.EINTR;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ENOBUFS;
import static redoubt.abi.Errno.ENOENT;
import static redoubt.abi.Errno.ERESTARTNOHAND;
import static redoubt.abi.Errno.ERESTARTSYS;
import static redoubt.abi.Errno.ERESTART_RESTARTBLOCK;
import static redoubt.abi.IoUring.*;

import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.List;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Poll;
import redoubt.host.Memory;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.Clocks;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.UserIo;
import redoubt.sentry.kernel.WaitQueue;
import redoubt.sentry.vfs.FileDescription;

/**
 * What the requests of io_uring do: each is the system call of the same name, made so that it does
 * not block, on the file that the request found when it was submitted.
 */
final class UringOps {
  /** The request is not done: it waits for its file or its time. */
  static final long WAIT = Long.MIN_VALUE;

  private static final int LAST = IORING_OP_LINKAT;
  private static final int MSG_DONTWAIT = 0x40;

  private UringOps() {}

  static boolean isKnown(int opcode) {
    return opcode <= LAST && opcode != IORING_OP_FILES_UPDATE;
  }

  static int opcodes() {
    return LAST + 1;
  }

  static boolean needsFile(int opcode) {
    return switch (opcode) {
      case IORING_OP_READV,
          IORING_OP_WRITEV,
          IORING_OP_FSYNC,
          IORING_OP_READ_FIXED,
          IORING_OP_WRITE_FIXED,
          IORING_OP_POLL_ADD,
          IORING_OP_SYNC_FILE_RANGE,
          IORING_OP_SENDMSG,
          IORING_OP_RECVMSG,
          IORING_OP_ACCEPT,
          IORING_OP_CONNECT,
          IORING_OP_FALLOCATE,
          IORING_OP_READ,
          IORING_OP_WRITE,
          IORING_OP_FADVISE,
          IORING_OP_SEND,
          IORING_OP_RECV,
          IORING_OP_SPLICE,
          IORING_OP_TEE,
          IORING_OP_SHUTDOWN ->
          true;
      default -> false;
    };
  }

  /** {@return whether ioprio means something}: a priority, or flags of a socket's operation */
  static boolean hasPriority(int opcode) {
    return switch (opcode) {
      case IORING_OP_READV,
          IORING_OP_WRITEV,
          IORING_OP_READ_FIXED,
          IORING_OP_WRITE_FIXED,
          IORING_OP_READ,
          IORING_OP_WRITE,
          IORING_OP_SENDMSG,
          IORING_OP_RECVMSG,
          IORING_OP_SEND,
          IORING_OP_RECV,
          IORING_OP_ACCEPT ->
          true;
      default -> false;
    };
  }

  static boolean selectsBuffers(int opcode) {
    return opcode == IORING_OP_READ || opcode == IORING_OP_RECV;
  }

  /** {@return what a request waits for when its file is not ready}, 0 if it never waits */
  static int pollEvents(int opcode, int opFlags) {
    return switch (opcode) {
      case IORING_OP_READV,
          IORING_OP_READ_FIXED,
          IORING_OP_READ,
          IORING_OP_RECV,
          IORING_OP_RECVMSG,
          IORING_OP_ACCEPT ->
          Poll.POLLIN | Poll.POLLRDNORM | Poll.POLLRDHUP | Poll.POLLPRI;
      case IORING_OP_WRITEV,
          IORING_OP_WRITE_FIXED,
          IORING_OP_WRITE,
          IORING_OP_SEND,
          IORING_OP_SENDMSG,
          IORING_OP_CONNECT ->
          Poll.POLLOUT | Poll.POLLWRNORM;
      case IORING_OP_SPLICE, IORING_OP_TEE ->
          Poll.POLLIN | Poll.POLLRDNORM | Poll.POLLOUT | Poll.POLLWRNORM;
      case IORING_OP_POLL_ADD -> opFlags | Poll.POLLERR | Poll.POLLHUP;
      default -> 0;
    };
  }

  /** {@return the queue in which a request waits}: of its file, or of what is spliced from */
  static @Nullable WaitQueue queue(Task t, UringRequest r) {
    FileDescription f = r.file;
    if (f == null) {
      return null;
    }
    if (r.opcode == IORING_OP_SPLICE || r.opcode == IORING_OP_TEE) {
      FileDescription in = t.fds().peek(r.spliceFd);
      if (in != null && (in.poll(t) & Poll.POLLIN) == 0) {
        return in.waitQueue(t);
      }
    }
    return f.waitQueue(t);
  }

  /** {@return whether a request waits for its file}: even where the file's own calls would not */
  static boolean waits(UringRequest r) {
    return switch (r.opcode) {
      case IORING_OP_SEND, IORING_OP_SENDMSG, IORING_OP_RECV, IORING_OP_RECVMSG ->
          (r.opFlags & MSG_DONTWAIT) == 0;
      default -> true;
    };
  }

  /** {@return IORING_CQE_F_SOCK_NONEMPTY if the next receive will find something} */
  static int moreToRead(Task t, UringRequest r) {
    FileDescription f = r.file;
    boolean receives = r.opcode == IORING_OP_RECV || r.opcode == IORING_OP_RECVMSG;
    return receives && f != null && (f.poll(t) & Poll.POLLIN) != 0 ? IORING_CQE_F_SOCK_NONEMPTY : 0;
  }

  /** {@return whether a chain ends with this result}: errors, and transfers that fell short */
  static boolean isFailure(UringRequest r, long result) {
    if (result < 0) {
      return !(r.opcode == IORING_OP_TIMEOUT
          && result == -redoubt.abi.Errno.ETIME
          && (r.opFlags & IORING_TIMEOUT_ETIME_SUCCESS) != 0);
    }
    return switch (r.opcode) {
      case IORING_OP_READ,
          IORING_OP_WRITE,
          IORING_OP_READ_FIXED,
          IORING_OP_WRITE_FIXED,
          IORING_OP_SPLICE,
          IORING_OP_TEE ->
          result != (r.len & 0xffff_ffffL);
      default -> false;
    };
  }

  /** Carries out a request as far as it goes without blocking. Returns its result or WAIT. */
  static long carryOut(Task t, Uring ring, UringRequest r) {
    boolean before = t.copiesAtOnce(true); // data before the completion
    t.neverBlocks = true;
    t.fixedFile = r.file;
    long result;
    try {
      boolean tricky = r.ioprio != 0 && isSocketCall(r.opcode);
      result = tricky ? -EINVAL : call(t, ring, r); // no multishot, no bundles
    } catch (ErrnoException e) {
      result = -e.errno();
    } finally {
      t.fixedFile = null;
      t.neverBlocks = false;
      t.copiesAtOnce(before);
    }
    if (result == WAIT || (r.queue != null && isUnfinished(r, result))) {
      return WAIT;
    }
    boolean restarts = result <= -ERESTARTSYS && result >= -ERESTART_RESTARTBLOCK;
    return restarts || result == -ERESTARTNOHAND ? -EINTR : result;
  }

  private static boolean isSocketCall(int opcode) {
    return switch (opcode) {
      case IORING_OP_SENDMSG, IORING_OP_RECVMSG, IORING_OP_SEND, IORING_OP_RECV, IORING_OP_ACCEPT ->
          true;
      default -> false;
    };
  }

  private static boolean isUnfinished(UringRequest r, long result) {
    return result == -EAGAIN || (r.opcode == IORING_OP_CONNECT && result == -EINPROGRESS);
  }

  private static Args args(long a0, long a1, long a2, long a3, long a4, long a5) {
    Args a = new Args();
    a.a0 = a0;
    a.a1 = a1;
    a.a2 = a2;
    a.a3 = a3;
    a.a4 = a4;
    a.a5 = a5;
    return a;
  }

  private static long call(Task t, Uring ring, UringRequest r) {
    long f = Task.FIXED_FD;
    long len = r.len & 0xffff_ffffL;
    return switch (r.opcode) {
      case IORING_OP_NOP -> 0;
      case IORING_OP_READV -> ReadWrite.preadv2(t, args(f, r.addr, len, at(r), 0, r.opFlags));
      case IORING_OP_WRITEV -> ReadWrite.pwritev2(t, args(f, r.addr, len, at(r), 0, r.opFlags));
      case IORING_OP_READ -> read(t, ring, r);
      case IORING_OP_WRITE -> write(t, r);
      case IORING_OP_READ_FIXED -> isInBuffer(ring, r) ? read(t, ring, r) : -EFAULT;
      case IORING_OP_WRITE_FIXED -> isInBuffer(ring, r) ? write(t, r) : -EFAULT;
      case IORING_OP_FSYNC -> fsync(t, r);
      case IORING_OP_SYNC_FILE_RANGE ->
          FileSystemCalls.syncFileRange(t, args(f, r.off, len, r.opFlags, 0, 0));
      case IORING_OP_FALLOCATE -> Attributes.fallocate(t, args(f, r.len, r.off, r.addr, 0, 0));
      case IORING_OP_FADVISE ->
          FileSystemCalls.fadvise64(t, args(f, r.off, r.len != 0 ? len : r.addr, r.opFlags, 0, 0));
      case IORING_OP_MADVISE ->
          MmapCalls.madvise(t, args(r.addr, r.len != 0 ? len : r.off, r.opFlags, 0, 0, 0));
      case IORING_OP_POLL_ADD -> pollAdd(t, r);
      case IORING_OP_POLL_REMOVE -> remove(ring, ring.find(IORING_OP_POLL_ADD, r.addr));
      case IORING_OP_SENDMSG -> SocketCalls.sendmsg(t, args(f, r.addr, r.opFlags, 0, 0, 0));
      case IORING_OP_RECVMSG -> SocketCalls.recvmsg(t, args(f, r.addr, r.opFlags, 0, 0, 0));
      case IORING_OP_SEND -> SocketCalls.sendto(t, args(f, r.addr, len, r.opFlags, 0, 0));
      case IORING_OP_RECV -> receive(t, ring, r);
      case IORING_OP_ACCEPT -> SocketCalls.accept4(t, args(f, r.addr, r.off, r.opFlags, 0, 0));
      case IORING_OP_CONNECT -> SocketCalls.connect(t, args(f, r.addr, r.off, 0, 0, 0));
      case IORING_OP_SHUTDOWN -> SocketCalls.shutdown(t, args(f, r.len, 0, 0, 0, 0));
      case IORING_OP_SPLICE, IORING_OP_TEE -> splice(t, r, len);
      default -> callWithoutFile(t, ring, r);
    };
  }

  private static long callWithoutFile(Task t, Uring ring, UringRequest r) {
    return switch (r.opcode) {
      case IORING_OP_TIMEOUT -> timeout(t, ring, r);
      case IORING_OP_TIMEOUT_REMOVE -> timeoutRemove(t, ring, r);
      case IORING_OP_ASYNC_CANCEL -> cancel(t, ring, r);
      case IORING_OP_OPENAT ->
          open(r, () -> Open.openat(t, args(r.fd, r.addr, r.opFlags, r.len, 0, 0)));
      case IORING_OP_OPENAT2 ->
          open(r, () -> Open.openat2(t, args(r.fd, r.addr, r.off, r.len, 0, 0)));
      case IORING_OP_CLOSE ->
          r.spliceFd != 0 || t.fds().peek(r.fd) instanceof Uring
              ? -EBADF
              : Open.close(t, args(r.fd, 0, 0, 0, 0, 0));
      case IORING_OP_STATX -> FileStatus.statx(t, args(r.fd, r.addr, r.opFlags, r.len, r.off, 0));
      case IORING_OP_EPOLL_CTL -> EventPoll.epollCtl(t, args(r.fd, r.len, r.off, r.addr, 0, 0));
      case IORING_OP_RENAMEAT -> Names.renameat2(t, args(r.fd, r.addr, r.len, r.off, r.opFlags, 0));
      case IORING_OP_UNLINKAT -> Names.unlinkat(t, args(r.fd, r.addr, r.opFlags, 0, 0, 0));
      case IORING_OP_MKDIRAT -> Directories.mkdirat(t, args(r.fd, r.addr, r.len, 0, 0, 0));
      case IORING_OP_SYMLINKAT -> Names.symlinkat(t, args(r.addr, r.fd, r.off, 0, 0, 0));
      case IORING_OP_LINKAT -> Names.linkat(t, args(r.fd, r.addr, r.len, r.off, r.opFlags, 0));
      case IORING_OP_PROVIDE_BUFFERS -> provide(ring, r);
      case IORING_OP_REMOVE_BUFFERS -> removeBuffers(ring, r);
      default -> -EINVAL; // a time limit without a request before it
    };
  }

  private interface Opening {
    long open();
  }

  /** A registered slot as the result is not there. */
  private static long open(UringRequest r, Opening o) {
    return r.spliceFd != 0 || r.bufIndex != 0 ? -EINVAL : o.open();
  }

  // ---- files ----

  /** The offset for preadv2: -1 where there is no position, or the file's own is asked for. */
  private static long at(UringRequest r) {
    FileDescription f = r.file;
    return f == null || !f.isSeekable() ? -1 : r.off;
  }

  private static long read(Task t, Uring ring, UringRequest r) {
    long[] buffer = null;
    long addr = r.addr;
    long len = r.len & 0xffff_ffffL;
    if (r.has(IOSQE_BUFFER_SELECT)) {
      buffer = select(ring, r);
      if (buffer == null) {
        return -ENOBUFS;
      }
      addr = buffer[0];
      len = len == 0 ? buffer[1] : Math.min(len, buffer[1]);
    }
    long off = at(r);
    long n =
        off == -1
            ? ReadWrite.read(t, args(Task.FIXED_FD, addr, len, 0, 0, 0))
            : ReadWrite.pread64(t, args(Task.FIXED_FD, addr, len, off, 0, 0));
    return selected(ring, r, buffer, n);
  }

  private static long write(Task t, UringRequest r) {
    long len = r.len & 0xffff_ffffL;
    long off = at(r);
    return off == -1
        ? ReadWrite.write(t, args(Task.FIXED_FD, r.addr, len, 0, 0, 0))
        : ReadWrite.pwrite64(t, args(Task.FIXED_FD, r.addr, len, off, 0, 0));
  }

  private static boolean isInBuffer(Uring ring, UringRequest r) {
    synchronized (ring) {
      long[] all = ring.buffers;
      if (all == null || 2 * r.bufIndex >= all.length) {
        return false;
      }
      long from = r.addr - all[2 * r.bufIndex];
      return from >= 0 && from + (r.len & 0xffff_ffffL) <= all[2 * r.bufIndex + 1];
    }
  }

  private static long fsync(Task t, UringRequest r) {
    if ((r.opFlags & ~IORING_FSYNC_DATASYNC) != 0) {
      return -EINVAL;
    }
    Args a = args(Task.FIXED_FD, 0, 0, 0, 0, 0);
    return r.opFlags != 0 ? FileSystemCalls.fdatasync(t, a) : FileSystemCalls.fsync(t, a);
  }

  /** The request's own file is where it goes to; where it comes from is found by number. */
  private static long splice(Task t, UringRequest r, long len) {
    int flags = r.opFlags & 0x7fff_ffff;
    boolean fixedSource = (r.opFlags & 0x8000_0000) != 0;
    if (fixedSource) {
      return -EINVAL;
    }
    if (r.opcode == IORING_OP_TEE) {
      if ((r.off | r.addr) != 0) {
        return -EINVAL;
      }
      return Copying.tee(t, args(r.spliceFd, Task.FIXED_FD, len, flags, 0, 0));
    }
    return Copying.spliceAt(t, r.spliceFd, r.addr, Task.FIXED_FD, r.off, len, flags);
  }

  // ---- poll ----

  private static long pollAdd(Task t, UringRequest r) {
    FileDescription f = r.file;
    if (r.len != 0 || f == null) {
      return -EINVAL; // no multishot, no update
    }
    int now = f.poll(t) & (r.opFlags | Poll.POLLERR | Poll.POLLHUP);
    return now != 0 ? now : -EAGAIN;
  }

  private static long remove(Uring ring, @Nullable UringRequest r) {
    return r == null ? -ENOENT : ring.cancel(r);
  }

  // ---- time ----

  /** {@return the deadline of CLOCK_MONOTONIC that a timespec at {@code uaddr} means, or -errno} */
  private static long deadline(Task t, long uaddr, int flags) {
    MemorySegment s = t.scratch();
    if (t.copyInScratch(uaddr, 16) < 0) {
      return -EFAULT;
    }
    long sec = s.get(Memory.LONG, 0);
    long nsec = s.get(Memory.LONG, 8);
    if (sec < 0 || nsec < 0 || nsec >= 1_000_000_000) {
      return -EINVAL;
    }
    long ns = sec > 9_000_000_000L ? Long.MAX_VALUE / 2 : sec * 1_000_000_000 + nsec;
    long now = Clocks.monotonicNs();
    if ((flags & IORING_TIMEOUT_ABS) == 0) {
      return now + Math.min(ns, Long.MAX_VALUE / 4);
    }
    return (flags & IORING_TIMEOUT_REALTIME) != 0 ? now + ns - Clocks.realtimeNs() : ns;
  }

  private static long timeout(Task t, Uring ring, UringRequest r) {
    int known =
        IORING_TIMEOUT_ABS
            | IORING_TIMEOUT_BOOTTIME
            | IORING_TIMEOUT_REALTIME
            | IORING_TIMEOUT_ETIME_SUCCESS;
    if (r.len != 1 || (r.opFlags & ~known) != 0 || r.bufIndex != 0) {
      return -EINVAL;
    }
    long deadline = deadline(t, r.addr, r.opFlags);
    if (deadline == -EFAULT || deadline == -EINVAL) {
      return deadline;
    }
    if (r.off != 0) {
      ring.count(r, r.off & 0xffff_ffffL);
    }
    ring.arm(r, deadline);
    return WAIT;
  }

  private static long timeoutRemove(Task t, Uring ring, UringRequest r) {
    UringRequest found = ring.find(IORING_OP_TIMEOUT, r.addr);
    if ((r.opFlags & IORING_TIMEOUT_UPDATE) == 0) {
      return r.opFlags != 0 ? -EINVAL : remove(ring, found);
    }
    long deadline = deadline(t, r.off, r.opFlags);
    if (deadline == -EFAULT || deadline == -EINVAL) {
      return deadline;
    }
    return found == null ? -ENOENT : ring.rearm(found, deadline);
  }

  /** Starts the clock of a LINK_TIMEOUT. Returns 0 or -errno. */
  static long armLimit(Task t, UringRequest limit) {
    int known = IORING_TIMEOUT_ABS | IORING_TIMEOUT_BOOTTIME | IORING_TIMEOUT_REALTIME;
    if (limit.len != 1 || limit.off != 0 || (limit.opFlags & ~known) != 0) {
      return -EINVAL;
    }
    boolean before = t.copiesAtOnce(true);
    long deadline = deadline(t, limit.addr, limit.opFlags);
    t.copiesAtOnce(before);
    return deadline == -EFAULT || deadline == -EINVAL ? deadline : limit.ring.arm(limit, deadline);
  }

  private static long cancel(Task t, Uring ring, UringRequest r) {
    int how = r.opFlags;
    int known = IORING_ASYNC_CANCEL_ALL | IORING_ASYNC_CANCEL_FD | IORING_ASYNC_CANCEL_ANY;
    if (r.off != 0 || r.spliceFd != 0 || (how & ~known) != 0) {
      return -EINVAL;
    }
    FileDescription f = (how & IORING_ASYNC_CANCEL_FD) != 0 ? t.fds().peek(r.fd) : null;
    if ((how & IORING_ASYNC_CANCEL_FD) != 0 && f == null) {
      return -EBADF;
    }
    List<UringRequest> found = ring.matching(how, r.addr, f);
    boolean all = (how & (IORING_ASYNC_CANCEL_ALL | IORING_ASYNC_CANCEL_ANY)) != 0;
    long done = 0;
    long last = -ENOENT;
    for (UringRequest one : found) {
      last = ring.cancel(one);
      done += last == 0 ? 1 : 0;
      if (!all && last == 0) {
        return 0;
      }
    }
    return all ? done : last;
  }

  // ---- buffers ----

  private static long provide(Uring ring, UringRequest r) {
    int count = r.fd;
    long length = r.len & 0xffff_ffffL;
    if (count <= 0 || count > Uring.MOST || length == 0) {
      return -EINVAL;
    }
    if (!UserIo.accessOk(r.addr, length * count)) {
      return -EFAULT;
    }
    if (r.off > 0xffff || r.off + count > Uring.MOST) {
      return -EINVAL;
    }
    synchronized (ring) {
      ArrayDeque<long[]> group = ring.groups.computeIfAbsent(r.bufIndex, k -> new ArrayDeque<>());
      for (int i = 0; i < count && group.size() < Uring.MOST; i++) {
        group.add(new long[] {r.addr + i * length, length, r.off + i});
      }
    }
    return 0;
  }

  private static long removeBuffers(Uring ring, UringRequest r) {
    if (r.fd <= 0 || r.fd > Uring.MOST) {
      return -EINVAL;
    }
    synchronized (ring) {
      ArrayDeque<long[]> group = ring.groups.get(r.bufIndex);
      if (group == null) {
        return -ENOENT;
      }
      int n = 0;
      while (n < r.fd && group.poll() != null) {
        n++;
      }
      return n;
    }
  }

  private static long @Nullable [] select(Uring ring, UringRequest r) {
    synchronized (ring) {
      ArrayDeque<long[]> group = ring.groups.get(r.bufIndex);
      return group == null ? null : group.poll();
    }
  }

  /** A buffer was used, or goes back for the next who asks. */
  private static long selected(Uring ring, UringRequest r, long @Nullable [] buffer, long n) {
    if (buffer == null) {
      return n;
    }
    if (n > 0) {
      r.buffer = (int) buffer[2];
      return n;
    }
    synchronized (ring) {
      ArrayDeque<long[]> group = ring.groups.get(r.bufIndex);
      if (group != null) {
        group.addFirst(buffer);
      }
    }
    return n;
  }

  private static long receive(Task t, Uring ring, UringRequest r) {
    long addr = r.addr;
    long len = r.len & 0xffff_ffffL;
    long[] buffer = null;
    if (r.has(IOSQE_BUFFER_SELECT)) {
      buffer = select(ring, r);
      if (buffer == null) {
        return -ENOBUFS;
      }
      addr = buffer[0];
      len = len == 0 ? buffer[1] : Math.min(len, buffer[1]);
    }
    long n = SocketCalls.recvfrom(t, args(Task.FIXED_FD, addr, len, r.opFlags, 0, 0));
    return selected(ring, r, buffer, n);
  }
}
