package redoubt.host;

import java.util.concurrent.atomic.AtomicInteger;
import redoubt.abi.Nr;

/**
 * A host file descriptor with one owner, closed by hand. Closing twice is harmless; using it after
 * the close gives {@code EBADF} from {@link #number()}'s value of -1, never another file.
 */
public final class Fd implements AutoCloseable {
  private static final AtomicInteger OPEN = new AtomicInteger();

  private volatile int number;

  /** Takes ownership of {@code number}, which must be an open descriptor. */
  public Fd(int number) {
    if (number < 0) {
      throw new IllegalArgumentException("not a descriptor: " + number);
    }
    this.number = number;
    OPEN.incrementAndGet();
  }

  /** {@return the descriptor's number, or -1 once it is closed} */
  public int number() {
    return number;
  }

  public boolean isOpen() {
    return number >= 0;
  }

  /** Gives the number up without closing it: the caller owns it from now on. */
  public int release() {
    int n;
    synchronized (this) {
      n = number;
      number = -1;
    }
    if (n >= 0) {
      OPEN.decrementAndGet();
    }
    return n;
  }

  @Override
  public void close() {
    int n = release();
    if (n >= 0) {
      RawSyscall.syscall(Nr.CLOSE, n);
    }
  }

  /** {@return how many descriptors are owned by {@code Fd} objects and open}, for leak tests */
  public static int openCount() {
    return OPEN.get();
  }

  @Override
  public String toString() {
    return "fd " + number;
  }
}
