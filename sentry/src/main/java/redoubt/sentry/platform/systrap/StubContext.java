package redoubt.sentry.platform.systrap;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Errno;
import redoubt.host.Futex;
import redoubt.host.Memory;
import redoubt.sentry.platform.GuestContext;
import redoubt.sentry.platform.systrap.patch.Answers;

/**
 * A guest thread and its slot of shared memory. Whose move it is stands in the turn word:
 *
 * <pre>
 *   SENTRY  the guest thread waits in the stub and serves commands
 *   STUB    a command is under way; RUN ends with the guest's next event
 *   GONE    the host thread has exited (the host kernel writes this)
 *   DEAD    the process is dead (the watcher writes this)
 * </pre>
 *
 * <p>A side that sleeps on the word says so in a word of its own; who gives the turn away looks
 * there and wakes it. Nothing here allocates on the way of {@link #run} and the copies.
 */
final class StubContext implements GuestContext {
  /** Balancer's periods that a guest may withstand an interrupt: some 10 s. */
  private static final int PRESS_LIMIT = 2500;

  private static final int SIGUSR1 = 10;
  private static final int ALL = (1 << REGS) - 1;

  /** What the one line of a call carries. */
  private static final int CALL_REGS =
      1 << RAX | 1 << RDI | 1 << RSI | 1 << RDX | 1 << R10 | 1 << R8 | 1 << R9;

  /** Not for the caller: the guest must go on. */
  private static final int SPURIOUS = 100;

  private static final long ANSWER_BYTES = 16;
  private static final int STOPPED = 0;
  private static final int RUNNING = 1;
  private static final int RELEASED = 2;

  static final Answers ANSWERS = new Answers((int) Layout.ANSWERS);

  /** How much is read at once where a string is looked for, and where it goes. */
  private static final int READ_AHEAD = 4096;

  private static final int AHEAD_AT = Layout.CONTEXT_PREFETCH + Layout.PREFETCH_BYTES - READ_AHEAD;

  private static final int FX_SW_RESERVED = 464;
  private static final int FP_XSTATE_MAGIC1 = 0x46505853;
  private static final int FP_XSTATE_MAGIC2 = 0x46505845;
  private static final int FP_LEGACY = 512;
  private static final int FP_AREA = 4096;

  /** All components of XCR0 but AMX, whose tile data no frame here holds. */
  private static final long FP_MASK = 0x2ff;

  private static final int MXCSR_INITIAL = 0x1f80;
  private static final int FCW_INITIAL = 0x37f;

  private final StubSpace space;
  private final Systrap platform;
  private final int slot;
  private final MemorySegment memory;
  private final MemorySegment window;
  private final MemorySegment scratch;
  private final long[] regs = new long[REGS];

  /** Registers that {@link #regs} holds, a bit each; the others are still in shared memory. */
  private int known = ALL;

  // How the two halves wait for each other; see Balancer.
  static final int FRESH = 0;
  static final int BOUND = 1;
  static final int SPIN = 2;
  static final int LOOSE = 3;

  /** Runs for which a context that changed its map does not spin. */
  private static final int NO_SPIN_RUNS = 64;

  private volatile int mode = FRESH;
  private volatile int core;
  private volatile int wish = -1;
  private @Nullable Thread owner;
  private volatile int tid;
  private int spin;

  /** What SENTRY_SLEEPS says. */
  private boolean sleeps;

  private int noSpin;
  private long events;
  private long eventsSeen;
  private long lastEvents;
  private int pressed;

  /** Registers set since the last event, a bit each. */
  private int dirty = ALL;

  /** The GS base holds this context's address while patched text may run. */
  private boolean ownsGs;

  private PatchMap seenPatches = PatchMap.EMPTY;

  /** Guards the answers against a release by another thread. */
  private final Object answersMu = new Object();

  private volatile int state = STOPPED;
  private volatile boolean interruptWanted;
  private volatile boolean dead;

  private int faultSignal;
  private int faultCode;
  private int faultErrorCode;
  private int faultTrap;
  private long faultAddress;
  private int fpOffset;

  /** The last event was a call from a patched site. */
  private boolean patchedCall;

  // What the stub brought along with the call; checked copies of its words.
  private int fetched;
  private final long[] fetchedGuest = new long[Layout.FETCHED_LIMIT];
  private final int[] fetchedOffset = new int[Layout.FETCHED_LIMIT];
  private final int[] fetchedLength = new int[Layout.FETCHED_LIMIT];

  private int queued;
  private int queuedBytes;
  private boolean windowQueued;
  // How much of each buffer has ever held something.
  private int windowUsed;
  private int copyUsed;
  private int prefetchUsed;
  private int queueUsed;

