package redoubt.sentry.platform.systrap;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Errno;
import redoubt.abi.Nr;
import redoubt.host.Futex;
import redoubt.host.Memory;
import redoubt.sentry.platform.AddressSpace;
import redoubt.sentry.platform.GuestContext;
import redoubt.sentry.platform.MapBatch;
import redoubt.sentry.platform.MemoryUsage;
import redoubt.sentry.platform.PlatformException;
import redoubt.sentry.platform.systrap.patch.SitePatcher;

/**
 * A stub process as an address space: batches for its map thread, and its contexts.
 *
 * <p>The map thread executes raw system calls from a page that only the sentry writes. Its reply
 * page is writable by guests: a forged reply hurts only that guest, and a withheld wake-up only
 * makes it slow, because we look again every {@link Systrap#LOOK_AGAIN_NS}.
 */
final class StubSpace implements AddressSpace {
  /** Time between two looks for an acknowledgement that is late. */
  private static final long ATTEST_LOOK_NS = 20_000;

  private static final int PROT_READ = 1;
  private static final int PROT_WRITE = 2;
  private static final int PROT_EXEC = 4;
  private static final int PROT_READ_WRITE = 3;
  private static final int MAP_SHARED = 1;
  private static final int MAP_PRIVATE = 2;
  private static final int MAP_FIXED = 0x10;
  private static final int MAP_ANONYMOUS = 0x20;
  private static final int MAP_NORESERVE = 0x4000;
  private static final int MAP_FIXED_NOREPLACE = 0x100000;
  private static final int MREMAP_MAYMOVE = 1;
  private static final int MREMAP_FIXED = 2;
  private static final int MADV_DONTFORK = 10;
  private static final int PR_SET_PDEATHSIG = 1;
  private static final int SIGKILL = 9;
  private static final long CLONE_FILES = 0x400;
  private static final long CLONE_PARENT = 0x8000;
  // VM FS FILES SIGHAND THREAD SYSVSEM PARENT_SETTID CHILD_CLEARTID
  private static final long CLONE_GUEST_THREAD =
      0x100 | 0x200 | 0x400 | 0x800 | 0x10000 | 0x40000 | 0x100000 | 0x200000;

  private final Systrap platform;
  private final int index;
  private final long generation;

  /** The batch that the map thread last said on its descriptor to have done. */
  private volatile int attested;

  private final long requestOffset;
  private final MemorySegment request;
  private final MemorySegment reply;
  private final MemorySegment lookAgain;
  private final MemorySegment scratch = Arena.ofAuto().allocate(8, 8);

  /** Held while the copier works; taken before {@link #mu}. */
  private final Object copierMu = new Object();

  private final Object mu = new Object();
  private int sequence;
  private int claimedPid;
  private final List<StubContext> contexts = new ArrayList<>();
  private final List<StubContext> exited = new ArrayList<>();
  private @Nullable StubContext first;
  private @Nullable StubContext copier;

  /** Where patched text lies; changed under {@link #mu}. */
  private volatile PatchMap patches = PatchMap.EMPTY;

  /** Whether new text is patched: not when a guest uses GS for itself. */
  private volatile boolean patching;

  /** Whether text that is mapped from now on is left alone, see {@link #keepText}. */
  private volatile boolean keepsText;

  private volatile int pid;
  private volatile boolean forkFailed;
  private volatile boolean forked;
  private volatile boolean dead;
  private volatile boolean killing;
  private boolean released;
  private @Nullable Runnable whenGone; // guarded by mu; the owner's

  /** The process is dead and no context's turn word will be written for it any more. */
  private boolean reaped;

  private boolean recycled;
  private volatile int homeCore = -1;
  private volatile int forkedOn = -1;

  /** Where the map thread is bound, -1 when it is not known. */
  private volatile int mapCore = -1;

