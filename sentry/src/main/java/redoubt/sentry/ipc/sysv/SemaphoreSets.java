package redoubt.sentry.ipc.sysv;

import static redoubt.abi.Errno.EAGAIN;
import static redoubt.abi.Errno.EINTR;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ENOSPC;
import static redoubt.abi.Errno.ETIMEDOUT;

import org.jspecify.annotations.Nullable;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.ThreadGroup;

/** The semaphore sets of a sandbox. A subsystem of the kernel. */
public final class SemaphoreSets extends IpcTable<SemaphoreSet> {
  /**
   * Semaphores of all sets together: less than Linux's SEMMNS, because they live in the sentry's
   * heap.
   */
  static final int MAX_TOTAL = 1_000_000;

  private int total;

  public SemaphoreSets() {
    super(redoubt.abi.Ipc.SEMMNI);
  }

  @Override
  @Nullable SemaphoreSet make(Task t, int id, int key, int size, int flags) {
    if (size == 0 || total + size > MAX_TOTAL) {
      refused = size == 0 ? -EINVAL : -ENOSPC;
      return null;
    }
    total += size;
    return new SemaphoreSet(id, key, flags, size, t);
  }

  @Override
  boolean accepts(SemaphoreSet existing, int size) {
    return size <= existing.values.length;
  }

  int total() {
    return total;
  }

  /** IPC_RMID. */
  void remove(SemaphoreSet s) {
    take(s);
    total -= s.values.length;
    s.wakeAll(-redoubt.abi.Errno.EIDRM);
  }

  /** Waits until {@code s} is carried out, removed with its set, interrupted or late. */
  long await(SemaphoreSet set, SemaphoreSet.Sleeper s, long deadlineNs) {
    for (; ; ) {
      long w = s.task.block(deadlineNs);
      synchronized (this) {
        if (s.result != SemaphoreSet.PENDING) {
          return s.result;
        }
        if (w < 0) {
          set.dequeue(s);
          return w == -ETIMEDOUT ? -EAGAIN : -EINTR; // never restarted
        }
      }
    }
  }

  /** The process of {@code t} used SEM_UNDO: its end gives back what it took. */
  void undoAtExit(Task t) {
    ThreadGroup g = t.threadGroup();
    if (g.semaphoreUndo == null) {
      g.semaphoreUndo = () -> undo(g);
    }
  }

  private synchronized void undo(ThreadGroup g) {
    for (SemaphoreSet s : all()) {
      s.undo(g);
    }
  }
}
