package redoubt.sentry.kernel;

import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import redoubt.sentry.mm.MemoryFile;
import redoubt.sentry.platform.Platform;
import redoubt.sentry.vfs.SpecialFiles;

/** One sandbox's kernel: what all its containers share. */
public final class Kernel {
  /** uname -r. Linux 6.12 is the surface that we aim at. */
  public static final String RELEASE = "6.12.0-redoubt";

  /** uname -v. */
  public static final String VERSION = "#1 SMP PREEMPT_DYNAMIC Redoubt 0.1.0";

  private final Platform platform;
  private final MemoryFile memoryFile;
  private final Dispatcher dispatcher;
  private final TaskSet tasks = new TaskSet();
  private final SpecialFiles specialFiles = new SpecialFiles();
  private final FutexTable futexes = new FutexTable();
  private final TimerWheel timers = new TimerWheel();
  private final TaskThreads threads;
  private final long bootNs = Clocks.monotonicNs();
  private final KernelLog log = new KernelLog(bootNs);
  private final AtomicLong nextInode = new AtomicLong(1);
  private final ConcurrentHashMap<String, Container> containers = new ConcurrentHashMap<>();

  /**
   * Objects that subsystems keep once per kernel (pipe filesystem, socket stack, …), by their
   * class.
   */
  private final ConcurrentHashMap<Class<?>, Object> subsystems = new ConcurrentHashMap<>();

  /** Bytes of guest memory to report as the machine's. */
  public volatile long totalMemoryBytes;

  /** AT_HWCAP and AT_HWCAP2 of the host, passed on: guest code runs on its CPU. */
  public volatile long hwcap;

  public volatile long hwcap2;

  /** Whether guests have io_uring: --io-uring. */
  public volatile boolean hasIoUring;

  /** CPUs to report. */
  public volatile int cpus = Runtime.getRuntime().availableProcessors();

  /** What tasks that wait for frames from outside look after; null without such a link. */
  public volatile Waiter.@Nullable Watch linkWatch;

  /** Observer of every system call, or null when --strace is off. */
  public volatile @Nullable SyscallObserver observer;

  public Kernel(Platform platform, MemoryFile memoryFile, Dispatcher dispatcher) {
    this.dispatcher = dispatcher;
    this.threads = new TaskThreads();
    this.platform = platform;
    this.memoryFile = memoryFile;
  }

  public Platform platform() {
    return platform;
  }

  public MemoryFile memoryFile() {
    return memoryFile;
  }

  Dispatcher dispatcher() {
    return dispatcher;
  }

  public TaskSet tasks() {
    return tasks;
  }

  public SpecialFiles specialFiles() {
    return specialFiles;
  }

  public FutexTable futexes() {
    return futexes;
  }

  public TimerWheel timers() {
    return timers;
  }

  TaskThreads threads() {
    return threads;
  }

  public KernelLog log() {
    return log;
  }

  public long bootNs() {
    return bootNs;
  }

  /** {@return an inode number that no other file of the kernel's own has} */
  public long nextInode() {
    return nextInode.getAndIncrement();
  }

  public ConcurrentHashMap<String, Container> containers() {
    return containers;
  }

  /** {@return the kernel's one {@code type}}, registered by {@link #register} at boot */
  public <T> T subsystem(Class<T> type) {
    Object o = subsystems.get(type);
    if (o == null) {
      throw new IllegalStateException("no " + type.getName() + " in this kernel");
    }
    return type.cast(o);
  }

  /** {@return the kernel's one {@code type}, or null if it has none} */
  public <T> @Nullable T subsystemOrNull(Class<T> type) {
    Object o = subsystems.get(type);
    return o == null ? null : type.cast(o);
  }

  /** {@return the kernel's one {@code type}}, made by {@code maker} at first use */
  public <T> T subsystemOrNew(Class<T> type, java.util.function.Supplier<T> maker) {
    return type.cast(subsystems.computeIfAbsent(type, k -> maker.get()));
  }

  /** Makes {@code instance} available as {@link #subsystem}. */
  public <T> void register(Class<T> type, T instance) {
    subsystems.put(type, instance);
  }
}