  StubSpace(
      Systrap platform,
      int index,
      long generation,
      long requestOffset,
      MemorySegment request,
      MemorySegment reply) {
    this.platform = platform;
    this.index = index;
    this.generation = generation;
    this.requestOffset = requestOffset;
    this.request = request;
    this.reply = reply;
    this.lookAgain = platform.lookAgain();
    this.patching = platform.patcher() != null;
  }

  int index() {
    return index;
  }

  long generation() {
    return generation;
  }

  int pid() {
    return pid;
  }

  void setPid(int pid) {
    this.pid = pid;
  }

  /** Noted by the platform, under its lock. */
  void setForkFailed() {
    forkFailed = true;
  }

  boolean isForkFailed() {
    return forkFailed;
  }

  int claimedPid() {
    return claimedPid;
  }

  Systrap platform() {
    return platform;
  }

  @Override
  public boolean isDead() {
    return dead;
  }

  @Override
  public boolean isForked() {
    return forked;
  }

  @Override
  public @Nullable MemoryUsage memoryUsage() {
    int p = pid != 0 ? pid : platform.pidOf(this);
    return p == 0 || dead ? null : platform.memoryUsage(p);
  }

  /**
   * Lays out the first batch, which the new process carries out by itself, first thread included.
   */
  void prepare(boolean isFork) {
    synchronized (mu) {
      forked = isFork;
      StubContext c = new StubContext(this, platform.allocateContext());
      contexts.add(c);
      platform.setLive(c.slot(), c);
      first = c;
      request.asSlice(0, Layout.OPS).fill((byte) 0);
      reply.asSlice(0, 64).fill((byte) 0);
      request.set(Memory.INT, Layout.ACK, index);
      request.set(Memory.LONG, Layout.ACK + 8, generation);
      request.set(Memory.INT, Layout.MAP_SPIN, 0);
      int n = 0;
      op(
          n++,
          Layout.KIND_STUB,
          Nr.MMAP,
          Layout.REPLY_VA,
          4096,
          PROT_READ_WRITE,
          MAP_SHARED | MAP_FIXED,
          Layout.FD_CONTROL,
          requestOffset + Layout.REQUEST_BYTES);
      op(n++, Layout.KIND_STUB, Nr.MADVISE, Layout.REQUEST_VA, 2 * 4096, MADV_DONTFORK, 0, 0, 0);
      op(n++, Layout.KIND_STUB, Nr.PRCTL, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0, 0);
      op(n++, Layout.KIND_EXPECT, Nr.GETPPID, 0, 0, 0, 0, 0, platform.keeperPid());
      if (isFork) {
        op(
            n++,
            Layout.KIND_STUB,
            Nr.WRITE,
            Layout.FD_ACK,
            Layout.REQUEST_VA + Layout.ACK,
            Layout.ACK_BYTES,
            0,
            0,
            0);
      }
      n = threadOps(n, c, true);
      request.set(Memory.INT, Layout.COUNT, n);
      sequence = 1;
      Layout.INT.setVolatile(request, Layout.SEQUENCE, 1);
    }
  }

  private int threadOps(int n, StubContext c, boolean map) {
    c.prepare();
    long va = c.address();
    if (map) {
      op(
          n++,
          Layout.KIND_STUB,
          Nr.MMAP,
          va,
          Layout.CONTEXT_BYTES,
          PROT_READ_WRITE,
          MAP_SHARED | MAP_FIXED,
          Layout.FD_CONTEXTS,
          c.slot() * Layout.CONTEXT_STRIDE);
      op(n++, Layout.KIND_STUB, Nr.MADVISE, va, Layout.CONTEXT_BYTES, MADV_DONTFORK, 0, 0, 0);
    }
    op(
        n++,
        Layout.KIND_THREAD,
        Nr.CLONE,
        CLONE_GUEST_THREAD,
        va + Layout.START_FRAME,
        va + Layout.TID,
        va + Layout.TURN,
        0,
        0);
    return n;
  }