  StubContext(StubSpace space, int slot) {
    this.space = space;
    this.platform = space.platform();
    this.slot = slot;
    this.memory = platform.contextMemory(slot);
    this.scratch = Arena.ofAuto().allocate(8, 8);
    this.window = memory.asSlice(Layout.CONTEXT_WINDOW, BUFFER_BYTES);
  }

  int slot() {
    return slot;
  }

  /** {@return where the stub sees this context} */
  long address() {
    return Layout.CONTEXT_VA + slot * Layout.CONTEXT_STRIDE;
  }

  /**
   * Lays out the two frames of a new thread: START is what it begins with (it sets the signal mask
   * and the alternate stack), FIRST is what its first RUN resumes.
   */
  void prepare() {
    MemorySegment m = memory;
    long va = address();
    m.asSlice(0, Layout.QUEUE).fill((byte) 0);
    frame(Layout.START_FRAME, 1L << 9);
    m.set(Memory.LONG, Layout.START_FRAME + Layout.UC_RIP, platform.threadStart());
    m.set(Memory.LONG, Layout.START_FRAME + Layout.UC_RSP, va + Layout.START_STACK);
    m.set(Memory.LONG, Layout.START_FRAME + Layout.UC_RBX, va + Layout.FIRST_FRAME);
    frame(Layout.FIRST_FRAME, 0);
    m.set(Memory.LONG, Layout.FIRST_FRAME + Layout.UC_FPSTATE, va + Layout.FIRST_FP);
    // fpu_bytes counts the closing magic word.
    int size = platform.fpStateBytes();
    MemorySegment fp = m.asSlice(Layout.FIRST_FP, FP_LEGACY + 64);
    fp.fill((byte) 0);
    if (size > FP_LEGACY) {
      fp.set(Memory.INT, FX_SW_RESERVED, FP_XSTATE_MAGIC1);
      fp.set(Memory.INT, FX_SW_RESERVED + 4, size);
      fp.set(Memory.LONG, FX_SW_RESERVED + 8, -1L);
      fp.set(Memory.INT, FX_SW_RESERVED + 16, size - 4);
      m.set(Memory.INT, Layout.FIRST_FP + size - 4L, FP_XSTATE_MAGIC2);
    }
    fpOffset = Layout.FIRST_FP;
    resetFp();
    ownsGs = space.isPatching();
    m.set(Memory.LONG, Layout.SELF, va);
    m.set(Memory.LONG, Layout.ENTRY, platform.entry());
    m.set(Memory.INT, Layout.PAUSES, platform.pausesPerLook());
    m.set(Memory.INT, Layout.PATCHED, ownsGs ? 1 : 0);
    int bytes = platform.fpStateBytes();
    m.set(Memory.INT, Layout.FP_MASK, bytes > FP_LEGACY && bytes <= FP_AREA ? (int) FP_MASK : 0);
    clearAnswers();
    Layout.INT.setVolatile(m, Layout.TURN, Layout.TURN_SENTRY);
  }

  private void frame(long at, long mask) {
    MemorySegment m = memory;
    m.asSlice(at, Layout.UC_BYTES).fill((byte) 0);
    m.set(Memory.LONG, at + Layout.UC_FLAGS, Layout.UC_FLAGS_VALUE);
    m.set(Memory.LONG, at + Layout.UC_STACK_SP, address() + Layout.CONTEXT_STACK);
    m.set(Memory.LONG, at + Layout.UC_STACK_SIZE, Layout.CONTEXT_STACK_END - Layout.CONTEXT_STACK);
    m.set(Memory.LONG, at + Layout.UC_SEGMENTS, Layout.SEGMENTS);
    m.set(Memory.LONG, at + Layout.UC_RFLAGS, 0x202);
    m.set(Memory.LONG, at + Layout.UC_MASK, mask);
  }

  @Override
  public int run() {
    int event;
    do {
      event = runOnce();
    } while (event == SPURIOUS);
    return event;
  }

  /** The guest is about to have a GS base of its own: put the text back, then hand GS over. */
  private void giveUpGs() {
    needFrame();
    space.stopPatching();
    ownsGs = false;
    memory.set(Memory.INT, Layout.PATCHED, 0);
  }

  /** Has the stub thread make a signal frame, so that the FP state is in memory. */
  private void needFrame() {
    if (fpOffset == 0 && !dead) {
      if (command(Layout.CMD_RETRAP, 0, 0, 0) == Layout.EVENT_DONE) {
        readFpOffset();
      }
    }
  }

  private void readFpOffset() {
    int fp = memory.get(Memory.INT, Layout.FP_OFFSET);
    fpOffset =
        fp >= Layout.CONTEXT_STACK
                && fp <= Layout.CONTEXT_STACK_END - platform.fpStateBytes()
                && (fp & 63) == 0
            ? fp
            : 0;
  }

