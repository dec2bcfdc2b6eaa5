package redoubt.sentry.platform;

/** The host could not lend what the platform needs; carries the errno that a guest should see. */
public final class PlatformException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final int errno;

  public PlatformException(String message, int errno) {
    super(message);
    this.errno = errno;
  }

  /** {@return the positive error number} */
  public int errno() {
    return errno;
  }
}
