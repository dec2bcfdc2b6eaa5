package redoubt.sentry.fs.proc;

import org.jspecify.annotations.Nullable;
import redoubt.sentry.fs.kernfs.KernDir;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.vfs.Inode;

/** /proc/PID/task. */
final class TasksDir extends KernDir {
  private final ProcFs proc;
  private final Target target;

  TasksDir(ProcFs proc, Target target, long ino) {
    super(proc, ino, 0555);
    this.proc = proc;
    this.target = target;
  }

  @Override
  public int uid() {
    return target.uid();
  }

  @Override
  public int gid() {
    return target.gid();
  }

  @Override
  protected int linkCount() {
    return 2 + target.group().taskCount();
  }

  @Override
  protected @Nullable Inode dynamic(String name) {
    int tid = number(name);
    if (tid <= 0) {
      return null;
    }
    Task t;
    synchronized (proc.kernel().tasks().mu) {
      t = proc.pids().task(tid);
    }
    return t == null || t.threadGroup() != target.group()
        ? null
        : new TaskDir(proc, new Target(t, proc.pids()), tid);
  }

  @Override
  protected boolean stands(String name, Inode child) {
    return child instanceof TaskDir d && d.target().isAlive();
  }

  @Override
  protected long nextNumber(Task reader, long from) {
    long best = -1;
    try {
      for (Task t : target.group().tasks()) {
        int tid = t.tidIn(proc.pids());
        if (tid >= from && (best < 0 || tid < best)) {
          best = tid;
        }
      }
    } catch (ErrnoException e) {
      return -1; // the process has gone meanwhile
    }
    return best;
  }

  @Override
  protected long numberIno(long number) {
    return TaskDir.ino((int) number, 1L << 30);
  }
}
