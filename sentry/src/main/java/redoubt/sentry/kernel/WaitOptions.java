package redoubt.sentry.kernel;

/** What wait4(2) and waitid(2) ask for. */
public final class WaitOptions {
  /** P_ALL, P_PID or P_PGID of waitid(2). */
  public int idType;

  public int id;

  /** WEXITED, WSTOPPED, WCONTINUED, WNOHANG, WNOWAIT. */
  public int options;

  // What was found.
  public int pid;
  public int status;

  /** It was a tracee that stopped, and not a child. */
  public boolean traced;

  public int uid;

  /** Of a child that ended: what it and its own children have used. */
  public ResourceUsage usage = new ResourceUsage();
}
