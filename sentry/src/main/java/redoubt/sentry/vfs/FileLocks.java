package redoubt.sentry.vfs;

import static redoubt.abi.Errno.EAGAIN;
import static redoubt.abi.Errno.EDEADLK;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Fcntl;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.WaitQueue;
import redoubt.sentry.kernel.Waiter;

/**
 * The locks on one inode: record locks of fcntl(2), owned by a descriptor table (POSIX) or a
 * description (OFD), and whole-file locks of flock(2). Linux's file_lock_context.
 *
 * <p>One monitor guards the locks of all files: operations are short, and the search for deadlocks
 * looks across files. Waiting is done without it.
 */
public final class FileLocks {
  /** A record lock: bytes {@code start} to {@code end}, both included. */
  public static final class Range {
    public final Object owner;
    public final int type;
    public final long start;
    public final long end;

    /** The owner's pid, -1 for OFD locks. */
    public final int pid;

    public Range(Object owner, int type, long start, long end, int pid) {
      this.owner = owner;
      this.type = type;
      this.start = start;
      this.end = end;
      this.pid = pid;
    }

    private Range withBounds(long newStart, long newEnd) {
      return new Range(owner, type, newStart, newEnd, pid);
    }

    private boolean overlaps(Range o) {
      return start <= o.end && o.start <= end;
    }

    private boolean conflicts(Range o) {
      return owner != o.owner && overlaps(o) && (type == Fcntl.F_WRLCK || o.type == Fcntl.F_WRLCK);
    }
  }

  /** Somebody who waits for somebody else's record lock; an edge of the graph of waits. */
  private record Edge(Object waiter, Object holder) {}

  private record Flock(FileDescription owner, boolean exclusive) {}

  /** As far as Linux looks for a cycle (MAX_DEADLK_ITERATIONS). */
  private static final int MAX_CHAIN = 10;

  private static final Object MU = new Object();
  private static final List<Edge> WAITS = new ArrayList<>(); // guarded by MU

  private final List<Range> ranges = new ArrayList<>(); // guarded by MU, sorted by start
  private final List<Flock> flocks = new ArrayList<>(); // guarded by MU
  private final WaitQueue released = new WaitQueue();

  private FileLocks() {}

  private static FileLocks of(Inode inode) {
    synchronized (MU) {
      if (inode.locks instanceof FileLocks l) {
        return l;
      }
      FileLocks l = new FileLocks();
      inode.locks = l;
      return l;
    }
  }

  /** {@return the first lock that {@code wanted} would wait for, or null} */
  public static @Nullable Range conflict(Inode inode, Range wanted) {
    synchronized (MU) {
      return inode.locks instanceof FileLocks l ? l.conflict(wanted) : null;
    }
  }

  private @Nullable Range conflict(Range wanted) {
    for (Range r : ranges) {
      if (r.conflicts(wanted)) {
        return r;
      }
    }
    return null;
  }

  /**
   * Sets or, with type F_UNLCK, removes a record lock.
   *
   * @param wait whether to wait for conflicting locks
   * @return 0, -EAGAIN, -EDEADLK or -ERESTARTSYS
   */
  public static long set(Task t, Inode inode, Range wanted, boolean wait) {
    if (wanted.type == Fcntl.F_UNLCK && inode.locks == null) {
      return 0;
    }
    FileLocks l = of(inode);
    long r = l.trySet(wanted);
    if (r != -EAGAIN || !wait) {
      return r;
    }
    Waiter.Entry entry = t.waitEntry();
    l.released.add(entry, 1);
    try {
      for (; ; ) {
        Edge edge;
        synchronized (MU) {
          Range holder = l.conflict(wanted);
          if (holder == null) {
            l.apply(wanted);
            return 0;
          }
          if (wanted.pid != -1 && waitsFor(holder.owner, wanted.owner)) {
            return -EDEADLK;
          }
          edge = new Edge(wanted.owner, holder.owner);
          WAITS.add(edge);
        }
        long w;
        try {
          w = t.block(Waiter.FOREVER);
        } finally {
          synchronized (MU) {
            WAITS.remove(edge);
          }
        }
        if (w < 0) {
          return w;
        }
      }
    } finally {
      l.released.remove(entry);
    }
  }