  private void op(int i, int kind, int nr, long a0, long a1, long a2, long a3, long a4, long a5) {
    MemorySegment r = request;
    long at = Layout.OPS + i * Layout.OP_BYTES;
    // The map thread may still be reading, if a guest forged its reply: it looks at the tag before
    // and
    // after, so it never carries out a mixture.
    Layout.INT.setOpaque(r, at + Layout.OP_TAG, 0);
    VarHandle.storeStoreFence();
    r.set(Memory.LONG, at, nr);
    r.set(Memory.LONG, at + 8, a0);
    r.set(Memory.LONG, at + 16, a1);
    r.set(Memory.LONG, at + 24, a2);
    r.set(Memory.LONG, at + 32, a3);
    r.set(Memory.LONG, at + 40, a4);
    r.set(Memory.LONG, at + 48, a5);
    r.set(Memory.INT, at + Layout.OP_KIND, kind);
    VarHandle.storeStoreFence();
    Layout.INT.setOpaque(r, at + Layout.OP_TAG, sequence + 1);
  }

  @Override
  public long apply(MapBatch batch) {
    synchronized (mu) {
      int count = batch.size();
      awaitReply();
      int n = 0;
      for (int i = 0; i < count; i++) {
        if (n > Layout.OPS_LIMIT - 2 - 2 * patches.ranges().length) {
          long r = perform(n);
          if (r < 0) {
            return r;
          }
          n = 0;
        }
        int op = (int) batch.get(i, 0);
        if (patches != PatchMap.EMPTY
            && (op == MapBatch.MAP_ANON
                || op == MapBatch.MAP_FILE
                || op == MapBatch.UNMAP
                || op == MapBatch.REMAP)) {
          n = displace(n, batch.get(i, 1), batch.get(i, 2), op == MapBatch.REMAP);
          if (op == MapBatch.REMAP) {
            n = displace(n, batch.get(i, 3), batch.get(i, 4), true);
          }
        }
        TextPatcher.Text text = op == MapBatch.MAP_FILE ? patchable(batch, i) : null;
        if (text != null) {
          // The trampolines first: if their place is taken, the text stays as it is.
          long start = batch.get(i, 1);
          op(
              n++,
              Layout.KIND_GUEST,
              Nr.MMAP,
              start + SitePatcher.DISTANCE,
              text.trampolineBytes(),
              PROT_READ | PROT_EXEC,
              MAP_PRIVATE | MAP_FIXED_NOREPLACE,
              Layout.FD_TEXT,
              text.trampolinesAt());
          long r = perform(n);
          boolean last = (int) Layout.INT.getOpaque(reply, Layout.INDEX) == n - 1;
          n = 0;
          if (r >= 0) {
            op(
                n++,
                Layout.KIND_GUEST,
                Nr.MMAP,
                start,
                batch.get(i, 2),
                batch.get(i, 3),
                MAP_PRIVATE | MAP_FIXED,
                Layout.FD_TEXT,
                text.at());
            patches =
                patches.with(
                    new PatchMap.Range(
                        start,
                        start,
                        start + batch.get(i, 2),
                        text,
                        (int) batch.get(i, 5),
                        batch.get(i, 6),
                        (int) batch.get(i, 3)));
            continue;
          }
          if (r != -Errno.EEXIST || !last) {
            return r;
          }
        }
        long e = encode(n, batch, i);
        if (e < 0) {
          // Earlier operations come first, as promised.
          long r = n == 0 ? 0 : perform(n);
          return r < 0 ? r : e;
        }
        n++;
      }
      if (batch.isAttested()) {
        return performForCertain(n);
      }
      return n == 0 ? 0 : Math.min(0, perform(n));
    }
  }

