package redoubt.sandbox;

/** Something about a sandbox that cannot be done; one line that names the cause and what to do. */
public final class SandboxException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public SandboxException(String message) {
    super(message);
  }
}
