package redoubt.sentry.kernel;

/** A session's terminal as job control needs it; terminals implement it. */
public interface ControllingTerminal {
  /** {@return the foreground process group}, or null */
  @org.jspecify.annotations.Nullable
  Pid foreground();

  /** The session leader has exited: hang up. */
  void sessionLeaderExited();

  /** The window has a new size; the foreground group hears of it by SIGWINCH. */
  void resize(int rows, int columns);

  /** {@return the device number for /proc/PID/stat} */
  long device();
}
