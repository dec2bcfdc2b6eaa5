package redoubt.sentry.ipc;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.WaitQueue;
import redoubt.sentry.kernel.Waiter;
import redoubt.sentry.vfs.FileDescription;

/**
 * What a task needs to wait on many files at once, kept between its calls so that poll(2),
 * select(2) and epoll_wait(2) allocate nothing once warm. Used by the task's own thread alone.
 */
public final class PollState {
  private static final int INITIAL = 16;

  final Epoll.Sleeper sleeper;
  private final Task task;
  private @Nullable FileDescription[] files = new FileDescription[INITIAL];
  private @Nullable WaitQueue[] queues = new WaitQueue[INITIAL];
  private Waiter.@Nullable Entry[] entries = new Waiter.Entry[INITIAL];
  private int[] wanted = new int[INITIAL];
  private int[] tags = new int[INITIAL];
  private int count;
  private boolean registered;
  private MemorySegment buffer;

  private PollState(Task t) {
    task = t;
    sleeper = new Epoll.Sleeper(t.waiter());
    buffer = Arena.ofAuto().allocate(1024, 8);
  }

  /** {@return the state of {@code t}} */
  public static PollState of(Task t) {
    if (t.pollState instanceof PollState s) {
      return s;
    }
    PollState s = new PollState(t);
    t.pollState = s;
    return s;
  }

  /**
   * {@return at least {@code bytes} of memory for descriptor lists and sets}; valid until the next
   * call
   */
  public MemorySegment buffer(long bytes) {
    if (buffer.byteSize() < bytes) {
      buffer = Arena.ofAuto().allocate(Math.max(bytes, 2 * buffer.byteSize()), 8);
    }
    return buffer;
  }

  /** Adds a file to wait for; takes over the caller's reference. */
  public void add(FileDescription file, int events, int tag) {
    if (count == files.length) {
      grow();
    }
    files[count] = file;
    wanted[count] = events;
    tags[count] = tag;
    count++;
  }

  private void grow() {
    int n = 2 * count;
    files = Arrays.copyOf(files, n);
    queues = Arrays.copyOf(queues, n);
    entries = Arrays.copyOf(entries, n);
    wanted = Arrays.copyOf(wanted, n);
    tags = Arrays.copyOf(tags, n);
  }

  public int count() {
    return count;
  }

  /** {@return what was given to {@link #add} as the tag of file {@code i}} */
  public int tag(int i) {
    return tags[i];
  }

  /** {@return the bits of file {@code i} that are true now and were asked for} */
  public int poll(int i) {
    FileDescription f = files[i];
    return f == null ? 0 : f.poll(task) & wanted[i];
  }

  /** {@return whether one of the files is ready when frames come from outside} */
  public boolean isFedByLink() {
    for (int i = 0; i < count; i++) {
      FileDescription f = files[i];
      if (f != null && f.isFedByLink()) {
        return true;
      }
    }
    return false;
  }

  /** Enters every file's wait queue. */
  public void register() {
    registered = true;
    for (int i = 0; i < count; i++) {
      FileDescription f = files[i];
      WaitQueue q = f == null ? null : f.waitQueue(task);
      queues[i] = q;
      if (q != null) {
        Waiter.Entry e = entries[i];
        if (e == null) {
          e = new Waiter.Entry(task.waiter());
          entries[i] = e;
        }
        q.add(e, wanted[i]);
      }
    }
  }

  /** Leaves the wait queues and lets go of the files. */
  public void clear() {
    for (int i = 0; i < count; i++) {
      if (registered) {
        WaitQueue q = queues[i];
        Waiter.Entry e = entries[i];
        if (q != null && e != null) {
          q.remove(e);
        }
        queues[i] = null;
      }
      FileDescription f = files[i];
      files[i] = null;
      if (f != null) {
        f.decRef();
      }
    }
    registered = false;
    count = 0;
  }
}
