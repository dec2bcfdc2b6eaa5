package redoubt.host;

import redoubt.abi.Nr;

/**
 * Waiting on words of shared memory: <a
 * href="https://man7.org/linux/man-pages/man2/futex.2.html">futex(2)</a>. Addresses are host
 * addresses of live, aligned 32-bit words.
 */
public final class Futex {
  private static final int FUTEX_WAIT = 0;
  private static final int FUTEX_WAKE = 1;

  private Futex() {}

  /**
   * Sleeps while the word is {@code expected}.
   *
   * @param timespecHaddr host address of a relative timespec (16 bytes), or 0 to wait without end
   * @return 0, -EAGAIN if the word differs, -EINTR, or -ETIMEDOUT
   */
  public static long waitShared(long haddr, int expected, long timespecHaddr) {
    return RawSyscall.syscall(Nr.FUTEX, haddr, FUTEX_WAIT, expected, timespecHaddr);
  }

  /** Wakes up to {@code count} waiters; returns how many. */
  public static long wakeShared(long haddr, int count) {
    return RawSyscall.syscall(Nr.FUTEX, haddr, FUTEX_WAKE, count);
  }
}
