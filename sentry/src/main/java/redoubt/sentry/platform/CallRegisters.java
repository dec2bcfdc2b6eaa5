package redoubt.sentry.platform;

/** Number and arguments of a system call, as {@link GuestContext#readCall} finds them. */
public class CallRegisters {
  public int nr;
  public long a0;
  public long a1;
  public long a2;
  public long a3;
  public long a4;
  public long a5;
}
