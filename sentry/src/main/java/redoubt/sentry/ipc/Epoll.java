package redoubt.sentry.ipc;

import static redoubt.abi.Epoll.EPOLLERR;
import static redoubt.abi.Epoll.EPOLLET;
import static redoubt.abi.Epoll.EPOLLEXCLUSIVE;
import static redoubt.abi.Epoll.EPOLLHUP;
import static redoubt.abi.Epoll.EPOLLIN;
import static redoubt.abi.Epoll.EPOLLONESHOT;
import static redoubt.abi.Epoll.EPOLLOUT;
import static redoubt.abi.Epoll.EPOLLWAKEUP;
import static redoubt.abi.Epoll.EPOLL_CTL_ADD;
import static redoubt.abi.Epoll.EPOLL_CTL_DEL;
import static redoubt.abi.Epoll.EPOLL_CTL_MOD;
import static redoubt.abi.Epoll.SIZEOF_EPOLL_EVENT;
import static redoubt.abi.Errno.EEXIST;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ELOOP;
import static redoubt.abi.Errno.ENOENT;
import static redoubt.abi.Errno.ENOSPC;
import static redoubt.abi.Errno.ERESTARTSYS;
import static redoubt.abi.Errno.ETIMEDOUT;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Poll;
import redoubt.host.Memory;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.WaitQueue;
import redoubt.sentry.kernel.Waiter;
import redoubt.sentry.platform.GuestContext;
import redoubt.sentry.vfs.FileDescription;

/**
 * An interest list and what of it is ready: <a
 * href="https://man7.org/linux/man-pages/man7/epoll.7.html">epoll(7)</a>.
 *
 * <p>An event on a watched file puts its {@link EpollItem} on the ready list and wakes one task
 * that waits here. epoll_wait then asks each listed file what is true; level-triggered items that
 * are still ready go back to the end of the list. A wait without a timeout on an empty list takes
 * no lock.
 */
public final class Epoll extends FileDescription {
  /** Bits of events that say how to report, not what. */
  static final int PRIVATE_BITS = EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE;

  private static final int EXCLUSIVE_OK =
      EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE;

  /** How deep epoll instances may watch each other (EP_MAX_NESTS). */
  private static final int MAX_NESTS = 4;

  /** Registrations in the whole sandbox at most (fs.epoll.max_user_watches). */
  private static final int MAX_WATCHES = 1 << 20;

  private static final int IDLERS_LIMIT = 64;

  private static final AtomicInteger WATCHES = new AtomicInteger();

  /** Held while an epoll instance is put under another, so that no loop can arise. */
  static final Object NEST_MU = new Object();

  /** Guards the interest list and harvests. */
  private final Object mu = new Object();

  private @Nullable EpollItem[] byFd = new EpollItem[16]; // guarded by mu

  /** Guards the ready list and the waiting tasks; taken inside wait queues. */
  private final Object readyMu = new Object();

  private @Nullable EpollItem readyHead; // guarded by readyMu
  private @Nullable EpollItem readyTail; // guarded by readyMu
  private volatile int readyCount; // written under readyMu
  private @Nullable Sleeper sleepers; // guarded by readyMu, oldest first

  /** Tasks whose platform says that nothing is ready. */
  private final ArrayList<Idler> idlers = new ArrayList<>(0); // guarded by readyMu

  /** Whether a file is, or was, watched that waits for frames from outside. */
  private volatile boolean isFedByLink;

  private record Idler(Task task, int fd) {}

  /** Who polls this instance: poll(2), and epoll instances that watch it. */
  private final WaitQueue queue = new WaitQueue();

  /** A task in epoll_wait; one per thread, reused. */
  static final class Sleeper {
    final Waiter waiter;
    @Nullable Sleeper next;
    boolean asleep;

    Sleeper(Waiter waiter) {
      this.waiter = waiter;
    }
  }

  public Epoll(Task t) {
    super(AnonymousFiles.of(t.kernel()).newOther(t.creds(), "[eventpoll]"), O_RDWR, t.creds());
  }

  @Override
  public boolean isFedByLink() {
    return isFedByLink;
  }

  // ---- the interest list ----

  /** epoll_ctl(2) with checked descriptors; {@code events} and {@code data} are ignored for DEL. */
  public long control(Task t, int op, int fd, FileDescription file, int events, long data) {
    if (op == EPOLL_CTL_ADD && file instanceof Epoll inner) {
      synchronized (NEST_MU) {
        if (inner == this || inner.reaches(this) || inner.depthBelow() + depthAbove() > MAX_NESTS) {
          return -ELOOP;
        }
        return change(t, op, fd, file, events, data);
      }
    }
    return change(t, op, fd, file, events, data);
  }

