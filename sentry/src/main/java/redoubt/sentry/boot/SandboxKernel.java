package redoubt.sentry.boot;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Errno;
import redoubt.abi.Signal;
import redoubt.host.Fd;
import redoubt.sentry.control.ContainerConfig;
import redoubt.sentry.control.ControlException;
import redoubt.sentry.control.NetworkConfig;
import redoubt.sentry.control.OomKills;
import redoubt.sentry.control.ProcessConfig;
import redoubt.sentry.control.ProcessInfo;
import redoubt.sentry.control.SandboxConfig;
import redoubt.sentry.control.SandboxOperations;
import redoubt.sentry.control.SandboxStats;
import redoubt.sentry.kernel.Clocks;
import redoubt.sentry.kernel.Container;
import redoubt.sentry.kernel.GroupExit;
import redoubt.sentry.kernel.Kernel;
import redoubt.sentry.kernel.Processes;
import redoubt.sentry.kernel.SignalInfo;
import redoubt.sentry.kernel.Signals;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.ThreadGroup;
import redoubt.sentry.platform.MemoryUsage;
import redoubt.sentry.socket.inet.PortForward;

/**
 * One sandbox as the control protocol sees it: containers and processes by name, over the kernel.
 */
final class SandboxKernel implements SandboxOperations {
  /** Boots the machine under the containers; separate, so that tests can boot another one. */
  interface Machine {
    /** Makes the kernel with its filesystems and devices. */
    Booted boot(SandboxConfig config);

    /** Takes a network over, with a packet socket for each interface. */
    void network(Kernel kernel, NetworkConfig config, List<Fd> fds);

    /**
     * A container that is to be built has a gofer of its own.
     *
     * @param lost runs when it is gone
     */
    default void addGofer(String container, Fd socket, int pid, Runnable lost) {
      socket.close();
      throw new ControlException(Errno.ENOTSUP, "the machine takes no further gofers");
    }

    /** The container is gone, and its gofer is not needed any more. */
    default void dropGofer(String container) {}

    /** {@return what there is to say of the network}, as text */
    default String networkReport() {
      throw new ControlException(Errno.ENOTSUP, "the sandbox has no network");
    }

    /** Copies frames to a socket, which it owns from now on. */
    default void capture(Fd socket) {
      socket.close();
      throw new ControlException(Errno.ENOTSUP, "the sandbox has no network");
    }

    /** The kernel stands and the first program is loaded: give up every host right. */
    void confine();

    /** Ends the sandbox's host process. */
    void halt(int exitCode);
  }

  /** A kernel and what makes its containers. */
  record Booted(Kernel kernel, ContainerBuilder builder) {}

  private static final class Running {
    final Container container;
    final Task first;
    final OomKills oomKills = new OomKills();
    boolean started;
    boolean paused;

    Running(Container container, Task first) {
      this.container = container;
      this.first = first;
      container.cgroup.memory.oomListener = oomKills::another;
    }
  }

  private final Machine machine;
  private final Map<String, Running> containers = new ConcurrentHashMap<>();
  private volatile @Nullable Booted booted;
  private static final long DELETE_NS = 2_000_000_000L;

  private volatile String firstId = "";
  private volatile int exitCode = 128 + Signal.SIGKILL;

  SandboxKernel(Machine machine) {
    this.machine = machine;
  }

  private Booted booted() {
    Booted b = booted;
    if (b == null) {
      throw new ControlException(Errno.EINVAL, "the sandbox is not booted");
    }
    return b;
  }

  private Running running(String id) {
    Running r = containers.get(id);
    if (r == null) {
      throw new ControlException(
          Errno.ENOENT, "container " + id + " does not exist in this sandbox");
    }
    return r;
  }

  /** How the latest executed processes ended, for those who ask late. */
  private static final class Ended {
    private static final int LIMIT = 256;

    private final LinkedHashMap<String, Integer> codes = new LinkedHashMap<>(); // guarded by this

    synchronized void put(String container, int pid, int code) {
      codes.put(container + "/" + pid, code);
      if (codes.size() > LIMIT) {
        codes.pollFirstEntry();
      }
    }

    /** {@return the code, or -1 if it has not ended} */
    synchronized int get(String container, int pid) {
      return codes.getOrDefault(container + "/" + pid, -1);
    }

    /** A new process has that pid. */
    synchronized void forget(String container, int pid) {
      codes.remove(container + "/" + pid);
    }
  }

  private final Ended ended = new Ended();

  @Override
  public void boot(SandboxConfig config, List<Fd> fds) {
    booted = machine.boot(config);
    firstId = config.container().id();
    create(config.container(), fds);
    Running first = running(config.container().id());
    ThreadGroup group = first.first.threadGroup();
    Processes.onExit(
        group,
        status -> {
          exitCode = exitCodeOf(status);
          new Thread(() -> finish(group), "halt").start();
        });
    machine.confine();
  }

  @Override
  public void network(NetworkConfig config, List<Fd> fds) {
    for (Running r : containers.values()) {
      if (r.started) {
        throw new ControlException(Errno.EBUSY, "the sandbox runs already");
      }
    }
    machine.network(booted().kernel(), config, fds);
  }

