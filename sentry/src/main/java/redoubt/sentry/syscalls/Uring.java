package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.EACCES;
import static redoubt.abi.Errno.EAGAIN;
import static redoubt.abi.Errno.EALREADY;
import static redoubt.abi.Errno.EBADF;
import static redoubt.abi.Errno.EBUSY;
import static redoubt.abi.Errno.ECANCELED;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ENOENT;
import static redoubt.abi.Errno.ETIME;
import static redoubt.abi.IoUring.*;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Poll;
import redoubt.host.Region;
import redoubt.sentry.ipc.AnonymousFiles;
import redoubt.sentry.ipc.EventFd;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.TimerWheel;
import redoubt.sentry.kernel.WaitQueue;
import redoubt.sentry.mm.Mappable;
import redoubt.sentry.vfs.FileDescription;

/**
 * Rings for requests and their completions: <a
 * href="https://man7.org/linux/man-pages/man7/io_uring.7.html">io_uring(7)</a>. Each request is
 * tried at once on the submitter's thread; one that would block waits for its file, and its task
 * goes on with it when it next has time, or is called for: Linux's poll arming and task work. There
 * are no worker threads, so IOSQE_ASYNC changes nothing.
 *
 * <p>Lock order: this monitor before the wait queues' and the timer wheel's. It is not held while a
 * request is carried out.
 */
final class Uring extends FileDescription {
  /** Most requests of one ring in flight, and completions kept because the ring was full. */
  static final int MOST = 1 << 16;

  final UringMemory memory;
  final int setupFlags;
  final WaitQueue queue = new WaitQueue();
  private final TimerWheel timers;
  private final Region words;
  private final ConcurrentLinkedQueue<UringRequest> ready = new ConcurrentLinkedQueue<>();

  private final Set<UringRequest> inFlight = new LinkedHashSet<>(); // guarded by this
  private final Set<UringRequest> counting = new HashSet<>(); // guarded by this: with after set
  private final ArrayDeque<UringRequest> drained = new ArrayDeque<>(); // guarded by this
  private final ArrayDeque<long[]> overflow = new ArrayDeque<>(); // guarded by this
  private int cqTail; // guarded by this: never read back from the ring
  private int sqHead; // guarded by submitting
  private long completions; // guarded by this

  /** One submitter at a time: uring_lock. */
  final Object submitting = new Object();

  // What was registered; guarded by this.
  long @Nullable [] buffers; // address and length of each
  @Nullable FileDescription @Nullable [] files;
  @Nullable EventFd eventfd;
  final Map<Integer, ArrayDeque<long[]>> groups = new HashMap<>(); // address, length, number
  boolean enabled;
  boolean restricted;
  long allowedOps;
  long allowedRegisters;
  int allowedFlags;
  int requiredFlags;

  Uring(Task t, UringMemory memory, int setupFlags) {
    super(AnonymousFiles.of(t.kernel()).newOther(t.creds(), "[io_uring]"), O_RDWR, t.creds());
    this.memory = memory;
    this.words = memory.words;
    this.setupFlags = setupFlags;
    this.timers = t.kernel().timers();
    this.enabled = (setupFlags & IORING_SETUP_R_DISABLED) == 0;
  }

  // ---- submitting ----

  /** {@return how many of at most {@code most} entries were taken} */
  int submit(Task t, int most) {
    synchronized (submitting) {
      int tail = words.getIntAcquire(UringMemory.SQ_TAIL);
      int there = Math.min(tail - sqHead, memory.sqEntries);
      int taken = 0;
      UringRequest chain = null;
      UringRequest last = null;
      boolean broken = false;
      while (taken < most && taken < there) {
        int index = words.getIntAcquire(memory.array() + 4L * (sqHead & (memory.sqEntries - 1)));
        sqHead++;
        words.putIntRelease(UringMemory.SQ_HEAD, sqHead);
        taken++;
        if (Integer.compareUnsigned(index, memory.sqEntries) >= 0) {
          words.putInt(UringMemory.SQ_DROPPED, words.getInt(UringMemory.SQ_DROPPED) + 1);
          continue;
        }
        UringRequest r = new UringRequest(this, t, memory.sqe(index));
        long bad = prepare(t, r);
        if (chain == null) {
          chain = r;
          broken = false;
        } else if (last != null) {
          last.next = r;
        }
        last = r.isLinked() ? r : null;
        boolean ends = last == null;
        if (bad < 0) {
          broken = true;
          r.state.set(UringRequest.DONE);
          r.buffer = (int) bad; // its own error, told in its turn
        }
        if (ends || broken && bad < 0 && !isSubmitAll()) {
          UringRequest first = chain;
          chain = null;
          start(t, first, broken);
          if (bad < 0 && !isSubmitAll()) {
            return taken;
          }
        }
      }
      if (chain != null) {
        start(t, chain, broken);
      }
      return taken;
    }
  }