  private long change(Task t, int op, int fd, FileDescription file, int events, long data) {
    synchronized (mu) {
      EpollItem item = find(fd, file);
      switch (op) {
        case EPOLL_CTL_ADD -> {
          if (item != null) {
            return -EEXIST;
          }
          if (WATCHES.incrementAndGet() > MAX_WATCHES) {
            WATCHES.decrementAndGet();
            return -ENOSPC;
          }
          isFedByLink |= file.isFedByLink();
          item = add(t, fd, file, events | EPOLLERR | EPOLLHUP, data);
        }
        case EPOLL_CTL_DEL -> {
          if (item == null) {
            return -ENOENT;
          }
          remove(item);
          return 0;
        }
        case EPOLL_CTL_MOD -> {
          if (item == null) {
            return -ENOENT;
          }
          if ((item.events & EPOLLEXCLUSIVE) != 0) {
            return -EINVAL;
          }
          item.data = data;
          item.events = events | EPOLLERR | EPOLLHUP;
        }
        default -> {
          return -EINVAL;
        }
      }
      if ((file.poll(t) & item.events) != 0) {
        becameReady(item);
      }
    }
    return 0;
  }

  /** {@return whether EPOLLEXCLUSIVE, where it is in {@code events}, may be used so} */
  public static boolean allowsExclusive(int op, int events, FileDescription file) {
    return (events & EPOLLEXCLUSIVE) == 0
        || (op == EPOLL_CTL_ADD && !(file instanceof Epoll) && (events & ~EXCLUSIVE_OK) == 0);
  }

  private @Nullable EpollItem find(int fd, FileDescription file) {
    EpollItem i = fd < byFd.length ? byFd[fd] : null;
    while (i != null && i.file != file) {
      i = i.nextSameFd;
    }
    return i;
  }

  private EpollItem add(Task t, int fd, FileDescription file, int events, long data) {
    WaitQueue q = file.waitQueue(t);
    EpollItem item = new EpollItem(this, file, fd, q);
    item.events = events;
    item.data = data;
    if (fd >= byFd.length) {
      byFd = Arrays.copyOf(byFd, Math.max(fd + 1, 2 * byFd.length));
    }
    item.nextSameFd = byFd[fd];
    byFd[fd] = item;
    EpollLinks.of(file).add(item);
    if (q != null && (events & EPOLLEXCLUSIVE) != 0) {
      q.addExclusive(item, ~0);
    } else if (q != null) {
      q.add(item, ~0);
    }
    return item;
  }

  private void remove(EpollItem item) {
    if (item.removed) {
      return;
    }
    item.removed = true;
    WATCHES.decrementAndGet();
    if (item.queue != null) {
      item.queue.remove(item);
    }
    EpollLinks.of(item.file).remove(item);
    EpollItem i = byFd[item.fd];
    if (i == item) {
      byFd[item.fd] = item.nextSameFd;
    } else {
      while (i != null && i.nextSameFd != item) {
        i = i.nextSameFd;
      }
      if (i != null) {
        i.nextSameFd = item.nextSameFd;
      }
    }
    synchronized (readyMu) {
      dropReady(item);
    }
  }

  /** The watched description is closed. */
  void fileClosed(EpollItem item) {
    synchronized (mu) {
      remove(item);
    }
  }

  @Override
  protected void release() {
    synchronized (mu) {
      for (EpollItem first : byFd) {
        for (EpollItem i = first; i != null; i = i.nextSameFd) {
          remove(i);
        }
      }
    }
  }

  // ---- nesting; under NEST_MU ----

  private boolean reaches(Epoll other) {
    synchronized (mu) {
      for (EpollItem first : byFd) {
        for (EpollItem i = first; i != null; i = i.nextSameFd) {
          if (i.file == other || (i.file instanceof Epoll e && e.reaches(other))) {
            return true;
          }
        }
      }
      return false;
    }
  }

  /** {@return how many levels of epoll instances this one watches, itself included} */
  private int depthBelow() {
    int deepest = 0;
    synchronized (mu) {
      for (EpollItem first : byFd) {
        for (EpollItem i = first; i != null; i = i.nextSameFd) {
          if (i.file instanceof Epoll e) {
            deepest = Math.max(deepest, e.depthBelow());
          }
        }
      }
    }
    return deepest + 1;
  }

