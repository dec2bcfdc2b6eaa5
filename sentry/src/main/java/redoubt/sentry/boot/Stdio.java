package redoubt.sentry.boot;

import static redoubt.abi.Errno.EINVAL;

import java.util.List;
import org.jspecify.annotations.Nullable;
import redoubt.host.Fd;
import redoubt.sentry.control.ControlException;
import redoubt.sentry.control.ProcessConfig;
import redoubt.sentry.fs.devpts.DevPtsFs;
import redoubt.sentry.fs.host.HostFs;
import redoubt.sentry.fs.host.TerminalBridge;
import redoubt.sentry.kernel.Container;
import redoubt.sentry.kernel.Credentials;
import redoubt.sentry.kernel.FdTable;
import redoubt.sentry.kernel.Kernel;
import redoubt.sentry.kernel.Processes;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.tty.PseudoTerminal;
import redoubt.sentry.kernel.tty.SlaveFile;
import redoubt.sentry.vfs.Dentry;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.Mount;

/**
 * Standard files of a container's processes: the host's streams as they are, or a terminal of the
 * container's own that is bridged to one of the host's.
 */
final class Stdio implements ContainerBuilder.StdioFactory {
  /** Most descriptors that a process may be started with. */
  private static final int FD_LIMIT = 1 << 20;

  /** How long the last output may take to reach a host terminal that nobody reads. */
  private static final long DRAIN_LIMIT_MS = 1000;

  /** What a terminal of a process needs from install to its end, kept by its descriptor table. */
  private record Terminal(DevPtsFs fs, PseudoTerminal tty, Fd host) {}

  private final java.util.Map<FdTable, Terminal> starting =
      new java.util.concurrent.ConcurrentHashMap<>();

  Stdio(Kernel kernel) {
    HostFs.of(kernel); // its epoll descriptor is opened before confinement
  }

  @Override
  public void install(
      Kernel kernel, Container container, ProcessConfig p, List<Fd> fds, FdTable table) {
    Credentials owner = ownerOf(p);
    if (!p.terminal()) {
      HostFs host = HostFs.of(kernel);
      for (Fd fd : fds) {
        table.install(host.wrap(fd, owner), 0, false, FD_LIMIT);
      }
      return;
    }
    if (fds.size() != 1) {
      throw new ControlException(
          EINVAL, "a process with a terminal comes with one descriptor, not " + fds.size());
    }
    Mount mount = devpts(container);
    DevPtsFs fs = mount != null ? (DevPtsFs) mount.fs : new DevPtsFs(kernel, "");
    if (mount == null) {
      mount = new Mount(fs, new Dentry(fs.root()), "devpts", 0);
    }
    PseudoTerminal tty = fs.newTerminal(owner);
    if (p.rows() != 0 || p.columns() != 0) {
      tty.setWindowSize(p.rows(), p.columns());
    }
    FileDescription slave = SlaveFile.forProcess(tty, fs.slavePath(tty, mount), owner);
    table.install(slave, 0, false, FD_LIMIT);
    for (int i = 1; i < 3; i++) {
      slave.incRef();
      table.install(slave, 0, false, FD_LIMIT);
    }
    starting.put(table, new Terminal(fs, tty, fds.getFirst()));
  }

  @Override
  public void started(Task t, ProcessConfig p) {
    Terminal x = starting.remove(t.fds());
    if (x == null) {
      return;
    }
    x.tty.adopt(t, -1, true);
    TerminalBridge bridge = TerminalBridge.start(x.tty, x.host);
    // Runs on the last task's thread before who waits for the exit status is told: output comes
    // first.
    Processes.onExit(
        t.threadGroup(),
        status -> {
          bridge.finish(DRAIN_LIMIT_MS);
          x.fs.discard(x.tty);
        });
  }

  /** {@return the container's devpts, or null if it has none} */
  private static @Nullable Mount devpts(Container c) {
    for (Mount m : c.mounts.mounts()) {
      if (m.fs instanceof DevPtsFs) {
        return m;
      }
    }
    return null;
  }

  private static Credentials ownerOf(ProcessConfig p) {
    Credentials.Builder b = new Credentials.Builder();
    b.ruid = b.euid = b.suid = b.fsuid = p.uid();
    b.rgid = b.egid = b.sgid = b.fsgid = p.gid();
    return b.build();
  }
}
