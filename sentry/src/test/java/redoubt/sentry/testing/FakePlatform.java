package redoubt.sentry.testing;

import static redoubt.abi.Errno.EFAULT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import redoubt.host.Fd;
import redoubt.host.Memory;
import redoubt.sentry.platform.AddressSpace;
import redoubt.sentry.platform.GuestContext;
import redoubt.sentry.platform.MapBatch;
import redoubt.sentry.platform.Platform;

/**
 * A platform that runs nothing: guest memory is {@link #MEMORY_BYTES} from {@link #BASE} on,
 * whatever is mapped; everything else faults.
 */
public final class FakePlatform implements Platform {
  public static final long BASE = 0x10000;
  public static final long MEMORY_BYTES = 4 << 20;

  private int imported;

  @Override
  public long minUserAddress() {
    return 0x10000;
  }

  @Override
  public long maxUserAddress() {
    return 0x7ffffffff000L;
  }

  @Override
  public long vdsoAddress() {
    return 0;
  }

  @Override
  public int fpStateBytes() {
    return 512;
  }

  @Override
  public AddressSpace newAddressSpace() {
    return new Space();
  }

  @Override
  public synchronized int importFd(Fd fd) {
    return ++imported;
  }

  @Override
  public void releaseFd(int number) {}

  @Override
  public void close() {}

  /** One segment of memory. */
  static final class Space implements AddressSpace {
    final MemorySegment memory = Arena.ofAuto().allocate(MEMORY_BYTES, 4096);

    @Override
    public long apply(MapBatch batch) {
      return 0;
    }

    @Override
    public AddressSpace fork() {
      Space copy = new Space();
      copy.memory.copyFrom(memory);
      return copy;
    }

    @Override
    public GuestContext newContext() {
      return new Context(this);
    }

    /** {@return how many of {@code length} bytes at {@code uaddr} there are} */
    private static long present(long uaddr, long length) {
      if (uaddr < BASE || uaddr >= BASE + MEMORY_BYTES) {
        return 0;
      }
      return Math.min(length, BASE + MEMORY_BYTES - uaddr);
    }

    @Override
    public long copyIn(long uaddr, MemorySegment dst, long dstOffset, long length) {
      long n = present(uaddr, length);
      if (n > 0) {
        MemorySegment.copy(memory, uaddr - BASE, dst, dstOffset, n);
      }
      return n;
    }

    @Override
    public long copyOut(long uaddr, MemorySegment src, long srcOffset, long length) {
      long n = present(uaddr, length);
      if (n > 0) {
        MemorySegment.copy(src, srcOffset, memory, uaddr - BASE, n);
      }
      return n;
    }

    @Override
    public boolean isDead() {
      return false;
    }

    @Override
    public void release(Runnable whenGone) {
      whenGone.run();
    }

    @Override
    public void destroy() {}
  }

  /** Registers and copies. {@link #run} is never right here. */
  static final class Context implements GuestContext {
    /** What {@link #setStanding} said last, by descriptor. */
    public final int[] standing = new int[STANDING_FDS];

    private final Space space;
    private final long[] regs = new long[REGS];
    private final MemorySegment window = Arena.ofAuto().allocate(BUFFER_BYTES, 64);

    /** A copy for the end of the call faulted: the call's result becomes EFAULT. */
    boolean queuedFault;

    Context(Space space) {
      this.space = space;
    }

    @Override
    public int run() {
      throw new AssertionError("a fake guest runs no code");
    }

    @Override
    public long reg(int index) {
      return regs[index];
    }

    @Override
    public void setReg(int index, long value) {
      regs[index] = value;
    }

    @Override
    public int faultSignal() {
      return 0;
    }

    @Override
    public int faultCode() {
      return 0;
    }

    @Override
    public long faultAddress() {
      return 0;
    }

    @Override
    public int faultErrorCode() {
      return 0;
    }

    @Override
    public int faultTrap() {
      return 0;
    }

    @Override
    public long copyIn(long uaddr, MemorySegment dst, long dstOffset, long length) {
      return space.copyIn(uaddr, dst, dstOffset, length);
    }

    @Override
    public long copyOut(long uaddr, MemorySegment src, long srcOffset, long length) {
      return space.copyOut(uaddr, src, srcOffset, length);
    }

    @Override
    public long copyInString(long uaddr, MemorySegment dst, long dstOffset, long limit) {
      for (long i = 0; i < limit; i++) {
        if (Space.present(uaddr + i, 1) == 0) {
          return -EFAULT;
        }
        byte b = space.memory.get(Memory.BYTE, uaddr - BASE + i);
        dst.set(Memory.BYTE, dstOffset + i, b);
        if (b == 0) {
          return i;
        }
      }
      return limit;
    }

    @Override
    public boolean queueCopyOut(long uaddr, MemorySegment src, long srcOffset, long length) {
      if (copyOut(uaddr, src, srcOffset, length) < length) {
        queuedFault = true;
      }
      return true;
    }

    @Override
    public void clearQueuedCopies() {
      queuedFault = false;
    }

    @Override
    public MemorySegment window() {
      return window;
    }

    @Override
    public long fillWindow(long uaddr, long length) {
      return copyIn(uaddr, window, 0, length);
    }

    @Override
    public long drainWindow(long uaddr, long length) {
      return copyOut(uaddr, window, 0, length);
    }

    @Override
    public void queueDrainWindow(long uaddr, long length) {
      queueCopyOut(uaddr, window, 0, length);
    }

    @Override
    public long compareAndSwapInt(long uaddr, int expected, int value) {
      if (Space.present(uaddr, 4) < 4) {
        return -EFAULT;
      }
      synchronized (space) {
        int old = space.memory.get(Memory.INT, uaddr - BASE);
        if (old == expected) {
          space.memory.set(Memory.INT, uaddr - BASE, value);
        }
        return old & 0xffffffffL;
      }
    }

    @Override
    public int saveFpState(MemorySegment dst, long dstOffset) {
      return 0;
    }

    @Override
    public void loadFpState(MemorySegment src, long srcOffset, int length) {}

    @Override
    public void interrupt() {}

    @Override
    public void clearInterrupt() {}

    @Override
    public void setStanding(int fd, int what) {
      standing[fd] = what;
    }

    @Override
    public long cpuTimeNs() {
      return 1_500_000_000L;
    }

    @Override
    public void release() {}
  }
}