  /** {@return how many levels watch this one} */
  private int depthAbove() {
    int highest = 0;
    if (epollLinks instanceof EpollLinks l) {
      for (EpollItem i : l.snapshot()) {
        highest = Math.max(highest, i.epoll.depthAbove() + 1);
      }
    }
    return highest;
  }

  // ---- readiness ----

  /**
   * Puts an item on the ready list and wakes one sleeper. Runs inside wait queues.
   *
   * @return whether there was one
   */
  boolean becameReady(EpollItem item) {
    Sleeper wake;
    synchronized (readyMu) {
      if (item.ready) {
        return false;
      }
      appendReady(item);
      wake = popSleeper();
    }
    if (wake != null) {
      wake.waiter.wake();
    }
    queue.notify(Poll.POLLIN | Poll.POLLRDNORM);
    return wake != null;
  }

  private void appendReady(EpollItem item) {
    item.ready = true;
    item.nextReady = null;
    EpollItem last = readyTail;
    if (last == null) {
      readyHead = item;
    } else {
      last.nextReady = item;
    }
    readyTail = item;
    readyCount++;
    if (!idlers.isEmpty()) {
      takeIdleBack();
    }
  }

  private @Nullable EpollItem popReady() {
    EpollItem i = readyHead;
    if (i == null) {
      return null;
    }
    readyHead = i.nextReady;
    if (readyHead == null) {
      readyTail = null;
    }
    i.nextReady = null;
    i.ready = false;
    readyCount--;
    return i;
  }

  private void dropReady(EpollItem item) {
    if (!item.ready) {
      return;
    }
    EpollItem before = null;
    EpollItem i = readyHead;
    while (i != null && i != item) {
      before = i;
      i = i.nextReady;
    }
    if (before == null) {
      popReady();
      return;
    }
    before.nextReady = item.nextReady;
    if (readyTail == item) {
      readyTail = before;
    }
    item.nextReady = null;
    item.ready = false;
    readyCount--;
  }

  private @Nullable Sleeper popSleeper() {
    Sleeper s = sleepers;
    if (s != null) {
      sleepers = s.next;
      s.next = null;
      s.asleep = false;
    }
    return s;
  }

  private void addSleeper(Sleeper s) {
    s.asleep = true;
    s.next = null;
    Sleeper last = sleepers;
    if (last == null) {
      sleepers = s;
      return;
    }
    while (last.next != null) {
      last = last.next;
    }
    last.next = s;
  }

  private void removeSleeper(Sleeper s) {
    if (!s.asleep) {
      return;
    }
    s.asleep = false;
    Sleeper i = sleepers;
    if (i == s) {
      sleepers = s.next;
    } else {
      while (i != null && i.next != s) {
        i = i.next;
      }
      if (i != null) {
        i.next = s.next;
      }
    }
    s.next = null;
  }

  // ---- waiting ----

  /**
   * epoll_wait(2) with checked arguments.
   *
   * @param deadlineNs 0 to return at once, {@link Waiter#FOREVER} without end
   * @return how many events were copied out, -ERESTARTSYS when interrupted, -EFAULT
   */
  public long await(Task t, long uevents, int max, long deadlineNs) {
    long n = harvest(t, uevents, max);
    if (n == 0 && deadlineNs == 0) {
      sayIdle(t);
    }
    if (n != 0 || deadlineNs == 0) {
      return n;
    }
    PollState state = PollState.of(t);
    Sleeper s = state.sleeper;
    for (; ; ) {
      synchronized (readyMu) {
        if (readyCount == 0) {
          addSleeper(s);
        }
      }
      long w = 0;
      if (s.asleep) {
        w = t.block(deadlineNs, isFedByLink);
      }
      boolean handedOn;
      synchronized (readyMu) {
        handedOn = !s.asleep; // somebody chose us: what is ready is ours to take or pass on
        removeSleeper(s);
      }
      if (w == -ERESTARTSYS) {
        if (handedOn) {
          passOn();
        }
        return w;
      }
      n = harvest(t, uevents, max);
      if (n != 0 || w == -ETIMEDOUT) {
        return n;
      }
    }
  }

  /** Lets the platform say that nothing is ready, until something is. */
  private void sayIdle(Task t) {
    synchronized (readyMu) {
      if (readyCount == 0 && idlers.size() < IDLERS_LIMIT) {
        int fd = t.offerAnswers(this, GuestContext.NEVER_READY);
        if (fd >= 0) {
          idlers.add(new Idler(t, fd));
        }
      }
    }
  }

