package redoubt.sentry.control;

/**
 * The file descriptors with which the launcher starts the sentry's JVM. Descriptors 0 and 1 are
 * {@code /dev/null}, 2 is the log as well, and everything else is closed.
 */
public final class BootFds {
  /**
   * Stream socket to the process that creates the sandbox (the owner). Its first frame is BOOT.
   * Until DETACH arrives on it, its end of file means that the owner is gone and the sandbox must
   * end.
   */
  public static final int OWNER = 3;

  /** Listening stream socket for further control connections. */
  public static final int LISTENER = 4;

  /**
   * Socket to the gofer: 9P2000.L. Its end of file means that the gofer is gone: the sandbox ends.
   */
  public static final int GOFER = 5;

  /** Socket to the keeper. Its end of file means that the keeper is gone: the sandbox ends. */
  public static final int KEEPER = 6;

  /** Where log lines go. */
  public static final int LOG = 7;

  /** Socket to the launcher for {@link HostRoot#detach}. */
  public static final int READY = 8;

  /**
   * A warden's only: where its VMM's console comes from. {@link #KEEPER} is its link to the guest.
   */
  public static final int CONSOLE = 9;

  /** A warden's only: the VMM's QMP monitor. */
  public static final int MONITOR = 10;

  // The gofer's descriptors; 0 and 1 are /dev/null, 2 is the log.

  /** The other end of {@link #GOFER}. */
  public static final int GOFER_SOCKET = 3;

  /** Where the gofer's log lines go. */
  public static final int GOFER_LOG = 4;

  /** As {@link #READY}, for the gofer. */
  public static final int GOFER_READY = 5;

  /** The first attach point; the others follow. */
  public static final int GOFER_FIRST_ATTACH = 16;

  private BootFds() {}
}
