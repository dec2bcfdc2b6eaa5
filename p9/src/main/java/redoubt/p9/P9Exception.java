package redoubt.p9;

import redoubt.abi.Errno;

/** The connection to the gofer could not be set up; the message says why. */
public final class P9Exception extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /**
   * @param what what went wrong
   * @param result the negative result that says so
   */
  public P9Exception(String what, long result) {
    super(what + ": " + Errno.name((int) -result));
  }
}