  private int runOnce() {
    if (dead) {
      return DEAD;
    }
    state = RUNNING;
    if (interruptWanted) {
      state = STOPPED;
      interruptWanted = false;
      memory.set(Memory.INT, Layout.INTERRUPT, 0);
      if (queued != 0) {
        int e = command(Layout.CMD_FLUSH, 0, 0, 0);
        clearQueuedCopies();
        if (e != Layout.EVENT_DONE) {
          return e == DEAD ? DEAD : SYSCALL_COPY_FAULT;
        }
      }
      return INTERRUPTED;
    }
    if (wish >= 0 || mode != BOUND && mode != SPIN || owner != Thread.currentThread()) {
      settle();
    }
    events++;
    platform.noticed();
    fetched = 0;
    if (dirty != 1 << RAX || space.patches() != seenPatches) {
      writeRegs();
    }
    int word = Layout.CMD_RUN;
    if ((dirty & (1 << RAX)) != 0) {
      memory.set(Memory.LONG, Layout.CALL, regs[RAX]);
      word |= Layout.CMD_RAX;
    }
    dirty = 0;
    int answer = command(word);
    state = STOPPED;
    queued = 0;
    queuedBytes = 0;
    windowQueued = false;
    seenPatches = space.patches();
    int event = answer & Layout.EVENT_MASK;
    if (answer == DEAD || event == SYSCALL_COPY_FAULT) {
      return event;
    }
    if ((answer & Layout.EVENT_PATCHED) != 0) {
      readCall();
    } else if (!readAll(event)) {
      return SPURIOUS;
    }
    return switch (event) {
      case SYSCALL -> {
        readFetched(answer >>> 8);
        yield SYSCALL;
      }
      case FAULT -> fault();
      case INTERRUPTED -> interrupted();
      default -> nonsense();
    };
  }

  /** Writes the registers that were set, but RAX, to where the stub takes them from. */
  private void writeRegs() {
    MemorySegment m = memory;
    long[] r = regs;
    PatchMap patches = space.patches();
    if (patches != seenPatches && seenPatches.mayMove(sharedReg(RIP))) {
      setReg(RIP, reg(RIP)); // the trampoline that it stood in may be gone
    }
    if ((dirty & (1 << GS_BASE)) != 0 && ownsGs && r[GS_BASE] != 0) {
      giveUpGs();
    }
    if ((dirty & (1 << RIP)) != 0) {
      m.set(Memory.LONG, Layout.REGS + RIP * 8L, patches.moved(r[RIP]));
    }
    int d = dirty & ~(1 << RIP | 1 << RAX);
    while (d != 0) {
      int i = Integer.numberOfTrailingZeros(d);
      m.set(Memory.LONG, Layout.REGS + i * 8L, r[i]);
      d &= d - 1;
    }
  }

  /** A call from a patched site: its line has what nearly all calls need, the rest can wait. */
  private void readCall() {
    MemorySegment m = memory;
    long[] r = regs;
    r[RAX] = m.get(Memory.LONG, Layout.CALL);
    r[RDI] = m.get(Memory.LONG, Layout.CALL + 8);
    r[RSI] = m.get(Memory.LONG, Layout.CALL + 16);
    r[RDX] = m.get(Memory.LONG, Layout.CALL + 24);
    r[R10] = m.get(Memory.LONG, Layout.CALL + 32);
    r[R8] = m.get(Memory.LONG, Layout.CALL + 40);
    r[R9] = m.get(Memory.LONG, Layout.CALL + 48);
    known = CALL_REGS | known & 1 << GS_BASE;
    fpOffset = 0;
    patchedCall = true;
  }

  /** {@return whether the event is the kernel's}; if not, the guest must go on */
  private boolean readAll(int event) {
    long[] r = regs;
    long gs = reg(GS_BASE);
    MemorySegment.copy(memory, ValueLayout.JAVA_LONG, Layout.REGS, r, 0, REGS);
    known = ALL;
    long rip = r[RIP];
    boolean trampoline = seenPatches.mayMove(rip);
    if (trampoline) {
      r[RIP] = seenPatches.original(rip);
    }
    readFpOffset();
    patchedCall = false;
    if (ownsGs && r[GS_BASE] != gs) {
      // The guest loaded GS by itself (WRGSBASE): its calls must trap from now on.
      ownsGs = false;
      memory.set(Memory.INT, Layout.PATCHED, 0);
      space.stopPatching();
      // What found that out may have been a jump through the guest's own base, to wherever.
      long site = event == FAULT ? seenPatches.calledFrom(trampoline ? rip : r[RCX]) : -1;
      if (site >= 0) {
        setReg(RIP, site);
        return false;
      }
    }
    return true;
  }

