package redoubt.sentry.ipc;

import static redoubt.abi.Errno.EAGAIN;
import static redoubt.abi.Errno.EEXIST;
import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ENOSPC;
import static redoubt.abi.Errno.ENOTTY;
import static redoubt.abi.Inotify.INOTIFY_EVENT_COOKIE;
import static redoubt.abi.Inotify.INOTIFY_EVENT_LEN;
import static redoubt.abi.Inotify.INOTIFY_EVENT_MASK;
import static redoubt.abi.Inotify.INOTIFY_EVENT_WD;
import static redoubt.abi.Inotify.IN_ALL_EVENTS;
import static redoubt.abi.Inotify.IN_EXCL_UNLINK;
import static redoubt.abi.Inotify.IN_IGNORED;
import static redoubt.abi.Inotify.IN_MASK_ADD;
import static redoubt.abi.Inotify.IN_MASK_CREATE;
import static redoubt.abi.Inotify.IN_ONESHOT;
import static redoubt.abi.Inotify.IN_Q_OVERFLOW;
import static redoubt.abi.Inotify.IN_UNMOUNT;
import static redoubt.abi.Inotify.SIZEOF_INOTIFY_EVENT;

import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Ioctls;
import redoubt.abi.Poll;
import redoubt.host.Memory;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.IoBuffer;
import redoubt.sentry.kernel.Latin1;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.WaitQueue;
import redoubt.sentry.vfs.Dentry;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.FsNotify;
import redoubt.sentry.vfs.Inode;
import redoubt.sentry.vfs.Watch;

/**
 * A queue of what happens to the watched files: <a
 * href="https://man7.org/linux/man-pages/man7/inotify.7.html">inotify(7)</a>. Differs from Linux:
 * there is no IN_UNMOUNT, and what the host does to a shared mount is not seen.
 *
 * <p>Lock order: this monitor is taken under a directory's and before the wait queue's; an inode's
 * own monitor is never taken under it.
 */
public final class Inotify extends FileDescription {
  /** fs.inotify.max_queued_events, max_user_instances (here: of the sandbox), max_user_watches. */
  private static final int MAX_QUEUED = 16384;

  public static final int MAX_INSTANCES = 128;
  private static final int MAX_WATCHES = 189_344;

  private static final int KEPT = IN_ALL_EVENTS | IN_ONESHOT | IN_EXCL_UNLINK;

  private final WaitQueue queue = new WaitQueue();
  private final Usage usage;
  private final ArrayDeque<Event> events = new ArrayDeque<>(); // guarded by this
  private final TreeMap<Integer, FileWatch> byNumber = new TreeMap<>(); // guarded by this
  private final Map<Inode, FileWatch> byInode = new HashMap<>(); // guarded by this
  private int lastNumber; // guarded by this
  private boolean overflown; // guarded by this: IN_Q_OVERFLOW is in the queue

  /** What all instances of a kernel use together. */
  public static final class Usage {
    final AtomicInteger instances = new AtomicInteger();
    final AtomicInteger watches = new AtomicInteger();

    /** {@return whether there was room for one more instance}, which is counted then */
    public boolean takeInstance() {
      if (instances.incrementAndGet() <= MAX_INSTANCES) {
        return true;
      }
      instances.decrementAndGet();
      return false;
    }
  }

  private record Event(int wd, int mask, int cookie, String name) {
    /** The name with a NUL, filled up to whole event headers. */
    int nameBytes() {
      return name.isEmpty() ? 0 : (name.length() + SIZEOF_INOTIFY_EVENT) & -SIZEOF_INOTIFY_EVENT;
    }

    int bytes() {
      return SIZEOF_INOTIFY_EVENT + nameBytes();
    }
  }

  private final class FileWatch extends Watch {
    final int number;
    final Inode inode;
    volatile int mask;

    FileWatch(int number, Inode inode, int mask) {
      this.number = number;
      this.inode = inode;
      this.mask = mask;
    }

    @Override
    protected void event(int what, int cookie, @Nullable String name, boolean unlinked) {
      int wanted = mask;
      if (((wanted | IN_UNMOUNT) & what & (IN_ALL_EVENTS | IN_UNMOUNT)) == 0
          || (unlinked && (wanted & IN_EXCL_UNLINK) != 0)) {
        return;
      }
      queueEvent(new Event(number, what, cookie, name == null ? "" : name));
      if ((wanted & IN_ONESHOT) != 0 && FsNotify.remove(inode, this)) {
        inodeGone();
      }
    }

    @Override
    protected void inodeGone() {
      forget(this);
    }
  }

  /**
   * @param flags O_NONBLOCK or 0
   * @param usage whose {@link Usage#takeInstance} has counted this one
   */
  public Inotify(Task t, Usage usage, int flags) {
    super(
        AnonymousFiles.of(t.kernel()).newOther(t.creds(), "inotify"), O_RDONLY | flags, t.creds());
    this.usage = usage;
  }

