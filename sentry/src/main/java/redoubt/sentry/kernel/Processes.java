package redoubt.sentry.kernel;

import static redoubt.abi.Errno.EACCES;
import static redoubt.abi.Errno.ENOENT;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Fcntl;
import redoubt.abi.Signal;
import redoubt.sentry.mm.MemoryManager;
import redoubt.sentry.platform.AddressSpace;
import redoubt.sentry.platform.PlatformException;
import redoubt.sentry.vfs.Vfs;
import redoubt.sentry.vfs.VfsPath;

/**
 * Processes that nobody forked: a container's first one, and those that {@code redoubt exec} adds.
 */
public final class Processes {
  private static final String DEFAULT_PATH =
      "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

  private Processes() {}

  /**
   * Makes a process without a program, in a session of its own. It does not run before {@link
   * #start}; a process that will not be started must be given to {@link #discard}.
   *
   * @param fds taken over
   */
  public static Task create(
      Kernel kernel,
      Container container,
      FsContext fs,
      FdTable fds,
      Credentials creds,
      ResourceLimits limits) {
    MemoryManager mm = new MemoryManager(kernel.platform(), kernel.memoryFile());
    Task.TaskImage image = new Task.TaskImage(mm, mm.space().newContext(), fds, fs, creds);
    synchronized (kernel.tasks().mu) {
      PidNamespace ns = container.pids;
      Pid pid = ns.allocate(Clone.ANY_TID, creds);
      Task t = new Task(kernel, null, pid, container, container.namespaces, image);
      ThreadGroup g = t.threadGroup();
      g.limits = limits;
      pid.useGroup();
      pid.useGroup();
      g.tasks.add(t);
      pid.task = t;
      ns.setInit(g);
      // As runc exec: the root may divide what it has among groups, and then has no processes.
      ThreadGroup first = container.init;
      CgroupMembers.join(t, first == null ? container.cgroup : first.leader.cgroup);
      kernel.tasks().count++;
      kernel.tasks().forks++;
      if (container.init == null) {
        container.init = g;
      }
      return t;
    }
  }

  /**
   * Gives {@code t} its program, looked up in PATH when its name has no slash.
   *
   * @return 0 or -errno
   */
  public static long load(Task t, List<byte[]> argv, List<byte[]> envp) {
    String name = new String(argv.get(0), java.nio.charset.StandardCharsets.ISO_8859_1);
    try {
      if (name.indexOf('/') >= 0) {
        VfsPath file = Vfs.executable(t, t.startAt(Fcntl.AT_FDCWD, name), name, true);
        return Exec.exec(t, file, name, argv, envp);
      }
      return loadFromPath(t, name, argv, envp);
    } catch (ErrnoException e) {
      return -e.errno();
    }
  }

  private static long loadFromPath(Task t, String name, List<byte[]> argv, List<byte[]> envp) {
    int errno = ENOENT;
    for (String dir : searchPath(envp).split(":", -1)) {
      String candidate = dir.isEmpty() ? "./" + name : dir + "/" + name;
      VfsPath file;
      try {
        file = Vfs.executable(t, t.startAt(Fcntl.AT_FDCWD, candidate), candidate, true);
      } catch (ErrnoException e) {
        if (e.errno() == EACCES) {
          errno = EACCES;
        }
        continue;
      }
      return Exec.exec(t, file, candidate, argv, envp);
    }
    return -errno;
  }

  private static String searchPath(List<byte[]> envp) {
    for (byte[] e : envp) {
      String s = new String(e, java.nio.charset.StandardCharsets.ISO_8859_1);
      if (s.startsWith("PATH=")) {
        return s.substring(5);
      }
    }
    return DEFAULT_PATH;
  }

  /**
   * Lets the process run.
   *
   * @throws PlatformException if the host has no thread for it; it is discarded then
   */
  public static void start(Task t) {
    t.registersReplaced = false;
    try {
      t.kernel().threads().start(new TaskLoop(t));
    } catch (PlatformException e) {
      discard(t, Signal.SIGKILL);
      throw e;
    }
  }

  /** Kills the processes that lived in {@code space}, whose host process is gone. */
  public static void hostEnded(Kernel kernel, AddressSpace space) {
    List<Task> all = new ArrayList<>();
    synchronized (kernel.tasks().mu) {
      for (Container c : kernel.containers().values()) {
        all.addAll(c.pids.tasks());
      }
    }
    for (Task t : all) {
      if (!t.isDead() && t.mm().space() == space) {
        GroupExit.hostEnded(t);
      }
    }
  }

  /** Ends a process that was never started. */
  public static void discard(Task t, int status) {
    GroupExit.taskExits(t, status);
  }

  /** Called once when {@code g} has ended. */
  public interface ExitListener {
    /**
     * @param status as wait(2) reports it
     */
    void exited(int status);
  }

  /** Has {@code listener} called once when {@code g} has ended, at once if it has. */
  public static void onExit(ThreadGroup g, ExitListener listener) {
    ExitEntry e = new ExitEntry(g, listener);
    g.exitQueue.add(e, 1);
    e.onEvent(1);
  }

  /**
   * Waits until everybody who listens for the end of {@code g}, which has ended, was told of it.
   */
  public static void awaitListeners(ThreadGroup g) {
    synchronized (g.exitQueue) {
      // Listeners run under this monitor: none is left once it is free.
    }
  }

  private static final class ExitEntry extends WaitQueue.Entry {
    private final ThreadGroup group;
    private @Nullable ExitListener listener;

    ExitEntry(ThreadGroup group, ExitListener listener) {
      this.group = group;
      this.listener = listener;
    }

    @Override
    protected void onEvent(int events) {
      ExitListener l;
      synchronized (this) {
        l = listener;
        if (!group.isZombie() || l == null) {
          return;
        }
        listener = null;
      }
      l.exited(group.exitStatus());
    }
  }

  /**
   * Stops all tasks of a container before their next guest instruction; signals do not wake them.
   */
  public static void freeze(Kernel kernel, Container container, boolean frozen) {
    List<Task> all;
    synchronized (kernel.tasks().mu) {
      all = container.pids.tasks();
    }
    for (Task t : all) {
      t.halt(Task.HALT_PAUSED, frozen);
      if (frozen) {
        t.interrupt();
      } else {
        t.waiter().wake();
      }
    }
  }
}