  private int fault() {
    MemorySegment m = memory;
    faultSignal = m.get(Memory.INT, Layout.FAULT_SIGNAL);
    faultCode = m.get(Memory.INT, Layout.FAULT_CODE);
    faultErrorCode = m.get(Memory.INT, Layout.FAULT_ERROR);
    faultTrap = m.get(Memory.INT, Layout.FAULT_TRAP);
    faultAddress = m.get(Memory.LONG, Layout.FAULT_ADDRESS);
    return FAULT;
  }

  private int interrupted() {
    interruptWanted = false;
    pressed = 0;
    memory.set(Memory.INT, Layout.INTERRUPT, 0);
    return INTERRUPTED;
  }

  /** Carries out the balancer's wish, and binds a context that is new or has been let loose. */
  private void settle() {
    int wanted = wish;
    wish = -1;
    Thread me = Thread.currentThread();
    Cores cores = platform.cores();
    if (wanted >= 0) {
      if (wanted >> 16 == SPIN) {
        if (owner == me && noSpin <= 0 && mode == BOUND) {
          cores.bindElsewhere(0, core);
          spin = platform.turnSpin();
          memory.set(Memory.INT, Layout.SPIN, spin);
          mode = SPIN;
        }
        return;
      }
      bind(me, wanted & 0xffff);
      return;
    }
    if (mode == LOOSE) {
      bind(me, cores.indexOf(memory.get(Memory.INT, Layout.CPU)));
    } else if (mode == FRESH || owner != me) {
      int home = mode == FRESH ? space.homeCore() : -1;
      bind(me, home >= 0 ? home : cores.current(scratch));
    }
  }

  /** Puts both halves, and the map thread, on one core. */
  private void bind(Thread me, int index) {
    Cores cores = platform.cores();
    owner = me;
    spin = 0;
    memory.set(Memory.INT, Layout.SPIN, 0);
    core = index;
    boolean inherited = mode == FRESH && space.inheritsCore(index);
    mode = BOUND;
    cores.bind(0, index);
    if (inherited) {
      return; // the stub's threads were born here
    }
    int pid = platform.pidOf(space);
    if (pid > 0) {
      cores.bind(pid, index);
      space.setMapCore(index);
    }
    bindThread(index);
  }

  /**
   * {@return the host thread, or 0 when it is not known} The number stands in shared memory, so it
   * is believed only when the host says that it is a thread of this very process.
   */
  private int tid() {
    int t = tid;
    if (t == 0) {
      int claimed = memory.get(Memory.INT, Layout.TID);
      int pid = platform.pidOf(space);
      if (pid > 0 && claimed > 0 && Systrap.signalThread(pid, claimed, 0) == 0) {
        t = claimed;
        tid = t;
      }
    }
    return t;
  }

  void bindThread(int index) {
    int thread = tid();
    if (thread > 0) {
      platform.cores().bind(thread, index);
    }
  }

  /** The guest computes: the host may move it. Called by the balancer. */
  void loosen() {
    int thread = tid;
    if (thread > 0 && mode == BOUND) {
      mode = LOOSE;
      platform.cores().release(thread);
    }
  }

  /** Asks for another way to wait, from the next run on. Called by the balancer. */
  void wish(int newMode, int index) {
    if (newMode != mode || index != core) {
      wish = newMode << 16 | index;
    }
  }

  boolean maySpin() {
    return mode == BOUND && noSpin <= 0;
  }

  /** The map is about to change, by a thread that needs this guest's core: do not spin on it. */
  void mapChanges() {
    noSpin = NO_SPIN_RUNS;
    if (mode == SPIN) {
      memory.set(Memory.INT, Layout.SPIN, 0);
      wish = BOUND << 16 | core;
      if (owner == Thread.currentThread()) {
        settle();
      }
    }
  }

  boolean isInterruptPending() {
    return interruptWanted;
  }

  /**
   * An interrupt has not been answered for a balancer's period. The signal goes out again now and
   * then, and in the end the process is killed: only a guest that tampered with its signal mask
   * withstands.
   */
  void pressInterrupt(boolean still) {
    pressed = still ? pressed + 1 : 1;
    if (pressed % 25 == 0) {
      signal();
    }
    if (pressed > PRESS_LIMIT) {
      space.release();
    }
  }

  private void signal() {
    int thread = tid();
    if (thread > 0) {
      Systrap.signalThread(space.pid(), thread, SIGUSR1);
    }
  }

  int mode() {
    return mode;
  }

  int core() {
    return core;
  }

  boolean isRunning() {
    return state == RUNNING;
  }

  /** {@return runs since the balancer last asked} */
  long eventsSinceLast() {
    long n = events;
    lastEvents = n - eventsSeen;
    eventsSeen = n;
    noSpin -= (int) Math.min(lastEvents, NO_SPIN_RUNS);
    return lastEvents;
  }