  private void finish(ThreadGroup first) {
    Processes.awaitListeners(first); // answers to WAIT and a terminal's last output leave first
    machine.halt(exitCode);
  }

  @Override
  public void create(ContainerConfig config, List<Fd> fds) {
    ContainerBuilder builder = booted().builder();
    if (containers.containsKey(config.id())) {
      throw new ControlException(Errno.EEXIST, "container " + config.id() + " exists already");
    }
    Running sandbox = containers.get(firstId);
    List<Fd> files = fds;
    if (config.gofer() != 0) {
      files = new ArrayList<>(fds);
      if (files.isEmpty()) {
        throw new ControlException(Errno.EPROTO, "the socket to the container's gofer is missing");
      }
      machine.addGofer(
          config.id(), files.removeLast(), config.gofer(), () -> goferLost(config.id()));
    }
    try {
      Container c = builder.build(config, sandbox == null ? null : sandbox.container);
      Task first = builder.firstProcess(c, config, files);
      booted().kernel().containers().put(config.id(), c);
      containers.put(config.id(), new Running(c, first));
    } catch (RuntimeException e) {
      machine.dropGofer(config.id());
      throw e;
    }
  }

  /** Without its files a container is of no use. */
  private void goferLost(String containerId) {
    Running r = containers.get(containerId);
    if (r != null) {
      killAll(r);
    }
  }

  private void killAll(Running r) {
    discard(r);
    for (ThreadGroup g : groups(r.container)) {
      GroupExit.kill(g, Signal.SIGKILL);
    }
  }

  @Override
  public void delete(String containerId) {
    Running r = running(containerId);
    if (containerId.equals(firstId)) {
      throw new ControlException(Errno.EBUSY, "the first container goes with the sandbox");
    }
    killAll(r);
    long deadline = Clocks.monotonicNs() + DELETE_NS;
    while (!r.first.threadGroup().isZombie() && Clocks.monotonicNs() < deadline) {
      java.util.concurrent.locks.LockSupport.parkNanos(1_000_000);
    }
    containers.remove(containerId, r);
    booted().kernel().containers().remove(containerId);
    machine.dropGofer(containerId);
  }

  @Override
  public void start(String containerId) {
    Running r = running(containerId);
    synchronized (r) {
      if (r.started) {
        throw new ControlException(
            Errno.EINVAL, "container " + containerId + " is started already");
      }
      r.started = true;
    }
    Processes.start(r.first);
  }

  @Override
  public int exec(String containerId, ProcessConfig process, List<Fd> fds) {
    Running r = running(containerId);
    if (!r.started || r.first.threadGroup().isZombie()) {
      throw new ControlException(Errno.EINVAL, "container " + containerId + " is not running");
    }
    Task t = booted().builder().anotherProcess(r.container, process, fds);
    // It may have ended, and been reaped, before its starter asks how.
    ended.forget(containerId, t.tgid());
    Processes.onExit(
        t.threadGroup(), status -> ended.put(containerId, t.tgid(), exitCodeOf(status)));
    Processes.start(t);
    return t.tgid();
  }

  @Override
  public void signal(String containerId, int pid, int signal) {
    Running r = running(containerId);
    SignalInfo info = SignalInfo.user(signal, Signal.SI_USER, 0, 0);
    if (pid == -1) {
      for (ThreadGroup g : groups(r.container)) {
        sendOrKill(g, signal, info);
      }
      return;
    }
    ThreadGroup g = pid == 0 ? r.first.threadGroup() : group(r.container, pid);
    if (g.isZombie()) {
      throw new ControlException(Errno.ESRCH, "the process has ended already");
    }
    if (!r.started && signal == Signal.SIGKILL) {
      discard(r);
      return;
    }
    sendOrKill(g, signal, info);
  }

  private void discard(Running r) {
    synchronized (r) {
      if (!r.started) {
        r.started = true;
        Processes.discard(r.first, Signal.SIGKILL);
      }
    }
  }

  private static void sendOrKill(ThreadGroup g, int signal, SignalInfo info) {
    if (signal == Signal.SIGKILL) {
      GroupExit.kill(g, Signal.SIGKILL);
    } else {
      Signals.sendFromOutside(g, info);
    }
  }

  private List<ThreadGroup> groups(Container c) {
    synchronized (booted().kernel().tasks().mu) {
      return c.pids.threadGroups();
    }
  }

  private ThreadGroup group(Container c, int pid) {
    synchronized (booted().kernel().tasks().mu) {
      ThreadGroup g = c.pids.threadGroup(pid);
      if (g == null) {
        throw new ControlException(Errno.ESRCH, "no process " + pid + " in container " + c.id);
      }
      return g;
    }
  }

  @Override
  public void onExit(String containerId, int pid, ExitListener listener) {
    Running r = running(containerId);
    ThreadGroup g;
    if (pid == 0) {
      g = r.first.threadGroup();
    } else {
      int code = ended.get(containerId, pid);
      if (code >= 0) {
        listener.exited(code);
        return;
      }
      g = group(r.container, pid);
    }
    Processes.onExit(g, status -> listener.exited(exitCodeOf(status)));
  }

