package redoubt.sentry.kernel;

import static redoubt.abi.Errno.EBADF;
import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.EINTR;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ENAMETOOLONG;
import static redoubt.abi.Errno.ENOENT;
import static redoubt.abi.Errno.ERESTARTSYS;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Fcntl;
import redoubt.abi.Nr;
import redoubt.abi.Resource;
import redoubt.abi.Time;
import redoubt.host.Memory;
import redoubt.host.Region;
import redoubt.host.ThreadAffinity;
import redoubt.sentry.kernel.cgroup.Cgroup;
import redoubt.sentry.mm.MemoryManager;
import redoubt.sentry.platform.GuestContext;
import redoubt.sentry.platform.MemoryUsage;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.MountNamespace;
import redoubt.sentry.vfs.StatData;
import redoubt.sentry.vfs.VfsPath;

/**
 * A guest thread as the kernel sees it: Linux's task_struct. Each runs on a Java thread of its own
 * ({@link TaskLoop}), which alone touches the fields without a guard named; others go through
 * {@link #interrupt}, signals and {@code TaskSet.mu}.
 *
 * <p>System call methods get the calling task. What they use most is here: descriptors, user
 * memory, blocking.
 */
public final class Task {
  /** What a process may have mapped and not be asked about when it ends. */
  private static final long SMALL_BYTES = 32 << 20;

  /** In so little CPU time nobody touches more than that. */
  private static final long SHORT_NS = 4_000_000;

  /** PATH_MAX, with the NUL. */
  public static final int PATH_MAX = 4096;

  private static final long[] NO_VECTORS = {};
  private static final int[] NO_WORDS = {};

  private static final ThreadLocal<@Nullable Task> CURRENT = new ThreadLocal<>();

  private final Kernel kernel;
  private final ThreadGroup group;
  private volatile Pid pid;
  private final Waiter waiter = new Waiter();
  private final Waiter.Entry waitEntry = new Waiter.Entry(waiter);
  private final UserIo userIo = new UserIo(this);
  private final FutexTable.FutexWaiter futexWaiter = new FutexTable.FutexWaiter(this);
  private final FutexTable.Key futexKey = new FutexTable.Key();
  final Args args = new Args();
  private final StatData statData = new StatData();
  private @Nullable Region scratch;
  private long[] vectors = NO_VECTORS;

  private volatile MemoryManager mm;

  /** What fdget gave, for which descriptor, and whether with a reference. */
  private @Nullable FileDescription got;

  private int gotFd;
  private boolean gotCounted;

  private volatile GuestContext context; // exec makes a new one
  private volatile FdTable fds;
  private volatile FsContext fs;
  private volatile Credentials creds;
  private volatile Namespaces namespaces;
  private final Object answersMu = new Object();

  /** The command name (16 bytes with the NUL): prctl(PR_SET_NAME), /proc/PID/comm. */
  private volatile String comm = "";

  // Signals; guarded by handlers.mu unless only this task's thread uses them.
  final PendingSignals pending = new PendingSignals();
  volatile long signalMask;
  long savedMask;
  boolean restoreMask;

  /** Signals that sigtimedwait waits for right now. */
  volatile long awaitedSignals;

  private long altStack;
  private long altStackSize;
  private int altStackFlags = redoubt.abi.Signal.SS_DISABLE;

  /**
   * Set when the registers hold something else than a call's caller: after sigreturn, exec, a
   * handler's frame.
   */
  public boolean registersReplaced;

  /** Who traces this task; changed under {@code TaskSet.mu}. */
  volatile @Nullable Tracing tracing;

  /** What of {@link #WATCHED_TRACER} and {@link #WATCHED_FILTER} there is. */
  private final java.util.concurrent.atomic.AtomicInteger watched =
      new java.util.concurrent.atomic.AtomicInteger();

  static final int WATCHED_TRACER = 1;
  static final int WATCHED_FILTER = 2;

  /** The number of the call that the registers come from, or -1: orig_rax. */
  private volatile long originalCall = -1;

  /** execve(2) has given the task another program during this call. */
  boolean execed;

  /** Filters on its calls; changed under {@code TaskSet.mu}. */
  volatile @Nullable SeccompFilter seccomp;

  volatile int seccompMode;
  private int[] bpfScratch = NO_WORDS;
  private int[] seccompData = NO_WORDS;

  // Life.
  int exitStatus;