  private boolean isSubmitAll() {
    return (setupFlags & IORING_SETUP_SUBMIT_ALL) != 0;
  }

  /** Checks what every request must be, and finds its file: io_init_req. Returns 0 or -errno. */
  private long prepare(Task t, UringRequest r) {
    int known =
        IOSQE_FIXED_FILE
            | IOSQE_IO_DRAIN
            | IOSQE_IO_LINK
            | IOSQE_IO_HARDLINK
            | IOSQE_ASYNC
            | IOSQE_BUFFER_SELECT
            | IOSQE_CQE_SKIP_SUCCESS;
    if (!UringOps.isKnown(r.opcode)
        || (r.flags & ~known) != 0
        || (r.ioprio != 0 && !UringOps.hasPriority(r.opcode))) {
      return -EINVAL;
    }
    synchronized (this) {
      if (restricted
          && ((allowedOps >>> r.opcode & 1) == 0
              || (r.flags & requiredFlags) != requiredFlags
              || (r.flags & ~(allowedFlags | requiredFlags)) != 0)) {
        return -EACCES;
      }
      if (inFlight.size() + drained.size() >= MOST) {
        return -EAGAIN;
      }
    }
    if (r.has(IOSQE_BUFFER_SELECT) && !UringOps.selectsBuffers(r.opcode)) {
      return -redoubt.abi.Errno.EOPNOTSUPP;
    }
    if (!UringOps.needsFile(r.opcode)) {
      return r.has(IOSQE_FIXED_FILE) && r.opcode == IORING_OP_CLOSE ? -EBADF : 0;
    }
    r.file = r.has(IOSQE_FIXED_FILE) ? registered(r.fd) : t.fds().get(r.fd);
    return r.file == null ? -EBADF : 0;
  }

  /** {@return a registered file with a reference, or null} */
  synchronized @Nullable FileDescription registered(int index) {
    @Nullable FileDescription[] all = files;
    if (all == null || index < 0 || index >= all.length) {
      return null;
    }
    FileDescription f = all[index];
    if (f != null) {
      f.incRef();
    }
    return f;
  }

  /** Starts a chain; one with a bad entry is given up as a whole. */
  private void start(Task t, UringRequest first, boolean broken) {
    if (broken) {
      for (UringRequest r = first; r != null; r = r.next) {
        boolean itself = r.state.get() == UringRequest.DONE;
        finish(r, itself ? r.buffer : -ECANCELED, 0);
      }
      return;
    }
    synchronized (this) {
      if (!drained.isEmpty() || (first.has(IOSQE_IO_DRAIN) && !inFlight.isEmpty())) {
        drained.add(first);
        return;
      }
    }
    begin(t, first);
  }

  private void begin(Task t, UringRequest r) {
    UringRequest after = r.next;
    if (after != null && after.opcode == IORING_OP_LINK_TIMEOUT) {
      r.limit = after;
      after.limited = r;
      r.next = after.next;
      long bad = r.isLinked() ? UringOps.armLimit(t, after) : -EINVAL;
      if (bad < 0) {
        r.limit = null;
        r.next = after.next;
        finish(after, bad, 0);
        finish(r, -ECANCELED, 0);
        giveUp(r, r.next);
        return;
      }
    }
    synchronized (this) {
      inFlight.add(r);
    }
    attempt(t, r);
  }

