package redoubt.sentry.platform.systrap;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Errno;
import redoubt.abi.Nr;
import redoubt.host.Fd;
import redoubt.host.HostException;
import redoubt.host.MemFd;
import redoubt.host.Memory;
import redoubt.host.RawSyscall;
import redoubt.host.SeqPacket;
import redoubt.sentry.platform.AddressSpace;
import redoubt.sentry.platform.MemoryUsage;
import redoubt.sentry.platform.Platform;
import redoubt.sentry.platform.PlatformException;

/**
 * The platform whose stubs are host processes forked by the keeper. This class owns the shared
 * memory files, the pools of slots and fresh stubs, and the conversation with the keeper; one
 * watcher thread hears of deaths.
 */
public final class Systrap implements Platform {
  /** Most address spaces and most guest threads of a sandbox. */
  static final int MAX_SPACES = 4096;

  static final int MAX_CONTEXTS = 6144;

  /** How long a wait for a map thread sleeps before it doubts that its wake-up was seen. */
  static final long LOOK_AGAIN_NS = 20_000_000;

  /**
   * How long either side of a busy pair spins, in us: longer than it takes to wake a thread on an
   * idle core (some 40), or a pair that fell asleep once would sleep for every call, and than most
   * calls that ask the gofer.
   */
  private static final int SPIN = 250;

  /** Time between two looks at a turn word, in ns. */
  private static final int LOOK_NS = 20;

  private static final int SIGSYS = 31;

  /** How long a process may take to end by itself. */
  private static final long DEATH_NS = 300_000_000;

  private static final int POOL = 3;
  private static final long CONTROL_STRIDE = 2 * Layout.REQUEST_BYTES;

  private final SeqPacket keeper;
  private final SeqPacket acks;
  private final MemorySegment controlFile;
  private final MemorySegment contextsFile;
  private final Fd contextsFd;
  private final int keeperPid;
  private final int pausesPerLook;
  private final long vdso;
  private final int fpBytes;
  private final long threadStart;
  private final long entry;
  private final long answers;
  private final @Nullable TextPatcher patcher;
  private final Thread watcher;

  private final Cores cores = new Cores();
  private final Balancer balancer;
  private final StubContext[] live = new StubContext[MAX_CONTEXTS];
  private volatile int liveLimit;

  private final AtomicLong violations = new AtomicLong();

  private final Object mu = new Object();
  private final int[] freeSpaces = new int[MAX_SPACES];
  private int freeSpacesCount;
  private final int[] freeContexts = new int[MAX_CONTEXTS];
  private int freeContextsCount;
  private final StubSpace[] spaces = new StubSpace[MAX_SPACES];
  private final Map<Integer, StubSpace> byPid = new HashMap<>();
  private final ArrayDeque<StubSpace> pool = new ArrayDeque<>();

  /** What the keeper was asked: its answer and {@link #UNANSWERED} before it, by number. */
  private final Map<Integer, long[]> asked = new HashMap<>();

  private static final long UNANSWERED = Long.MIN_VALUE;
  private int nextAsked = 1;
  private long generation;
  private int unackedForks;
  private final List<StubSpace> failedForks = new ArrayList<>();
  private final ArrayDeque<StubSpace> dying = new ArrayDeque<>();
  private final ArrayDeque<Long> dyingSince = new ArrayDeque<>();
  private boolean closed;
  private volatile @Nullable Listener listener;
  private final MemorySegment lookAgain = Arena.global().allocate(16, 8);
  private final MemorySegment timespec = Arena.global().allocate(16, 8);
  private final MemorySegment ackMessage = Arena.global().allocate(Layout.ACK_BYTES, 8);

  /**
   * Takes over the keeper at the other end of {@code keeperSocket} and waits until it is ready.
   *
   * @throws HostException if the keeper does not answer
   */
  public Systrap(Fd keeperSocket) {
    this(keeperSocket, true);
  }