  /** {@return the shell's view of a wait status}: the code, or 128 + the signal */
  private static int exitCodeOf(int status) {
    return (status & 0x7f) == 0 ? status >> 8 & 0xff : 128 + (status & 0x7f);
  }

  @Override
  public OomKills oomKills(String containerId) {
    return running(containerId).oomKills;
  }

  @Override
  public List<ProcessInfo> ps(String containerId) {
    List<ProcessInfo> out = new ArrayList<>();
    long boot = booted().kernel().bootNs();
    for (ThreadGroup g : groups(running(containerId).container)) {
      Task leader = g.leader();
      out.add(
          new ProcessInfo(
              g.tgid(),
              g.ppid(),
              leader.creds().euid,
              String.valueOf(leader.stateLetter()),
              g.taskCount(),
              g.cpuNs(),
              g.startNs - boot,
              residentBytes(leader),
              g.tty == null ? "?" : "pts",
              command(leader)));
    }
    return out;
  }

  private static long residentBytes(Task t) {
    MemoryUsage u = t.isDead() ? null : t.mm().space().memoryUsage();
    return u == null ? 0 : u.residentBytes();
  }

  private static String command(Task t) {
    byte[] arguments = t.mm().arguments;
    StringBuilder b = new StringBuilder();
    long length = Math.min(arguments.length, t.mm().argEnd - t.mm().argStart);
    for (int i = 0; i < length - 1; i++) {
      b.append(arguments[i] == 0 ? ' ' : (char) (arguments[i] & 0xff));
    }
    return b.isEmpty() ? "[" + t.comm() + "]" : b.toString();
  }

  @Override
  public void pause(String containerId) {
    freeze(containerId, true);
  }

  @Override
  public void resume(String containerId) {
    freeze(containerId, false);
  }

  private void freeze(String containerId, boolean frozen) {
    Running r = running(containerId);
    synchronized (r) {
      if (r.paused == frozen) {
        throw new ControlException(
            Errno.EINVAL,
            "container " + containerId + (frozen ? " is paused already" : " is not paused"));
      }
      r.paused = frozen;
    }
    Processes.freeze(booted().kernel(), r.container, frozen);
  }

  @Override
  public void resize(String containerId, int pid, int rows, int columns) {
    Running r = running(containerId);
    ThreadGroup g = pid == 0 ? r.first.threadGroup() : group(r.container, pid);
    var tty = g.tty;
    if (tty == null) {
      throw new ControlException(Errno.ENOTTY, "the process has no terminal");
    }
    tty.resize(rows, columns);
  }

  @Override
  public SandboxStats stats(String containerId) {
    Running r = running(containerId);
    long processes = 0;
    long threads = 0;
    long cpu = 0;
    long memory = 0;
    long syscalls = 0;
    for (ThreadGroup g : groups(r.container)) {
      if (g.isZombie()) {
        continue;
      }
      processes++;
      cpu += g.cpuNs();
      memory += g.leader().isDead() ? 0 : g.leader().mm().mappedBytes();
      for (Task t : g.tasks()) {
        threads++;
        syscalls += t.syscalls;
      }
    }
    Runtime rt = Runtime.getRuntime();
    return new SandboxStats(
        processes, threads, cpu, memory, rt.totalMemory() - rt.freeMemory(), syscalls);
  }

  @Override
  public String state(String containerId) {
    Running r = running(containerId);
    if (r.first.threadGroup().isZombie()) {
      return "stopped";
    }
    return !r.started ? "created" : r.paused ? "paused" : "running";
  }

  @Override
  public String stacks() {
    return Stacks.describe(booted().kernel());
  }

  @Override
  public String networkReport() {
    return machine.networkReport();
  }

  @Override
  public void capture(Fd socket) {
    machine.capture(socket);
  }

  @Override
  public void forward(String containerId, int port, Fd in, Fd out) {
    Running r;
    try {
      r = running(containerId);
      if (!r.started || r.first.threadGroup().isZombie()) {
        throw new ControlException(Errno.ESRCH, "container " + containerId + " is not running");
      }
    } catch (ControlException e) {
      in.close();
      out.close();
      throw e;
    }
    int e = (int) -PortForward.open(r.first, port, in, out);
    if (e == Errno.ECONNREFUSED) {
      throw new ControlException(e, "nobody listens there in container " + containerId);
    }
    if (e != 0) {
      throw new ControlException(e, "container " + containerId + ": " + Errno.message(e));
    }
  }

  @Override
  public void destroy() {
    Booted b = booted;
    if (b == null) {
      machine.halt(exitCode);
      return;
    }
    long deadline = Clocks.monotonicNs() + 2_000_000_000L;
    for (Running r : containers.values()) {
      killAll(r);
    }
    while (!allDead() && Clocks.monotonicNs() < deadline) {
      java.util.concurrent.locks.LockSupport.parkNanos(5_000_000);
    }
    machine.halt(exitCode);
  }

  private boolean allDead() {
    for (Running r : containers.values()) {
      if (!r.first.threadGroup().isZombie()) {
        return false;
      }
    }
    return true;
  }
}
