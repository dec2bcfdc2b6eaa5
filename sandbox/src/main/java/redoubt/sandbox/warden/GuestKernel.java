package redoubt.sandbox.warden;

import java.lang.foreign.MemorySegment;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Errno;
import redoubt.abi.Nr;
import redoubt.host.Fd;
import redoubt.host.HostLog;
import redoubt.host.Memory;
import redoubt.host.RawSyscall;
import redoubt.p9.P9;
import redoubt.p9.P9Client;
import redoubt.sentry.control.ContainerConfig;
import redoubt.sentry.control.ControlException;
import redoubt.sentry.control.MountConfig;
import redoubt.sentry.control.NetworkConfig;
import redoubt.sentry.control.OomKills;
import redoubt.sentry.control.ProcessConfig;
import redoubt.sentry.control.ProcessInfo;
import redoubt.sentry.control.SandboxConfig;
import redoubt.sentry.control.SandboxOperations;
import redoubt.sentry.control.SandboxStats;
import redoubt.sentry.control.WireReader;
import redoubt.sentry.control.WireWriter;

/** The control protocol's verbs, carried out by the agent of a guest. */
final class GuestKernel implements SandboxOperations, GuestLink.Handler {
  /** A run of tools/dist that only makes the AOT cache: nothing is confined. */
  static final boolean TRAINING = Boolean.getBoolean("redoubt.train");

  private static final int SIGKILL = 9;
  private static final int PROCESSES_LIMIT = 512;
  private static final long DELETE_NS = 5_000_000_000L;
  private static final int WNOHANG = 1;
  private static final int S_IFMT = 0170000;
  private static final int S_IFDIR = 0040000;
  private static final int ENTROPY_BYTES = 64;
  private static final int ANSWER_SECONDS = 15;
  private static final int START_SECONDS = 60;

  private final HostLog log;
  private final Console console;
  private final Timeline timeline;
  private final P9Client gofer;
  private final GuestLink link;
  private final GuestAgent agent;
  private final FuseServer fuse;
  private final Supplier<String> hostReason;
  private final Runnable confine;
  private final String rootDisk;
  private final long bootDeadlineNs;

  private static final class Container {
    final GuestProcess init;
    final List<Integer> mounts;
    final OomKills oomKills = new OomKills();
    final @Nullable P9Client gofer; // its own
    final int goferPid;
    String state = "created";

    Container(GuestProcess init, List<Integer> mounts, @Nullable P9Client gofer, int goferPid) {
      this.init = init;
      this.mounts = mounts;
      this.gofer = gofer;
      this.goferPid = goferPid;
    }
  }

  private final Object mu = new Object();
  private final Map<String, Container> containers = new LinkedHashMap<>(); // guarded by mu
  private final Map<Integer, GuestProcess> processes = new HashMap<>(); // by handle; guarded by mu
  private int lastHandle; // guarded by mu
  private int lastMount; // guarded by mu
  private boolean booted; // guarded by mu
  private boolean ending; // guarded by mu
  private String firstId = ""; // guarded by mu

  /**
   * @param hostReason what the host says of the VMM's end, or an empty text while it runs
   * @param confine gives up this process's rights; called when the first container stands
   */
  GuestKernel(
      GuestLink link,
      P9Client gofer,
      Console console,
      Timeline timeline,
      HostLog log,
      Supplier<String> hostReason,
      Runnable confine,
      int bootSeconds,
      String rootDisk) {
    this.link = link;
    this.gofer = gofer;
    this.console = console;
    this.timeline = timeline;
    this.log = log;
    this.hostReason = hostReason;
    this.confine = confine;
    this.rootDisk = rootDisk;
    this.bootDeadlineNs = System.nanoTime() + bootSeconds * 1_000_000_000L;
    this.agent = new GuestAgent(link);
    this.fuse = new FuseServer(gofer, link, log);
    var reader = new Thread(null, this::receive, "link", 256 << 10);
    reader.setDaemon(true);
    reader.start();
  }

  private void receive() {
    String why;
    try {
      why = link.receive(this);
    } catch (RuntimeException | LinkageError e) {
      why = "internal error in the warden: " + e;
    }
    agent.gone(why);
    boolean tell;
    synchronized (mu) {
      tell = booted && !ending;
      ending = true;
    }
    if (tell) {
      log.line("warden: fatal: " + failure("the guest ended", why));
      halt(128 + SIGKILL);
    }
  }