  /**
   * As the other constructor.
   *
   * @param patching whether call sites are patched; false traps every call ({@code --no-patch})
   */
  public Systrap(Fd keeperSocket, boolean patching) {
    this.patcher = patching ? new TextPatcher() : null;
    lookAgain.set(Memory.LONG, 8, LOOK_AGAIN_NS);
    keeper = new SeqPacket(keeperSocket);
    keeper.passCredentials();
    long controlBytes = MAX_SPACES * CONTROL_STRIDE;
    long contextsBytes = MAX_CONTEXTS * Layout.CONTEXT_STRIDE;
    Fd[] ackEnds = SeqPacket.pair();
    acks = new SeqPacket(ackEnds[0]);
    acks.passCredentials();
    contextsFd = MemFd.create("redoubt-contexts", contextsBytes);
    contextsFile = Memory.mapShared(contextsFd, 0, contextsBytes);
    Fd textFd = patcher != null ? patcher.file() : contextsFd;
    try (Fd controlFd = MemFd.create("redoubt-control", controlBytes);
        Fd ackEnd = ackEnds[1]) {
      controlFile = Memory.mapShared(controlFd, 0, controlBytes);
      MemorySegment message = Arena.global().allocate(Layout.MSG_BYTES, 8);
      message.set(Memory.INT, 0, Layout.MSG_INIT);
      HostException.check(
          "send to the keeper",
          keeper.send(message, Layout.MSG_BYTES, controlFd, contextsFd, ackEnd, textFd));
      long r = keeper.receive(message, Layout.MSG_BYTES, true);
      if (r != Layout.MSG_BYTES || message.get(Memory.INT, 0) != Layout.MSG_READY) {
        throw new HostException("the keeper did not start", r < 0 ? r : -Errno.EPIPE);
      }
      pausesPerLook = Math.max(1, LOOK_NS * 1000 / Math.max(1, message.get(Memory.INT, 4)));
      vdso = message.get(Memory.LONG, 8);
      fpBytes = (int) message.get(Memory.LONG, 16);
      threadStart = message.get(Memory.LONG, 24);
      keeperPid = keeper.senderPid();
      r = keeper.receive(message, Layout.MSG_BYTES, true);
      if (r != Layout.MSG_BYTES || message.get(Memory.INT, 0) != Layout.MSG_ENTRY) {
        throw new HostException("the keeper did not start", r < 0 ? r : -Errno.EPIPE);
      }
      entry = message.get(Memory.LONG, 8);
      answers = message.get(Memory.LONG, 16);
    }
    for (int i = MAX_SPACES - 1; i >= 0; i--) {
      freeSpaces[freeSpacesCount++] = i;
    }
    for (int i = MAX_CONTEXTS - 1; i >= 0; i--) {
      freeContexts[freeContextsCount++] = i;
    }
    watcher = Thread.ofPlatform().daemon().name("keeper-watcher").unstarted(this::watch);
    watcher.start();
    balancer = new Balancer(this, cores);
    balancer.start();
    synchronized (mu) {
      fillPool();
    }
  }

  @Override
  public long minUserAddress() {
    return 0x10000;
  }

  @Override
  public long maxUserAddress() {
    return Layout.REGION;
  }

  @Override
  public long vdsoAddress() {
    return vdso;
  }

  @Override
  public int fpStateBytes() {
    return fpBytes;
  }

  @Override
  public void listen(Listener newListener) {
    listener = newListener;
  }

  /** {@return the first instruction of a guest thread in the stub} */
  long threadStart() {
    return threadStart;
  }

  /** {@return a relative timespec of {@link #LOOK_AGAIN_NS}} */
  MemorySegment lookAgain() {
    return lookAgain;
  }

  /** {@return how often to look at a map thread's reply before sleeping}: it shares our core */
  int mapSpin() {
    return 0;
  }

