package redoubt.sentry.control;

/**
 * A control request that was refused, with the errno for programs and one line for people. The
 * server sends both back to the caller.
 */
public final class ControlException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final int errno;

  /**
   * @param errno the positive error number
   * @param message one line that names the cause
   */
  public ControlException(int errno, String message) {
    super(message);
    this.errno = errno;
  }

  /** {@return the positive error number} */
  public int errno() {
    return errno;
  }
}