  /** Under readyMu. */
  private void takeIdleBack() {
    for (Idler i : idlers) {
      i.task.context().setStanding(i.fd, 0);
    }
    idlers.clear();
  }

  /** Wakes another sleeper if there is still something to take. */
  private void passOn() {
    Sleeper wake;
    synchronized (readyMu) {
      wake = readyCount > 0 ? popSleeper() : null;
    }
    if (wake != null) {
      wake.waiter.wake();
    }
  }

  /** Copies out what is true of the ready list, at most {@code max} events. */
  private long harvest(Task t, long uevents, int max) {
    if (readyCount == 0) {
      return 0;
    }
    MemorySegment out = t.scratch();
    int batch = Task.PATH_MAX / SIZEOF_EPOLL_EVENT;
    long done = 0;
    synchronized (mu) {
      int left = readyCount; // items that go back to the end are not looked at again
      int filled = 0;
      while (left-- > 0 && done + filled < max) {
        EpollItem item;
        synchronized (readyMu) {
          item = popReady();
        }
        if (item == null) {
          break;
        }
        int asked = item.events;
        int is = pollItem(t, item) & asked & ~PRIVATE_BITS;
        if (is == 0) {
          continue;
        }
        long at = (long) filled * SIZEOF_EPOLL_EVENT;
        out.set(Memory.INT, at, is);
        out.set(Memory.LONG, at + 4, item.data);
        filled++;
        if ((asked & EPOLLONESHOT) != 0) {
          item.events = asked & PRIVATE_BITS;
        } else if ((asked & EPOLLET) == 0) {
          synchronized (readyMu) {
            if (!item.ready) {
              appendReady(item);
            }
          }
        }
        if (filled == batch) {
          long r =
              t.copyOut(
                  uevents + done * SIZEOF_EPOLL_EVENT, out, 0, (long) filled * SIZEOF_EPOLL_EVENT);
          if (r < 0) {
            return done > 0 ? done : r;
          }
          done += filled;
          filled = 0;
        }
      }
      if (filled > 0) {
        long r =
            t.copyOut(
                uevents + done * SIZEOF_EPOLL_EVENT, out, 0, (long) filled * SIZEOF_EPOLL_EVENT);
        if (r < 0) {
          return done > 0 ? done : r;
        }
        done += filled;
      }
    }
    if (done > 0 && readyCount > 0) {
      passOn();
    }
    return done;
  }

  /**
   * Asks the file of {@code item}. It may be closed at this moment, which its poll must bear; a
   * reference taken here could turn out to be the last and would cut links of other instances under
   * {@code mu}.
   */
  private static int pollItem(@Nullable Task t, EpollItem item) {
    return t == null ? item.file.poll() : item.file.poll(t);
  }

  @Override
  public int poll() {
    return poll(null);
  }

  @Override
  public int poll(@Nullable Task t) {
    if (readyCount == 0) {
      return 0;
    }
    synchronized (mu) {
      int left = readyCount;
      while (left-- > 0) {
        EpollItem item;
        synchronized (readyMu) {
          item = popReady();
        }
        if (item == null) {
          return 0;
        }
        int is = pollItem(t, item) & item.events & ~PRIVATE_BITS;
        if (is != 0) {
          synchronized (readyMu) {
            if (!item.ready) {
              appendReady(item);
            }
          }
          return Poll.POLLIN | Poll.POLLRDNORM;
        }
      }
    }
    return 0;
  }

  @Override
  public WaitQueue waitQueue() {
    return queue;
  }

  @Override
  public String fdinfo() {
    StringBuilder b = new StringBuilder();
    synchronized (mu) {
      for (EpollItem first : byFd) {
        for (EpollItem i = first; i != null; i = i.nextSameFd) {
          b.append("tfd: ").append(padded(Integer.toString(i.fd), 8));
          b.append(" events: ").append(padded(Integer.toHexString(i.events), 8));
          b.append(" data: ").append(padded(Long.toHexString(i.data), 16));
          b.append("  pos:").append(i.file.position());
          b.append(" ino:").append(Long.toHexString(i.file.inode().ino()));
          b.append(" sdev:").append(Long.toHexString(i.file.inode().fs.device())).append('\n');
        }
      }
    }
    return b.toString();
  }

  private static String padded(String s, int width) {
    return " ".repeat(Math.max(0, width - s.length())) + s;
  }

  @Override
  public long seek(Task t, long offset, int whence) {
    return 0; // noop_llseek
  }

  @Override
  public String linkText() {
    return "anon_inode:[eventpoll]";
  }
}
