package redoubt.sentry.ipc;

import static redoubt.abi.Errno.EAGAIN;
import static redoubt.abi.Errno.EBUSY;
import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ENOMEM;
import static redoubt.abi.Errno.EPERM;
import static redoubt.abi.Errno.EPIPE;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Eventfd;
import redoubt.abi.Poll;
import redoubt.sentry.kernel.IoBuffer;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.WaitQueue;

/**
 * The bytes and ends of a pipe or FIFO: <a
 * href="https://man7.org/linux/man-pages/man7/pipe.7.html">pipe(7)</a>, Linux's pipe_inode_info.
 *
 * <p>A ring of slots, each a page or part of one, as in fs/pipe.c: programs see it in the exact
 * number of bytes that fit and in when a pipe becomes writable. A write joins the last slot only if
 * its remainder fits there whole; a packet (O_DIRECT) has a slot of its own.
 */
public final class Pipe {
  /** Writes up to this size are atomic. */
  public static final int PIPE_BUF = 4096;

  private static final int PAGE = PagePool.PAGE;
  private static final int CAP_SYS_RESOURCE = 24;
  private static final int EVERYTHING =
      Poll.POLLIN | Poll.POLLOUT | Poll.POLLRDNORM | Poll.POLLWRNORM | Poll.POLLERR | Poll.POLLHUP;

  /** Readers wait for POLLIN, writers for POLLOUT, opens of a FIFO for either. */
  final WaitQueue queue = new WaitQueue();

  private final PagePool pool = PagePool.SHARED;

  // All below guarded by this. The ring has a power of two of slots; head is the oldest.
  private @Nullable MemorySegment[] pages;
  private int[] offsets;
  private int[] lengths;
  private boolean[] packets;
  private int head;
  private int used;
  private @Nullable MemorySegment spare;
  private int readers;
  private int writers;

  /** How often an end was opened: an open of the other end waits for a change. */
  private int readerOpens;

  private int writerOpens;

  public Pipe() {
    this(Eventfd.PIPE_DEF_BUFFERS);
  }

  private Pipe(int slots) {
    pages = new MemorySegment[slots];
    offsets = new int[slots];
    lengths = new int[slots];
    packets = new boolean[slots];
  }

  public WaitQueue queue() {
    return queue;
  }

  // ---- ends ----

  /**
   * Counts an end that was opened and wakes who waits for it.
   *
   * @return whether the other end was open at that moment; it may be gone as soon as it is woken
   */
  boolean opened(boolean reads, boolean writes) {
    boolean met;
    synchronized (this) {
      met = reads ? writers > 0 || writes : readers > 0;
      if (reads) {
        readers++;
        readerOpens++;
      }
      if (writes) {
        writers++;
        writerOpens++;
      }
    }
    queue.notify(EVERYTHING & ~(Poll.POLLERR | Poll.POLLHUP));
    return met;
  }

  /** An end is gone: the other side sees the end of the file or EPIPE. */
  void closed(boolean reads, boolean writes) {
    boolean tell;
    synchronized (this) {
      if (reads) {
        readers--;
      }
      if (writes) {
        writers--;
      }
      tell = (readers == 0) != (writers == 0);
      if (readers == 0 && writers == 0) {
        clear();
      }
    }
    if (tell) {
      queue.notify(EVERYTHING);
    }
  }

  synchronized int readerOpens() {
    return readerOpens;
  }

  synchronized int writerOpens() {
    return writerOpens;
  }

  synchronized boolean hasReaders() {
    return readers > 0;
  }

  private void clear() {
    while (used > 0) {
      dropHead();
    }
    if (spare != null) {
      pool.release(spare);
      spare = null;
    }
  }

  // ---- data ----

  /** Reads what is there. Returns bytes, 0 at the end, -EAGAIN when empty. */
  public long read(IoBuffer dst) {
    if (dst.remaining() == 0) {
      return 0;
    }
    long r;
    boolean wasFull;
    synchronized (this) {
      wasFull = used == pages.length;
      r = isInHead(dst.remaining()) ? takeFromHead(dst) : take(dst);
      if (r == 0) {
        return writers == 0 ? 0 : -EAGAIN;
      }
      wasFull &= used < pages.length;
    }
    if (wasFull) {
      queue.notify(Poll.POLLOUT | Poll.POLLWRNORM);
    }
    return r;
  }