  /** Killed by others or by SIGKILL: no stop holds it any more. */
  volatile boolean killedHard;

  volatile boolean killed;
  volatile boolean dead;

  /** Cleared and woken at exit (CLONE_CHILD_CLEARTID, set_tid_address). */
  public long clearChildTid;

  public long robustList;
  public int parentDeathSignal;
  public int niceness;
  public long timerSlackNs = 50_000;

  /** What PR_SET_TIMERSLACK with 0 goes back to: the creator's value. */
  public long defaultTimerSlackNs = 50_000;

  public int personality;

  /** Waits for this task's exec or exit: the parent in vfork(2). */
  volatile @Nullable Task vforkParent;

  /** What a call interrupted with ERESTART_RESTARTBLOCK goes on with. */
  public @Nullable RestartBlock restartBlock;

  /** Why it parks before it enters the guest: bits of HALT_*. */
  private final java.util.concurrent.atomic.AtomicInteger halted =
      new java.util.concurrent.atomic.AtomicInteger();

  /** By redoubt pause. */
  static final int HALT_PAUSED = 1;

  /** Another thread of its process writes a core file. */
  static final int HALT_DUMPED = 2;

  /** By its control group: cgroup.freeze. */
  static final int HALT_FROZEN = 4;

  /** By its control group, which has used its share of the CPUs. */
  static final int HALT_THROTTLED = 8;

  /** Its control group; changed under {@code TaskSet.mu}. */
  volatile Cgroup cgroup;

  /** Counts among those that stand still for their group; guarded by {@code TaskSet.mu}. */
  volatile boolean parked;

  /** The call in progress, for /proc/PID/syscall and redoubt debug; -1 when in the guest. */
  int currentSyscall = -1;

  /**
   * Set while an observer wants to see at the call's end what the call wrote: nothing is queued.
   */
  boolean copiesNow;

  volatile @Nullable Thread javaThread;

  /** The host's number of {@link #javaThread}, 0 for none, and its CPU time when it began here. */
  private volatile int hostTid;

  private volatile long systemBeginNs;
  public volatile long voluntarySwitches;
  public long syscalls;

  /**
   * SCHED_*, real-time priority and SCHED_RESET_ON_FORK as the guest set them; the host schedules.
   */
  public volatile int schedPolicy;

  public volatile int schedPriority;
  public volatile boolean schedResetOnFork;

  /** set_mempolicy(2)'s mode and nodes. */
  public int memoryPolicy;

  public long memoryNodes;

  /** ioprio_set(2)'s value. */
  public volatile int ioPriority;

  /** CPU affinity mask as the guest set it. */
  public volatile long affinity = -1;

  /** Keyrings: owned by {@link Keys}. */
  @Nullable Object keyrings;

  /** Work for this task to do on its way to the guest. */
  public volatile @Nullable TaskWork taskWork;

  /**
   * Set while {@link #block} gives -EAGAIN at once: a call is tried that may not wait. Its own
   * thread's.
   */
  public boolean neverBlocks;

  /** What {@link #FIXED_FD} stands for during a call that io_uring makes, else null. */
  public @Nullable FileDescription fixedFile;

  /** A number that stands for {@link #fixedFile} in the arguments of a call. */
  public static final int FIXED_FD = Integer.MIN_VALUE;

  /** What poll(2) and select(2) keep between calls; made at first use. */
  public @Nullable Object pollState;

  /** Buffers of the socket calls; made at first use. */
  public @Nullable Object socketState;

  /** Continues an interrupted call with what is left of its timeout. */
  public interface RestartBlock {
    long restart(Task t);
  }

  Task(
      Kernel kernel,
      @Nullable ThreadGroup group,
      Pid pid,
      Container container,
      Namespaces namespaces,
      TaskImage image) {
    this.kernel = kernel;
    this.pid = pid;
    this.group = group != null ? group : new ThreadGroup(kernel, pid, container, this);
    this.cgroup = container.cgroup;
    this.namespaces = namespaces.hold();
    image.creds.userNs.hold();
    this.mm = image.mm;
    this.context = image.context;
    this.fds = image.fds;
    this.fs = image.fs;
    this.creds = image.creds;
  }

  /** What a new task is made of. */
  record TaskImage(
      MemoryManager mm, GuestContext context, FdTable fds, FsContext fs, Credentials creds) {}

  // ---- who and where ----

