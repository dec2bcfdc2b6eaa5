package redoubt.sentry.boot;

import static redoubt.abi.Errno.ENODEV;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Errno;
import redoubt.host.Fd;
import redoubt.sentry.control.ContainerConfig;
import redoubt.sentry.control.ControlException;
import redoubt.sentry.control.MountConfig;
import redoubt.sentry.control.ProcessConfig;
import redoubt.sentry.fs.FileSystems;
import redoubt.sentry.fs.cgroup.CgroupFs;
import redoubt.sentry.fs.dev.Devices;
import redoubt.sentry.fs.kernfs.TextFile;
import redoubt.sentry.kernel.Container;
import redoubt.sentry.kernel.Credentials;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.FdTable;
import redoubt.sentry.kernel.FsContext;
import redoubt.sentry.kernel.Kernel;
import redoubt.sentry.kernel.PidNamespace;
import redoubt.sentry.kernel.Processes;
import redoubt.sentry.kernel.ResourceLimits;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.UtsNamespace;
import redoubt.sentry.socket.inet.InetFamily;
import redoubt.sentry.vfs.Dentry;
import redoubt.sentry.vfs.FileSystem;
import redoubt.sentry.vfs.Inode;
import redoubt.sentry.vfs.Mount;
import redoubt.sentry.vfs.MountNamespace;
import redoubt.sentry.vfs.PathWalk;
import redoubt.sentry.vfs.Vfs;
import redoubt.sentry.vfs.VfsPath;

/** Makes a container from its configuration: mounts, names, processes. */
final class ContainerBuilder {
  private static final int DEFAULT_UMASK = 022;

  private final Kernel kernel;
  private final FileSystems types;
  private final StdioFactory stdio;

  /** Turns host descriptors into a process's standard files. */
  interface StdioFactory {
    /** Fills {@code table} with the files for {@code p}, taking over {@code fds}. */
    void install(Kernel kernel, Container container, ProcessConfig p, List<Fd> fds, FdTable table);

    /** The process has its session: makes its terminal, if it has one, the controlling one. */
    void started(Task t, ProcessConfig p);
  }

  ContainerBuilder(Kernel kernel, FileSystems types, StdioFactory stdio) {
    this.kernel = kernel;
    this.types = types;
    this.stdio = stdio;
  }

  /**
   * Builds the container's names and mounts.
   *
   * @param first the sandbox's first container, null if this is it
   */
  Container build(ContainerConfig c, @Nullable Container first) {
    PidNamespace pids = new PidNamespace();
    UtsNamespace uts = new UtsNamespace(c.hostname().isEmpty() ? "redoubt" : c.hostname());
    if (!c.domainname().isEmpty()) {
      uts.setDomainname(c.domainname());
    }
    Container.MountTree tree = container -> makeRoot(c, container);
    return first == null
        ? new Container(c.id(), pids, uts, tree)
        : new Container(c.id(), pids, uts, tree, first.namespaces, c.shared());
  }

  private MountNamespace makeRoot(ContainerConfig c, Container container) {
    FileSystem fs =
        fileSystem(
            new FileSystems.Owner(
                container, container.pids, container.cgroup, Credentials.root(), null),
            c.root());
    return new MountNamespace(
        new Mount(fs, new Dentry(fs.root()), c.root().source(), atimeRule((int) c.root().flags())));
  }

  /** relatime, where nothing else is said, as mount(2) does. */
  private static int atimeRule(int flags) {
    boolean other =
        (flags & (redoubt.abi.Mount.MS_NOATIME | redoubt.abi.Mount.MS_STRICTATIME)) != 0;
    return (other ? flags : flags | Mount.MS_RELATIME) & ~redoubt.abi.Mount.MS_STRICTATIME;
  }

  private FileSystem fileSystem(FileSystems.Owner owner, MountConfig m) {
    FileSystems.Type type = types.type(m.overlay() ? m.type() + "+overlay" : m.type());
    if (type == null) {
      throw new ControlException(
          ENODEV,
          "mount "
              + m.destination()
              + ": this kernel has no filesystem type '"
              + m.type()
              + "'; take the mount out of config.json, or use bind or tmpfs");
    }
    String source = m.attach().isEmpty() ? m.source() : m.attach();
    try {
      return type.make(owner, source, m.data());
    } catch (ErrnoException e) {
      throw new ControlException(
          e.errno(),
          "mount "
              + m.destination()
              + " ("
              + m.type()
              + " "
              + String.join(",", m.data())
              + "): "
              + e.getMessage());
    }
  }

