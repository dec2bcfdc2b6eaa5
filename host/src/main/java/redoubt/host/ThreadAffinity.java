package redoubt.host;

import java.lang.foreign.MemorySegment;
import redoubt.abi.Nr;

/**
 * Which cores a thread may run on: <a
 * href="https://man7.org/linux/man-pages/man2/sched_setaffinity.2.html">sched_setaffinity(2)</a>.
 */
public final class ThreadAffinity {
  private static final int MASK_BYTES = 1024;

  private ThreadAffinity() {}

  /** {@return the calling thread's number on the host} */
  public static int self() {
    return (int) RawSyscall.syscall(Nr.GETTID);
  }

  /**
   * Lets thread {@code tid} run just where the caller may. Before a sleeping thread is woken to
   * work for the caller: a wake-up on the same core costs a tenth of one on another.
   *
   * @param mask room for a mask, {@link #maskBytes} long
   */
  public static void copyOwnTo(int tid, MemorySegment mask) {
    if (RawSyscall.syscall(Nr.SCHED_GETAFFINITY, 0, MASK_BYTES, mask.address()) > 0) {
      RawSyscall.syscall(Nr.SCHED_SETAFFINITY, tid, MASK_BYTES, mask.address());
    }
  }

  public static int maskBytes() {
    return MASK_BYTES;
  }
}