  /**
   * As {@link #perform}; returns once the map thread has said on its descriptor, which no guest can
   * write to, that it is done, or the process is gone: the reply page says it sooner if a guest
   * wants it to. Preconditions: holds mu.
   */
  private long performForCertain(int n) {
    request.set(Memory.INT, Layout.BATCH_DONE, index);
    request.set(Memory.INT, Layout.BATCH_DONE + 4, Layout.ACK_BATCH_DONE);
    request.set(Memory.LONG, Layout.BATCH_DONE + 8, attestation(sequence + 1));
    op(
        n,
        Layout.KIND_STUB,
        Nr.WRITE,
        Layout.FD_ACK,
        Layout.REQUEST_VA + Layout.BATCH_DONE,
        Layout.ACK_BYTES,
        0,
        0,
        0);
    long r = perform(n + 1);
    if (killing) {
      end(); // it was perhaps never told of the batch; death is as certain
    } else if (r < 0 && !dead) {
      return r;
    }
    while (attested != sequence && !dead) {
      platform.hearAcknowledgements();
      if (attested != sequence && !dead) {
        // Whether the map thread sleeps stands where guests can write, too.
        Futex.wakeShared(request.address() + Layout.SEQUENCE, 1);
        if (killing) {
          end();
        }
        LockSupport.parkNanos(ATTEST_LOOK_NS);
      }
    }
    return attested == sequence ? 0 : -Errno.ESRCH;
  }

  /** {@return what the acknowledgement of batch {@code number} of this space says} */
  private long attestation(int number) {
    return generation << 32 | number & 0xffff_ffffL;
  }

  /** An attested acknowledgement came. Called by the platform under its lock. */
  void heard(long attestation) {
    if (attestation >>> 32 == (generation & 0xffff_ffffL)) {
      attested = (int) attestation;
    }
  }

  private TextPatcher.@Nullable Text patchable(MapBatch b, int i) {
    TextPatcher patcher = platform.patcher();
    long start = b.get(i, 1);
    long length = b.get(i, 2);
    int prot = (int) b.get(i, 3);
    if (patcher == null
        || !patching
        || keepsText
        || (prot & (PROT_EXEC | PROT_WRITE)) != PROT_EXEC
        || b.get(i, 4) != 0
        || !isGuest(start, length)
        || start + SitePatcher.DISTANCE + length > Layout.REGION) {
      return null;
    }
    TextPatcher.Text text = patcher.lookup((int) b.get(i, 5), b.get(i, 6), length);
    return text != null && text.trampolineBytes() <= SitePatcher.DISTANCE ? text : null;
  }

  /**
   * A guest is about to map or unmap [start, start+length): text there is no longer ours, and
   * trampolines there must go, with their text put back as it was.
   */
  private int displace(int n, long start, long length, boolean whole) {
    long end = start + length;
    for (PatchMap.Range r : patches.ranges()) {
      if (r.overlapsTrampolines(start, end) || whole && r.overlapsText(start, end)) {
        n = restoreText(n, r);
        op(
            n++,
            Layout.KIND_GUEST,
            Nr.MUNMAP,
            r.trampolines(),
            r.text().trampolineBytes(),
            0,
            0,
            0,
            0);
        patches = patches.without(r);
      } else if (r.overlapsText(start, end)) {
        patches = patches.without(r);
        long from = start <= r.start() ? Math.min(end, r.end()) : r.start();
        long to = start <= r.start() ? r.end() : Math.min(start, r.end());
        if (from >= to) {
          op(
              n++,
              Layout.KIND_GUEST,
              Nr.MUNMAP,
              r.trampolines(),
              r.text().trampolineBytes(),
              0,
              0,
              0,
              0);
        } else {
          // Of a hole in the middle only the first part stays known.
          patches =
              patches.with(
                  new PatchMap.Range(
                      r.base(), from, to, r.text(), r.imported(), r.offset(), r.prot()));
        }
      }
    }
    return n;
  }

  private int restoreText(int n, PatchMap.Range r) {
    op(
        n,
        Layout.KIND_GUEST,
        Nr.MMAP,
        r.start(),
        r.end() - r.start(),
        r.prot(),
        MAP_PRIVATE | MAP_FIXED,
        r.imported(),
        r.offset() + (r.start() - r.base()));
    return n + 1;
  }

  /** {@return the core on which a new thread of it should begin}, -1 when that is all the same */
  int homeCore() {
    return homeCore;
  }