  /** {@return one line: what failed, at which stage, the host's reason, the last console lines} */
  private String failure(String what, String why) {
    String reason = hostReason.get();
    String lines = console.lastLines(4);
    return what
        + " (stage: "
        + timeline.stage()
        + "; "
        + (reason.isEmpty() ? why : reason)
        + ")"
        + (lines.isEmpty() ? "" : "; its last lines: " + lines);
  }

  static void halt(int code) {
    if (TRAINING) {
      Runtime.getRuntime().halt(code); // the JVM writes its AOT cache on the way
    }
    RawSyscall.syscall(Nr.EXIT_GROUP, code);
  }

  @Override
  public void frame(int type, int id, MemorySegment payload, int length) {
    switch (type) {
      case Protocol.FUSE -> fuse.request(id, payload, length);
      case Protocol.DATA, Protocol.END, Protocol.CREDIT -> {
        GuestProcess p = process(id >>> 2);
        if (p != null && (id & 3) <= Protocol.STDERR) {
          p.frame(type, id & 3, payload, length);
        }
      }
      case Protocol.READY -> {
        if (id == 1) {
          timeline.mark("agent");
        }
        agent.frame(type, id, payload, length);
      }
      case Protocol.OK, Protocol.ERROR -> agent.frame(type, id, payload, length);
      case Protocol.EXITED -> {
        GuestProcess p = process(id);
        if (p != null) {
          // A field: tag, length 8, number.
          int code = length >= 13 ? payload.get(Memory.BYTE, 5) & 0xff : 255;
          p.exited(code);
        }
      }
      case Protocol.OOM -> {
        GuestProcess p = process(id);
        Container c = p == null ? null : container(p.container);
        if (c != null && length >= 13) {
          c.oomKills.reached(payload.get(Memory.INT, 5));
        }
      }
      default -> throw new GuestLink.ProtocolException("frame type " + type);
    }
  }

  private @Nullable Container container(String id) {
    synchronized (mu) {
      return containers.get(id);
    }
  }

  @Override
  public OomKills oomKills(String containerId) {
    Container c = container(containerId);
    if (c == null) {
      throw new ControlException(Errno.ENOENT, "container " + containerId + " is not here");
    }
    return c.oomKills;
  }

  private @Nullable GuestProcess process(int handle) {
    synchronized (mu) {
      return processes.get(handle);
    }
  }

  @Override
  public void boot(SandboxConfig config, List<Fd> fds) {
    try {
      if (!agent.awaitReady(bootDeadlineNs)) {
        closeAll(fds);
        boolean late = System.nanoTime() >= bootDeadlineNs;
        throw new ControlException(
            Errno.EIO,
            failure(
                late ? "the guest did not boot in time" : "the guest ended while it booted",
                late ? "it hangs" : "its end of the link is closed"));
      }
      greet();
      synchronized (mu) {
        firstId = config.container().id();
      }
      create(config.container(), fds);
      timeline.mark("created");
      synchronized (mu) {
        booted = true;
        Container first = containers.get(config.container().id());
        if (first != null) {
          first.init.onExitLast(this::end);
        }
      }
      confine.run();
    } catch (ControlException e) {
      if (e.errno() == Errno.EPIPE || e.errno() == Errno.ETIMEDOUT) {
        throw new ControlException(
            Errno.EIO, failure("the guest failed while it booted", String.valueOf(e.getMessage())));
      }
      throw e;
    }
  }

  boolean isBooted() {
    synchronized (mu) {
      return booted;
    }
  }

  private void end(int code) {
    synchronized (mu) {
      ending = true;
    }
    halt(code);
  }