  /** Tries a request on its owner's thread: it ends, or waits for its file. */
  void attempt(Task t, UringRequest r) {
    r.state.set(UringRequest.RUNNING);
    long result;
    int events = UringOps.pollEvents(r.opcode, r.opFlags);
    WaitQueue q = events == 0 || !UringOps.waits(r) ? null : UringOps.queue(t, r);
    if (q != null) {
      // In the queue first, tried then: what becomes ready in between is not lost.
      r.queue = q;
      r.state.set(UringRequest.ARMED);
      q.add(r, events);
      result = UringOps.carryOut(t, this, r);
      if (result == UringOps.WAIT) {
        return;
      }
      r.disarm();
      if (!r.state.compareAndSet(UringRequest.ARMED, UringRequest.RUNNING)) {
        ready.remove(r);
      }
    } else {
      result = UringOps.carryOut(t, this, r);
      if (result == UringOps.WAIT) {
        return; // a timer's, or -EAGAIN of a file that nobody waits for was turned before
      }
    }
    complete(t, r, result);
  }

  /** Ends a request that was begun, and starts the next of its chain. */
  void complete(Task t, UringRequest r, long result) {
    synchronized (this) {
      if (!inFlight.remove(r)) {
        return;
      }
      counting.remove(r);
    }
    r.state.set(UringRequest.DONE);
    UringRequest limit = r.limit;
    int cqeFlags = r.buffer >= 0 ? IORING_CQE_F_BUFFER | r.buffer << 16 : 0;
    finish(r, result, result < 0 ? cqeFlags : cqeFlags | UringOps.moreToRead(t, r));
    if (limit != null) {
      endLimit(limit);
    }
    UringRequest next = r.next;
    if (next != null) {
      if (UringOps.isFailure(r, result) && !r.has(IOSQE_IO_HARDLINK)) {
        giveUp(r, next);
      } else {
        begin(t, next);
      }
    }
    startDrained(t);
  }

  private void endLimit(UringRequest limit) {
    UringRequest.Timer timer = limit.timer;
    if (timer != null) {
      timers.cancel(timer);
    }
    if (limit.state.getAndSet(UringRequest.DONE) != UringRequest.DONE) {
      ready.remove(limit);
      finish(limit, -ECANCELED, 0);
    }
  }

  /**
   * @param failed why the rest of its chain goes: one that wanted no completion has all of them
   *     keep silent (io_fail_links)
   */
  private void giveUp(UringRequest failed, @Nullable UringRequest first) {
    for (UringRequest r = first; r != null; r = r.next) {
      finish(r, -ECANCELED, 0, failed.has(IOSQE_CQE_SKIP_SUCCESS));
    }
  }

  private void startDrained(Task t) {
    for (; ; ) {
      UringRequest first;
      synchronized (this) {
        first = drained.peek();
        if (first == null || (first.has(IOSQE_IO_DRAIN) && !inFlight.isEmpty())) {
          return;
        }
        drained.remove();
      }
      begin(t, first);
    }
  }

  /** Lets go of what a request held and posts its completion. */
  private void finish(UringRequest r, long result, int cqeFlags) {
    finish(r, result, cqeFlags, r.has(IOSQE_CQE_SKIP_SUCCESS) && result >= 0);
  }

  private void finish(UringRequest r, long result, int cqeFlags, boolean quiet) {
    UringRequest.Timer timer = r.timer;
    if (timer != null) {
      timers.cancel(timer);
    }
    r.disarm();
    FileDescription f = r.file;
    r.file = null;
    if (f != null) {
      f.decRef();
    }
    if (!quiet) {
      post(r.userData, (int) result, cqeFlags, r.opcode != IORING_OP_TIMEOUT);
    }
  }

  // ---- completions ----

  /**
   * @param counts whether timeouts that wait for a number of completions count it
   */
  private void post(long userData, int result, int flags, boolean counts) {
    EventFd told;
    List<UringRequest> counted = null;
    synchronized (this) {
      completions += counts ? 1 : 0;
      if (!overflow.isEmpty() || !put(userData, result, flags)) {
        if (overflow.size() < MOST) {
          overflow.add(new long[] {userData, result, flags});
          words.putIntVolatile(UringMemory.SQ_FLAGS, IORING_SQ_CQ_OVERFLOW);
        } else {
          words.putInt(UringMemory.CQ_OVERFLOW, words.getInt(UringMemory.CQ_OVERFLOW) + 1);
        }
      }
      told = eventfd;
      for (UringRequest r : counting) {
        if (completions >= r.after) {
          counted = counted == null ? new ArrayList<>() : counted;
          counted.add(r);
        }
      }
    }
    if (told != null && (words.getInt(UringMemory.CQ_FLAGS) & 1) == 0) {
      told.signal();
    }
    if (counted != null) {
      for (UringRequest r : counted) {
        r.fire();
      }
    }
    queue.notify(Poll.POLLIN | Poll.POLLRDNORM);
  }