  private boolean isInHead(long bytes) {
    return used > 0 && bytes <= lengths[head] && !packets[head];
  }

  private long takeFromHead(IoBuffer dst) {
    int h = head;
    long r = dst.put(page(h), offsets[h], dst.remaining());
    if (r <= 0) {
      return -EFAULT;
    }
    offsets[h] += (int) r;
    lengths[h] -= (int) r;
    if (lengths[h] == 0) {
      dropHead();
    }
    return r;
  }

  private long take(IoBuffer dst) {
    long done = 0;
    while (used > 0 && dst.remaining() > 0) {
      int h = head;
      boolean packet = packets[h];
      long r;
      if (!packet && dst.remaining() > lengths[h] && used > 1) {
        r = takeThroughWindow(dst);
        if (r <= 0) {
          return done > 0 ? done : r;
        }
        done += r;
        continue;
      }
      int n = (int) Math.min(dst.remaining(), lengths[h]);
      r = dst.put(page(h), offsets[h], n);
      if (r <= 0) {
        return done > 0 ? done : -EFAULT;
      }
      done += r;
      offsets[h] += (int) r;
      lengths[h] -= (int) r;
      if (packet || lengths[h] == 0) {
        dropHead(); // what did not fit of a packet is lost
      }
      if (packet || r < n) {
        break;
      }
    }
    return done;
  }

  /** Gathers several slots into the window: one copy for the guest thread instead of one a page. */
  private long takeThroughWindow(IoBuffer dst) {
    long limit = dst.windowLimit();
    if (limit <= 0) {
      return -EFAULT;
    }
    MemorySegment w = dst.window();
    long n = 0;
    for (int i = 0; i < used && n < limit; i++) {
      int s = slot(i);
      if (packets[s]) {
        break;
      }
      long part = Math.min(lengths[s], limit - n);
      MemorySegment.copy(page(s), offsets[s], w, n, part);
      n += part;
    }
    long r = dst.commit(n);
    if (r > 0) {
      consume(r);
    }
    return r;
  }

  /** Forgets the first {@code n} bytes. */
  private void consume(long n) {
    long left = n;
    while (left > 0) {
      int h = head;
      int part = (int) Math.min(left, lengths[h]);
      offsets[h] += part;
      lengths[h] -= part;
      left -= part;
      if (lengths[h] == 0) {
        dropHead();
      }
    }
  }

  /**
   * Writes what fits; up to {@link #PIPE_BUF} bytes all or nothing.
   *
   * @param packet O_DIRECT: each write is read by itself
   * @return bytes, -EAGAIN when full, -EPIPE without a reader
   */
  public long write(IoBuffer src, boolean packet) {
    long total = src.remaining();
    if (total == 0) {
      return 0;
    }
    long r;
    synchronized (this) {
      if (readers == 0) {
        return -EPIPE;
      }
      if (packet) {
        r = putPackets(src);
      } else {
        if (total <= PIPE_BUF && !fitsAtomically((int) total)) {
          return -EAGAIN;
        }
        r = used == 0 && total <= PAGE ? putPage(src, false) : put(src);
      }
      if (r == 0) {
        return -EAGAIN;
      }
    }
    if (r > 0) {
      queue.notify(Poll.POLLIN | Poll.POLLRDNORM);
    }
    return r;
  }

  private boolean fitsAtomically(int n) {
    return used < pages.length || joins(n);
  }

  /** {@return whether {@code n} more bytes fit in the last slot} */
  private boolean joins(int n) {
    if (used == 0) {
      return false;
    }
    int last = slot(used - 1);
    return !packets[last] && offsets[last] + lengths[last] + n <= PAGE;
  }

  private long put(IoBuffer src) {
    long done = 0;
    int odd = (int) (src.remaining() & (PAGE - 1));
    if (odd != 0 && joins(odd)) {
      int last = slot(used - 1);
      long r = src.get(page(last), offsets[last] + lengths[last], odd);
      if (r <= 0) {
        return -EFAULT;
      }
      lengths[last] += (int) r;
      done = r;
      if (r < odd) {
        return done;
      }
    }
    while (src.remaining() > 0 && used < pages.length) {
      long r = src.remaining() > PAGE ? putThroughWindow(src) : putPage(src, false);
      if (r <= 0) {
        return done > 0 ? done : r;
      }
      done += r;
    }
    return done;
  }