  void setMapCore(int core) {
    mapCore = core;
  }

  /**
   * {@return whether a fork's first thread was born on core {@code index}, where its parent's map
   * thread is}
   */
  boolean inheritsCore(int index) {
    boolean yes = forkedOn == index;
    forkedOn = -1;
    return yes;
  }

  PatchMap patches() {
    return patches;
  }

  /**
   * Puts all text back: a guest uses GS for itself. Trampolines stay, for threads that are in them.
   */
  void stopPatching() {
    synchronized (mu) {
      patching = false;
      awaitReply();
      int n = 0;
      for (PatchMap.Range r : patches.ranges()) {
        n = restoreText(n, r);
        if (n == Layout.OPS_LIMIT) {
          perform(n);
          n = 0;
        }
      }
      if (n != 0) {
        perform(n);
      }
    }
  }

  @Override
  public void unpatch() {
    if (patching) {
      stopPatching();
    }
  }

  @Override
  public void keepText() {
    keepsText = true;
  }

  boolean isPatching() {
    return patching;
  }

  private long encode(int n, MapBatch b, int i) {
    long addr = b.get(i, 1);
    long len = b.get(i, 2);
    if (b.isForViews() ? !isView(addr, len) : !isGuest(addr, len)) {
      return -Errno.EINVAL;
    }
    int g = b.isForViews() ? Layout.KIND_STUB : Layout.KIND_GUEST;
    long a = b.get(i, 3);
    long x = b.get(i, 4);
    switch ((int) b.get(i, 0)) {
      case MapBatch.MAP_ANON ->
          op(
              n,
              g,
              Nr.MMAP,
              addr,
              len,
              a,
              MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | (x != 0 ? MAP_NORESERVE : 0),
              -1,
              0);
      case MapBatch.MAP_FILE ->
          op(
              n,
              g,
              Nr.MMAP,
              addr,
              len,
              a,
              (x != 0 ? MAP_SHARED : MAP_PRIVATE) | MAP_FIXED,
              (int) b.get(i, 5),
              b.get(i, 6));
      case MapBatch.UNMAP -> op(n, g, Nr.MUNMAP, addr, len, 0, 0, 0, 0);
      case MapBatch.PROTECT -> op(n, g, Nr.MPROTECT, addr, len, a, 0, 0, 0);
      case MapBatch.REMAP -> {
        if (!isGuest(a, x)) {
          return -Errno.EINVAL;
        }
        op(n, g, Nr.MREMAP, addr, len, x, a == addr ? 0 : MREMAP_MAYMOVE | MREMAP_FIXED, a, 0);
      }
      case MapBatch.ADVISE -> op(n, g, Nr.MADVISE, addr, len, a, 0, 0, 0);
      case MapBatch.MSYNC -> op(n, g, Nr.MSYNC, addr, len, a, 0, 0, 0);
      case MapBatch.MLOCK -> op(n, g, Nr.MLOCK, addr, len, 0, 0, 0, 0);
      case MapBatch.MUNLOCK -> op(n, g, Nr.MUNLOCK, addr, len, 0, 0, 0, 0);
      default -> throw new IllegalArgumentException("map operation " + b.get(i, 0));
    }
    return 0;
  }

  private static boolean isView(long addr, long len) {
    return addr >= Layout.VIEW_VA
        && len >= 0
        && addr <= Layout.VIEW_END
        && len <= Layout.VIEW_END - addr;
  }

  private static boolean isGuest(long addr, long len) {
    return addr >= 0 && len >= 0 && addr <= Layout.REGION && len <= Layout.REGION - addr;
  }