  long lastEvents() {
    return lastEvents;
  }

  /** A shared word holds what no stub writes: the address space ends, the sentry goes on. */
  private int nonsense() {
    dead = true;
    space.release();
    return DEAD;
  }

  private int command(int command, long arg0, long arg1, long arg2) {
    MemorySegment m = memory;
    m.set(Memory.LONG, Layout.CALL, arg0);
    m.set(Memory.LONG, Layout.CALL + 8, arg1);
    m.set(Memory.LONG, Layout.CALL + 16, arg2);
    return command(command);
  }

  /**
   * Gives the stub a command and waits for the event that ends it.
   *
   * @return the stub's word, or {@link #DEAD}
   */
  private int command(int command) {
    MemorySegment m = memory;
    m.set(Memory.INT, Layout.WORD, command | queued << 8);
    int turn = (int) Layout.INT.getAcquire(m, Layout.TURN);
    if (turn != Layout.TURN_SENTRY) {
      return lost(turn);
    }
    int left = spin;
    saySleeps(left == 0);
    Layout.INT.setRelease(m, Layout.TURN, Layout.TURN_STUB);
    VarHandle.fullFence();
    if ((int) Layout.INT.getOpaque(m, Layout.STUB_SLEEPS) != 0) {
      Futex.wakeShared(m.address() + Layout.TURN, 1);
    }
    while (true) {
      turn = (int) Layout.INT.getAcquire(m, Layout.TURN);
      if (turn == Layout.TURN_SENTRY) {
        int word = m.get(Memory.INT, Layout.WORD);
        return word == DEAD ? nonsense() : word;
      }
      if (turn != Layout.TURN_STUB || dead) {
        return lost(turn);
      }
      if (left > 0) {
        left--;
        platform.pauseBetweenLooks();
      } else if (!sleeps) {
        saySleeps(true);
        VarHandle.fullFence();
      } else {
        Futex.waitShared(m.address() + Layout.TURN, Layout.TURN_STUB, 0);
      }
    }
  }

  private void saySleeps(boolean now) {
    if (sleeps != now) {
      sleeps = now;
      memory.set(Memory.INT, Layout.SENTRY_SLEEPS, now ? 1 : 0);
    }
  }

  /** The turn word was not what it had to be: the thread is gone, dead, or tampered with. */
  private int lost(int turn) {
    if (turn != Layout.TURN_GONE && !dead && !space.isDead()) {
      return nonsense();
    }
    dead = true;
    return DEAD;
  }

  @Override
  public long reg(int index) {
    return (known & 1 << index) != 0 ? regs[index] : fetch(index);
  }

  /** Reads a register once from shared memory. */
  private long fetch(int index) {
    long v = sharedReg(index);
    if (index == RIP && seenPatches.mayMove(v)) {
      v = seenPatches.original(v);
    }
    regs[index] = v;
    known |= 1 << index;
    return v;
  }

  private long sharedReg(int index) {
    return memory.get(Memory.LONG, Layout.REGS + index * 8L);
  }

  @Override
  public void setReg(int index, long value) {
    // A base that is not canonical would fault in the stub.
    dirty |= 1 << index;
    known |= 1 << index;
    regs[index] =
        (index == FS_BASE || index == GS_BASE) && (value < 0 || value >= 1L << 47) ? 0 : value;
  }

  @Override
  public int faultSignal() {
    return faultSignal;
  }

  @Override
  public int faultCode() {
    return faultCode;
  }

  @Override
  public long faultAddress() {
    return faultAddress;
  }

  @Override
  public int faultErrorCode() {
    return faultErrorCode;
  }

  @Override
  public int faultTrap() {
    return faultTrap;
  }

  /** {@return how much of a range from {@code uaddr} a guest can have}, 0 when it begins outside */
  private static long clip(long uaddr, long length) {
    if (uaddr < 0 || uaddr >= Layout.REGION || length <= 0) {
      return 0;
    }
    return Math.min(length, Layout.REGION - uaddr);
  }

  private void readFetched(int n) {
    MemorySegment m = memory;
    if (n >= Layout.FETCHED_LIMIT) {
      return;
    }
    for (int i = 0; i < n; i++) {
      long at = Layout.FETCHED + i * 16L;
      int offset = m.get(Memory.INT, at + 8);
      int length = m.get(Memory.INT, at + 12);
      boolean inWindow = offset == Layout.CONTEXT_WINDOW;
      int limit =
          inWindow
              ? Layout.CONTEXT_WINDOW + BUFFER_BYTES
              : Layout.CONTEXT_PREFETCH + Layout.PREFETCH_BYTES;
      if (!inWindow && offset < Layout.CONTEXT_PREFETCH
          || offset > limit
          || length < 0
          || length > limit - offset) {
        return;
      }
      fetchedGuest[i] = m.get(Memory.LONG, at);
      fetchedOffset[i] = offset;
      fetchedLength[i] = length;
      if (inWindow) {
        windowUsed = Math.max(windowUsed, length);
      } else {
        prefetchUsed = Math.max(prefetchUsed, offset + length - Layout.CONTEXT_PREFETCH);
      }
    }
    fetched = n;
  }

