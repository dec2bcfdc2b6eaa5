package redoubt.sandbox;

import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Errno;
import redoubt.host.Fd;
import redoubt.host.HostException;
import redoubt.host.HostFiles;
import redoubt.host.NetworkNamespace;
import redoubt.host.Pty;
import redoubt.host.Spawn;
import redoubt.host.UnixStream;
import redoubt.oci.Process;
import redoubt.oci.Spec;
import redoubt.oci.SpecException;
import redoubt.sandbox.guest.OwnKernel;
import redoubt.sandbox.guest.RootImage;
import redoubt.sentry.control.ContainerConfig;
import redoubt.sentry.control.ControlClient;
import redoubt.sentry.control.ControlException;
import redoubt.sentry.control.NetworkConfig;
import redoubt.sentry.control.SandboxConfig;

/**
 * A container that this process creates: from nothing to a confined sandbox that waits for {@link
 * #start}. Whatever fails on the way, nothing is left behind. For one thread.
 */
public final class Container {
  private static final int SIGKILL = 9;
  private static final int SOCK_SEQPACKET = 5;

  private static final int ETHERNET_MTU = 1500;
  private static final int JUMBO_MTU = 9216;

  /** A guest's network devices: the most, and how many when the namespace is still to be filled. */
  private static final int MOST_INTERFACES = 8;

  private static final int LATE_INTERFACES = 2;

  /** A limit from which on a sandbox boots for sure. */
  private static final long LOW_MEMORY = 192L << 20;

  private final StateDirectory directory;
  private final CreateOptions options;
  private final Installation installation;
  private final Spec spec;
  private final List<String> cgroupDirectories = new ArrayList<>();

  private @Nullable Sandbox sandbox;
  private @Nullable Stdio stdio;
  private @Nullable Fd watchPipe;
  private @Nullable Fd lock;
  private @Nullable ContainerState state;
  private @Nullable PodNetwork network;

  /** Whose sandbox it came to, null if it made one. */
  private @Nullable ContainerState joined;

  private int pid;
  private int launcherPid;

  private Container(
      StateDirectory directory, CreateOptions options, Installation installation, Spec spec) {
    this.directory = directory;
    this.options = options;
    this.installation = installation;
    this.spec = spec;
  }

  /**
   * Creates a container.
   *
   * @throws SandboxException if it cannot be; so do SpecException, HostException and
   *     ControlException
   */
  public static Container create(
      StateDirectory directory, Spec spec, CreateOptions options, Installation installation) {
    var container = new Container(directory, options, installation, spec);
    checkTerminal(spec, options);
    directory.create();
    try {
      container.lock = directory.lock();
      StateDirectory other = Pod.of(spec.annotations()).sandbox(directory);
      if (other == null) {
        container.boot();
      } else {
        container.join(other);
      }
      return container;
    } catch (RuntimeException | Error e) {
      container.abandon();
      throw e;
    }
  }

  private static void checkTerminal(Spec spec, CreateOptions options) {
    Process process = spec.process();
    boolean terminal = process != null && process.terminal();
    if (terminal && options.consoleSocket().isEmpty() && !options.foreground()) {
      throw new SandboxException(
          "process.terminal is true: give --console-socket to receive the terminal, or run in the"
              + " foreground");
    }
    if (!terminal && !options.consoleSocket().isEmpty()) {
      throw new SandboxException(
          "--console-socket is given, but process.terminal is not true in config.json");
    }
  }

  public StateDirectory directory() {
    return directory;
  }

  /** {@return the host pid of the sentry} */
  public int pid() {
    return pid;
  }

  private void boot() {
    try (var translator = new Translator(options.bundle(), options.overlayRoot())) {
      ContainerConfig config = translator.container(directory.id(), spec, false);
      Stdio io = openStdio();
      List<String> procs = makeCgroups();
      // From here on `delete` finds what to remove, should we be killed.
      directory.save(describe(translator));
      Fd[] owner = UnixStream.pair();
      var client = new ControlClient(owner[0]);
      Sandbox made = Sandbox.of(options.kernel(), directory.id(), 0, client);
      sandbox = made;
      Fd status = launch(owner[1], made, translator, procs);
      int tag = sendBoot(client, config, io);
      pid = FurtherGofer.readStatus(status);
      made.runsAs(pid);
      awaitBoot(client, tag);
      giveStdioUp(io);
      finishCreation(translator);
    }
  }