  /**
   * inotify_add_watch(2) with checked flags.
   *
   * @return the watch's number or -errno
   */
  public long watch(Dentry d, int flags) {
    FileWatch w;
    synchronized (this) {
      FileWatch old = byInode.get(d.inode());
      if (old != null) {
        if ((flags & IN_MASK_CREATE) != 0) {
          return -EEXIST;
        }
        old.mask = (flags & IN_MASK_ADD) != 0 ? old.mask | (flags & KEPT) : flags & KEPT;
        return old.number;
      }
      if (usage.watches.incrementAndGet() > MAX_WATCHES) {
        usage.watches.decrementAndGet();
        return -ENOSPC;
      }
      w = new FileWatch(nextNumber(), d.inode(), flags & KEPT);
      byNumber.put(w.number, w);
      byInode.put(w.inode, w);
    }
    FsNotify.add(d, w);
    return w.number;
  }

  /** Numbers go up and begin again at 1 when they have run out. */
  private int nextNumber() {
    do {
      lastNumber = lastNumber == Integer.MAX_VALUE ? 1 : lastNumber + 1;
    } while (byNumber.containsKey(lastNumber));
    return lastNumber;
  }

  /** inotify_rm_watch(2). Returns 0 or -EINVAL. */
  public long unwatch(int number) {
    FileWatch w;
    synchronized (this) {
      w = byNumber.get(number);
    }
    if (w == null) {
      return -EINVAL;
    }
    if (FsNotify.remove(w.inode, w)) {
      forget(w);
    }
    return 0;
  }

  /** A watch is off its inode: its number is free, and the reader learns it. */
  private void forget(FileWatch w) {
    synchronized (this) {
      if (!byNumber.remove(w.number, w)) {
        return;
      }
      byInode.remove(w.inode, w);
    }
    usage.watches.decrementAndGet();
    queueEvent(new Event(w.number, IN_IGNORED, 0, ""));
  }

  private void queueEvent(Event e) {
    synchronized (this) {
      if (e.equals(events.peekLast())) {
        return; // the same once more tells nothing new
      }
      if (events.size() < MAX_QUEUED) {
        events.add(e);
      } else if (!overflown) {
        overflown = true;
        events.add(new Event(-1, IN_Q_OVERFLOW, 0, ""));
      }
    }
    queue.notify(Poll.POLLIN | Poll.POLLRDNORM);
  }

  @Override
  public long read(Task t, IoBuffer dst, long offset) {
    long done = 0;
    MemorySegment s = t.scratch();
    synchronized (this) {
      for (; ; ) {
        Event e = events.peek();
        if (e == null) {
          return done > 0 ? done : -EAGAIN;
        }
        if (e.bytes() > dst.remaining()) {
          return done > 0 ? done : -EINVAL;
        }
        events.remove();
        overflown &= e.mask != IN_Q_OVERFLOW;
        int n = write(s, e);
        if (dst.put(s, 0, n) != n) {
          return done > 0 ? done : -EFAULT;
        }
        done += n;
      }
    }
  }

  private static int write(MemorySegment s, Event e) {
    s.set(Memory.INT, INOTIFY_EVENT_WD, e.wd);
    s.set(Memory.INT, INOTIFY_EVENT_MASK, e.mask);
    s.set(Memory.INT, INOTIFY_EVENT_COOKIE, e.cookie);
    s.set(Memory.INT, INOTIFY_EVENT_LEN, e.nameBytes());
    s.asSlice(SIZEOF_INOTIFY_EVENT, e.nameBytes()).fill((byte) 0);
    if (!e.name.isEmpty()) {
      Latin1.writeZ(s, SIZEOF_INOTIFY_EVENT, e.name);
    }
    return e.bytes();
  }

  @Override
  public synchronized int poll() {
    return events.isEmpty() ? 0 : Poll.POLLIN | Poll.POLLRDNORM;
  }

  @Override
  public WaitQueue waitQueue() {
    return queue;
  }

  @Override
  public long ioctl(Task t, Args a) {
    if (a.int1() != Ioctls.FIONREAD) {
      return -ENOTTY;
    }
    int bytes = 0;
    synchronized (this) {
      for (Event e : events) {
        bytes += e.bytes();
      }
    }
    return t.copyOutInt(a.a2, bytes);
  }

  @Override
  public String fdinfo() {
    StringBuilder text = new StringBuilder();
    synchronized (this) {
      for (FileWatch w : byNumber.values()) {
        text.append("inotify wd:").append(Integer.toHexString(w.number));
        text.append(" ino:").append(Long.toHexString(w.inode.ino()));
        text.append(" sdev:").append(Long.toHexString(w.inode.fs.device()));
        text.append(" mask:").append(Integer.toHexString(w.mask));
        text.append(" ignored_mask:0\n");
      }
    }
    return text.toString();
  }

  @Override
  public String linkText() {
    return "anon_inode:inotify";
  }

  @Override
  protected void release() {
    FileWatch[] all;
    synchronized (this) {
      all = byNumber.values().toArray(new FileWatch[0]);
      byNumber.clear();
      byInode.clear();
      events.clear();
    }
    for (FileWatch w : all) {
      FsNotify.remove(w.inode, w);
    }
    usage.watches.addAndGet(-all.length);
    usage.instances.decrementAndGet();
  }
}
