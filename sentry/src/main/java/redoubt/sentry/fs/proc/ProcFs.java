package redoubt.sentry.fs.proc;

import static redoubt.abi.Errno.ENOENT;

import org.jspecify.annotations.Nullable;
import redoubt.sentry.fs.kernfs.KernDir;
import redoubt.sentry.fs.kernfs.KernFs;
import redoubt.sentry.fs.kernfs.LinkFile;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.Kernel;
import redoubt.sentry.kernel.PidNamespace;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.ThreadGroup;
import redoubt.sentry.vfs.Inode;

/** procfs as the processes of one PID namespace see it. */
public final class ProcFs extends KernFs {
  private static final long PROC_SUPER_MAGIC = 0x9fa0;

  private final PidNamespace pids;
  private final KernDir net;
  private final Root root;

  public ProcFs(Kernel kernel, PidNamespace pids) {
    super(kernel, "proc", PROC_SUPER_MAGIC);
    this.pids = pids;
    this.net = KernDir.lazy(this, d -> NetFiles.fill(this, d));
    this.root = new Root(this);
    SystemFiles.fill(this, root);
    root.add("net", new LinkFile(this, "self/net"));
    root.add("sys", KernDir.lazy(this, d -> Sysctls.fill(this, d)));
  }

  PidNamespace pids() {
    return pids;
  }

  /** {@return the directory behind /proc/PID/net}, the same for all while there is one network */
  KernDir net() {
    return net;
  }

  @Override
  public Inode root() {
    return root;
  }

  /** Processes come and go by themselves. */
  @Override
  public boolean needsRevalidate() {
    return true;
  }

  /** {@return the number that {@code t} has in this instance's namespace}, or 0 if none */
  int numberOf(Task t) {
    return t.threadGroup().tgidIn(pids);
  }

  private static final class Root extends KernDir {
    private final ProcFs proc;

    Root(ProcFs proc) {
      super(proc, proc.nextInode(), 0555);
      this.proc = proc;
      add(
          "self",
          new LinkFile(proc, "") {
            @Override
            public String readlink(Task t) {
              int number = proc.numberOf(t);
              if (number == 0) {
                throw ErrnoException.of(ENOENT);
              }
              return Integer.toString(number);
            }
          });
      add(
          "thread-self",
          new LinkFile(proc, "") {
            @Override
            public String readlink(Task t) {
              if (proc.numberOf(t) == 0) {
                throw ErrnoException.of(ENOENT);
              }
              return proc.numberOf(t) + "/task/" + t.tidIn(proc.pids);
            }
          });
    }

    @Override
    protected @Nullable Inode dynamic(String name) {
      int pid = number(name);
      if (pid <= 0) {
        return null;
      }
      synchronized (proc.kernel().tasks().mu) {
        Task t = proc.pids.task(pid); // threads have a directory too, which is not listed
        return t == null ? null : new TaskDir(proc, new Target(t.threadGroup(), proc.pids), pid);
      }
    }

    @Override
    protected boolean stands(String name, Inode child) {
      return !(child instanceof TaskDir d) || d.target().isAlive();
    }

    @Override
    protected long nextNumber(Task t, long from) {
      synchronized (proc.kernel().tasks().mu) {
        ThreadGroup g = proc.pids.nextThreadGroup((int) Math.min(from, Integer.MAX_VALUE));
        return g == null ? -1 : g.tgidIn(proc.pids);
      }
    }

    @Override
    protected long numberIno(long number) {
      return TaskDir.ino((int) number, 0);
    }
  }
}