  /** {@return how often either side of a hand-over looks before it sleeps} */
  int turnSpin() {
    return SPIN * 1000 / LOOK_NS;
  }

  /**
   * {@return the PAUSE instructions between two looks at a turn word} Who looks all the time takes
   * the line away from the side that is about to write it: a call costs twice as much.
   */
  int pausesPerLook() {
    return pausesPerLook;
  }

  void pauseBetweenLooks() {
    for (int i = pausesPerLook; i > 0; i--) {
      Thread.onSpinWait();
    }
  }

  /**
   * {@return processes that the host killed for a system call of the map thread's without its
   * token}
   */
  public long violations() {
    return violations.get();
  }

  /** {@return call sites found in texts so far, and how many of them were patched} */
  public long[] patchCounts() {
    return patcher == null ? new long[2] : patcher.counts();
  }

  /** {@return where patched call sites enter the stub} */
  long entry() {
    return entry;
  }

  /** {@return where sites jump whose call needs no kernel}, 16 bytes each */
  long answers() {
    return answers;
  }

  /** {@return the patcher, or null when call sites are not patched} */
  @Nullable TextPatcher patcher() {
    return patcher;
  }

  int keeperPid() {
    return keeperPid;
  }

  @Override
  public AddressSpace newAddressSpace() {
    StubSpace space;
    synchronized (mu) {
      space = fromPool();
      fillPool();
    }
    if (space.isDead()) {
      space.destroy();
      throw new PlatformException("the keeper is gone", Errno.EAGAIN);
    }
    space.bindToCaller();
    return space;
  }

  /** Takes a stub that the host has not killed while it waited. Preconditions: holds mu. */
  private StubSpace fromPool() {
    for (StubSpace space; (space = pool.pollFirst()) != null; ) {
      if (!space.isDead()) {
        return space;
      }
      space.destroy();
    }
    return spawn();
  }

  // Preconditions: holds mu.
  private void fillPool() {
    while (!closed && pool.size() < POOL && freeSpacesCount > MAX_SPACES / 2) {
      pool.addLast(spawn());
    }
  }