  /** Under this monitor. {@return false if the ring is full} */
  private boolean put(long userData, int result, int flags) {
    int head = words.getIntAcquire(UringMemory.CQ_HEAD);
    int used = cqTail - head;
    if (used < 0 || used >= memory.cqEntries) {
      return false;
    }
    long at = UringMemory.CQES + (long) SIZEOF_CQE * (cqTail & (memory.cqEntries - 1));
    words.putLong(at, userData);
    words.putInt(at + 8, result);
    words.putInt(at + 12, flags);
    cqTail++;
    words.putIntRelease(UringMemory.CQ_TAIL, cqTail);
    return true;
  }

  /** Moves completions into the ring that did not fit. {@return whether all are there} */
  synchronized boolean flushOverflow() {
    for (long[] e; (e = overflow.peek()) != null; ) {
      if (!put(e[0], (int) e[1], (int) e[2])) {
        return false;
      }
      overflow.remove();
    }
    words.putIntVolatile(UringMemory.SQ_FLAGS, 0);
    return true;
  }

  /** {@return how many completions there are that the guest has not taken} */
  synchronized int available() {
    int head = words.getIntAcquire(UringMemory.CQ_HEAD);
    int used = cqTail - head;
    return used < 0 || used > memory.cqEntries ? 0 : used;
  }

  /** Ends timeout {@code r} after {@code n} completions, if not by its time. */
  synchronized void count(UringRequest r, long n) {
    r.after = completions + n;
    counting.add(r);
  }

  // ---- going on ----

  /** Gives a request back to its owner. Any thread, under a wait queue's monitor. */
  void ready(UringRequest r) {
    ready.add(r);
    UringWork.call(r.owner);
  }

  /** Goes on with what became ready of {@code t}'s requests. */
  void proceed(Task t) {
    for (int i = ready.size(); i > 0; i--) {
      UringRequest r = ready.poll();
      if (r == null) {
        return;
      }
      if (r.owner != t) {
        ready.add(r);
        continue;
      }
      if (r.state.compareAndSet(UringRequest.READY, UringRequest.RUNNING)) {
        r.disarm();
        goOn(t, r);
      }
    }
  }

  private void goOn(Task t, UringRequest r) {
    UringRequest limited = r.limited;
    if (r.cancelled) {
      complete(t, r, -ECANCELED);
    } else if (limited != null) {
      limited.limit = null;
      r.state.set(UringRequest.DONE);
      finish(r, -ETIME, 0);
      cancel(limited);
    } else if (r.opcode == IORING_OP_TIMEOUT) {
      complete(t, r, r.expired ? -ETIME : 0);
    } else {
      attempt(t, r);
    }
  }

  // ---- cancelling ----

  /**
   * Ends one request with -ECANCELED, which its owner will tell. {@return 0, or -EALREADY if it is
   * being carried out or at its end}
   */
  long cancel(UringRequest r) {
    r.cancelled = true;
    if (r.state.compareAndSet(UringRequest.ARMED, UringRequest.READY)) {
      ready(r);
      return 0;
    }
    return r.state.get() == UringRequest.READY ? 0 : -EALREADY;
  }

  /** {@return the requests in flight that {@code how} and {@code key} name} */
  synchronized List<UringRequest> matching(int how, long key, @Nullable FileDescription file) {
    List<UringRequest> out = new ArrayList<>();
    for (UringRequest r : inFlight) {
      boolean hit =
          (how & IORING_ASYNC_CANCEL_ANY) != 0
              || ((how & IORING_ASYNC_CANCEL_FD) != 0 ? r.file == file : r.userData == key);
      if (hit && r.state.get() != UringRequest.RUNNING) {
        out.add(r);
      }
    }
    return out;
  }

