package redoubt.oci;

/** A text that is not JSON; the message says what was expected and where. */
public final class JsonException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public JsonException(int line, int column, String message) {
    super("line " + line + ", column " + column + ": " + message);
  }
}
