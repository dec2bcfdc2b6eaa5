package redoubt.sentry.kernel;

import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Errno;
import redoubt.host.Memory;
import redoubt.host.ThreadAffinity;
import redoubt.sentry.platform.PlatformException;

/**
 * The Java threads that tasks run on. A thread that lost its task waits a while for the next one.
 */
final class TaskThreads {
  private static final int IDLE_LIMIT = 16;
  private static final long IDLE_NS = 5_000_000_000L;
  private static final long STACK_BYTES = 512 * 1024;

  private final ArrayDeque<Worker> idle = new ArrayDeque<>(); // guarded by this

  private final MemorySegment mask =
      Memory.allocateGlobal(ThreadAffinity.maskBytes()); // guarded by this

  private final class Worker implements Runnable {
    private volatile @Nullable Runnable next;
    private volatile @Nullable Thread thread;
    private volatile int hostTid;

    Worker(Runnable first) {
      next = first;
    }

    @Override
    public void run() {
      hostTid = ThreadAffinity.self();
      thread = Thread.currentThread();
      for (; ; ) {
        Runnable r = next;
        next = null;
        if (r != null) {
          r.run();
          r = null;
        }
        if (!park(this)) {
          return;
        }
      }
    }
  }

  /**
   * Runs {@code body} on a thread of its own.
   *
   * @throws PlatformException if the host has none (RLIMIT_NPROC, pids cgroup)
   */
  void start(Runnable body) {
    Worker w;
    synchronized (this) {
      w = idle.pollLast();
      if (w != null) {
        // The new task begins on its creator's core, where waking it is cheap.
        ThreadAffinity.copyOwnTo(w.hostTid, mask);
      }
    }
    if (w != null) {
      w.next = body;
      LockSupport.unpark(w.thread);
      return;
    }
    Thread t = new Thread(null, new Worker(body), "task", STACK_BYTES);
    t.setDaemon(true);
    try {
      t.start();
    } catch (OutOfMemoryError e) {
      throw new PlatformException("the host has no thread left for the sandbox", Errno.EAGAIN);
    }
  }

  /** Waits for more work; false when this thread is one too many. */
  private boolean park(Worker w) {
    synchronized (this) {
      if (idle.size() >= IDLE_LIMIT) {
        return false;
      }
      idle.addLast(w);
    }
    long deadline = System.nanoTime() + IDLE_NS;
    while (w.next == null) {
      long left = deadline - System.nanoTime();
      if (left <= 0) {
        synchronized (this) {
          if (idle.remove(w)) {
            return false;
          }
        }
        left = IDLE_NS; // somebody took us: the work comes at once
      }
      LockSupport.parkNanos(this, left);
    }
    return true;
  }
}