  /** {@return the task whose thread this is, or null} For what happens far from any task. */
  public static @Nullable Task current() {
    return CURRENT.get();
  }

  static void setCurrent(@Nullable Task t) {
    if (t == null) {
      CURRENT.remove();
    } else {
      CURRENT.set(t);
    }
  }

  public Kernel kernel() {
    return kernel;
  }

  public ThreadGroup threadGroup() {
    return group;
  }

  /** {@return the thread id in its own pid namespace} */
  public int tid() {
    return pid.number();
  }

  public Pid pid() {
    return pid;
  }

  /** {@return the thread id as {@code viewer} knows it, or 0} */
  public int tidIn(PidNamespace viewer) {
    return pid.in(viewer);
  }

  public int tgid() {
    return group.tgid();
  }

  /** execve by another thread than the leader: the process goes on under the leader's number. */
  void takeLeaderPid(Pid leader) {
    pid = leader;
    publishAnswers();
  }

  public boolean isLeader() {
    return group.leader == this;
  }

  public Container container() {
    return group.container;
  }

  public MountNamespace mountNamespace() {
    return namespaces.mounts;
  }

  public UtsNamespace uts() {
    return namespaces.uts;
  }

  public Namespaces namespaces() {
    return namespaces;
  }

  /** Takes {@code n} over; only for the task itself. */
  public void setNamespaces(Namespaces n) {
    Namespaces old = namespaces;
    namespaces = n.hold();
    old.drop();
  }

  /** Its last act: it uses no namespace any more. */
  void leaveNamespaces() {
    namespaces.drop();
    creds.userNs.drop();
  }

  public UserNamespace userNamespace() {
    return creds.userNs;
  }

  public PidNamespace pidNamespace() {
    return group.pidNamespace();
  }

  public Credentials creds() {
    return creds;
  }

  public void setCreds(Credentials c) {
    UserNamespace old = creds.userNs;
    if (c.userNs != old) {
      c.userNs.hold();
      creds = c;
      old.drop();
    } else {
      creds = c;
    }
    publishAnswers();
  }

  /**
   * Leaves with the platform the answers of calls that need no kernel, where nobody wants to see
   * them. To be called when one of them changes; any thread.
   */
  void publishAnswers() {
    synchronized (answersMu) {
      GuestContext c = context;
      if (!mayAnswer()) {
        c.clearAnswers();
        return;
      }
      Credentials id = creds;
      c.delegate();
      c.setAnswer(Nr.GETPID, tgid());
      c.setAnswer(Nr.GETTID, tid());
      c.setAnswer(Nr.GETPPID, group.ppid());
      UserNamespace ns = id.userNs;
      c.setAnswer(Nr.GETUID, ns.uidShown(id.ruid) & 0xffff_ffffL);
      c.setAnswer(Nr.GETEUID, ns.uidShown(id.euid) & 0xffff_ffffL);
      c.setAnswer(Nr.GETGID, ns.gidShown(id.rgid) & 0xffff_ffffL);
      c.setAnswer(Nr.GETEGID, ns.gidShown(id.egid) & 0xffff_ffffL);
    }
  }

  public FsContext fs() {
    return fs;
  }

  void setFs(FsContext f) {
    fs = f;
  }

  public FdTable fds() {
    return fds;
  }

  void setFds(FdTable f) {
    fds = f;
  }

  /**
   * Ends the sharing of descriptors with other tasks, if there is any: CLONE_FILES of unshare(2).
   */
  public void unshareFiles() {
    FdTable old = fds;
    if (old.isShared()) {
      fds = old.copy();
      old.leave(this);
    }
  }

  /** Ends the sharing of root, working directory and umask: CLONE_FS of unshare(2). */
  public void unshareFs() {
    FsContext old = fs;
    if (old.isShared()) {
      fs = old.copy();
      old.leave();
    }
  }

  /** {@return where stat(2) collects attributes}, reused by every call */
  public StatData statData() {
    return statData;
  }

  public MemoryManager mm() {
    return mm;
  }

  public GuestContext context() {
    return context;
  }

  void setImage(MemoryManager newMm, GuestContext newContext) {
    group.addDeadCpu(Math.max(0, context.cpuTimeNs()));
    mm = newMm;
    context = newContext;
    publishAnswers();
  }

  public String comm() {
    return comm;
  }

  public void setComm(String name) {
    comm = name.length() > 15 ? name.substring(0, 15) : name;
  }

  public boolean isDead() {
    return dead;
  }

