package redoubt.sentry.boot;

import java.util.List;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Errno;
import redoubt.abi.Nr;
import redoubt.abi.Signal;
import redoubt.host.Fd;
import redoubt.host.HostLog;
import redoubt.host.ProcessCalls;
import redoubt.host.RawSyscall;
import redoubt.p9.P9;
import redoubt.p9.P9Client;
import redoubt.sentry.control.BootFds;
import redoubt.sentry.control.ControlException;
import redoubt.sentry.control.HostRoot;
import redoubt.sentry.control.NetworkConfig;
import redoubt.sentry.control.SandboxConfig;
import redoubt.sentry.fs.FileSystems;
import redoubt.sentry.fs.cgroup.CgroupFs;
import redoubt.sentry.fs.dev.Devices;
import redoubt.sentry.fs.devpts.DevPtsFs;
import redoubt.sentry.fs.gofer.GoferFs;
import redoubt.sentry.fs.kernfs.HostFacts;
import redoubt.sentry.fs.overlay.OverlayFs;
import redoubt.sentry.fs.overlay.OverlayMount;
import redoubt.sentry.fs.proc.ProcFs;
import redoubt.sentry.fs.sys.SysFs;
import redoubt.sentry.fs.tmpfs.TmpFs;
import redoubt.sentry.fs.tmpfs.TmpFsOptions;
import redoubt.sentry.ipc.Ipc;
import redoubt.sentry.kernel.Credentials;
import redoubt.sentry.kernel.Kernel;
import redoubt.sentry.kernel.Processes;
import redoubt.sentry.mm.MemoryFile;
import redoubt.sentry.platform.AddressSpace;
import redoubt.sentry.platform.Platform;
import redoubt.sentry.platform.systrap.Systrap;
import redoubt.sentry.socket.inet.InetFamily;
import redoubt.sentry.strace.Strace;
import redoubt.sentry.strace.StraceObserver;
import redoubt.sentry.syscalls.Amd64Syscalls;
import redoubt.sentry.syscalls.SyscallTable;

/** The real machine: systrap stubs, files from the gofer, confinement by the host kernel. */
final class SentryMachine implements SandboxKernel.Machine {
  /** A run of tools/dist that only makes the AOT cache: the launcher confines nothing either. */
  private static final boolean TRAINING = Boolean.getBoolean("redoubt.train");

  private final HostLog log;
  private final Gofers gofers;
  private volatile @Nullable HostNetwork network;

  SentryMachine(HostLog log) {
    this.log = log;
    this.gofers = new Gofers(line -> log.line("sentry: " + line));
  }

  @Override
  public void addGofer(String container, Fd socket, int pid, Runnable lost) {
    gofers.add(container, socket, pid, lost);
  }

  @Override
  public void dropGofer(String container) {
    gofers.drop(container);
  }

  @Override
  public SandboxKernel.Booted boot(SandboxConfig config) {
    Systrap platform = new Systrap(new Fd(BootFds.KEEPER), config.patch());
    Kernel kernel =
        new Kernel(platform, MemoryFile.create("redoubt-memory"), Amd64Syscalls::dispatch);
    platform.listen(new HostDeaths(kernel));
    kernel.cpus = config.cpus();
    kernel.totalMemoryBytes = config.memoryBytes();
    kernel.hasIoUring = config.ioUring();
    kernel.log().mirrorErrors(log::line);
    kernel.register(HostFacts.class, HostFacts.read());
    FileSystems types = new FileSystems();
    kernel.register(FileSystems.class, types);
    registerTypes(kernel, types);
    Ipc.install(kernel);
    Devices.register(kernel);
    DevPtsFs.register(kernel);
    if (config.strace()) {
      SyscallTable.get(); // reads its file while there is one
      kernel.observer = new StraceObserver(new Strace(Strace.toFd(new Fd(BootFds.LOG)), 64, null));
    }
    if (config.network().equals("sandbox") || TRAINING) {
      network = new HostNetwork(log::line);
    }
    if (TRAINING) {
      Amd64Syscalls.bindAll();
    }
    BootMessages.write(kernel, config);
    return new SandboxKernel.Booted(kernel, new ContainerBuilder(kernel, types, new Stdio(kernel)));
  }