  private void greet() {
    Instant now = Instant.now();
    byte[] entropy = new byte[ENTROPY_BYTES];
    MemorySegment random = Memory.mapAnonymous(ENTROPY_BYTES);
    RawSyscall.syscall(Nr.GETRANDOM, random.address(), ENTROPY_BYTES, 0);
    MemorySegment.copy(
        random, java.lang.foreign.ValueLayout.JAVA_BYTE, 0, entropy, 0, ENTROPY_BYTES);
    Memory.unmap(random);
    var hello =
        new WireWriter()
            .number(1, Protocol.VERSION)
            .number(2, now.getEpochSecond() * 1_000_000_000L + now.getNano())
            .bytes(3, entropy);
    link.send(Protocol.HELLO, 0, hello.toBytes());
    WireReader answer = agent.awaitGreeting(bootDeadlineNs);
    long version = 0;
    while (answer.next()) {
      switch (answer.tag()) {
        case 1 -> version = answer.number();
        case 2 -> timeline.guestUptime(answer.number());
        case 3 -> timeline.release(answer.string());
        default -> {}
      }
    }
    if (version != Protocol.VERSION) {
      throw new ControlException(
          Errno.EPROTO,
          "the guest's agent speaks version "
              + version
              + " of the protocol, not "
              + Protocol.VERSION
              + ": remove the cached initramfs");
    }
    timeline.mark("hello");
  }

  @Override
  public void create(ContainerConfig config, List<Fd> fds) {
    P9Client own = null;
    var files = new ArrayList<Fd>(fds);
    if (config.gofer() != 0 && !files.isEmpty()) {
      own = furtherGofer(config.id(), files.removeLast());
    }
    var attached = new ArrayList<Integer>();
    try {
      create(config, files, own, attached);
    } catch (RuntimeException e) {
      attached.forEach(fuse::detach);
      endGofer(own, config.gofer());
      throw e;
    }
  }

  private P9Client furtherGofer(String containerId, Fd socket) {
    var client =
        new P9Client(
            socket,
            P9.MSIZE_MAX,
            new P9Client.Listener() {
              @Override
              public void log(String line) {
                log.line("warden: container " + containerId + ": " + line);
              }

              @Override
              public void disconnected() {
                goferLost(containerId);
              }
            });
    client.startWatcher();
    return client;
  }

  /** Without its files a container is of no use. */
  private void goferLost(String containerId) {
    synchronized (mu) {
      Container c = containers.get(containerId);
      if (c == null || c.init.hasEnded()) {
        return;
      }
    }
    try {
      signal(containerId, -1, SIGKILL);
    } catch (ControlException e) {
      log.line("warden: container " + containerId + ", which lost its gofer: " + e.getMessage());
    }
  }

  /** A gofer ends with its socket; it is this process's child. */
  private static void endGofer(@Nullable P9Client gofer, int pid) {
    if (gofer == null) {
      return;
    }
    Runnable end =
        () -> {
          gofer.close();
          for (int i = 0; i < 500; i++) {
            if (RawSyscall.syscall(Nr.WAIT4, pid, 0, WNOHANG, 0) != 0) {
              return;
            }
            java.util.concurrent.locks.LockSupport.parkNanos(20_000_000);
          }
        };
    var thread = new Thread(null, end, "gofer-end", 96 << 10);
    thread.setDaemon(true);
    thread.start();
  }

  @Override
  public void delete(String containerId) {
    Container c;
    synchronized (mu) {
      c = containers.get(containerId);
      if (c == null) {
        throw new ControlException(Errno.ENOENT, "container " + containerId + " is not here");
      }
      if (containerId.equals(firstId)) {
        throw new ControlException(Errno.EBUSY, "the first container goes with the sandbox");
      }
    }
    long deadline = System.nanoTime() + DELETE_NS;
    while (true) {
      try {
        agent.call(Protocol.REMOVE, named(containerId), ANSWER_SECONDS);
        break;
      } catch (ControlException e) {
        if (e.errno() == Errno.ENOENT) {
          break; // it never ran
        }
        // Its processes are being killed.
        if (e.errno() != Errno.EBUSY || System.nanoTime() > deadline) {
          throw e;
        }
        java.util.concurrent.locks.LockSupport.parkNanos(5_000_000);
      }
    }
    synchronized (mu) {
      containers.remove(containerId);
      processes
          .values()
          .removeIf(p -> {
            boolean its = p.container.equals(containerId);
            if (its) {
              p.exited(128 + SIGKILL); // unless it has said how
            }
            return its;
          });
    }
    c.mounts.forEach(fuse::detach);
    endGofer(c.gofer, c.goferPid);
  }

