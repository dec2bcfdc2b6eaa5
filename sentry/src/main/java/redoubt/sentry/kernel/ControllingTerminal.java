package redoubt.sentry.kernel;

/** A session's terminal as job control needs it; terminals implement it. */
public interface ControllingTerminal {
  /** {@return the foreground process group} */
  int foreground();

  /** The session leader has exited: hang up. */
  void sessionLeaderExited();

  /** {@return the device number for /proc/PID/stat} */
  long device();
}