  /** Adds the container to a sandbox that runs, with a gofer of its own. */
  private void join(StateDirectory other) {
    ContainerState first = other.load();
    joined = first;
    try (var translator = new Translator(options.bundle(), options.overlayRoot())) {
      ContainerConfig config = translator.container(directory.id(), spec, true);
      Stdio io = openStdio();
      makeCgroups();
      directory.save(describe(translator));
      var client = ControlClient.connect(other.path());
      Sandbox made = Sandbox.of(first.kernel(), directory.id(), 0, client);
      sandbox = made;
      try (var gofer =
          FurtherGofer.start(installation, other, first, directory, translator.attachPoints())) {
        var fds = new ArrayList<Fd>(io.fds());
        fds.add(gofer.socket());
        made.create(config.withGofer(gofer.pid()), fds);
      }
      pid =
          options.foreground()
              ? HostFiles.processId()
              : Holder.spawnExec(installation, made, 0, io);
      if (!options.foreground()) {
        enterCgroups();
      }
      made.runsAs(pid);
      giveStdioUp(io);
      finishCreation(translator);
    }
  }

  /** The holder stands in the container's own groups, where supervisors look for them. */
  private void enterCgroups() {
    for (String file : Cgroups.leaves(cgroupDirectories)) {
      try (Fd fd = HostFiles.open(file, HostFiles.O_WRONLY, 0)) {
        HostException.check(
            "write " + file,
            HostFiles.write(fd, Integer.toString(pid).getBytes(StandardCharsets.US_ASCII)));
      }
    }
  }

  private Stdio openStdio() {
    Process process = spec.process();
    Stdio io =
        process != null && process.terminal()
            ? Stdio.terminal(options.consoleSocket(), process.rows(), process.columns())
            : Stdio.inherited(options.preserveFds());
    stdio = io;
    return io;
  }

  /** The sandbox has its descriptors. */
  private void giveStdioUp(Stdio io) {
    Pty pty = io.pty();
    if (pty != null) {
      pty.slave().close();
      if (!options.consoleSocket().isEmpty()) {
        pty.master().close();
      }
    } else {
      io.close();
    }
  }

  private int sendBoot(ControlClient client, ContainerConfig config, Stdio io) {
    var boot =
        new SandboxConfig(
            directory.id(),
            options.platform(),
            options.patch(),
            options.strace(),
            options.debug(),
            network(),
            cpus(),
            memoryBytes(),
            options.ioUring(),
            config);
    try {
      return client.boot(boot, io.fds());
    } catch (ControlException e) {
      return -1; // the launcher failed early; its status says why
    }
  }

  private void awaitBoot(ControlClient client, int tag) {
    try {
      if (tag < 0) {
        throw new ControlException(Errno.EPIPE, "");
      }
      client.await(tag);
    } catch (ControlException e) {
      if (e.errno() != Errno.EPIPE) {
        throw e;
      }
      HostFiles.kill(pid, SIGKILL);
      int code = Spawn.waitFor(pid);
      pid = 0;
      Long limit = spec.linux().resources().memoryLimit();
      if (code == 128 + SIGKILL && limit != null && limit > 0 && limit < LOW_MEMORY) {
        throw new SandboxException(
            "linux.resources.memory.limit: the host killed the sandbox's kernel, for which "
                + limit
                + " bytes seem too few; "
                + (LOW_MEMORY >> 20)
                + " MiB will do");
      }
      String line = lastLogLine();
      throw new SandboxException(
          "the sandbox's kernel ended while it booted (exit code "
              + code
              + ")"
              + (line.isEmpty() ? "" : ": " + line));
    }
  }

  private String lastLogLine() {
    String text = HostFiles.readText(directory.logPath(), 1 << 20);
    if (text == null || text.isBlank()) {
      return "";
    }
    String[] lines = text.strip().split("\n");
    return printable(lines[lines.length - 1]);
  }