  private void registerTypes(Kernel kernel, FileSystems types) {
    P9Client first = new P9Client(new Fd(BootFds.GOFER), P9.MSIZE_MAX, new GoferLost());
    first.startWatcher();
    gofers.setFirst(first);
    types.register(
        "gofer",
        (c, source, options) ->
            new GoferFs(
                gofers.of(c.container()), kernel.platform(), source, options.contains("shared")));
    types.register(
        "gofer+overlay",
        (c, source, options) ->
            new OverlayFs(
                tmpfs(kernel, Credentials.root(), List.of()),
                new GoferFs(gofers.of(c.container()), kernel.platform(), source, false).root()));
    types.register(
        "overlay",
        (c, source, options) ->
            OverlayMount.make(c, options, tmpfs(kernel, Credentials.root(), List.of())));
    types.register("tmpfs", (c, source, options) -> tmpfs(kernel, c.creds(), options));
    types.register(
        "devtmpfs",
        (c, source, options) -> {
          TmpFs fs = tmpfs(kernel, c.creds(), options);
          Devices.populate(fs.root());
          Devices.populateMachine(fs.root());
          return fs;
        });
    types.register(
        "devpts", (c, source, options) -> new DevPtsFs(kernel, String.join(",", options)));
    types.register(
        "mqueue", (c, source, options) -> tmpfs(kernel, c.creds(), List.of("mode=1777")));
    types.register("cgroup2", (c, source, options) -> CgroupFs.of(kernel, c.cgroup()));
    types.register("cgroup", (c, source, options) -> CgroupFs.of(kernel, c.cgroup()));
    types.register("sysfs", (c, source, options) -> new SysFs(kernel));
    types.register("proc", (c, source, options) -> new ProcFs(kernel, c.pids()));
  }

  private static TmpFs tmpfs(Kernel kernel, Credentials owner, List<String> options) {
    return new TmpFs(
        kernel.memoryFile(),
        kernel.platform(),
        TmpFsOptions.parse(String.join(",", options), kernel.totalMemoryBytes).ownedBy(owner));
  }

  @Override
  public void network(Kernel kernel, NetworkConfig config, List<Fd> fds) {
    HostNetwork n = network;
    if (n == null) {
      fds.forEach(Fd::close);
      throw new ControlException(Errno.EINVAL, "the sandbox was booted without a network");
    }
    n.attach(kernel.subsystem(InetFamily.class), config, fds);
    kernel.linkWatch = n.watch();
  }

  private HostNetwork attached() {
    HostNetwork n = network;
    if (n == null || !n.isAttached()) {
      throw new ControlException(Errno.ENOTSUP, "the sandbox has no network but its loopback");
    }
    return n;
  }

  @Override
  public String networkReport() {
    return attached().report();
  }

  @Override
  public void capture(Fd socket) {
    HostNetwork n;
    try {
      n = attached();
    } catch (ControlException e) {
      socket.close();
      throw e;
    }
    n.capture(socket);
  }

  @Override
  public void confine() {
    ProcessCalls.setNotDumpable();
    HostRoot.detach(new Fd(BootFds.READY));
    if (!TRAINING) {
      SentryFilter.make(network != null).install();
    }
  }

  @Override
  public void halt(int exitCode) {
    HostNetwork n = network;
    if (n != null) {
      n.drain();
    }
    if (TRAINING) {
      Runtime.getRuntime().halt(exitCode); // the JVM writes its AOT cache on the way
    }
    RawSyscall.syscall(Nr.EXIT_GROUP, exitCode);
  }

  HostLog log() {
    return log;
  }

  /** The host may kill each of the sandbox's processes, for want of memory or by hand. */
  private final class HostDeaths implements Platform.Listener {
    private final Kernel kernel;

    HostDeaths(Kernel kernel) {
      this.kernel = kernel;
    }

    @Override
    public void died(AddressSpace space) {
      Processes.hostEnded(kernel, space);
    }

    @Override
    public void lost() {
      log.line("sentry: fatal: the keeper has ended, and all guest processes with it");
      halt(128 + Signal.SIGKILL);
    }
  }

  /** Without its gofer a sandbox has no files: it ends. */
  private final class GoferLost implements P9Client.Listener {
    @Override
    public void log(String line) {
      log.line("sentry: fatal: " + line + ", and all files with it");
    }

    @Override
    public void disconnected() {
      halt(128 + Signal.SIGKILL);
    }
  }
}
