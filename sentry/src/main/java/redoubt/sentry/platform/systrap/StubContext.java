package redoubt.sentry.platform.systrap;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Errno;
import redoubt.host.Futex;
import redoubt.host.Memory;
import redoubt.host.Region;
import redoubt.sentry.platform.CallRegisters;
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

  /** Which of them its line has when bytes are in it from a word on: INLINE_FROM to 6; all else. */
  private static final int[] IN_LINE = new int[16];

  static {
    java.util.Arrays.fill(IN_LINE, CALL_REGS);
    IN_LINE[4] = CALL_REGS & ~(1 << R10 | 1 << R8 | 1 << R9);
    IN_LINE[5] = CALL_REGS & ~(1 << R8 | 1 << R9);
    IN_LINE[6] = CALL_REGS & ~(1 << R9);
  }

  /** The registers of a call's arguments, in order. */
  private static final int[] ARGUMENTS = {RDI, RSI, RDX, R10, R8, R9};

  /** Not for the caller: the guest must go on. */
  private static final int SPURIOUS = 100;

  private static final long ANSWER_BYTES = 16;
  private static final int STOPPED = 0;
  private static final int RUNNING = 1;
  private static final int RELEASED = 2;

  static final Answers ANSWERS = new Answers(Layout.ANSWERS);

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
  private final Region memory;
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

  /** Sleeps in spin mode after which spinning ends. */
  private static final int OVERSLEPT_LIMIT = 4;

  /**
   * For how many times NO_SPIN_RUNS it then rests, at most, and periods after which that is over.
   */
  private static final int REST_MOST = 8;

  private static final int CALM_PERIODS = 16;

  /** Sleeps of either side in spin mode since the balancer last looked. */
  private volatile int overslept;

  private volatile int mode = FRESH;
  private volatile int core;
  private volatile int wish = -1;
  private @Nullable Thread owner;
  private volatile int tid;
  private int spin;

  /** What SENTRY_SLEEPS says. */
  private boolean sleeps;

  private int noSpin;

  /** The next rest, in NO_SPIN_RUNS: it doubles while spinning fails soon after the last one. */
  private int rest = 1;

  private int calm;
  private long events;
  private long eventsSeen;
  private long lastEvents;
  private long eventsBefore;
  private int pressed;

  /** Registers set since the last event, a bit each. */
  private int dirty = ALL;

  /** The GS base holds this context's address while patched text may run. */
  private boolean ownsGs;

  private PatchMap seenPatches = PatchMap.EMPTY;

  /** Guards the answers against a release by another thread. */
  private final Object answersMu = new Object();

  /** Descriptors with grants, a bit each. Written under answersMu. */
  private volatile long granted;

  /** What the stub was told of each descriptor; guarded by answersMu. */
  private final int[] standing = new int[STANDING_FDS];

  private int nextStatus; // guarded by answersMu

  /** Whose status is in each slot; guarded by answersMu. */
  private final int[] statusFds = {-1, -1, -1, -1};

  private static final VarHandle STATE = state();

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

  private final Fetched fetched;
  private final CopyQueue queue;

  /** How much of the buffer of synchronous copies has ever held something. */
  private int copyUsed;

  StubContext(StubSpace space, int slot) {
    this.space = space;
    this.platform = space.platform();
    this.slot = slot;
    this.memory = Region.of(platform.contextMemory(slot));
    this.scratch = Arena.ofAuto().allocate(8, 8);
    this.window = memory.segment().asSlice(Layout.CONTEXT_WINDOW, BUFFER_BYTES);
    this.fetched = new Fetched(memory);
    this.queue = new CopyQueue(memory);
  }

  private static VarHandle state() {
    try {
      return MethodHandles.lookup().findVarHandle(StubContext.class, "state", int.class);
    } catch (ReflectiveOperationException e) {
      throw new LinkageError(e.getMessage(), e);
    }
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
    Region m = memory;
    long va = address();
    m.clear(0, Layout.QUEUE);
    frame(Layout.START_FRAME, 1L << 9);
    m.putLong(Layout.START_FRAME + Layout.UC_RIP, platform.threadStart());
    m.putLong(Layout.START_FRAME + Layout.UC_RSP, va + Layout.START_STACK);
    m.putLong(Layout.START_FRAME + Layout.UC_RBX, va + Layout.FIRST_FRAME);
    frame(Layout.FIRST_FRAME, 0);
    m.putLong(Layout.FIRST_FRAME + Layout.UC_FPSTATE, va + Layout.FIRST_FP);
    // fpu_bytes counts the closing magic word.
    int size = platform.fpStateBytes();
    m.clear(Layout.FIRST_FP, FP_LEGACY + 64);
    if (size > FP_LEGACY) {
      m.putInt(Layout.FIRST_FP + FX_SW_RESERVED, FP_XSTATE_MAGIC1);
      m.putInt(Layout.FIRST_FP + FX_SW_RESERVED + 4, size);
      m.putLong(Layout.FIRST_FP + FX_SW_RESERVED + 8, -1L);
      m.putInt(Layout.FIRST_FP + FX_SW_RESERVED + 16, size - 4);
      m.putInt(Layout.FIRST_FP + size - 4L, FP_XSTATE_MAGIC2);
    }
    fpOffset = Layout.FIRST_FP;
    resetFp();
    ownsGs = space.isPatching();
    m.putLong(Layout.SELF, va);
    m.putLong(Layout.ENTRY, platform.entry());
    m.putInt(Layout.PAUSES, platform.pausesPerLook());
    m.putInt(Layout.PATCHED, ownsGs ? 1 : 0);
    int bytes = platform.fpStateBytes();
    m.putInt(Layout.FP_MASK, bytes > FP_LEGACY && bytes <= FP_AREA ? (int) FP_MASK : 0);
    clearAnswers();
    m.putIntVolatile(Layout.TURN, Layout.TURN_SENTRY);
  }

  private void frame(long at, long mask) {
    Region m = memory;
    m.clear(at, Layout.UC_BYTES);
    m.putLong(at + Layout.UC_FLAGS, Layout.UC_FLAGS_VALUE);
    m.putLong(at + Layout.UC_STACK_SP, address() + Layout.CONTEXT_STACK);
    m.putLong(at + Layout.UC_STACK_SIZE, Layout.CONTEXT_STACK_END - Layout.CONTEXT_STACK);
    m.putLong(at + Layout.UC_SEGMENTS, Layout.SEGMENTS);
    m.putLong(at + Layout.UC_RFLAGS, 0x202);
    m.putLong(at + Layout.UC_MASK, mask);
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
    memory.putInt(Layout.PATCHED, 0);
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
    int fp = memory.getInt(Layout.FP_OFFSET);
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
    if (interruptWanted) {
      interruptWanted = false;
      memory.putInt(Layout.INTERRUPT, 0);
      if (!queue.isEmpty()) {
        int e = command(Layout.CMD_FLUSH | queue.writeFirst());
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
    fetched.clear();
    if (dirty != 1 << RAX || space.patches() != seenPatches) {
      writeRegs();
    }
    int word = Layout.CMD_RUN | queue.writeFirst();
    if ((dirty & (1 << RAX)) != 0) {
      memory.putLong(Layout.CALL, regs[RAX]);
      word |= Layout.CMD_RAX;
    }
    dirty = 0;
    // Ordered by the fence in giveTurn: either interrupt() sees RUNNING, or we see its wish there.
    STATE.setOpaque(this, RUNNING);
    int answer = command(word);
    STATE.setRelease(this, STOPPED);
    queue.clear();
    seenPatches = space.patches();
    int event = answer & Layout.EVENT_MASK;
    if (answer == DEAD || event == SYSCALL_COPY_FAULT) {
      return event;
    }
    if ((answer & Layout.EVENT_PATCHED) != 0) {
      readLine(inLineFrom(answer));
    } else if (!readAll(event)) {
      return SPURIOUS;
    }
    return switch (event) {
      case SYSCALL -> {
        if (answer >>> 8 != 0) {
          readFetched(answer);
        }
        yield SYSCALL;
      }
      case FAULT -> fault();
      case INTERRUPTED -> interrupted();
      default -> nonsense();
    };
  }

  /** Writes the registers that were set, but RAX, to where the stub takes them from. */
  private void writeRegs() {
    Region m = memory;
    long[] r = regs;
    PatchMap patches = space.patches();
    if (patches != seenPatches && seenPatches.mayMove(sharedReg(RIP))) {
      setReg(RIP, reg(RIP)); // the trampoline that it stood in may be gone
    }
    if ((dirty & (1 << GS_BASE)) != 0 && ownsGs && r[GS_BASE] != 0) {
      giveUpGs();
    }
    if ((dirty & (1 << RIP)) != 0) {
      m.putLong(Layout.REGS + RIP * 8L, patches.moved(r[RIP]));
    }
    int d = dirty & ~(1 << RIP | 1 << RAX);
    while (d != 0) {
      int i = Integer.numberOfTrailingZeros(d);
      m.putLong(Layout.REGS + i * 8L, r[i]);
      d &= d - 1;
    }
  }

  /**
   * A call from a patched site: its line has what nearly all calls need, the rest can wait.
   *
   * @param bytesFrom the word from which on the line has bytes instead of registers, or 0
   */
  private void readLine(int bytesFrom) {
    Region m = memory;
    long[] r = regs;
    r[RAX] = m.getLong(Layout.CALL);
    r[RDI] = m.getLong(Layout.CALL + 8);
    r[RSI] = m.getLong(Layout.CALL + 16);
    r[RDX] = m.getLong(Layout.CALL + 24);
    r[R10] = m.getLong(Layout.CALL + 32);
    r[R8] = m.getLong(Layout.CALL + 40);
    r[R9] = m.getLong(Layout.CALL + 48);
    known = IN_LINE[bytesFrom] | known & 1 << GS_BASE;
    fpOffset = 0;
    patchedCall = true;
  }

  /** {@return whether the event is the kernel's}; if not, the guest must go on */
  private boolean readAll(int event) {
    long[] r = regs;
    long gs = reg(GS_BASE);
    memory.getLongs(Layout.REGS, r, REGS);
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
      memory.putInt(Layout.PATCHED, 0);
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
    Region m = memory;
    faultSignal = m.getInt(Layout.FAULT_SIGNAL);
    faultCode = m.getInt(Layout.FAULT_CODE);
    faultErrorCode = m.getInt(Layout.FAULT_ERROR);
    faultTrap = m.getInt(Layout.FAULT_TRAP);
    faultAddress = m.getLong(Layout.FAULT_ADDRESS);
    return FAULT;
  }

  private int interrupted() {
    interruptWanted = false;
    pressed = 0;
    memory.putInt(Layout.INTERRUPT, 0);
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
          memory.putInt(Layout.SPIN, spin);
          mode = SPIN;
        }
        return;
      }
      bind(me, wanted & 0xffff);
      return;
    }
    if (mode == LOOSE) {
      bind(me, cores.indexOf(memory.getInt(Layout.CPU)));
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
    memory.putInt(Layout.SPIN, 0);
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
      int claimed = memory.getInt(Layout.TID);
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

  /**
   * Spinning does not pay: another thread has one of the two cores. On one core a hand-over costs a
   * switch, on two of which one is taken it costs waking the other (30 times as much).
   */
  private void giveUpSpinning(int freeCore) {
    overslept = 0;
    noSpin = NO_SPIN_RUNS * rest;
    rest = Math.min(2 * rest, REST_MOST);
    calm = 0;
    memory.putInt(Layout.SPIN, 0);
    wish = BOUND << 16 | freeCore;
  }

  boolean maySpin() {
    return mode == BOUND && noSpin <= 0;
  }

  /** The map is about to change, by a thread that needs this guest's core: do not spin on it. */
  void mapChanges() {
    noSpin = NO_SPIN_RUNS;
    if (mode == SPIN) {
      memory.putInt(Layout.SPIN, 0);
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
      space.destroy();
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
    eventsBefore = lastEvents;
    lastEvents = n - eventsSeen;
    eventsSeen = n;
    noSpin -= (int) Math.min(lastEvents, NO_SPIN_RUNS);
    overslept = 0;
    if (++calm >= CALM_PERIODS) {
      rest = 1;
    }
    return lastEvents;
  }

  long lastEvents() {
    return lastEvents;
  }

  /**
   * {@return whether both of the last two periods had less than so many events} One may have gone
   * by in a single call, say of the gofer.
   */
  boolean isQuietAgain(int few) {
    return lastEvents < few && eventsBefore < few;
  }

  /** A shared word holds what no stub writes: the address space ends, the sentry goes on. */
  private int nonsense() {
    dead = true;
    space.destroy();
    return DEAD;
  }

  private int command(int command, long arg0, long arg1, long arg2) {
    Region m = memory;
    m.putLong(Layout.CALL, arg0);
    m.putLong(Layout.CALL + 8, arg1);
    m.putLong(Layout.CALL + 16, arg2);
    return command(command);
  }

  /**
   * Gives the stub a command and waits for the event that ends it.
   *
   * @return the stub's word, or {@link #DEAD}
   */
  private int command(int command) {
    Region m = memory;
    m.putInt(Layout.WORD, command);
    int turn = m.getIntAcquire(Layout.TURN);
    if (turn != Layout.TURN_SENTRY) {
      return lost(turn);
    }
    int left = spin;
    saySleeps(left == 0);
    m.putIntRelease(Layout.TURN, Layout.TURN_STUB);
    VarHandle.fullFence();
    if (interruptWanted && state == RUNNING) {
      pull();
    }
    if (m.getIntOpaque(Layout.STUB_SLEEPS) != 0) {
      Futex.wakeShared(m.address() + Layout.TURN, 1);
      if (mode == SPIN && ++overslept >= OVERSLEPT_LIMIT) {
        giveUpSpinning(core); // the core of this thread is taken
      }
    }
    while (true) {
      turn = m.getIntAcquire(Layout.TURN);
      if (turn == Layout.TURN_SENTRY) {
        int word = m.getInt(Layout.WORD);
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
        if (mode == SPIN && ++overslept >= OVERSLEPT_LIMIT) {
          giveUpSpinning(platform.cores().current(scratch)); // the core of the stub is taken
        }
      } else {
        Futex.waitShared(m.address() + Layout.TURN, Layout.TURN_STUB, 0);
      }
    }
  }

  private void saySleeps(boolean now) {
    if (sleeps != now) {
      sleeps = now;
      memory.putInt(Layout.SENTRY_SLEEPS, now ? 1 : 0);
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

  /** What the line had no place for is beyond the arguments of the call. */
  @Override
  public void readCall(CallRegisters call) {
    long[] r = regs;
    int k = known;
    call.nr = (int) r[RAX];
    call.a0 = r[RDI];
    call.a1 = r[RSI];
    call.a2 = r[RDX];
    call.a3 = (k & 1 << R10) != 0 ? r[R10] : 0;
    call.a4 = (k & 1 << R8) != 0 ? r[R8] : 0;
    call.a5 = (k & 1 << R9) != 0 ? r[R9] : 0;
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
    return memory.getLong(Layout.REGS + index * 8L);
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

  /** Notes what came along with a call; {@code word} is the event's. */
  private void readFetched(int word) {
    int argument = (word >>> Layout.EVENT_ARGUMENT_SHIFT & 0xf) - 1;
    int bytes = word >>> Layout.EVENT_BYTES_SHIFT;
    fetched.read(word >>> 8 & 0xff);
    if (argument < 0 || argument >= ARGUMENTS.length) {
      return;
    }
    long uaddr = regs[ARGUMENTS[argument]];
    if (bytes != 0) {
      fetched.inLine(uaddr, inLineFrom(word), bytes);
    } else {
      fetched.empty(uaddr);
    }
  }

  /** {@return from which word of the call's line on there are bytes, or 0: there are none} */
  private static int inLineFrom(int word) {
    return word >>> Layout.EVENT_INLINE_SHIFT & 0xf;
  }

  /** One round trip; returns bytes copied, checked, or 0 when the guest is gone. */
  private long transfer(int command, long uaddr, long offset, long length) {
    if (dead || command(command, uaddr, offset, length) != Layout.EVENT_DONE) {
      return 0;
    }
    long n = memory.getLong(Layout.CALL);
    if (n < 0 || n > length) {
      nonsense();
      return 0;
    }
    return n;
  }

  @Override
  public long copyIn(long uaddr, MemorySegment dst, long dstOffset, long length) {
    int at = fetched.find(uaddr, length);
    if (at >= 0) {
      memory.get(at, dst, dstOffset, length);
      return length;
    }
    long left = clip(uaddr, length);
    long done = 0;
    while (left > 0) {
      long n = Math.min(left, Layout.COPY_BYTES);
      copyUsed = Math.max(copyUsed, (int) n);
      long got = transfer(Layout.CMD_COPY_IN, uaddr + done, Layout.CONTEXT_COPY, n);
      memory.get(Layout.CONTEXT_COPY, dst, dstOffset + done, got);
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
    fetched.clear(); // it may be what we write to
    long left = clip(uaddr, length);
    long done = 0;
    while (left > 0) {
      long n = Math.min(left, Layout.COPY_BYTES);
      copyUsed = Math.max(copyUsed, (int) n);
      memory.put(Layout.CONTEXT_COPY, src, srcOffset + done, n);
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
    if (most > 0 && fetched.isEmptyString(uaddr)) {
      return 0;
    }
    long here = fetched.copyString(uaddr, dst, dstOffset, most);
    if (here >= 0) {
      return here;
    }
    // What lies around is brought along: the next string of an argument vector is often there.
    long done = 0;
    while (done < most) {
      long n = Math.min(most - done, Fetched.READ_AHEAD);
      long ahead = clip(uaddr + done, Fetched.READ_AHEAD);
      long got = transfer(Layout.CMD_COPY_IN, uaddr + done, Fetched.AHEAD_AT, ahead);
      fetched.prefetchUsed(Fetched.AHEAD_AT + Fetched.READ_AHEAD - Layout.CONTEXT_PREFETCH);
      if (got > 0) {
        fetched.remember(uaddr + done, (int) got);
      }
      long have = Math.min(got, n);
      memory.get(Fetched.AHEAD_AT, dst, dstOffset + done, have);
      // Our copy decides where it ends: the shared one may change meanwhile.
      long end = Region.zeroByte(dst, dstOffset + done, have);
      if (end >= 0) {
        return done + end;
      }
      done += have;
      if (have < n) {
        return -Errno.EFAULT;
      }
    }
    return done == limit ? limit : -Errno.EFAULT;
  }

  @Override
  public @Nullable String stringHere(long uaddr, int limit) {
    return uaddr > 0 ? fetched.string(uaddr, limit) : null;
  }

  @Override
  public boolean queueCopyOut(long uaddr, MemorySegment src, long srcOffset, long length) {
    if (length == 0) {
      return true;
    }
    return clip(uaddr, length) == length && queue.add(uaddr, src, srcOffset, length);
  }

  @Override
  public void clearQueuedCopies() {
    queue.clear();
  }

  @Override
  public MemorySegment window() {
    fetched.windowUsed(BUFFER_BYTES);
    return window;
  }

  @Override
  public long fillWindow(long uaddr, long length) {
    long n = Math.min(clip(uaddr, length), BUFFER_BYTES);
    int at = fetched.find(uaddr, n);
    if (at == Layout.CONTEXT_WINDOW) {
      return n;
    }
    fetched.windowUsed((int) n);
    if (at >= 0) {
      memory.put(Layout.CONTEXT_WINDOW, memory, at, n);
      return n;
    }
    fetched.clear();
    return n == 0 ? 0 : transfer(Layout.CMD_COPY_IN, uaddr, Layout.CONTEXT_WINDOW, n);
  }

  @Override
  public long drainWindow(long uaddr, long length) {
    fetched.clear();
    long n = Math.min(clip(uaddr, length), BUFFER_BYTES);
    return n == 0 ? 0 : transfer(Layout.CMD_COPY_OUT, uaddr, Layout.CONTEXT_WINDOW, n);
  }

  @Override
  public void queueDrainWindow(long uaddr, long length) {
    if (length == 0) {
      return;
    }
    // What lies outside the guest's range faults when its time comes, as it must.
    queue.addWindow(clip(uaddr, length) == length ? uaddr : 0, length);
  }

  @Override
  public long compareAndSwapInt(long uaddr, int expected, int value) {
    fetched.clear();
    if (clip(uaddr, 4) != 4
        || dead
        || command(Layout.CMD_CAS, uaddr, expected & 0xffff_ffffL, value & 0xffff_ffffL)
            != Layout.EVENT_DONE) {
      return -Errno.EFAULT;
    }
    long r = memory.getLong(Layout.CALL);
    return r < 0 ? -Errno.EFAULT : r & 0xffff_ffffL;
  }

  @Override
  public int saveFpState(MemorySegment dst, long dstOffset) {
    int n = platform.fpStateBytes();
    if (fpOffset == 0 && patchedCall && memory.getInt(Layout.FP_SAVED) != 0) {
      memory.get(Layout.CONTEXT_FP, dst, dstOffset, n);
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
    memory.get(fpOffset, dst, dstOffset, n);
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
      memory.put(fpOffset, src, srcOffset, Math.min(length, FP_LEGACY));
      return;
    }
    memory.put(fpOffset, src, srcOffset, Math.min(length, FX_SW_RESERVED));
    if (length < n - 4) {
      // FXSAVE format only: the extended components go back to their initial state.
      memory.putLong(fpOffset + FP_LEGACY, 3);
      memory.clear(fpOffset + FP_LEGACY + 8, 56);
    } else {
      memory.put(fpOffset + FP_LEGACY, src, srcOffset + FP_LEGACY, n - 4 - FP_LEGACY);
    }
  }

  private void resetFp() {
    Region m = memory;
    m.clear(fpOffset, FX_SW_RESERVED);
    m.putShort(fpOffset, (short) FCW_INITIAL);
    m.putInt(fpOffset + 24, MXCSR_INITIAL);
    if (platform.fpStateBytes() > FP_LEGACY) {
      // No component in the header: the host initialises them all.
      m.clear(fpOffset + FP_LEGACY, 64);
    }
  }

  @Override
  public void interrupt() {
    interruptWanted = true;
    if (state == RUNNING) {
      pull();
    }
  }

  /** Has the guest thread stop for an interrupt. */
  private void pull() {
    memory.putInt(Layout.INTERRUPT, 1);
    signal();
    platform.noticed();
  }

  @Override
  public void clearInterrupt() {
    interruptWanted = false;
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
      memory.putLongRelease((long) ANSWERS.valueOffset(i), value);
      memory.putLongRelease((long) ANSWERS.entryOffset(i), platform.answers() + i * ANSWER_BYTES);
    }
  }

  @Override
  public void delegate() {
    synchronized (answersMu) {
      if (state != RELEASED) {
        memory.putIntVolatile(Layout.DELEGATED, 1);
      }
    }
  }

  @Override
  public void setStanding(int fd, int what) {
    synchronized (answersMu) {
      if (state != RELEASED) {
        stand(fd, what);
      }
    }
  }

  @Override
  public void grantView(int fd, int view, long offset, long length, long address, int what) {
    synchronized (answersMu) {
      if (state == RELEASED) {
        return;
      }
      long at = Layout.VIEWS + (long) view * Layout.VIEW_BYTES;
      memory.putLong(at, offset);
      memory.putLong(at + 8, length);
      memory.putLong(at + 16, address);
      grant(fd, 7 << Layout.VIEW_SHIFT, what | view << Layout.VIEW_SHIFT);
    }
  }

  @Override
  public void grantStatus(int fd, Region status) {
    synchronized (answersMu) {
      if (state == RELEASED) {
        return;
      }
      int slot = nextStatus;
      nextStatus = (slot + 1) % Layout.STATUSES_COUNT;
      int before = statusFds[slot];
      if (before != fd && before >= 0) {
        stand(before, standing[before] & ~STATUS);
      }
      statusFds[slot] = fd;
      memory.put(
          Layout.STATUSES + (long) slot * Layout.STATUS_BYTES, status, 0, Layout.STATUS_BYTES);
      grant(fd, 3 << Layout.STATUS_SHIFT, STATUS | slot << Layout.STATUS_SHIFT);
    }
  }

  // Preconditions: holds answersMu.
  private void grant(int fd, int clear, int set) {
    stand(fd, standing[fd] & ~clear | set);
    granted |= 1L << fd;
  }

  // Preconditions: holds answersMu. Volatile: who offers looks once more whether it still holds.
  private void stand(int fd, int what) {
    standing[fd] = what;
    memory.putIntVolatile(Layout.STANDING + fd * 4L, what);
  }

  @Override
  public void withdrawGrants() {
    if (granted == 0) {
      return;
    }
    synchronized (answersMu) {
      for (long left = granted; left != 0 && state != RELEASED; left &= left - 1) {
        int fd = Long.numberOfTrailingZeros(left);
        stand(fd, standing[fd] & ~(READS_VIEW | WRITES_VIEW | STATUS));
      }
      granted = 0;
    }
  }

  @Override
  public void clearAnswers() {
    synchronized (answersMu) {
      granted = 0;
      if (state != RELEASED) {
        memory.putInt(Layout.DELEGATED, 0);
        java.util.Arrays.fill(standing, 0);
        memory.clear(Layout.STANDING, STANDING_FDS * 4L);
      }
      for (int i = 0; i < Layout.ANSWERS_COUNT && state != RELEASED; i++) {
        memory.putLongRelease((long) ANSWERS.entryOffset(i), platform.entry());
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

  @Override
  public long threadCpuTimeNs() {
    int pid = space.pid() != 0 ? space.pid() : platform.pidOf(space);
    int thread = tid();
    return pid == 0 || thread == 0 ? -1 : Math.max(-1, platform.threadCpuTimeNs(pid, thread));
  }

  /** Called by the watcher when the process is dead: whoever waits wakes. */
  void die() {
    dead = true;
    memory.putIntVolatile(Layout.TURN, Layout.TURN_DEAD);
    Futex.wakeShared(memory.address() + Layout.TURN, Integer.MAX_VALUE);
  }

  /** {@return whether the host thread has exited}, as far as its own process can be believed */
  boolean isGone() {
    return memory.getIntVolatile(Layout.TURN) == Layout.TURN_GONE;
  }

  /**
   * Clears what the next owner of the slot must not see. What a guest itself hid elsewhere in the
   * slot is its own to give away.
   */
  void wipe() {
    synchronized (answersMu) {
      state = RELEASED;
    }
    memory.clear(0, Layout.CONTEXT_STACK);
    memory.clear(Layout.CONTEXT_STACK_END - 0x4000, 0x4000);
    memory.clear(Layout.CONTEXT_WINDOW, fetched.windowUsed());
    memory.clear(Layout.CONTEXT_COPY, copyUsed);
    memory.clear(Layout.CONTEXT_PREFETCH, fetched.prefetchUsed());
    memory.clear(Layout.CONTEXT_QUEUE, queue.used());
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
      memory.putInt(Layout.WORD, Layout.CMD_EXIT);
      memory.putIntVolatile(Layout.TURN, Layout.TURN_STUB);
      Futex.wakeShared(memory.address() + Layout.TURN, 1);
      dead = true;
      space.contextReleased(this);
    }
  }
}