  /** {@return the number of the call in progress, or -1} */
  public int currentSyscall() {
    return currentSyscall;
  }

  public Args args() {
    return args;
  }

  public @Nullable Thread javaThread() {
    return javaThread;
  }

  /**
   * Notes how much memory its process occupies, for ru_maxrss. Takes 50 us: no lock may be held.
   */
  public void noteResident() {
    MemoryUsage u = mm.space().memoryUsage();
    group.sawResident(u == null ? mm.mappedBytes() : u.residentBytes());
  }

  /**
   * As {@link #noteResident}, of a process that ends after {@code cpuNs} of CPU time: a small one
   * is taken to have touched all that it mapped, one that did next to nothing not more than that.
   */
  void noteResidentAtEnd(long cpuNs) {
    long mapped = mm.mappedBytes();
    if (mapped > SMALL_BYTES && cpuNs >= SHORT_NS) {
      noteResident();
    } else {
      group.sawResident(Math.min(mapped, SMALL_BYTES));
    }
  }

  /** The calling thread runs this task from now on. */
  void beginsHere() {
    javaThread = Thread.currentThread();
    systemBeginNs = Clocks.hostClockNs(Time.CLOCK_THREAD_CPUTIME_ID);
    hostTid = ThreadAffinity.self();
  }

  /** The calling thread has run this task to its end. */
  void endsHere() {
    hostTid = 0;
    javaThread = null;
  }

  /** {@return CPU time that the sentry spent for it in ns}; 0 when it has ended */
  public long systemNs() {
    int tid = hostTid;
    return tid == 0 ? 0 : Math.max(0, CpuClock.hostThreadNs(tid) - systemBeginNs);
  }

  /**
   * {@return CPU time spent in the guest in ns}, by its own thread's clock; takes some 50 us in a
   * process of several threads, so no lock may be held
   */
  public long threadCpuNs() {
    if (dead) {
      return 0;
    }
    long own = group.hadThreads ? context.threadCpuTimeNs() : group.cpuNs();
    return own < 0 ? cpuNs() : own;
  }

  /**
   * {@return about its CPU time spent in the guest in ns}: the tasks of one thread group share its
   * time equally; for those who may not wait for {@link #threadCpuNs}
   */
  public long cpuNs() {
    return dead ? 0 : group.taskCpuNs();
  }

  /** {@return R, S, T or Z, as /proc/PID/stat says} */
  public char stateLetter() {
    if (dead || group.isZombie()) {
      return 'Z';
    }
    Tracing tr = tracing;
    if (tr != null && tr.stopped) {
      return 't';
    }
    if (group.isStopped()) {
      return 'T';
    }
    return waiter.isBlocked() ? 'S' : 'R';
  }

  public long signalMask() {
    return signalMask;
  }

  /** {@return signals waiting for this task alone} */
  public long pendingMask() {
    return pending.mask();
  }

  /** {@return whether {@code cap} counts for the whole sandbox}: capable() */
  public boolean hasCapability(int cap) {
    return creds.hasCapability(cap);
  }

  /** {@return whether {@code cap} counts in {@code target}}: ns_capable() */
  public boolean hasCapability(UserNamespace target, int cap) {
    return creds.hasCapability(target, cap);
  }

  // ---- who watches ----

  public @Nullable SeccompFilter seccomp() {
    return seccomp;
  }

  /** {@return SECCOMP_MODE_*} */
  public int seccompMode() {
    return seccompMode;
  }

  /** {@return the scratch words of the filters' programs}, reused by every call */
  int[] bpfScratch() {
    if (bpfScratch.length == 0) {
      bpfScratch = new int[redoubt.abi.Seccomp.BPF_MEMWORDS];
    }
    return bpfScratch;
  }

  /** {@return where a call is described to the filters}, reused by every call */
  int[] seccompData() {
    if (seccompData.length == 0) {
      seccompData = new int[ClassicBpf.DATA_WORDS];
    }
    return seccompData;
  }

  public @Nullable Tracing tracing() {
    return tracing;
  }

  /** {@return whether each call must be seen}: by a tracer or a seccomp filter */
  boolean isWatched() {
    return watched.get() != 0;
  }

  void watched(int bit, boolean on) {
    watched.updateAndGet(w -> on ? w | bit : w & ~bit);
  }

  /** {@return whether it ends as soon as it is back from what it does now} */
  public boolean isKilled() {
    return killed;
  }