  private static String printable(String text) {
    var out = new StringBuilder();
    for (int i = 0; i < text.length() && i < 400; i++) {
      char c = text.charAt(i);
      out.append(c >= 0x20 && c < 0x7f ? c : '?');
    }
    return out.toString();
  }

  private List<String> makeCgroups() {
    if (!options.cgroups()) {
      return List.of();
    }
    Cgroups cgroups = Cgroups.ofHost();
    String path = spec.linux().cgroupsPath();
    try {
      cgroups.apply(
          path.isEmpty() ? Cgroups.defaultPath(directory.id()) : path, spec.linux().resources());
    } finally {
      cgroupDirectories.addAll(cgroups.made());
    }
    return cgroups.procsFiles();
  }

  private int cpus() {
    int cpus = Runtime.getRuntime().availableProcessors();
    Long quota = spec.linux().resources().cpuQuota();
    Long period = spec.linux().resources().cpuPeriod();
    if (quota != null && quota > 0) {
      long p = period == null || period <= 0 ? 100000 : period;
      cpus = (int) Math.clamp((quota + p - 1) / p, 1, cpus);
    }
    return cpus;
  }

  private long memoryBytes() {
    long total = 1L << 30;
    String info = HostFiles.readText("/proc/meminfo", 256);
    if (info != null && info.startsWith("MemTotal:")) {
      int end = info.indexOf(" kB");
      total = Long.parseLong(info.substring(9, end).strip()) << 10;
    }
    Long limit = spec.linux().resources().memoryLimit();
    return limit != null && limit > 0 && limit < total ? limit : total;
  }

  /** Starts the launcher; returns the descriptor that its answer comes from. */
  private Fd launch(Fd owner, Sandbox made, Translator translator, List<String> procs) {
    List<AttachPoint> attaches = translator.attachPoints();
    int firstAttach = FurtherGofer.FIRST_ATTACH;
    int[] fds = new int[firstAttach + attaches.size()];
    java.util.Arrays.fill(fds, -1);
    var plan = new Plan();
    List<String> gofer = FurtherGofer.command(installation);
    if (installation.isTraining()) {
      gofer.add("--seccomp=off");
      gofer.add("--landlock=off");
      plan.add("train", 1);
    }
    FurtherGofer.attach(attaches, firstAttach, fds, plan, gofer);
    plan.add("log", 2).add("owner", 5).add("listener", 6).add("root", directory.path());
    plan.addAll("bind", installation.binds()).addAll("cgroup", procs);
    FurtherGofer.limit(plan);
    Process process = spec.process();
    if (process != null && process.oomScoreAdj() != 0) {
      plan.add("oom", process.oomScoreAdj());
    }
    plan.add("gofer-type", SOCK_SEQPACKET).addAll("gofer", gofer);
    Long limit = spec.linux().resources().memoryLimit();
    made.describe(plan, installation, machine(limit != null && limit > 0 ? limit : 0));
    Fd image = rootImage(translator);
    if (image != null) {
      fds[8] = image.number();
      plan.add("vmm-disk", 8);
    }
    Fd[] watch = null;
    if (options.foreground()) {
      watch = HostFiles.pipe();
      fds[7] = watch[0].number();
      plan.add("watch", 7).addAll("remove", removalPaths());
    }
    Fd[] status = HostFiles.pipe();
    try (owner;
        Fd listener = UnixStream.listen(directory.path(), ControlClient.SOCKET_NAME);
        Fd planFile = plan.toFile();
        Fd nothing = HostFiles.open("/dev/null", HostFiles.O_RDWR, 0);
        Fd log = openLog();
        Fd statusEnd = status[1]) {
      fds[0] = nothing.number();
      fds[1] = nothing.number();
      fds[2] = log.number();
      fds[3] = planFile.number();
      fds[4] = statusEnd.number();
      fds[5] = owner.number();
      fds[6] = listener.number();
      launcherPid = Spawn.spawn(installation.launcher(), List.of("launcher"), List.of(), fds);
    } catch (RuntimeException e) {
      status[0].close();
      throw e;
    } finally {
      if (image != null) {
        image.close();
      }
      if (watch != null) {
        watch[0].close();
        watchPipe = watch[1];
      }
    }
    return status[0];
  }