  private long putPackets(IoBuffer src) {
    long done = 0;
    while (src.remaining() > 0 && used < pages.length) {
      long r = putPage(src, true);
      if (r <= 0) {
        return done > 0 ? done : r;
      }
      done += r;
    }
    return done;
  }

  private long putPage(IoBuffer src, boolean packet) {
    MemorySegment p = newPage();
    if (p == null) {
      return -ENOMEM;
    }
    long n = Math.min(PAGE, src.remaining());
    long r = src.get(p, 0, n);
    if (r <= 0) {
      giveBack(p);
      return -EFAULT;
    }
    append(p, (int) r, packet);
    return r;
  }

  private long putThroughWindow(IoBuffer src) {
    long room = (long) (pages.length - used) * PAGE;
    MemorySegment w = src.window();
    long n = src.fetch(Math.min(Math.min(room, src.remaining()), src.windowLimit()));
    if (n <= 0) {
      return -EFAULT;
    }
    long done = 0;
    while (done < n) {
      MemorySegment p = newPage();
      if (p == null) {
        return done > 0 ? done : -ENOMEM;
      }
      int part = (int) Math.min(PAGE, n - done);
      MemorySegment.copy(w, done, p, 0, part);
      append(p, part, false);
      done += part;
    }
    return n;
  }

  // ---- splice and tee ----

  /**
   * Copies up to {@code length} bytes to the end of {@code out} without taking them: tee(2).
   *
   * @return bytes, 0 at the end of the file, -EAGAIN when {@code in} is empty or {@code out} full,
   *     -EPIPE
   */
  public static long tee(Pipe in, Pipe out, long length) {
    return transfer(in, out, length, false);
  }

  /** Moves up to {@code length} bytes to the end of {@code out}: splice(2) between pipes. */
  public static long splice(Pipe in, Pipe out, long length) {
    return transfer(in, out, length, true);
  }

  private static long transfer(Pipe in, Pipe out, long length, boolean move) {
    if (in == out) {
      return -EINVAL;
    }
    boolean inFirst = System.identityHashCode(in) < System.identityHashCode(out);
    long r;
    boolean wasFull;
    synchronized (inFirst ? in : out) {
      synchronized (inFirst ? out : in) {
        if (out.readers == 0) {
          return -EPIPE;
        }
        if (in.used == 0) {
          return in.writers == 0 ? 0 : -EAGAIN;
        }
        wasFull = in.used == in.pages.length;
        r = copySlots(in, out, length);
        if (r == 0) {
          return -EAGAIN;
        }
        if (move && r > 0) {
          in.consume(r);
        }
      }
    }
    if (r > 0) {
      out.queue.notify(Poll.POLLIN | Poll.POLLRDNORM);
      if (move && wasFull) {
        in.queue.notify(Poll.POLLOUT | Poll.POLLWRNORM);
      }
    }
    return r;
  }

  private static long copySlots(Pipe in, Pipe out, long length) {
    long done = 0;
    for (int i = 0; i < in.used && done < length && out.used < out.pages.length; i++) {
      int s = in.slot(i);
      MemorySegment p = out.newPage();
      if (p == null) {
        return done > 0 ? done : -ENOMEM;
      }
      int n = (int) Math.min(in.lengths[s], length - done);
      MemorySegment.copy(in.page(s), in.offsets[s], p, 0, n);
      out.append(p, n, in.packets[s]);
      done += n;
    }
    return done;
  }

  /**
   * Copies bytes into {@code dst} without taking them; {@link #discard} takes them. Returns as
   * read.
   */
  public synchronized long peek(MemorySegment dst, long offset, long length) {
    if (used == 0) {
      return writers == 0 ? 0 : -EAGAIN;
    }
    long done = 0;
    for (int i = 0; i < used && done < length; i++) {
      int s = slot(i);
      long n = Math.min(lengths[s], length - done);
      MemorySegment.copy(page(s), offsets[s], dst, offset + done, n);
      done += n;
    }
    return done;
  }