  /** {@return the control group that it is in} */
  public Cgroup cgroup() {
    return cgroup;
  }

  /** Sets or clears a HALT_* bit; {@return whether it was different}. Any thread. */
  boolean halt(int bit, boolean on) {
    int before = halted.getAndUpdate(h -> on ? h | bit : h & ~bit);
    return (before & bit) != 0 != on;
  }

  boolean isHalted(int bits) {
    return (halted.get() & bits) != 0;
  }

  boolean isHalted() {
    return halted.get() != 0;
  }

  boolean isKilledHard() {
    return killedHard;
  }

  /** {@return orig_rax}: the call that the registers come from, -1 if it was no call */
  public long originalCall() {
    return originalCall;
  }

  public void setOriginalCall(long nr) {
    originalCall = nr;
  }

  // ---- descriptors ----

  /** {@return the description of {@code fd} with a reference, or null}; the caller calls decRef */
  public @Nullable FileDescription file(int fd) {
    FileDescription f = fds.get(fd);
    return f == null && fd == FIXED_FD ? fixed() : f;
  }

  private @Nullable FileDescription fixed() {
    FileDescription f = fixedFile;
    if (f != null) {
      f.incRef();
    }
    return f;
  }

  /**
   * {@return the description of {@code fd} for the length of a call, or null} Linux's fdget: no
   * reference is counted while the table is this task's alone, for then nobody can close it. Every
   * call that did not return null is followed by {@link #fdput}; there is one at a time.
   */
  public @Nullable FileDescription fdget(int fd) {
    gotCounted = fds.isShared();
    FileDescription f = gotCounted ? fds.get(fd) : fds.peek(fd);
    if (f == null && fd == FIXED_FD) {
      gotCounted = true;
      got = null; // nothing of the platform's knows it by this number
      return fixed();
    }
    got = f;
    gotFd = fd;
    return f;
  }

  /** Ends what {@link #fdget} began. */
  public void fdput(FileDescription f) {
    got = null;
    if (gotCounted) {
      f.decRef();
    }
  }

  /**
   * {@return whether {@code f} came from {@link #fdget} and nobody else has it}: its position needs
   * no lock (Linux's fdget_pos)
   */
  public boolean isSoleUser(FileDescription f) {
    return got == f && !gotCounted && f.refCount() == 1;
  }

  /**
   * Lets the platform answer calls on {@code f} from now on, if the call in progress is one on it
   * (it came from {@link #fdget}) and nobody wants to see them.
   *
   * @param what bits of {@link GuestContext#setStanding}; those that the access mode does not allow
   *     are left out
   * @return the descriptor, or -1 when the answers are not used
   */
  public int offerAnswers(FileDescription f, int what) {
    if (got != f || gotFd >= GuestContext.STANDING_FDS || !mayAnswer()) {
      return -1;
    }
    int reading = GuestContext.READS_ZEROS | GuestContext.READS_NOTHING;
    int allowed =
        what & ~(f.isReadable() ? 0 : reading) & ~(f.isWritable() ? 0 : GuestContext.DISCARDS);
    fds.answersFollow(this, f);
    context.setStanding(gotFd, allowed);
    grantsGiven(f, gotFd);
    return gotFd;
  }

  /**
   * {@return the descriptor on which the context may be granted answers for {@code f}}, or -1; as
   * {@link #offerAnswers}. {@link #grantsGiven} follows.
   */
  int grantsFollow(FileDescription f) {
    if (got != f || gotFd >= GuestContext.STANDING_FDS || !mayAnswer()) {
      return -1;
    }
    fds.answersFollow(this, f);
    return gotFd;
  }

  /** Takes back what should not have been granted after all. */
  void grantsGiven(FileDescription f, int fd) {
    fds.answersGiven(this, fd, f);
    if (!mayAnswer()) {
      context.clearAnswers();
    }
  }

  /** {@return whether no one wants to see each call of this task} */
  private boolean mayAnswer() {
    return kernel.observer == null && !isWatched();
  }

  /**
   * Puts a new description at the lowest free descriptor; on failure the description is closed.
   *
   * @return the descriptor or -EMFILE
   */
  public long installFd(FileDescription file, boolean closeOnExec) {
    long fd = fds.install(file, 0, closeOnExec, group.limits.bound(Resource.RLIMIT_NOFILE));
    if (fd < 0) {
      file.decRef();
    }
    return fd;
  }