  /** {@return the one request of {@code opcode} with that user_data, or null} */
  synchronized @Nullable UringRequest find(int opcode, long userData) {
    for (UringRequest r : inFlight) {
      if (r.opcode == opcode && r.userData == userData) {
        return r;
      }
    }
    return null;
  }

  /** Its submitter ends: another thread of the process goes on, or they end with it. */
  void leave(Task t) {
    Task heir = null;
    for (Task o : t.threadGroup().tasks()) {
      if (o != t && !o.isDead() && o.mm() == t.mm()) {
        heir = o;
        break;
      }
    }
    List<UringRequest> mine = new ArrayList<>();
    synchronized (this) {
      for (UringRequest r : inFlight) {
        if (r.owner == t) {
          mine.add(r);
        }
      }
      if (heir == null) {
        drained.removeIf(r -> r.owner == t);
      }
    }
    if (heir != null) {
      UringWork.of(heir).uses(this);
      for (UringRequest r : mine) {
        r.owner = heir;
      }
      UringWork.call(heir);
      return;
    }
    for (UringRequest r : mine) {
      r.state.set(UringRequest.RUNNING);
      ready.remove(r);
      r.next = null;
      complete(t, r, -ECANCELED);
    }
  }

  long arm(UringRequest r, long deadlineNs) {
    UringRequest.Timer timer = r.new Timer();
    r.timer = timer;
    r.state.set(UringRequest.ARMED);
    timers.arm(timer, deadlineNs);
    return 0;
  }

  /** Sets another time for a timeout. Returns 0 or -ENOENT. */
  long rearm(UringRequest r, long deadlineNs) {
    UringRequest.Timer timer = r.timer;
    if (timer == null || r.state.get() != UringRequest.ARMED) {
      return -ENOENT;
    }
    timers.arm(timer, deadlineNs);
    return 0;
  }

  // ---- the descriptor ----

  @Override
  public int poll() {
    int events = available() > 0 ? Poll.POLLIN | Poll.POLLRDNORM : 0;
    synchronized (this) {
      events |= overflow.isEmpty() ? 0 : Poll.POLLIN | Poll.POLLRDNORM;
    }
    int used = words.getIntAcquire(UringMemory.SQ_TAIL) - sqHead;
    return used < memory.sqEntries ? events | Poll.POLLOUT | Poll.POLLWRNORM : events;
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
  public Mappable mappable() {
    return memory;
  }

  @Override
  public String linkText() {
    return "anon_inode:[io_uring]";
  }

  /** Replaces the registered files. {@return 0, -EBUSY if there are some, -ENOENT if not} */
  long setFiles(@Nullable FileDescription @Nullable [] next) {
    @Nullable FileDescription @Nullable [] old;
    synchronized (this) {
      old = files;
      if (next != null && old != null) {
        return -EBUSY;
      }
      if (next == null && old == null) {
        return -redoubt.abi.Errno.ENXIO;
      }
      files = next;
    }
    drop(old);
    return 0;
  }

  static void drop(@Nullable FileDescription @Nullable [] all) {
    if (all != null) {
      for (FileDescription f : all) {
        if (f != null) {
          f.decRef();
        }
      }
    }
  }

  @Override
  protected void release() {
    List<UringRequest> left;
    synchronized (this) {
      left = new ArrayList<>(inFlight);
      inFlight.clear();
      counting.clear();
      drained.clear();
      groups.clear();
    }
    for (UringRequest r : left) {
      r.state.set(UringRequest.DONE);
      UringRequest.Timer timer = r.timer;
      if (timer != null) {
        timers.cancel(timer);
      }
      UringRequest limit = r.limit;
      UringRequest.Timer second = limit == null ? null : limit.timer;
      if (second != null) {
        timers.cancel(second);
      }
      r.disarm();
      FileDescription f = r.file;
      r.file = null;
      if (f != null) {
        f.decRef();
      }
    }
    synchronized (this) {
      drop(files);
      files = null;
      EventFd e = eventfd;
      eventfd = null;
      if (e != null) {
        e.decRef();
      }
    }
    memory.unreference();
    UringCalls.ringGone();
  }
}