  /**
   * Has the map thread carry out operations 0 to {@code n}-1. Preconditions: holds mu, and had
   * awaited the last reply before it wrote them (the first batch may still have been under way).
   */
  private long perform(int n) {
    if (dead || killing) {
      return -Errno.ESRCH;
    }
    for (int i = 0; i < contexts.size(); i++) {
      contexts.get(i).mapChanges();
    }
    request.set(Memory.INT, Layout.COUNT, n);
    post();
    awaitReply();
    if (dead || killing) {
      return -Errno.ESRCH;
    }
    long r = (long) Layout.LONG.getOpaque(reply, Layout.REPLY_RESULT);
    return r < 0 && r > -4096 ? r : r < 0 ? -Errno.EFAULT : r;
  }

  private void post() {
    Layout.INT.setVolatile(request, Layout.SEQUENCE, ++sequence);
    if ((int) Layout.INT.getVolatile(reply, Layout.MAP_SLEEPING) != 0) {
      Futex.wakeShared(request.address() + Layout.SEQUENCE, 1);
    }
  }

  private void awaitReply() {
    int spin = platform.mapSpin();
    while (true) {
      int done = (int) Layout.INT.getAcquire(reply, Layout.DONE);
      if (done == sequence || dead || killing) {
        return;
      }
      if (spin-- > 0) {
        Thread.onSpinWait();
        continue;
      }
      Layout.INT.setVolatile(request, Layout.SENTRY_SLEEPING, 1);
      done = (int) Layout.INT.getVolatile(reply, Layout.DONE);
      if (done != sequence && !dead && !killing) {
        long r = Futex.waitShared(reply.address() + Layout.DONE, done, lookAgain.address());
        if (r == -Errno.ETIMEDOUT) {
          Futex.wakeShared(request.address() + Layout.SEQUENCE, 1);
        }
      }
      Layout.INT.setVolatile(request, Layout.SENTRY_SLEEPING, 0);
    }
  }

  @Override
  public AddressSpace fork() {
    StubSpace child = platform.allocateSpace(true);
    long r;
    synchronized (mu) {
      awaitReply();
      request.set(Memory.INT, Layout.FORK_FAILED, child.index);
      request.set(Memory.INT, Layout.FORK_FAILED + 4, Layout.ACK_FORK_FAILED);
      request.set(Memory.LONG, Layout.FORK_FAILED + 8, child.generation);
      op(
          0,
          Layout.KIND_FORK,
          Nr.CLONE,
          CLONE_PARENT | CLONE_FILES,
          0,
          child.requestOffset,
          0,
          0,
          0);
      r = perform(1);
      if (r > 0) {
        child.claimedPid = (int) r;
      }
      child.homeCore = platform.cores().current(scratch);
      child.forkedOn = mapCore;
      child.mapCore = mapCore;
      child.patches = patches;
      child.patching = patching;
      child.keepsText = keepsText;
    }
    if (r <= 0) {
      // No process came of it, or a guest forged the reply and then loses its child. Only the map
      // thread's word on the socket makes the slots free for others.
      child.die();
      if (platform.awaitForkFailure(child)) {
        child.destroy();
      }
      throw new PlatformException(
          "the host cannot fork the stub: " + Errno.name((int) -r),
          r == 0 ? Errno.EAGAIN : (int) -r);
    }
    platform.noteFork();
    return child;
  }

  @Override
  public long viewBase() {
    return Layout.VIEW_VA;
  }

  @Override
  public long viewBytes() {
    return Layout.VIEW_END - Layout.VIEW_VA;
  }

  @Override
  public GuestContext newContext() {
    return newStubContext();
  }

  private StubContext newStubContext() {
    synchronized (mu) {
      StubContext ready = first;
      if (ready != null) {
        first = null;
        return ready;
      }
      homeCore = platform.cores().current(scratch);
      StubContext c = null;
      for (int i = exited.size() - 1; i >= 0; i--) {
        if (exited.get(i).isGone()) {
          StubContext old = exited.remove(i);
          contexts.remove(old);
          c = new StubContext(this, old.slot());
          break;
        }
      }
      boolean map = c == null;
      if (c == null) {
        c = new StubContext(this, platform.allocateContext());
      }
      contexts.add(c);
      platform.setLive(c.slot(), c);
      awaitReply();
      long r = dead ? -Errno.ESRCH : perform(threadOps(0, c, map));
      if (r < 0) {
        c.die();
        throw new PlatformException(
            "the host cannot start a guest thread: " + Errno.name((int) -r), (int) -r);
      }
      if (dead) {
        c.die();
      }
      return c;
    }
  }