  /**
   * {@return where a path that is relative to {@code dirfd} begins}
   *
   * @throws ErrnoException EBADF (ENOTDIR comes from the walk)
   */
  public VfsPath startAt(int dirfd, String path) {
    if (!path.isEmpty() && path.charAt(0) == '/') {
      return fs.root();
    }
    if (dirfd == Fcntl.AT_FDCWD) {
      return fs.cwd();
    }
    FileDescription f = fds.peek(dirfd);
    if (f == null) {
      throw ErrnoException.of(EBADF);
    }
    return f.path();
  }

  // ---- user memory ----

  /** {@return 4 KiB of this task's own memory for structs on their way in or out} */
  public MemorySegment scratch() {
    return scratchRegion().segment();
  }

  /** {@return the same memory as {@link #scratch}, for calls that are made often} */
  public Region scratchRegion() {
    Region s = scratch;
    if (s == null) {
      s = Region.of(java.lang.foreign.Arena.ofAuto().allocate(PATH_MAX + 64, 16));
      scratch = s;
    }
    return s;
  }

  /** Copies {@code length} bytes of guest memory. Returns 0 or -EFAULT. */
  public long copyIn(long uaddr, MemorySegment dst, long offset, long length) {
    if (length == 0 || context.copyIn(uaddr, dst, offset, length) == length) {
      return 0;
    }
    while (mm.awaitFill(this, uaddr, length, false)) {
      if (context.copyIn(uaddr, dst, offset, length) == length) {
        return 0;
      }
    }
    return -EFAULT;
  }

  /** Copies {@code length} bytes into {@link #scratch} at 0. Returns 0 or -EFAULT. */
  public long copyInScratch(long uaddr, long length) {
    return copyIn(uaddr, scratch(), 0, length);
  }

  /**
   * Copies to guest memory, when the call ends if possible: a fault then makes the call's result
   * EFAULT. Use {@link #copyOutNow} where something must be undone on a fault.
   *
   * @return 0 or -EFAULT
   */
  public long copyOut(long uaddr, MemorySegment src, long offset, long length) {
    if (length == 0 || (!copiesNow() && context.queueCopyOut(uaddr, src, offset, length))) {
      return 0;
    }
    return copyOutNow(uaddr, src, offset, length);
  }

  /**
   * Whether {@link #copyOut} and the user buffer copy at once: {@return the old setting} For
   * results that are told of before the call ends.
   */
  public boolean copiesAtOnce(boolean now) {
    boolean old = copiesNow;
    copiesNow = now;
    return old;
  }

  /**
   * {@return whether nothing may be queued for the call's end}: it is seen, or a page is missing
   */
  boolean copiesNow() {
    return copiesNow || mm.hasUserfaults();
  }

  /** Copies to guest memory now. Returns 0 or -EFAULT. */
  public long copyOutNow(long uaddr, MemorySegment src, long offset, long length) {
    if (length == 0 || context.copyOut(uaddr, src, offset, length) == length) {
      return 0;
    }
    while (mm.awaitFill(this, uaddr, length, true)) {
      if (context.copyOut(uaddr, src, offset, length) == length) {
        return 0;
      }
    }
    return -EFAULT;
  }

  /** Copies the first {@code length} bytes of {@link #scratch} out, as {@link #copyOut}. */
  public long copyOutScratch(long uaddr, long length) {
    return copyOut(uaddr, scratch(), 0, length);
  }

  /** Copies one int out, as {@link #copyOut}; uses the end of {@link #scratch}. */
  public long copyOutInt(long uaddr, int value) {
    scratchRegion().putInt(PATH_MAX, value);
    return copyOut(uaddr, scratch(), PATH_MAX, 4);
  }

  public long copyOutLong(long uaddr, long value) {
    scratchRegion().putLong(PATH_MAX, value);
    return copyOut(uaddr, scratch(), PATH_MAX, 8);
  }

  /** {@return the unsigned 32-bit word at {@code uaddr}, or -EFAULT} */
  public long copyInInt(long uaddr) {
    long r = copyIn(uaddr, scratch(), PATH_MAX, 4);
    return r < 0 ? r : scratchRegion().getInt(PATH_MAX) & 0xffffffffL;
  }

