package redoubt.sentry.loader;

import redoubt.abi.Errno;

/** A program that cannot be executed: the errno for the caller, and the reason for the log. */
public final class ExecException extends RuntimeException {
  private static final long serialVersionUID = 1;

  private final int errno;
  private final boolean late;

  ExecException(int errno, boolean late, String message) {
    super(message + " (" + Errno.name(errno) + ")", null, false, false);
    this.errno = errno;
    this.late = late;
  }

  /** {@return the positive errno} */
  public int errno() {
    return errno;
  }

  /**
   * {@return whether Linux would notice only when the old program is gone already}, so that the
   * caller is killed by SIGSEGV instead of seeing the errno
   */
  public boolean isLate() {
    return late;
  }
}
