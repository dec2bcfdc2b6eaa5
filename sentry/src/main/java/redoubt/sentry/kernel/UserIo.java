package redoubt.sentry.kernel;

import static redoubt.abi.Errno.EFAULT;

import java.lang.foreign.MemorySegment;
import redoubt.host.Memory;
import redoubt.sentry.platform.GuestContext;

/**
 * The guest's side of one read-like or write-like call: a buffer or iovecs in the memory of the
 * calling task. One per task, reused; valid until the call ends.
 *
 * <p>What fits is copied out when the guest resumes, so that a small read costs no round trip of
 * its own; a fault then turns the call's result into EFAULT.
 */
public final class UserIo extends IoBuffer {
  /** One past what a program of 48-bit addresses can have (TASK_SIZE_MAX). */
  private static final long TASK_SIZE_MAX = 0x7fff_ffff_f000L;

  /** {@return whether a range can be a user's}, which Linux checks before it asks the file */
  public static boolean accessOk(long uaddr, long length) {
    return uaddr >= 0 && length >= 0 && uaddr <= TASK_SIZE_MAX && length <= TASK_SIZE_MAX - uaddr;
  }

  /** Most iovecs in a call (UIO_MAXIOV). */
  public static final int MAX_IOVECS = 1024;

  /** Most bytes in one call (MAX_RW_COUNT): INT_MAX rounded down to a page. */
  public static final long MAX_RW_COUNT = 0x7ffff000L;

  private static final MemorySegment ZEROS = Memory.allocateGlobal(4096);

  private final Task task;
  private final long[] single = new long[2];
  private long[] vectors = single; // base, length pairs
  private int count;
  private int index;
  private long within;
  private long remaining;
  private boolean drainQueued;
  private boolean moreExpected;

  UserIo(Task task) {
    this.task = task;
  }

  /** Points at one buffer of {@code length} bytes. */
  public UserIo buffer(long uaddr, long length) {
    single[0] = uaddr;
    single[1] = length;
    vectors = single;
    count = 1;
    return start(length);
  }

  /** Points at {@code n} iovecs, base and length in turn, of {@code total} bytes. */
  UserIo vectors(long[] pairs, int n, long total) {
    vectors = pairs;
    count = n;
    return start(total);
  }

  private UserIo start(long total) {
    index = 0;
    within = 0;
    remaining = total;
    drainQueued = false;
    moreExpected = false;
    return this;
  }

  @Override
  public void expectMore() {
    moreExpected = true;
  }

  @Override
  public long remaining() {
    return remaining;
  }

  /** Lowers {@link #remaining} to {@code limit}. */
  public void truncate(long limit) {
    remaining = Math.min(remaining, limit);
  }

  private long chunk(long want) {
    while (index < count && within == vectors[2 * index + 1]) {
      index++;
      within = 0;
    }
    return index == count
        ? 0
        : Math.min(Math.min(want, remaining), vectors[2 * index + 1] - within);
  }

  private long uaddr() {
    return vectors[2 * index] + within;
  }

  private void advance(long n) {
    within += n;
    remaining -= n;
  }

  @Override
  public long put(MemorySegment src, long offset, long length) {
    long n = chunk(length);
    if (n == length
        && n > 0
        && !task.copiesNow()
        && task.context().queueCopyOut(uaddr(), src, offset, n)) {
      advance(n);
      return n;
    }
    return putInPieces(src, offset, length);
  }

  private long putInPieces(MemorySegment src, long offset, long length) {
    GuestContext ctx = task.context();
    long done = 0;
    long n;
    while (done < length && (n = chunk(length - done)) > 0) {
      if (task.copiesNow() || !ctx.queueCopyOut(uaddr(), src, offset + done, n)) {
        long copied = ctx.copyOut(uaddr(), src, offset + done, n);
        while (copied < n && task.mm().awaitFill(task, uaddr(), n, true)) {
          copied = ctx.copyOut(uaddr(), src, offset + done, n);
        }
        if (copied < n) {
          advance(Math.max(copied, 0));
          done += Math.max(copied, 0);
          return done > 0 ? done : -EFAULT;
        }
      }
      advance(n);
      done += n;
    }
    return done;
  }

  @Override
  public long putZeros(long length) {
    long done = 0;
    while (done < length) {
      long n = Math.min(length - done, ZEROS.byteSize());
      long r = put(ZEROS, 0, n);
      if (r <= 0) {
        return done > 0 ? done : r;
      }
      done += r;
      if (r < n) {
        break;
      }
    }
    return done;
  }

  @Override
  public long get(MemorySegment dst, long offset, long length) {
    long n = chunk(length);
    if (n == length && n > 0 && task.context().copyIn(uaddr(), dst, offset, n) == n) {
      advance(n);
      return n;
    }
    return getInPieces(dst, offset, length);
  }

  private long getInPieces(MemorySegment dst, long offset, long length) {
    GuestContext ctx = task.context();
    long done = 0;
    long n;
    while (done < length && (n = chunk(length - done)) > 0) {
      long copied = ctx.copyIn(uaddr(), dst, offset + done, n);
      while (copied < n && task.mm().awaitFill(task, uaddr(), n, false)) {
        copied = ctx.copyIn(uaddr(), dst, offset + done, n);
      }
      advance(Math.max(copied, 0));
      done += Math.max(copied, 0);
      if (copied < n) {
        return done > 0 ? done : -EFAULT;
      }
    }
    return done;
  }

  @Override
  public void rewind(long length) {
    long left = length;
    remaining += length;
    while (left > within) {
      left -= within;
      index--;
      within = vectors[2 * index + 1];
    }
    within -= left;
  }

  @Override
  public MemorySegment window() {
    return task.context().window();
  }

  @Override
  public long windowLimit() {
    return chunk(GuestContext.BUFFER_BYTES);
  }

  @Override
  public long commit(long length) {
    GuestContext ctx = task.context();
    if (length == 0) {
      return 0;
    }
    if (length == remaining || length < windowLimit()) {
      // The last round, or a short read: let the guest thread take it on its way back.
      if (!drainQueued && !moreExpected && !task.copiesNow()) {
        drainQueued = true;
        ctx.queueDrainWindow(uaddr(), length);
        advance(length);
        return length;
      }
    }
    long copied = ctx.drainWindow(uaddr(), length);
    while (copied < length && task.mm().awaitFill(task, uaddr(), length, true)) {
      copied = ctx.drainWindow(uaddr(), length);
    }
    advance(Math.max(copied, 0));
    return copied > 0 ? copied : -EFAULT;
  }

  @Override
  public long fetch(long length) {
    long want = Math.min(length, windowLimit());
    long copied = task.context().fillWindow(uaddr(), want);
    while (copied < want && task.mm().awaitFill(task, uaddr(), want, false)) {
      copied = task.context().fillWindow(uaddr(), want);
    }
    advance(Math.max(copied, 0));
    return copied > 0 ? copied : -EFAULT;
  }
}