  /**
   * {@return the path at {@code uaddr}, one char a byte}
   *
   * @throws ErrnoException EFAULT, ENAMETOOLONG, and ENOENT when it is empty
   */
  public String copyInPath(long uaddr) {
    String s = copyInPathOrEmpty(uaddr);
    if (s.isEmpty()) {
      throw ErrnoException.of(ENOENT);
    }
    return s;
  }

  /** As {@link #copyInPath}, for calls with AT_EMPTY_PATH. */
  public String copyInPathOrEmpty(long uaddr) {
    return copyInString(uaddr, PATH_MAX, ENAMETOOLONG);
  }

  /**
   * {@return a string of less than {@code limit} bytes (at most PATH_MAX)}
   *
   * @param tooLong the errno when there is no NUL in {@code limit} bytes
   */
  public String copyInString(long uaddr, int limit, int tooLong) {
    String here = context.stringHere(uaddr, limit);
    if (here != null) {
      return here;
    }
    MemorySegment s = scratch();
    long n = context.copyInString(uaddr, s, 0, limit);
    while (n < 0 && mm.awaitFill(this, uaddr, limit, false)) {
      n = context.copyInString(uaddr, s, 0, limit);
    }
    ErrnoException.check(n);
    if (n == limit) {
      throw ErrnoException.of(tooLong);
    }
    return Latin1.string(s, 0, (int) n);
  }

  /** {@return this task's user buffer, pointed at one buffer} */
  public UserIo userBuffer(long uaddr, long length) {
    return userIo.buffer(uaddr, length);
  }

  /**
   * Points {@link #userIo} at the iovecs at {@code uaddr}.
   *
   * @return the total length, -EINVAL or -EFAULT
   */
  public long userVectors(long uaddr, int count) {
    if (count < 0 || count > UserIo.MAX_IOVECS) {
      return -EINVAL;
    }
    if (vectors.length < 2 * count) {
      vectors = Arrays.copyOf(vectors, Math.max(16, 2 * count));
    }
    MemorySegment s = scratch();
    long total = 0;
    boolean ok = true;
    for (int done = 0; done < count; ) {
      int n = Math.min(count - done, 256);
      long r = copyIn(uaddr + done * 16L, s, 0, n * 16L);
      if (r < 0) {
        return r;
      }
      for (int i = 0; i < n; i++) {
        long length = s.get(Memory.LONG, i * 16L + 8);
        if (length < 0) {
          return -EINVAL;
        }
        ok &= UserIo.accessOk(s.get(Memory.LONG, i * 16L), length);
        length = Math.min(length, UserIo.MAX_RW_COUNT - total);
        vectors[2 * (done + i)] = s.get(Memory.LONG, i * 16L);
        vectors[2 * (done + i) + 1] = length;
        total += length;
      }
      done += n;
    }
    if (!ok) {
      return -EFAULT; // lib/iov_iter.c looks at all lengths first
    }
    userIo.vectors(vectors, count, total);
    return total;
  }

  public UserIo userIo() {
    return userIo;
  }

  FutexTable.FutexWaiter futexWaiter() {
    return futexWaiter;
  }

  FutexTable.Key futexKey() {
    return futexKey;
  }

  // ---- blocking ----

  public Waiter waiter() {
    return waiter;
  }

  /**
   * {@return this task's queue entry for waiting on one object} Free whenever the task is not
   * blocked.
   */
  public Waiter.Entry waitEntry() {
    return waitEntry;
  }

  /**
   * Blocks until woken.
   *
   * @param deadlineNs of CLOCK_MONOTONIC, or {@link Waiter#FOREVER}
   * @return 0, -ETIMEDOUT, or -ERESTARTSYS when a signal, stop or kill wants attention
   */
  public long block(long deadlineNs) {
    if (neverBlocks) {
      return -redoubt.abi.Errno.EAGAIN;
    }
    voluntarySwitches++;
    long r = waiter.block(deadlineNs);
    return r == -EINTR ? -ERESTARTSYS : r;
  }

  /**
   * As {@link #block(long)}, for something that {@code isFedByLink}: this task receives the frames
   * of the sandbox's link meanwhile where no other does.
   */
  public long block(long deadlineNs, boolean isFedByLink) {
    Waiter.Watch w = isFedByLink ? kernel().linkWatch : null;
    if (w == null) {
      return block(deadlineNs);
    }
    voluntarySwitches++;
    long r = waiter.block(deadlineNs, w);
    return r == -EINTR ? -ERESTARTSYS : r;
  }

