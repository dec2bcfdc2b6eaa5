package redoubt.host;

import redoubt.abi.Errno;

/**
 * A host system call that failed on a cold path; the message names the call, the object and the
 * errno.
 */
public final class HostException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final int errno;

  /**
   * @param what what was tried, as {@code "open /proc"}
   * @param result the negative result of the call
   */
  public HostException(String what, long result) {
    super(what + ": " + Errno.name((int) -result) + " (" + Errno.message((int) -result) + ")");
    this.errno = (int) -result;
  }

  /** {@return the positive error number} */
  public int errno() {
    return errno;
  }

  /** {@return {@code result}, when it is not an error} Throws otherwise. */
  public static long check(String what, long result) {
    if (result < 0) {
      throw new HostException(what, result);
    }
    return result;
  }
}
