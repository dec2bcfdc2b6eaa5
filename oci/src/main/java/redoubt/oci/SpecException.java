package redoubt.oci;

/**
 * A bundle or config.json that cannot be run; the message names the field and what it should be.
 */
public final class SpecException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public SpecException(String message) {
    super(message);
  }
}