  /** {@return where in the slot [uaddr, uaddr+length) was brought along to}, or -1 */
  private int fetchedAt(long uaddr, long length) {
    // Not the read-ahead: nobody said that those bytes stand still.
    int n = Math.min(fetched, Layout.FETCHED_LIMIT - 1);
    for (int i = 0; i < n; i++) {
      long into = uaddr - fetchedGuest[i];
      if (into >= 0 && into <= fetchedLength[i] && length <= fetchedLength[i] - into) {
        return fetchedOffset[i] + (int) into;
      }
    }
    return -1;
  }

  /** One round trip; returns bytes copied, checked, or 0 when the guest is gone. */
  private long transfer(int command, long uaddr, long offset, long length) {
    if (dead || command(command, uaddr, offset, length) != Layout.EVENT_DONE) {
      return 0;
    }
    long n = memory.get(Memory.LONG, Layout.CALL);
    if (n < 0 || n > length) {
      nonsense();
      return 0;
    }
    return n;
  }

  @Override
  public long copyIn(long uaddr, MemorySegment dst, long dstOffset, long length) {
    int at = fetched == 0 ? -1 : fetchedAt(uaddr, length);
    if (at >= 0) {
      MemorySegment.copy(memory, at, dst, dstOffset, length);
      return length;
    }
    long left = clip(uaddr, length);
    long done = 0;
    while (left > 0) {
      long n = Math.min(left, Layout.COPY_BYTES);
      copyUsed = Math.max(copyUsed, (int) n);
      long got = transfer(Layout.CMD_COPY_IN, uaddr + done, Layout.CONTEXT_COPY, n);
      MemorySegment.copy(memory, Layout.CONTEXT_COPY, dst, dstOffset + done, got);
      done += got;
      left -= got;
      if (got < n) {
        break;
      }
    }
    return done;
  }

  @Override
  public long copyOut(long uaddr, MemorySegment src, long srcOffset, long length) {
    fetched = 0; // it may be what we write to
    long left = clip(uaddr, length);
    long done = 0;
    while (left > 0) {
      long n = Math.min(left, Layout.COPY_BYTES);
      copyUsed = Math.max(copyUsed, (int) n);
      MemorySegment.copy(src, srcOffset + done, memory, Layout.CONTEXT_COPY, n);
      long got = transfer(Layout.CMD_COPY_OUT, uaddr + done, Layout.CONTEXT_COPY, n);
      done += got;
      left -= got;
      if (got < n) {
        break;
      }
    }
    return done;
  }

  @Override
  public long copyInString(long uaddr, MemorySegment dst, long dstOffset, long limit) {
    long most = clip(uaddr, limit);
    for (int i = 0; i < fetched; i++) {
      long into = uaddr - fetchedGuest[i];
      if (into >= 0 && into < fetchedLength[i]) {
        long n = Math.min(fetchedLength[i] - into, most);
        MemorySegment.copy(memory, fetchedOffset[i] + into, dst, dstOffset, n);
        for (long j = 0; j < n; j++) {
          if (dst.get(Memory.BYTE, dstOffset + j) == 0) {
            return j;
          }
        }
      }
    }
    // What lies around is brought along: the next string of an argument vector is often there.
    long done = 0;
    while (done < most) {
      long n = Math.min(most - done, READ_AHEAD);
      long ahead = clip(uaddr + done, READ_AHEAD);
      long got = transfer(Layout.CMD_COPY_IN, uaddr + done, AHEAD_AT, ahead);
      prefetchUsed = Math.max(prefetchUsed, AHEAD_AT + READ_AHEAD - Layout.CONTEXT_PREFETCH);
      if (got > 0) {
        remember(uaddr + done, (int) got);
      }
      long have = Math.min(got, n);
      MemorySegment.copy(memory, AHEAD_AT, dst, dstOffset + done, have);
      // Our copy decides where it ends: the shared one may change meanwhile.
      for (long j = 0; j < have; j++) {
        if (dst.get(Memory.BYTE, dstOffset + done + j) == 0) {
          return done + j;
        }
      }
      done += have;
      if (have < n) {
        return -Errno.EFAULT;
      }
    }
    return done == limit ? limit : -Errno.EFAULT;
  }