  /** {@return the root as a disk}, or null where it is not asked for */
  private @Nullable Fd rootImage(Translator translator) {
    if (!options.blockRoot()) {
      return null;
    }
    if (options.kernel().equals("sentry")) {
      throw new SandboxException("--rootfs=block is for --kernel=uml or vm; a sentry takes 9p");
    }
    if (!options.overlayRoot() && !spec.root().readonly()) {
      throw new SandboxException(
          "--rootfs=block: the disk is read-only; it needs --overlay=root, or a root that is"
              + " readonly");
    }
    return RootImage.of(translator.rootPath(spec));
  }

  private Machine machine(long memoryLimit) {
    int interfaces = 0;
    int mtu = ETHERNET_MTU;
    String path = networkNamespace();
    if (network().equals("sandbox") && !options.kernel().equals("sentry")) {
      interfaces = LATE_INTERFACES;
      mtu = JUMBO_MTU;
      if (!path.isEmpty()) {
        mtu = ETHERNET_MTU;
        try (PodNetwork pod = PodNetwork.read(path, true)) {
          interfaces = Math.max(1, pod.config().interfaces().size());
          for (NetworkConfig.Interface i : pod.config().interfaces()) {
            mtu = Math.max(mtu, i.mtu());
          }
        }
      }
    }
    if (interfaces > MOST_INTERFACES) {
      throw new SandboxException(
          "the network namespace has more than " + MOST_INTERFACES + " interfaces");
    }
    OwnKernel own = OwnKernel.of(spec.annotations());
    if (own != null && options.kernel().equals("sentry")) {
      throw new SandboxException(
          "annotation io.redoubt.kernel.image is for --kernel=uml or vm; a sentry is its own kernel");
    }
    return new Machine(cpus(), memoryLimit, interfaces, mtu, options.blockRoot(), own);
  }

  private String logPath() {
    String path = options.debugLog();
    return path == null ? directory.logPath() : path;
  }

  private Fd openLog() {
    if (options.logToStderr()) {
      return HostFiles.duplicate(2);
    }
    String path = options.debugLog();
    int flags = HostFiles.O_WRONLY | HostFiles.O_CREAT | HostFiles.O_APPEND;
    return path == null ? directory.openLog() : HostFiles.open(path, flags, 0600);
  }

  /** {@return the container as it is now}: stopped, as long as it has no process */
  private ContainerState describe(Translator translator) {
    return new ContainerState(
        directory.id(),
        joined == null ? directory.id() : joined.id(),
        joined == null ? options.kernel() : joined.kernel(),
        pid,
        pid == 0 ? 0 : HostProcess.startTime(pid),
        options.bundle(),
        translator.rootPath(spec),
        Instant.now().toString(),
        HostFiles.effectiveUid(),
        false,
        false,
        spec.annotations(),
        List.copyOf(cgroupDirectories),
        spec.hooks(),
        joined == null ? network() : "none",
        joined == null ? networkNamespace() : "",
        List.of());
  }

  /** {@return none or sandbox} */
  private String network() {
    if (!options.network().equals("auto")) {
      return options.network();
    }
    for (Spec.Namespace n : spec.linux().namespaces()) {
      if (n.type().equals("network")) {
        return "sandbox";
      }
    }
    return "none";
  }

  /** {@return the path of the network namespace to take over, empty for the sandbox's own} */
  private String networkNamespace() {
    for (Spec.Namespace n : spec.linux().namespaces()) {
      if (n.type().equals("network")) {
        return n.path();
      }
    }
    return network().equals("sandbox") ? NetworkNamespace.OWN : "";
  }

  private void finishCreation(Translator translator) {
    ContainerState created = describe(translator);
    state = created;
    directory.save(created);
    HookRunner.run("prestart", spec.hooks().prestart(), created.toOci());
    HookRunner.run("createRuntime", spec.hooks().createRuntime(), created.toOci());
    HookRunner.run("createContainer", spec.hooks().createContainer(), created.toOci());
  }

