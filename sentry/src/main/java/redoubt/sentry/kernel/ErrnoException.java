package redoubt.sentry.kernel;

import redoubt.abi.Errno;

/**
 * An errno on its way up a deep cold path (path walk, mount, exec). Stackless and preallocated, one
 * per number; caught in the dispatcher only.
 */
public final class ErrnoException extends RuntimeException {
  private static final long serialVersionUID = 1L;
  private static final ErrnoException[] BY_NUMBER = new ErrnoException[600];

  static {
    for (int i = 0; i < BY_NUMBER.length; i++) {
      BY_NUMBER[i] = new ErrnoException(i);
    }
  }

  private final int errno;

  private ErrnoException(int errno) {
    super(null, null, false, false);
    this.errno = errno;
  }

  /** {@return the exception of positive error number {@code errno}} */
  public static ErrnoException of(int errno) {
    return BY_NUMBER[errno];
  }

  /** {@return {@code result} if it is 0 or more} Throws its errno otherwise. */
  public static long check(long result) {
    if (result < 0) {
      throw of((int) -result);
    }
    return result;
  }

  /** {@return the positive error number} */
  public int errno() {
    return errno;
  }

  @Override
  public String getMessage() {
    return Errno.name(errno);
  }
}