  /**
   * Notes that guest bytes from {@code uaddr} are at AHEAD_AT: in the last place, which the stub
   * never uses.
   */
  private void remember(long uaddr, int length) {
    int last = Layout.FETCHED_LIMIT - 1;
    while (fetched < last) {
      fetchedLength[fetched++] = -1;
    }
    fetched = Layout.FETCHED_LIMIT;
    fetchedGuest[last] = uaddr;
    fetchedOffset[last] = AHEAD_AT;
    fetchedLength[last] = length;
  }

  @Override
  public boolean queueCopyOut(long uaddr, MemorySegment src, long srcOffset, long length) {
    if (length == 0) {
      return true;
    }
    if (queued >= Layout.QUEUE_LIMIT
        || length > Layout.QUEUE_BYTES - queuedBytes
        || clip(uaddr, length) != length) {
      return false;
    }
    int at = Layout.CONTEXT_QUEUE + queuedBytes;
    MemorySegment.copy(src, srcOffset, memory, at, length);
    enqueue(uaddr, at, length);
    queuedBytes += (int) (length + 7 & ~7L);
    queueUsed = Math.min(Layout.QUEUE_BYTES, Math.max(queueUsed, queuedBytes));
    return true;
  }

  private void enqueue(long uaddr, int offset, long length) {
    long at = Layout.QUEUE + queued * 16L;
    memory.set(Memory.LONG, at, uaddr);
    memory.set(Memory.INT, at + 8, offset);
    memory.set(Memory.INT, at + 12, (int) length);
    queued++;
  }

  @Override
  public void clearQueuedCopies() {
    queued = 0;
    queuedBytes = 0;
    windowQueued = false;
  }

  @Override
  public MemorySegment window() {
    windowUsed = BUFFER_BYTES;
    return window;
  }

  @Override
  public long fillWindow(long uaddr, long length) {
    long n = Math.min(clip(uaddr, length), BUFFER_BYTES);
    if (fetched != 0 && fetchedAt(uaddr, n) == Layout.CONTEXT_WINDOW) {
      return n;
    }
    fetched = 0;
    windowUsed = Math.max(windowUsed, (int) n);
    return n == 0 ? 0 : transfer(Layout.CMD_COPY_IN, uaddr, Layout.CONTEXT_WINDOW, n);
  }

  @Override
  public long drainWindow(long uaddr, long length) {
    fetched = 0;
    long n = Math.min(clip(uaddr, length), BUFFER_BYTES);
    return n == 0 ? 0 : transfer(Layout.CMD_COPY_OUT, uaddr, Layout.CONTEXT_WINDOW, n);
  }

  @Override
  public void queueDrainWindow(long uaddr, long length) {
    if (length == 0) {
      return;
    }
    if (windowQueued || length > BUFFER_BYTES) {
      throw new IllegalStateException("the window is queued already, or the length is too large");
    }
    windowQueued = true;
    // What lies outside the guest's range faults when its time comes, as it must.
    enqueue(clip(uaddr, length) == length ? uaddr : 0, Layout.CONTEXT_WINDOW, length);
  }

  @Override
  public long compareAndSwapInt(long uaddr, int expected, int value) {
    fetched = 0;
    if (clip(uaddr, 4) != 4
        || dead
        || command(Layout.CMD_CAS, uaddr, expected & 0xffff_ffffL, value & 0xffff_ffffL)
            != Layout.EVENT_DONE) {
      return -Errno.EFAULT;
    }
    long r = memory.get(Memory.LONG, Layout.CALL);
    return r < 0 ? -Errno.EFAULT : r & 0xffff_ffffL;
  }

  @Override
  public int saveFpState(MemorySegment dst, long dstOffset) {
    int n = platform.fpStateBytes();
    if (fpOffset == 0 && patchedCall && memory.get(Memory.INT, Layout.FP_SAVED) != 0) {
      MemorySegment.copy(memory, Layout.CONTEXT_FP, dst, dstOffset, n);
      // XSAVE leaves alone what the host's frame has around the state.
      dst.set(Memory.INT, dstOffset + FX_SW_RESERVED, FP_XSTATE_MAGIC1);
      dst.set(Memory.INT, dstOffset + FX_SW_RESERVED + 4, n);
      dst.set(Memory.LONG, dstOffset + FX_SW_RESERVED + 8, FP_MASK);
      dst.set(Memory.INT, dstOffset + FX_SW_RESERVED + 16, n - 4);
      dst.asSlice(dstOffset + FP_LEGACY + 8, 56).fill((byte) 0);
      dst.set(Memory.INT, dstOffset + n - 4, FP_XSTATE_MAGIC2);
      return n;
    }
    needFrame();
    if (fpOffset == 0) {
      return 0;
    }
    MemorySegment.copy(memory, fpOffset, dst, dstOffset, n);
    return n;
  }