  /** {@return whether {@code from} waits, through others, for {@code to}} */
  private static boolean waitsFor(Object from, Object to) {
    Object at = from;
    for (int i = 0; i < MAX_CHAIN; i++) {
      if (at == to) {
        return true;
      }
      Object next = null;
      for (Edge e : WAITS) {
        if (e.waiter == at) {
          next = e.holder;
          break;
        }
      }
      if (next == null) {
        return false;
      }
      at = next;
    }
    return false;
  }

  private long trySet(Range wanted) {
    synchronized (MU) {
      if (wanted.type != Fcntl.F_UNLCK && conflict(wanted) != null) {
        return -EAGAIN;
      }
      apply(wanted);
      return 0;
    }
  }

  /** Replaces what the owner holds in the range; joins neighbours of the same type. Under MU. */
  private void apply(Range wanted) {
    long start = wanted.start;
    long end = wanted.end;
    List<Range> kept = new ArrayList<>(ranges.size() + 2);
    for (Range r : ranges) {
      if (r.owner != wanted.owner) {
        kept.add(r);
      } else if (r.type == wanted.type && touches(r, start, end)) {
        start = Math.min(start, r.start);
        end = Math.max(end, r.end);
      } else if (r.start <= end && start <= r.end) {
        if (r.start < start) {
          kept.add(r.withBounds(r.start, start - 1));
        }
        if (r.end > end) {
          kept.add(r.withBounds(end + 1, r.end));
        }
      } else {
        kept.add(r);
      }
    }
    if (wanted.type != Fcntl.F_UNLCK) {
      kept.add(wanted.withBounds(start, end));
    }
    kept.sort((a, b) -> Long.compare(a.start, b.start));
    ranges.clear();
    ranges.addAll(kept);
    released.notify(1);
  }

  private static boolean touches(Range r, long start, long end) {
    return (r.start == 0 || r.start - 1 <= end) && (r.end == Long.MAX_VALUE || start <= r.end + 1);
  }

  /**
   * flock(2) on {@code f}.
   *
   * @param type F_RDLCK, F_WRLCK or F_UNLCK
   * @return 0, -EAGAIN or -ERESTARTSYS
   */
  public static long flock(Task t, FileDescription f, int type, boolean wait) {
    Inode inode = f.inode();
    if (type == Fcntl.F_UNLCK && inode.locks == null) {
      return 0;
    }
    FileLocks l = of(inode);
    boolean exclusive = type == Fcntl.F_WRLCK;
    synchronized (MU) {
      // An existing lock is given up first, even if the new one is then refused.
      for (int i = 0; i < l.flocks.size(); i++) {
        Flock held = l.flocks.get(i);
        if (held.owner == f) {
          if (type != Fcntl.F_UNLCK && held.exclusive == exclusive) {
            return 0;
          }
          l.flocks.remove(i);
          l.released.notify(1);
          break;
        }
      }
      if (type == Fcntl.F_UNLCK || l.tryFlock(f, exclusive)) {
        return 0;
      }
    }
    if (!wait) {
      return -EAGAIN;
    }
    Waiter.Entry entry = t.waitEntry();
    l.released.add(entry, 1);
    try {
      for (; ; ) {
        synchronized (MU) {
          if (l.tryFlock(f, exclusive)) {
            return 0;
          }
        }
        long w = t.block(Waiter.FOREVER);
        if (w < 0) {
          return w;
        }
      }
    } finally {
      l.released.remove(entry);
    }
  }

  private boolean tryFlock(FileDescription f, boolean exclusive) {
    for (Flock held : flocks) {
      if (held.owner != f && (exclusive || held.exclusive)) {
        return false;
      }
    }
    flocks.add(new Flock(f, exclusive));
    return true;
  }

  /** Drops every lock of {@code owner} on {@code inode}: a descriptor table or a description. */
  public static void release(Inode inode, Object owner) {
    if (!(inode.locks instanceof FileLocks l)) {
      return;
    }
    synchronized (MU) {
      boolean changed = l.ranges.removeIf(r -> r.owner == owner);
      changed |= l.flocks.removeIf(k -> k.owner == owner);
      if (changed) {
        l.released.notify(1);
      }
    }
  }

  /** {@return whether {@code inode} is locked in any way}, for tests and /proc/locks */
  public static boolean isLocked(Inode inode) {
    synchronized (MU) {
      return inode.locks instanceof FileLocks l && !(l.ranges.isEmpty() && l.flocks.isEmpty());
    }
  }
}