  /** Takes the first {@code length} bytes, which a {@link #peek} saw and nobody else has taken. */
  public void discard(long length) {
    boolean wasFull;
    synchronized (this) {
      wasFull = used == pages.length;
      long left = Math.min(length, bytes());
      consume(left);
    }
    if (wasFull) {
      queue.notify(Poll.POLLOUT | Poll.POLLWRNORM);
    }
  }

  // ---- slots; all under this ----

  private int slot(int i) {
    return (head + i) & (pages.length - 1);
  }

  private MemorySegment page(int slot) {
    MemorySegment p = pages[slot];
    if (p == null) {
      throw new IllegalStateException("empty pipe slot");
    }
    return p;
  }

  private @Nullable MemorySegment newPage() {
    MemorySegment p = spare;
    if (p != null) {
      spare = null;
      return p;
    }
    return pool.take();
  }

  private void giveBack(MemorySegment p) {
    if (spare == null) {
      spare = p;
    } else {
      pool.release(p);
    }
  }

  private void append(MemorySegment p, int length, boolean packet) {
    int s = slot(used);
    pages[s] = p;
    offsets[s] = 0;
    lengths[s] = length;
    packets[s] = packet;
    used++;
  }

  private void dropHead() {
    MemorySegment p = page(head);
    pages[head] = null;
    giveBack(p);
    head = (head + 1) & (pages.length - 1);
    used--;
  }

  // ---- state ----

  /** {@return POLL* bits for an end} {@code sawWriter}: whether this reader may report a hang-up */
  synchronized int poll(boolean reads, boolean writes, boolean sawWriter) {
    int mask = 0;
    if (reads) {
      if (used > 0) {
        mask |= Poll.POLLIN | Poll.POLLRDNORM;
      }
      if (writers == 0 && sawWriter) {
        mask |= Poll.POLLHUP;
      }
    }
    if (writes) {
      if (used < pages.length) {
        mask |= Poll.POLLOUT | Poll.POLLWRNORM;
      }
      if (readers == 0) {
        mask |= Poll.POLLERR;
      }
    }
    return mask;
  }

  /** {@return bytes that wait to be read} */
  public synchronized long bytes() {
    long n = 0;
    for (int i = 0; i < used; i++) {
      n += lengths[slot(i)];
    }
    return n;
  }

  /** {@return F_GETPIPE_SZ} */
  public synchronized long capacity() {
    return (long) pages.length * PAGE;
  }

  /** fcntl(F_SETPIPE_SZ): {@return the new size, -EINVAL, -EPERM or -EBUSY} */
  public long setCapacity(Task t, long size) {
    long wanted = size & 0xffffffffL;
    if (wanted > 1L << 31) {
      return -EINVAL;
    }
    int slots = Integer.highestOneBit((int) Math.max(1, (wanted + PAGE - 1) / PAGE));
    if ((long) slots * PAGE < wanted) {
      slots <<= 1;
    }
    boolean wasFull;
    synchronized (this) {
      if (slots > pages.length
          && (long) slots * PAGE > Eventfd.PIPE_MAX_SIZE
          && !t.hasCapability(CAP_SYS_RESOURCE)) {
        return -EPERM;
      }
      if (slots > 1 << 16) {
        return -ENOMEM; // 256 MiB is all that the pool has
      }
      if (used > slots) {
        return -EBUSY;
      }
      wasFull = used == pages.length;
      resize(slots);
    }
    if (wasFull) {
      queue.notify(Poll.POLLOUT | Poll.POLLWRNORM);
    }
    return (long) slots * PAGE;
  }

  private void resize(int slots) {
    @Nullable MemorySegment[] newPages = new MemorySegment[slots];
    int[] newOffsets = new int[slots];
    int[] newLengths = new int[slots];
    boolean[] newPackets = new boolean[slots];
    for (int i = 0; i < used; i++) {
      int s = slot(i);
      newPages[i] = pages[s];
      newOffsets[i] = offsets[s];
      newLengths[i] = lengths[s];
      newPackets[i] = packets[s];
    }
    Arrays.fill(pages, null);
    pages = newPages;
    offsets = newOffsets;
    lengths = newLengths;
    packets = newPackets;
    head = 0;
  }
}