  /**
   * Writes the pid file, as {@code create} and {@code run} end with it.
   *
   * @param path empty for none
   */
  public void writePidFile(String path) {
    try {
      PidFile.write(path, pid);
    } catch (HostException e) {
      abandon();
      throw new SandboxException("--pid-file: " + e.getMessage());
    }
  }

  /** Lets the container run. */
  public void start() {
    try {
      network = Lifecycle.start(directory, present(sandbox), installation);
    } catch (RuntimeException e) {
      abandon();
      throw e;
    }
  }

  /** Leaves the sandbox to itself: it outlives this process. */
  public void detach() {
    Sandbox s = present(sandbox);
    if (joined == null) {
      s.detach();
    }
    s.close();
    closeAll();
  }

  /**
   * Becomes a small program that stands for the container until it ends, forwards signals and
   * terminal, and removes every trace. Does not return.
   *
   * @param finish command to run after the end for poststop hooks, or empty
   */
  public void hold(List<String> finish) {
    Sandbox s = present(sandbox);
    if (installation.isTraining()) {
      Spawn.waitFor(pid);
      abandon();
      return;
    }
    var plan = new Plan();
    HostFiles.keepOverExec(s.socket());
    plan.add("control", s.socket().number()).add("id", directory.id()).add("pid", 0);
    if (joined == null) {
      plan.add("child", pid);
    }
    Stdio io = stdio;
    if (io != null && io.pty() != null) {
      Pty pty = io.pty();
      HostFiles.keepOverExec(pty.master());
      plan.add("proxy", pty.master().number());
    }
    if (!options.logToStderr()) {
      plan.add("log", logPath());
    }
    if (watchPipe != null) {
      HostFiles.keepOverExec(watchPipe);
      plan.add("done", watchPipe.number());
    }
    if (finish.isEmpty()) {
      plan.addAll("remove", removalPaths());
    } else {
      plan.addAll("finish", finish);
    }
    PodNetwork taken = network;
    if (taken != null && !taken.isEmpty()) {
      HostFiles.keepOverExec(taken.namespace());
      taken.addTo(plan, taken.namespace().number());
    }
    releaseLock();
    Holder.become(installation, plan);
  }

  private List<String> removalPaths() {
    var paths = new ArrayList<String>();
    for (int i = cgroupDirectories.size() - 1; i >= 0; i--) {
      paths.add(cgroupDirectories.get(i));
    }
    paths.addAll(directory.removalPaths());
    return paths;
  }

  /** Takes back whatever creation did. */
  private void abandon() {
    if (joined != null) {
      leave();
    } else if (pid > 0) {
      HostFiles.kill(pid, SIGKILL);
      Spawn.waitFor(pid);
    }
    if (sandbox != null) {
      sandbox.close();
    }
    if (watchPipe != null) {
      HostFiles.write(watchPipe, new byte[] {'x'}); // nothing is left for the watcher
    }
    if (launcherPid > 0) {
      Spawn.waitFor(launcherPid);
    }
    Cgroups.remove(cgroupDirectories);
    Lifecycle.giveNetworkBack(directory);
    directory.remove();
    if (state != null) {
      try {
        HookRunner.run("poststop", spec.hooks().poststop(), state.toOci());
      } catch (SandboxException e) {
        // The first failure is the one to tell.
      }
    }
    closeAll();
  }

  /** Leaves a sandbox that goes on without it. */
  private void leave() {
    if (sandbox != null) {
      try {
        sandbox.delete();
      } catch (ControlException e) {
        // It has not got that far, or the sandbox has ended.
      }
    }
    if (pid > 0 && pid != HostFiles.processId()) {
      HostFiles.kill(pid, SIGKILL);
      Spawn.waitFor(pid);
    }
  }

  private void closeAll() {
    releaseLock();
    if (stdio != null) {
      stdio.close();
    }
    if (watchPipe != null) {
      watchPipe.close();
    }
    if (network != null) {
      network.close();
    }
  }

  private void releaseLock() {
    if (lock != null) {
      lock.close();
    }
  }

  private static <T> T present(@Nullable T value) {
    if (value == null) {
      throw new SpecException("the container is not created");
    }
    return value;
  }
}
