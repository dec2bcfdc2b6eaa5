package redoubt.sentry.ipc.sysv;

import static redoubt.abi.Errno.EAGAIN;
import static redoubt.abi.Errno.ERANGE;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Ipc;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.ThreadGroup;

/**
 * One set of semaphores with those who wait for it: Linux's sem_array. Guarded by its table's
 * monitor. Whoever changes a value carries out the operations of those who wait, in the order of
 * their coming, so that nobody sees a state that Linux would not show.
 */
final class SemaphoreSet extends IpcObject {
  /** What {@link Sleeper#result} is until somebody carried the operations out. */
  static final int PENDING = 1;

  final int[] values;
  final int[] pids;
  long operatedAt;

  /** Per process what SEM_UNDO adds back at its end, by semaphore: sem_undo. */
  private final Map<ThreadGroup, int[]> undos = new HashMap<>();

  private final List<Sleeper> sleepers = new ArrayList<>();

  /** One semop(2) that waits. */
  static final class Sleeper {
    final Task task;
    final short[] ops; // number, operation and flags of each
    int result = PENDING;
    int blocker;

    Sleeper(Task task, short[] ops) {
      this.task = task;
      this.ops = ops;
    }
  }

  SemaphoreSet(int id, int key, int mode, int count, Task t) {
    super(id, key, mode, t);
    this.values = new int[count];
    this.pids = new int[count];
  }

  /** Carries out all of {@code s} or nothing. {@return 0, PENDING or -errno} */
  int attempt(Sleeper s) {
    short[] ops = s.ops;
    int done = 0;
    int error = 0;
    for (; done < ops.length; done += 3) {
      error = step(s, ops[done] & 0xffff, ops[done + 1], ops[done + 2]);
      if (error != 0) {
        s.blocker = done;
        break;
      }
    }
    if (error == 0) {
      error = commitUndo(s);
    }
    if (error != 0) {
      for (int i = 0; i < done; i += 3) {
        values[ops[i] & 0xffff] -= ops[i + 1];
      }
      return error;
    }
    for (int i = 0; i < ops.length; i += 3) {
      pids[ops[i] & 0xffff] = s.task.tgid();
    }
    operatedAt = now();
    return 0;
  }

  private int step(Sleeper s, int number, int op, int flags) {
    int value = values[number];
    if (op == 0 ? value != 0 : value + op < 0) {
      return (flags & Ipc.IPC_NOWAIT) != 0 ? -EAGAIN : PENDING;
    }
    if (value + op > Ipc.SEMVMX) {
      return -ERANGE;
    }
    values[number] = value + op;
    return 0;
  }

  private int commitUndo(Sleeper s) {
    short[] ops = s.ops;
    ThreadGroup g = s.task.threadGroup();
    int[] adjust = null;
    for (int i = 0; i < ops.length; i += 3) {
      if ((ops[i + 2] & Ipc.SEM_UNDO) == 0) {
        continue;
      }
      if (adjust == null) {
        int[] old = undos.get(g);
        adjust = old == null ? new int[values.length] : old.clone();
      }
      int number = ops[i] & 0xffff;
      adjust[number] -= ops[i + 1];
      if (adjust[number] < -Ipc.SEMAEM - 1 || adjust[number] > Ipc.SEMAEM) {
        return -ERANGE;
      }
    }
    if (adjust != null) {
      undos.put(g, adjust);
    }
    return 0;
  }

  void enqueue(Sleeper s) {
    sleepers.add(s);
  }

  void dequeue(Sleeper s) {
    sleepers.remove(s);
  }

  /** Values changed: carries out what can be done now. */
  void update() {
    for (boolean again = true; again; ) {
      again = false;
      for (int i = 0; i < sleepers.size(); i++) {
        Sleeper s = sleepers.get(i);
        int r = attempt(s);
        if (r != PENDING) {
          sleepers.remove(i--);
          finish(s, r);
          again |= r == 0;
        }
      }
    }
  }

  private static void finish(Sleeper s, int result) {
    s.result = result;
    s.task.waiter().wake();
  }

  /** The set is removed: everybody who waits gets {@code error}. */
  void wakeAll(int error) {
    for (Sleeper s : sleepers) {
      finish(s, error);
    }
    sleepers.clear();
    undos.clear();
  }

  /** SETVAL and SETALL: a value that was set is not undone by anybody. */
  void set(int number, int value, int pid) {
    values[number] = value;
    pids[number] = pid;
    for (int[] adjust : undos.values()) {
      adjust[number] = 0;
    }
  }

  /** {@return how many wait for semaphore {@code number} to become zero, or to grow} */
  int waiting(int number, boolean forZero) {
    int n = 0;
    for (Sleeper s : sleepers) {
      boolean zero = s.ops[s.blocker + 1] == 0;
      if ((s.ops[s.blocker] & 0xffff) == number && zero == forZero) {
        n++;
      }
    }
    return n;
  }

  boolean hasUndo(ThreadGroup g) {
    return undos.containsKey(g);
  }

  /** A process ended: gives back what SEM_UNDO says, within 0 and SEMVMX. */
  void undo(ThreadGroup g) {
    int @Nullable [] adjust = undos.remove(g);
    if (adjust == null) {
      return;
    }
    for (int i = 0; i < adjust.length; i++) {
      if (adjust[i] != 0) {
        values[i] = Math.clamp((long) values[i] + adjust[i], 0, Ipc.SEMVMX);
        pids[i] = g.tgid();
      }
    }
    operatedAt = now();
    update();
  }
}