  private void create(
      ContainerConfig config, List<Fd> fds, @Nullable P9Client own, List<Integer> attached) {
    checkDescriptors(config.process(), fds);
    var request = new WireWriter().record(1, config.write());
    var mounts = new ArrayList<MountConfig>(config.mounts());
    mounts.addFirst(config.root());
    GuestProcess init;
    synchronized (mu) {
      if (containers.containsKey(config.id())) {
        closeAll(fds);
        throw new ControlException(
            Errno.EEXIST, "container " + config.id() + " is in the sandbox already");
      }
    }
    try {
      for (MountConfig mount : mounts) {
        if (mount.type().equals("gofer")) {
          request.record(4, attach(own, mount, mount == config.root(), attached));
        }
      }
    } catch (ControlException e) {
      closeAll(fds);
      throw e;
    }
    timeline.mark("files");
    init = newProcess(config.id(), config.process(), fds);
    request.number(3, init.handle);
    try {
      agent.call(Protocol.CREATE, request, START_SECONDS);
    } catch (ControlException e) {
      drop(init, fds);
      throw e;
    }
    init.pid = 1;
    synchronized (mu) {
      containers.put(config.id(), new Container(init, List.copyOf(attached), own, config.gofer()));
    }
    init.onExit(code -> setState(config.id(), "stopped"));
    init.begin();
  }

  private WireWriter attach(
      @Nullable P9Client own, MountConfig mount, boolean isRoot, List<Integer> attached) {
    int index;
    synchronized (mu) {
      index = ++lastMount;
    }
    if (isRoot && own == null && !rootDisk.isEmpty()) {
      var disk = new WireWriter().string(1, mount.attach()).number(2, index);
      return disk.flag(3, true).string(5, rootDisk);
    }
    boolean readonly = mount.overlay() || (mount.flags() & 1) != 0;
    long mode =
        fuse.attach(own == null ? gofer : own, index, mount.attach(), readonly, mount.overlay());
    if (mode < 0) {
      throw new ControlException(
          (int) -mode, "attach point " + mount.attach() + ": " + Errno.message((int) -mode));
    }
    attached.add(index);
    return new WireWriter()
        .string(1, mount.attach())
        .number(2, index)
        .flag(3, (mode & S_IFMT) == S_IFDIR)
        .flag(4, !readonly);
  }

  private static void checkDescriptors(ProcessConfig process, List<Fd> fds) {
    if (!process.terminal() && fds.size() > 3) {
      closeAll(fds);
      throw new ControlException(
          Errno.EOPNOTSUPP,
          "--preserve-fds: a guest with a Linux kernel of its own cannot hold the host's descriptors");
    }
  }

  private GuestProcess newProcess(String container, ProcessConfig config, List<Fd> fds) {
    synchronized (mu) {
      // Who started one may ask late how it ended: only a full table is tidied.
      if (processes.size() >= PROCESSES_LIMIT / 2) {
        processes.values().removeIf(p -> p.hasEnded() && p.pid != 1 && p.handle + 64 < lastHandle);
      }
      if (processes.size() >= PROCESSES_LIMIT) {
        closeAll(fds);
        throw new ControlException(Errno.EAGAIN, "too many processes of the host's in the guest");
      }
      // Channels are handle << 2 | stream, in 32 bits.
      lastHandle = lastHandle + 1 & 0xfffffff;
      var process = new GuestProcess(lastHandle, container, link, config.terminal(), fds);
      processes.put(process.handle, process);
      return process;
    }
  }

  private void drop(GuestProcess process, List<Fd> fds) {
    synchronized (mu) {
      processes.remove(process.handle);
    }
    closeAll(fds);
  }

  private static void closeAll(List<Fd> fds) {
    for (Fd fd : fds) {
      fd.close();
    }
  }

  private static WireWriter named(String containerId) {
    return new WireWriter().string(1, containerId);
  }

  private void setState(String containerId, String state) {
    synchronized (mu) {
      Container c = containers.get(containerId);
      if (c != null) {
        c.state = state;
      }
    }
  }

  @Override
  public void start(String containerId) {
    agent.call(Protocol.START, named(containerId), START_SECONDS);
    setState(containerId, "running");
    timeline.mark("started");
  }