  /**
   * Makes the configured mounts, with {@code t} (a task of the container with all rights) as the
   * walker.
   */
  void mountAll(Task t, ContainerConfig c) {
    for (MountConfig m : c.mounts()) {
      FileSystem fs = fileSystem(FileSystems.Owner.of(t), m);
      mount(
          t,
          new Mount(fs, new Dentry(fs.root()), m.source(), atimeRule((int) m.flags())),
          m.destination());
    }
    populateDev(t, c);
    for (String setting : c.sysctls()) {
      setSysctl(t, setting);
    }
    for (String limit : c.limits()) {
      int equals = limit.indexOf('=');
      CgroupFs.of(kernel, t.container().cgroup)
          .configure(t, limit.substring(0, equals), limit.substring(equals + 1));
    }
    for (String path : c.maskedPaths()) {
      mask(t, path);
    }
    for (String path : c.readonlyPaths()) {
      remountReadOnly(t, path);
    }
  }

  /** Settings that this kernel has; others are what they are. */
  private static void setSysctl(Task t, String setting) {
    int equals = setting.indexOf('=');
    InetFamily inet = t.kernel().subsystemOrNull(InetFamily.class);
    String name = equals < 0 ? "" : setting.substring(0, equals).replace('.', '/');
    if (inet != null
        && inet.sysctl(name) != null
        && inet.setSysctl(name, setting.substring(equals + 1)) < 0) {
      throw new ControlException(Errno.EINVAL, "linux.sysctl: " + setting);
    }
    VfsPath file = name.startsWith("net/") ? null : existing(t, "/proc/sys/" + name);
    if (file != null && file.inode() instanceof TextFile text && text.isSettable()) {
      long e = text.set(t, setting.substring(equals + 1) + "\n");
      if (e < 0) {
        throw new ControlException((int) -e, "linux.sysctl: " + setting);
      }
    }
  }

  /** A tmpfs on /dev gets the devices that OCI runtimes make there. */
  private static void populateDev(Task t, ContainerConfig c) {
    for (MountConfig m : c.mounts()) {
      if (m.destination().equals("/dev") && m.type().equals("tmpfs")) {
        VfsPath dev = existing(t, "/dev");
        if (dev != null) {
          Devices.populate(dev.inode());
        }
      }
    }
  }

  private void mount(Task t, Mount mount, String destination) {
    try {
      VfsPath at = makeMountPoint(t, destination, mount.root.inode().isDirectory());
      MountNamespace.attach(mount, at);
    } catch (ErrnoException e) {
      throw new ControlException(e.errno(), "mount " + destination + ": " + e.getMessage());
    }
  }

  /** {@return the place of {@code path}}, made with its parents if it is missing */
  private VfsPath makeMountPoint(Task t, String path, boolean directory) {
    try {
      return new PathWalk(t, t.fs().root()).to(path, PathWalk.FOLLOW);
    } catch (ErrnoException e) {
      if (e.errno() != Errno.ENOENT) {
        throw e;
      }
    }
    int i = 1;
    while (i <= path.length()) {
      int end = path.indexOf('/', i);
      boolean last = end < 0;
      String part = last ? path : path.substring(0, end);
      makeOne(t, part, directory || !last);
      i = last ? path.length() + 1 : end + 1;
    }
    return new PathWalk(t, t.fs().root()).to(path, PathWalk.FOLLOW);
  }

  private static void makeOne(Task t, String path, boolean directory) {
    try {
      if (directory) {
        Vfs.mkdir(t, t.fs().root(), path, 0755);
      } else {
        Vfs.mknod(t, t.fs().root(), path, Inode.S_IFREG | 0644, 0);
      }
    } catch (ErrnoException e) {
      if (e.errno() != Errno.EEXIST) {
        throw e;
      }
    }
  }

  private void mask(Task t, String path) {
    VfsPath at = existing(t, path);
    if (at == null) {
      return;
    }
    FileSystems.Type tmpfs = types.type("tmpfs");
    if (at.inode().isDirectory() && tmpfs != null) {
      FileSystem empty =
          tmpfs.make(FileSystems.Owner.of(t), "tmpfs", List.of("size=0", "mode=555"));
      MountNamespace.attach(
          new Mount(empty, new Dentry(empty.root()), "tmpfs", Mount.MS_RDONLY), at);
      return;
    }
    VfsPath nothing = existing(t, "/dev/null");
    if (nothing != null) {
      MountNamespace.attach(
          new Mount(nothing.dentry.fs, nothing.dentry, "devtmpfs", nothing.mount.flags()), at);
    }
  }

  private void remountReadOnly(Task t, String path) {
    VfsPath at = existing(t, path);
    if (at != null) {
      MountNamespace.attach(
          new Mount(at.dentry.fs, at.dentry, at.mount.source, at.mount.flags() | Mount.MS_RDONLY),
          at);
    }
  }

  private static @Nullable VfsPath existing(Task t, String path) {
    try {
      return new PathWalk(t, t.fs().root()).to(path, PathWalk.FOLLOW);
    } catch (ErrnoException e) {
      return null;
    }
  }