  @Override
  public void loadFpState(MemorySegment src, long srcOffset, int length) {
    needFrame();
    if (fpOffset == 0) {
      return;
    }
    int n = platform.fpStateBytes();
    if (length <= 0) {
      resetFp();
      return;
    }
    // The software-reserved words stay the host's own: they say how much of the area it reads.
    if (n <= FP_LEGACY) {
      MemorySegment.copy(src, srcOffset, memory, fpOffset, Math.min(length, FP_LEGACY));
      return;
    }
    MemorySegment.copy(src, srcOffset, memory, fpOffset, Math.min(length, FX_SW_RESERVED));
    if (length < n - 4) {
      // FXSAVE format only: the extended components go back to their initial state.
      memory.set(Memory.LONG, fpOffset + FP_LEGACY, 3);
      memory.asSlice(fpOffset + FP_LEGACY + 8, 56).fill((byte) 0);
    } else {
      MemorySegment.copy(
          src, srcOffset + FP_LEGACY, memory, fpOffset + FP_LEGACY, n - 4 - FP_LEGACY);
    }
  }

  private void resetFp() {
    MemorySegment m = memory;
    m.asSlice(fpOffset, FX_SW_RESERVED).fill((byte) 0);
    m.set(Memory.SHORT, fpOffset, (short) FCW_INITIAL);
    m.set(Memory.INT, fpOffset + 24, MXCSR_INITIAL);
    if (platform.fpStateBytes() > FP_LEGACY) {
      // No component in the header: the host initialises them all.
      m.asSlice(fpOffset + FP_LEGACY, 64).fill((byte) 0);
    }
  }

  @Override
  public void interrupt() {
    interruptWanted = true;
    if (state == RUNNING) {
      memory.set(Memory.INT, Layout.INTERRUPT, 1);
      signal();
      platform.noticed();
    }
  }

  @Override
  public void setAnswer(int nr, long value) {
    int i = ANSWERS.indexOf(nr);
    if (i < 0) {
      return;
    }
    synchronized (answersMu) {
      if (state == RELEASED) {
        return; // the slot may be another's by now
      }
      Layout.LONG.setRelease(memory, (long) ANSWERS.valueOffset(i), value);
      Layout.LONG.setRelease(
          memory, (long) ANSWERS.entryOffset(i), platform.answers() + i * ANSWER_BYTES);
    }
  }

  @Override
  public void clearAnswers() {
    synchronized (answersMu) {
      for (int i = 0; i < Layout.ANSWERS_COUNT && state != RELEASED; i++) {
        Layout.LONG.setRelease(memory, (long) ANSWERS.entryOffset(i), platform.entry());
      }
    }
  }

  @Override
  public long cpuTimeNs() {
    int pid = space.pid();
    if (pid == 0) {
      pid = platform.pidOf(space);
    }
    return pid == 0 ? -1 : platform.cpuTimeNs(pid);
  }

  /** Called by the watcher when the process is dead: whoever waits wakes. */
  void die() {
    dead = true;
    Layout.INT.setVolatile(memory, Layout.TURN, Layout.TURN_DEAD);
    Futex.wakeShared(memory.address() + Layout.TURN, Integer.MAX_VALUE);
  }

  /** {@return whether the host thread has exited}, as far as its own process can be believed */
  boolean isGone() {
    return (int) Layout.INT.getVolatile(memory, Layout.TURN) == Layout.TURN_GONE;
  }

  /**
   * Clears what the next owner of the slot must not see. What a guest itself hid elsewhere in the
   * slot is its own to give away.
   */
  void wipe() {
    synchronized (answersMu) {
      state = RELEASED;
    }
    memory.asSlice(0, Layout.CONTEXT_STACK).fill((byte) 0);
    memory.asSlice(Layout.CONTEXT_STACK_END - 0x4000, 0x4000).fill((byte) 0);
    window.asSlice(0, windowUsed).fill((byte) 0);
    memory.asSlice(Layout.CONTEXT_COPY, copyUsed).fill((byte) 0);
    memory.asSlice(Layout.CONTEXT_PREFETCH, prefetchUsed).fill((byte) 0);
    memory.asSlice(Layout.CONTEXT_QUEUE, queueUsed).fill((byte) 0);
  }

  @Override
  public void release() {
    synchronized (answersMu) {
      if (state == RELEASED) {
        return;
      }
      state = RELEASED;
    }
    if (!dead) {
      memory.set(Memory.INT, Layout.WORD, Layout.CMD_EXIT);
      Layout.INT.setVolatile(memory, Layout.TURN, Layout.TURN_STUB);
      Futex.wakeShared(memory.address() + Layout.TURN, 1);
      dead = true;
      space.contextReleased(this);
    }
  }
}