  /** {@return whether a signal, stop or kill wants this task's attention} */
  public boolean isInterrupted() {
    return waiter.isInterrupted();
  }

  /**
   * Takes an interruption back that was for {@link #taskWork} alone. {@return whether it was}: no
   * signal, stop or kill wants attention
   */
  public boolean dismissInterrupt() {
    waiter.clearInterrupt();
    if (killed || isHalted() || group.isStopped() || tracing != null) {
      waiter.interrupt();
      return false;
    }
    if ((Signals.pending(this) & ~signalMask) != 0) {
      waiter.interrupt();
      return false;
    }
    return true;
  }

  /** exit(2): this task ends after the call, with {@code status} as wait(2) reports it. */
  public void exit(int status) {
    exitStatus = status;
    killed = true;
  }

  /** Makes the task look at its signals and state soon, wherever it is. Any thread. */
  public void interrupt() {
    waiter.interrupt();
    context.interrupt();
  }

  // ---- the alternate signal stack ----

  void inheritAltStack(Task parent) {
    altStack = parent.altStack;
    altStackSize = parent.altStackSize;
    altStackFlags = parent.altStackFlags;
  }

  public boolean hasAltStack() {
    return altStackSize != 0 && (altStackFlags & redoubt.abi.Signal.SS_DISABLE) == 0;
  }

  public boolean isOnAltStack(long sp) {
    return hasAltStack()
        && (altStackFlags & redoubt.abi.Signal.SS_AUTODISARM) == 0
        && Long.compareUnsigned(sp - altStack - 1, altStackSize) < 0;
  }

  public long altStackTop() {
    return altStack + altStackSize;
  }

  /** SS_AUTODISARM: a handler starts with no alternate stack. */
  public void autoDisarmAltStack() {
    if ((altStackFlags & redoubt.abi.Signal.SS_AUTODISARM) != 0) {
      altStack = 0;
      altStackSize = 0;
      altStackFlags = redoubt.abi.Signal.SS_DISABLE;
    }
  }

  /** Writes stack_t as sigaltstack(2) reports it with the stack pointer at {@code sp}. */
  public void writeAltStack(MemorySegment dst, long offset, long sp) {
    dst.set(Memory.LONG, offset, altStack);
    int flags =
        !hasAltStack()
            ? redoubt.abi.Signal.SS_DISABLE
            : isOnAltStack(sp) ? redoubt.abi.Signal.SS_ONSTACK : 0;
    dst.set(
        Memory.LONG,
        offset + 8,
        (flags | (altStackFlags & redoubt.abi.Signal.SS_AUTODISARM)) & 0xffffffffL);
    dst.set(Memory.LONG, offset + 16, altStackSize);
  }

  /** Takes over a stack_t, checked as sigaltstack(2) does. Returns 0 or -errno. */
  public long setAltStack(long base, int flags, long size) {
    int mode = flags & ~redoubt.abi.Signal.SS_AUTODISARM;
    if (mode != 0
        && mode != redoubt.abi.Signal.SS_DISABLE
        && mode != redoubt.abi.Signal.SS_ONSTACK) {
      return -EINVAL;
    }
    if (mode == redoubt.abi.Signal.SS_DISABLE) {
      altStack = 0;
      altStackSize = 0;
    } else {
      if (size < redoubt.abi.Signal.MINSIGSTKSZ) {
        return -redoubt.abi.Errno.ENOMEM;
      }
      altStack = base;
      altStackSize = size;
    }
    altStackFlags =
        mode == redoubt.abi.Signal.SS_DISABLE ? mode : flags & redoubt.abi.Signal.SS_AUTODISARM;
    return 0;
  }

  /** What sigreturn does with the frame's stack_t: errors are ignored. */
  public void restoreAltStack(MemorySegment src, long offset) {
    setAltStack(
        src.get(Memory.LONG, offset),
        src.get(Memory.INT, offset + 8),
        src.get(Memory.LONG, offset + 16));
  }

  /** {@return whether {@link #setTemporaryMask} is in force} */
  public boolean hasTemporaryMask() {
    return restoreMask;
  }

  /**
   * Replaces the signal mask until the call returns, as ppoll and its kin do. Before blocking only.
   */
  public void setTemporaryMask(long mask) {
    savedMask = signalMask;
    restoreMask = true;
    Signals.setMask(this, mask);
  }

  @Override
  public String toString() {
    return "task " + tid() + " (" + comm + ")";
  }
}