  /**
   * Makes the container's first process: with the kernel's rights while it mounts, then with its
   * own.
   */
  Task firstProcess(Container container, ContainerConfig c, List<Fd> fds) {
    Mount rootMount = container.mounts.root();
    VfsPath root = new VfsPath(rootMount, rootMount.root);
    int flags = rootMount.flags();
    MountNamespace.setFlags(
        rootMount, flags & ~Mount.MS_RDONLY); // mount points may have to be made
    Task t =
        Processes.create(
            kernel,
            container,
            new FsContext(root, root, 0),
            new FdTable(),
            Credentials.root(),
            limits(c.process()));
    try {
      mountAll(t, c);
      MountNamespace.setFlags(rootMount, flags);
      become(t, container, c.process(), fds);
      return t;
    } catch (ControlException e) {
      Processes.discard(t, 1 << 8);
      throw e;
    }
  }

  /** Makes one more process in a running container. */
  Task anotherProcess(Container container, ProcessConfig p, List<Fd> fds) {
    Mount rootMount = container.mounts.root();
    VfsPath root = new VfsPath(rootMount, rootMount.root);
    Task t =
        Processes.create(
            kernel,
            container,
            new FsContext(root, root, 0),
            new FdTable(),
            Credentials.root(),
            limits(p));
    try {
      become(t, container, p, fds);
      return t;
    } catch (ControlException e) {
      Processes.discard(t, 1 << 8);
      throw e;
    }
  }

  private void become(Task t, Container container, ProcessConfig p, List<Fd> fds) {
    if (p.args().isEmpty()) {
      throw new ControlException(Errno.EINVAL, "process.args is empty: nothing to run");
    }
    stdio.install(kernel, container, p, fds, t.fds());
    enterDirectory(t, p.cwd());
    t.fs().setUmask(p.umask() < 0 ? DEFAULT_UMASK : p.umask());
    t.threadGroup().oomScoreAdj = p.oomScoreAdj();
    t.setCreds(beforeExec(p));
    long r = Processes.load(t, bytes(p.args()), bytes(p.env()));
    if (r < 0) {
      int errno = (int) -r;
      String program = p.args().get(0);
      throw new ControlException(
          errno, "exec: \"" + program + "\": " + whyNotExecuted(t, program, errno));
    }
    t.setCreds(afterExec(t.creds(), p));
    stdio.started(t, p);
  }

  private static String whyNotExecuted(Task t, String program, int errno) {
    if (errno == Errno.ENOENT && program.indexOf('/') < 0) {
      return "executable file not found in $PATH";
    }
    String why = Errno.message(errno);
    if (errno == Errno.ENOENT && existing(t, program) != null) {
      return why + " (the file is there; its interpreter or loader is not in the container)";
    }
    return errno == Errno.ENOEXEC
        ? why + " (neither a program for x86-64 nor a script that begins with #!)"
        : why;
  }

  private static void enterDirectory(Task t, String cwd) {
    String dir = cwd.isEmpty() ? "/" : cwd;
    try {
      int i = 1;
      while (i <= dir.length() && i > 0) {
        int end = dir.indexOf('/', i);
        String part = end < 0 ? dir : dir.substring(0, end);
        if (existing(t, part) == null) {
          makeOne(t, part, true);
        }
        i = end < 0 ? 0 : end + 1;
      }
      t.fs().setCwd(Vfs.directory(t, t.fs().root(), dir));
    } catch (ErrnoException e) {
      throw new ControlException(
          e.errno(), "chdir to cwd (\"" + dir + "\"): " + Errno.message(e.errno()));
    }
  }

  private static Credentials beforeExec(ProcessConfig p) {
    Credentials.Builder b = new Credentials.Builder();
    b.ruid = b.euid = b.suid = b.fsuid = p.uid();
    b.rgid = b.egid = b.sgid = b.fsgid = p.gid();
    b.groups = p.additionalGids().stream().mapToInt(Integer::intValue).sorted().toArray();
    b.bounding = p.bounding();
    b.permitted = p.permitted();
    b.effective = p.effective();
    b.inheritable = p.inheritable();
    b.ambient = p.ambient() & p.permitted() & p.inheritable();
    b.noNewPrivs = p.noNewPrivileges();
    return b.build();
  }

  /** As runc: what execve made of the sets, never more than the configuration's bounding set. */
  private static Credentials afterExec(Credentials c, ProcessConfig p) {
    Credentials.Builder b = c.toBuilder();
    b.permitted &= p.bounding();
    b.effective &= p.bounding();
    return b.build();
  }

  private static ResourceLimits limits(ProcessConfig p) {
    ResourceLimits l = new ResourceLimits();
    for (ProcessConfig.Rlimit r : p.rlimits()) {
      if (r.resource() >= 0 && r.resource() < 16) {
        l.set(r.resource(), r.soft(), r.hard());
      }
    }
    return l;
  }

  private static List<byte[]> bytes(List<String> strings) {
    List<byte[]> out = new ArrayList<>(strings.size());
    for (String s : strings) {
      out.add(s.getBytes(StandardCharsets.UTF_8));
    }
    return out;
  }
}
