package redoubt.sentry.kernel;

import static redoubt.abi.Errno.EINPROGRESS;
import static redoubt.abi.Errno.ENOENT;
import static redoubt.abi.Errno.ENOSYS;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Calls that wait for somebody else's verdict: the kernel's half of <a
 * href="https://man7.org/linux/man-pages/man2/seccomp_unotify.2.html">seccomp_unotify(2)</a>. At
 * most one call a task waits here, so the queue is bounded by the tasks.
 */
public final class SeccompNotifier {
  /** One call. */
  public static final class Notification {
    final long id;
    final Task task;
    final int[] data;
    boolean sent;
    boolean replied;
    long result;
    boolean goOn;

    Notification(long id, Task task, int[] data) {
      this.id = id;
      this.task = task;
      this.data = data;
    }

    public long id() {
      return id;
    }

    public Task task() {
      return task;
    }

    /** {@return struct seccomp_data as words} */
    public int[] data() {
      return data;
    }
  }

  private final List<Notification> waiting = new ArrayList<>(); // guarded by this
  private long nextId = 1; // guarded by this
  private boolean closed; // guarded by this: the listener is gone
  private int users; // guarded by this: tasks with the filter
  private boolean used; // guarded by this

  /** For poll(2) on the listener, and for those who wait to receive. */
  public final WaitQueue queue = new WaitQueue();

  synchronized void hold() {
    users++;
    used = true;
  }

  void drop() {
    synchronized (this) {
      users--;
    }
    queue.notify(-1);
  }

  /** {@return whether no task has the filter any more} */
  public synchronized boolean isUnused() {
    return used && users == 0;
  }

  public synchronized boolean isClosed() {
    return closed;
  }

  /** {@return whether a call waits to be received} */
  public synchronized boolean hasNew() {
    for (Notification n : waiting) {
      if (!n.sent) {
        return true;
      }
    }
    return false;
  }

  /** {@return whether a received call waits for its reply} */
  public synchronized boolean hasSent() {
    for (Notification n : waiting) {
      if (n.sent && !n.replied) {
        return true;
      }
    }
    return false;
  }

  /**
   * Asks for a verdict about a call of {@code t}.
   *
   * @return the call's result with {@code goOn[0]} false, or 0 and true
   */
  long ask(Task t, int[] data, boolean[] goOn) {
    Notification n;
    synchronized (this) {
      if (closed) {
        return -ENOSYS;
      }
      n = new Notification(nextId++, t, data.clone());
      waiting.add(n);
    }
    queue.notify(-1);
    try {
      for (; ; ) {
        synchronized (this) {
          if (n.replied) {
            goOn[0] = n.goOn;
            return n.result;
          }
          if (closed) {
            return -ENOSYS;
          }
        }
        long r = t.block(Waiter.FOREVER);
        if (r < 0) {
          return r;
        }
      }
    } finally {
      synchronized (this) {
        waiting.remove(n);
      }
    }
  }

  /** {@return the oldest call that nobody has received}, which is received now; null if none */
  public synchronized @Nullable Notification receive() {
    for (Notification n : waiting) {
      if (!n.sent) {
        n.sent = true;
        return n;
      }
    }
    return null;
  }

  /** The receiver could not be told after all. */
  public synchronized void unreceive(Notification n) {
    n.sent = false;
  }

  /** {@return the received call {@code id} that has no reply yet}, or null */
  public synchronized @Nullable Notification find(long id) {
    for (Notification n : waiting) {
      if (n.id == id && n.sent && !n.replied) {
        return n;
      }
    }
    return null;
  }

  /** SECCOMP_IOCTL_NOTIF_SEND. Returns 0 or -errno. */
  public long reply(long id, long result, boolean goOn) {
    Notification n = null;
    synchronized (this) {
      for (Notification w : waiting) {
        if (w.id == id) {
          n = w;
        }
      }
      if (n == null) {
        return -ENOENT;
      }
      if (!n.sent || n.replied) {
        return -EINPROGRESS;
      }
      n.replied = true;
      n.result = result;
      n.goOn = goOn;
    }
    n.task.waiter().wake();
    return 0;
  }

  /** The listener was closed: nobody will answer. */
  public void close() {
    List<Notification> all;
    synchronized (this) {
      closed = true;
      all = new ArrayList<>(waiting);
    }
    for (Notification n : all) {
      n.task.waiter().wake();
    }
  }
}