  /**
   * Puts a fresh stub on the caller's core: whoever builds a program in it waits for its threads,
   * and a wake-up on the same core is by far the cheapest.
   */
  void bindToCaller() {
    int stub = pid;
    if (stub > 0) {
      Cores cores = platform.cores();
      int core = cores.current(scratch);
      homeCore = core;
      cores.bind(stub, core);
      synchronized (mu) {
        if (first != null) {
          first.bindThread(core);
        }
      }
    }
  }

  /** Takes note that {@code c} was told to exit: its slot may serve this same process again. */
  void contextReleased(StubContext c) {
    synchronized (mu) {
      exited.add(c);
    }
  }

  @Override
  public long copyIn(long uaddr, MemorySegment dst, long dstOffset, long length) {
    synchronized (copierMu) {
      return copier().copyIn(uaddr, dst, dstOffset, length);
    }
  }

  @Override
  public long copyOut(long uaddr, MemorySegment src, long srcOffset, long length) {
    synchronized (copierMu) {
      return copier().copyOut(uaddr, src, srcOffset, length);
    }
  }

  private StubContext copier() {
    StubContext c = copier;
    if (c == null) {
      c = newStubContext();
      copier = c;
    }
    return c;
  }

  /** The process is dead, or will never be: everything that waits for it wakes. */
  void die() {
    dead = true;
    Layout.INT.setVolatile(reply, Layout.DONE, -1);
    Futex.wakeShared(reply.address() + Layout.DONE, Integer.MAX_VALUE);
    synchronized (mu) {
      for (StubContext c : contexts) {
        c.die();
      }
      reaped = true;
    }
    maybeRecycle();
  }

  private void maybeRecycle() {
    Runnable then;
    synchronized (mu) {
      if (!released || !reaped || recycled) {
        return;
      }
      recycled = true;
      then = whenGone;
    }
    platform.recycle(this, contexts);
    if (then != null) {
      then.run();
    }
  }

  @Override
  public void release(Runnable then) {
    giveUpOnMapThread();
    boolean gone;
    synchronized (mu) {
      if (whenGone != null) {
        return;
      }
      whenGone = then;
      gone = recycled;
    }
    if (gone) {
      then.run();
    } else {
      destroy();
    }
  }

  @Override
  public void destroy() {
    giveUpOnMapThread();
    synchronized (mu) {
      end();
    }
    maybeRecycle();
  }

  // Preconditions: holds mu.
  private void end() {
    if (!released) {
      released = true;
      if (!dead) {
        askToEnd();
      }
    }
  }

  /** Whoever waits for the map thread, perhaps in vain and under mu, waits no longer. */
  private void giveUpOnMapThread() {
    killing = true;
    Futex.wakeShared(reply.address() + Layout.DONE, Integer.MAX_VALUE);
  }

  // Preconditions: holds mu.
  private void askToEnd() {
    boolean idle = (int) Layout.INT.getAcquire(reply, Layout.DONE) == sequence;
    if (idle) {
      op(0, Layout.KIND_STUB, Nr.EXIT_GROUP, 0, 0, 0, 0, 0, 0);
      request.set(Memory.INT, Layout.COUNT, 1);
      post();
      Futex.wakeShared(request.address() + Layout.SEQUENCE, 1);
    }
    platform.expectDeath(this, idle);
  }

  /** {@return whether its owner has given it up} */
  boolean isReleased() {
    synchronized (mu) {
      return released;
    }
  }

  /** Has the host kill the process, if it is known: the map thread did not end it. */
  void kill() {
    int p = platform.pidOf(this);
    if (p > 0 && !dead) {
      platform.kill(p);
    }
  }
}
