package redoubt.sentry.syscalls;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.TaskWork;
import redoubt.sentry.vfs.FileDescription;

/** The rings that a task has requests in, and its going on with them. */
final class UringWork implements TaskWork {
  private static final Object MAKING = new Object();

  private final Set<Uring> rings = ConcurrentHashMap.newKeySet();

  /** The task looks at its rings by itself before it blocks: a token is enough to call it. */
  volatile boolean awaits;

  /** {@return the work of {@code t}}, made at first use; any thread */
  static UringWork of(Task t) {
    synchronized (MAKING) {
      TaskWork w = t.taskWork;
      if (w instanceof UringWork mine) {
        return mine;
      }
      UringWork made = new UringWork();
      t.taskWork = made;
      return made;
    }
  }

  void uses(Uring ring) {
    rings.removeIf(r -> r != ring && r.refCount() == 0);
    rings.add(ring);
  }

  /** Something of {@code t}'s became ready. Any thread. */
  static void call(Task t) {
    TaskWork w = t.taskWork;
    @Nullable UringWork work = w instanceof UringWork mine ? mine : null;
    if (work != null && work.awaits) {
      t.waiter().wake();
    } else {
      t.interrupt();
    }
  }

  @Override
  public void run(Task t) {
    for (Uring ring : rings) {
      ring.proceed(t);
    }
  }

  @Override
  public void taskEnds(Task t) {
    for (Uring ring : rings) {
      FileDescription f = ring;
      if (f.tryIncRef()) {
        ring.leave(t);
        f.decRef();
      }
    }
    rings.clear();
  }
}
