package redoubt.abi;

/** wait4(2) and waitid(2). */
public final class Wait {
  public static final int WNOHANG = 1;
  public static final int WUNTRACED = 2;
  public static final int WSTOPPED = 2;
  public static final int WEXITED = 4;
  public static final int WCONTINUED = 8;
  public static final int WNOWAIT = 0x1000000;
  public static final int __WNOTHREAD = 0x20000000;
  public static final int __WALL = 0x40000000;
  public static final int __WCLONE = 0x80000000;
  public static final int P_ALL = 0;
  public static final int P_PID = 1;
  public static final int P_PGID = 2;
  public static final int P_PIDFD = 3;

  // The bit of a status that says that a core was dumped.
  public static final int WCOREFLAG = 0x80;
  public static final int W_STOPPED_LOW = 0x7f;
  public static final int W_CONTINUED = 0xffff;

  private Wait() {}
}