  @Override
  public int exec(String containerId, ProcessConfig config, List<Fd> fds) {
    checkDescriptors(config, fds);
    GuestProcess process = newProcess(containerId, config, fds);
    var request = named(containerId).record(2, config.write()).number(3, process.handle);
    try {
      WireReader answer = agent.call(Protocol.EXEC, request, START_SECONDS);
      while (answer.next()) {
        if (answer.tag() == 1) {
          process.pid = answer.int32();
        }
      }
    } catch (ControlException e) {
      drop(process, fds);
      throw e;
    }
    process.begin();
    return process.pid;
  }

  @Override
  public void signal(String containerId, int pid, int signal) {
    agent.call(
        Protocol.SIGNAL, named(containerId).number(2, pid).number(3, signal), ANSWER_SECONDS);
  }

  @Override
  public void onExit(String containerId, int pid, ExitListener listener) {
    GuestProcess found = null;
    synchronized (mu) {
      if (pid == 0) {
        Container c = containers.get(containerId);
        found = c == null ? null : c.init;
      } else {
        for (GuestProcess p : processes.values()) {
          // The latest, should the guest have used a pid again.
          if (p.container.equals(containerId)
              && p.pid == pid
              && (found == null || p.handle > found.handle)) {
            found = p;
          }
        }
      }
    }
    if (found == null) {
      throw new ControlException(Errno.ESRCH, "no process " + pid + " in " + containerId);
    }
    found.onExit(listener);
  }

  @Override
  public List<ProcessInfo> ps(String containerId) {
    WireReader answer = agent.call(Protocol.PS, named(containerId), ANSWER_SECONDS);
    var list = new ArrayList<ProcessInfo>();
    while (answer.next()) {
      if (answer.tag() == 1) {
        list.add(ProcessInfo.read(answer.record()));
      }
    }
    return list;
  }

  @Override
  public void pause(String containerId) {
    agent.call(Protocol.PAUSE, named(containerId), ANSWER_SECONDS);
    setState(containerId, "paused");
  }

  @Override
  public void resume(String containerId) {
    agent.call(Protocol.RESUME, named(containerId), ANSWER_SECONDS);
    setState(containerId, "running");
  }

  @Override
  public void resize(String containerId, int pid, int rows, int columns) {
    var request = named(containerId).number(2, pid).number(3, rows).number(4, columns);
    agent.call(Protocol.RESIZE, request, ANSWER_SECONDS);
  }

  @Override
  public void network(NetworkConfig config, List<Fd> fds) {
    closeAll(fds); // the guest's frames go through the VMM's devices
    var request = new WireWriter().record(1, config.write());
    agent.call(Protocol.NETWORK, request, ANSWER_SECONDS);
    timeline.mark("network");
  }

  @Override
  public SandboxStats stats(String containerId) {
    WireReader answer = agent.call(Protocol.STATS, named(containerId), ANSWER_SECONDS);
    SandboxStats inside = SandboxStats.read(new WireReader(new byte[0]));
    while (answer.next()) {
      if (answer.tag() == 1) {
        inside = SandboxStats.read(answer.record());
      }
    }
    Runtime runtime = Runtime.getRuntime();
    return new SandboxStats(
        inside.processes(),
        inside.threads(),
        inside.cpuTimeNs(),
        inside.guestMemoryBytes(),
        runtime.totalMemory() - runtime.freeMemory(),
        0);
  }

  @Override
  public String state(String containerId) {
    synchronized (mu) {
      Container c = containers.get(containerId);
      return c == null ? "stopped" : c.state;
    }
  }

  @Override
  public String stacks() {
    var out = new StringBuilder();
    out.append("warden's threads:\n");
    Thread.getAllStackTraces()
        .forEach((thread, stack) -> {
          out.append("  ").append(thread.getName()).append('\n');
          for (StackTraceElement element : stack) {
            out.append("    at ").append(element).append('\n');
          }
        });
    return out.append("files held for the guest: ")
        .append(gofer.fidCount())
        .append('\n')
        .toString();
  }

  @Override
  public String console() {
    return console.text();
  }

  @Override
  public String timeline() {
    return timeline.text();
  }

  @Override
  public void destroy() {
    synchronized (mu) {
      ending = true;
    }
    halt(128 + SIGKILL);
  }
}