  /** Asks the keeper for a stub; it starts by itself. Preconditions: holds mu. */
  private StubSpace spawn() {
    StubSpace space = allocateSpace(false);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment m = arena.allocate(Layout.MSG_BYTES, 8);
      m.set(Memory.INT, 0, Layout.MSG_SPAWN);
      m.set(Memory.INT, 4, space.index());
      m.set(Memory.LONG, 8, space.index() * CONTROL_STRIDE);
      long r = keeper.send(m, Layout.MSG_BYTES);
      if (r < 0) {
        space.die();
      }
    }
    return space;
  }

  /** {@return a space with its first batch laid out}, to be forked by the keeper or a map thread */
  StubSpace allocateSpace(boolean forked) {
    synchronized (mu) {
      if (closed || freeSpacesCount == 0) {
        throw new PlatformException(
            "no address space is free (limit " + MAX_SPACES + ")", Errno.EAGAIN);
      }
      int index = freeSpaces[--freeSpacesCount];
      long at = index * CONTROL_STRIDE;
      StubSpace space =
          new StubSpace(
              this,
              index,
              ++generation,
              at,
              controlFile.asSlice(at, Layout.REQUEST_BYTES),
              controlFile.asSlice(at + Layout.REQUEST_BYTES, Layout.REQUEST_BYTES));
      try {
        space.prepare(forked);
      } catch (PlatformException e) {
        freeSpaces[freeSpacesCount++] = index;
        throw e;
      }
      spaces[index] = space;
      return space;
    }
  }

  int allocateContext() {
    synchronized (mu) {
      if (freeContextsCount == 0) {
        throw new PlatformException(
            "no context is free (limit " + MAX_CONTEXTS + " guest threads)", Errno.EAGAIN);
      }
      return freeContexts[--freeContextsCount];
    }
  }

  /** Makes {@code c} visible to the balancer, or takes the slot out of its sight. */
  void setLive(int slot, @Nullable StubContext c) {
    live[slot] = c;
    if (c != null && slot >= liveLimit) {
      liveLimit = slot + 1;
    }
  }

  @Override
  public void withdrawGrants() {
    StubContext[] all = live;
    for (int i = 0; i < liveLimit; i++) {
      StubContext c = all[i];
      if (c != null) {
        c.withdrawGrants();
      }
    }
  }

  StubContext[] liveContexts() {
    return live;
  }

  int liveLimit() {
    return liveLimit;
  }

  Cores cores() {
    return cores;
  }

  void noticed() {
    balancer.noticed();
  }

  MemorySegment contextMemory(int slot) {
    return contextsFile.asSlice(slot * Layout.CONTEXT_STRIDE, Layout.CONTEXT_BYTES);
  }

  /**
   * Takes back the slots of a space whose process the keeper has reaped and whose owner has
   * released it: only now can nobody else have them mapped.
   */
  void recycle(StubSpace space, List<StubContext> contexts) {
    for (StubContext c : contexts) {
      c.wipe();
    }
    synchronized (mu) {
      if (spaces[space.index()] != space) {
        return;
      }
      spaces[space.index()] = null;
      for (StubContext c : contexts) {
        setLive(c.slot(), null);
        freeContexts[freeContextsCount++] = c.slot();
      }
      freeSpaces[freeSpacesCount++] = space.index();
    }
  }

  /**
   * Notes that {@code space} was told to end.
   *
   * @param politely whether its map thread was asked; false has the host kill it at the next look
   */
  void expectDeath(StubSpace space, boolean politely) {
    synchronized (mu) {
      dying.addLast(space);
      dyingSince.addLast(politely ? System.nanoTime() : 0L);
    }
    balancer.noticed();
  }

  /**
   * Looks after what should have happened: released processes end, failed forks are noted. Called
   * by the balancer.
   *
   * @return whether there is more to look after
   */
  boolean tend() {
    List<StubSpace> overdue = new ArrayList<>();
    List<StubSpace> unborn = new ArrayList<>();
    boolean more;
    synchronized (mu) {
      if (closed) {
        return false;
      }
      if (unackedForks != 0 || !failedForks.isEmpty()) {
        drainAcks();
        unborn.addAll(failedForks);
        failedForks.clear();
      }
      long now = System.nanoTime();
      for (int i = dying.size(); i > 0; i--) {
        StubSpace space = dying.removeFirst();
        long since = dyingSince.removeFirst();
        if (space.isDead()) {
          continue;
        }
        boolean late = since == 0 || now - since > DEATH_NS;
        if (late) {
          overdue.add(space);
        }
        dying.addLast(space);
        dyingSince.addLast(late ? now : since);
      }
      more = !dying.isEmpty();
    }
    for (StubSpace space : unborn) {
      space.die();
    }
    for (StubSpace space : overdue) {
      space.kill();
    }
    return more;
  }

  /** Counts a fork whose acknowledgement nobody reads; now and then the queue is emptied. */
  void noteFork() {
    synchronized (mu) {
      if (++unackedForks >= 32) {
        drainAcks();
      }
    }
  }

  /** Waits a little for a map thread to confirm that the fork for {@code space} came to nothing. */
  boolean awaitForkFailure(StubSpace space) {
    for (int i = 0; i < 100; i++) {
      synchronized (mu) {
        drainAcks();
        if (space.isForkFailed() || closed) {
          return true;
        }
      }
      LockSupport.parkNanos(1_000_000);
    }
    return false;
  }

  /** {@return the attested process id of {@code space}}, or 0 while it has not started */
  int pidOf(StubSpace space) {
    synchronized (mu) {
      if (space.pid() == 0) {
        drainAcks();
      }
      return space.pid();
    }
  }

  /** Reads what map threads have said. */
  void hearAcknowledgements() {
    synchronized (mu) {
      drainAcks();
    }
  }

  // Preconditions: holds mu.
  private void drainAcks() {
    unackedForks = 0;
    while (acks.receive(ackMessage, Layout.ACK_BYTES, false) == Layout.ACK_BYTES) {
      int index = ackMessage.get(Memory.INT, 0);
      long id = ackMessage.get(Memory.LONG, 8);
      StubSpace space = index >= 0 && index < MAX_SPACES ? spaces[index] : null;
      if (space != null && ackMessage.get(Memory.INT, 4) == Layout.ACK_BATCH_DONE) {
        space.heard(id);
        continue;
      }
      if (space == null || space.generation() != id) {
        continue;
      }
      switch (ackMessage.get(Memory.INT, 4)) {
        case Layout.ACK_STARTED -> {
          space.setPid(acks.senderPid());
          byPid.put(acks.senderPid(), space);
        }
        case Layout.ACK_FORK_FAILED -> {
          space.setForkFailed();
          failedForks.add(space);
        }
        default -> {}
      }
    }
  }

  @Override
  public int importFd(Fd fd) {
    long r = ask(Layout.MSG_IMPORT, 0, 0, fd)[0];
    if (r < 0) {
      throw new PlatformException(
          "the keeper cannot take another file", r == UNANSWERED ? Errno.EBADF : (int) -r);
    }
    if (patcher != null) {
      patcher.imported((int) r, fd);
    }
    return (int) r;
  }

  /**
   * Asks the keeper and waits for the answer.
   *
   * @return the answer's a and b; a is {@link #UNANSWERED} when there is no keeper any more
   */
  private long[] ask(int type, long a, long b, Fd... fds) {
    long[] reply = {UNANSWERED, 0};
    int id;
    synchronized (mu) {
      if (closed) {
        return reply;
      }
      id = nextAsked++;
      asked.put(id, reply);
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment m = arena.allocate(Layout.MSG_BYTES, 8);
      m.set(Memory.INT, 0, type);
      m.set(Memory.INT, 4, id);
      m.set(Memory.LONG, 8, a);
      m.set(Memory.LONG, 16, b);
      if (keeper.send(m, Layout.MSG_BYTES, fds) < 0) {
        return reply;
      }
      synchronized (mu) {
        while (reply[0] == UNANSWERED && !closed) {
          try {
            mu.wait();
          } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            reply[0] = -Errno.EINTR;
          }
        }
      }
    } finally {
      synchronized (mu) {
        asked.remove(id);
      }
    }
    return reply;
  }

  /** {@return what the process {@code pid} occupies of the host's memory, or null} */
  @Nullable MemoryUsage memoryUsage(int pid) {
    long[] r = ask(Layout.MSG_STATM, pid, 0);
    return r[0] < 0 ? null : new MemoryUsage(r[0] * Memory.PAGE, r[1] * Memory.PAGE);
  }

  /** {@return the CPU time of one thread of process {@code pid} in ns}, negative if unknown */
  long threadCpuTimeNs(int pid, int tid) {
    return ask(Layout.MSG_CPU, pid, tid)[0];
  }

  @Override
  public void releaseFd(int imported) {
    if (patcher != null) {
      patcher.released(imported);
    }
    tellKeeper(Layout.MSG_CLOSE, imported);
  }

  /**
   * Has the host kill the process {@code pid}; only the keeper knows that it is still that stub.
   */
  void kill(int pid) {
    tellKeeper(Layout.MSG_KILL, pid);
  }

  private void tellKeeper(int type, long a) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment m = arena.allocate(Layout.MSG_BYTES, 8);
      m.set(Memory.INT, 0, type);
      m.set(Memory.LONG, 8, a);
      keeper.send(m, Layout.MSG_BYTES);
    }
  }

  private void watch() {
    MemorySegment m = Arena.global().allocate(Layout.MSG_BYTES, 8);
    while (keeper.receive(m, Layout.MSG_BYTES, true) == Layout.MSG_BYTES) {
      long a = m.get(Memory.LONG, 8);
      switch (m.get(Memory.INT, 0)) {
        case Layout.MSG_SPAWNED -> spawned(m.get(Memory.INT, 4), a);
        case Layout.MSG_IMPORTED -> {
          if (!answered(m) && a >= 0) {
            releaseFd((int) a);
          }
        }
        case Layout.MSG_ANSWER -> answered(m);
        case Layout.MSG_DEATH -> {
          if ((m.get(Memory.LONG, 16) & 0x7f) == SIGSYS) {
            violations.incrementAndGet();
          }
          died((int) a);
        }
        default -> {}
      }
    }
    List<StubSpace> all = new ArrayList<>();
    boolean lost;
    synchronized (mu) {
      lost = !closed;
      closed = true;
      for (StubSpace space : spaces) {
        if (space != null) {
          all.add(space);
        }
      }
      mu.notifyAll();
    }
    balancer.stop();
    Listener l = listener;
    if (lost && l != null) {
      l.lost();
    }
    for (StubSpace space : all) {
      space.die();
    }
    synchronized (mu) {
      keeper.close();
      acks.close();
      contextsFd.close();
      if (patcher != null) {
        patcher.close();
      }
    }
  }

  /** {@return whether somebody waits for this answer} */
  private boolean answered(MemorySegment message) {
    synchronized (mu) {
      long[] reply = asked.get(message.get(Memory.INT, 4));
      if (reply == null) {
        return false;
      }
      reply[1] = message.get(Memory.LONG, 16);
      reply[0] = message.get(Memory.LONG, 8);
      mu.notifyAll();
      return true;
    }
  }

  private void spawned(int index, long pid) {
    StubSpace failed = null;
    synchronized (mu) {
      StubSpace space = spaces[index];
      if (space == null) {
        return;
      }
      if (pid > 0) {
        space.setPid((int) pid);
        byPid.put((int) pid, space);
      } else {
        failed = space;
      }
    }
    if (failed != null) {
      failed.die();
    }
  }

  private void died(int pid) {
    @Nullable StubSpace space;
    synchronized (mu) {
      drainAcks();
      space = byPid.remove(pid);
      if (space == null) {
        // A fork that died before it could acknowledge: its parent's word must do.
        for (StubSpace s : spaces) {
          if (s != null && s.pid() == 0 && s.claimedPid() == pid) {
            space = s;
            break;
          }
        }
      }
    }
    if (space != null) {
      space.die();
      Listener l = listener;
      if (l != null && !space.isReleased()) {
        l.died(space);
      }
    }
  }

  /** {@return the host CPU time of process {@code pid} in ns}, or -1 */
  long cpuTimeNs(int pid) {
    synchronized (mu) {
      // The clock of another process: CPUCLOCK_SCHED of posix-timers.
      long r = RawSyscall.syscall(Nr.CLOCK_GETTIME, ~pid << 3 | 2, timespec.address());
      return r < 0
          ? -1
          : timespec.get(Memory.LONG, 0) * 1_000_000_000L + timespec.get(Memory.LONG, 8);
    }
  }

  /**
   * Sends a signal to a guest thread; 0 only asks whether {@code tid} is a thread of {@code pid}.
   */
  static long signalThread(int pid, int tid, int signal) {
    return RawSyscall.syscall(Nr.TGKILL, pid, tid, signal);
  }

  @Override
  public void close() {
    synchronized (mu) {
      if (closed) {
        return;
      }
      closed = true;
    }
    // Shut down, not closed: the watcher sleeps in it. The keeper exits, and with it all stubs.
    RawSyscall.syscall(Nr.SHUTDOWN, keeper.fd().number(), 2);
    try {
      watcher.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
