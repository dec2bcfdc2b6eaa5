package redoubt.sentry.vfs;

/** Which attributes to change, and to what: Linux's struct iattr. */
public final class SetAttr {
  public static final int MODE = 1;
  public static final int UID = 2;
  public static final int GID = 4;
  public static final int SIZE = 8;
  public static final int ATIME = 16;
  public static final int MTIME = 32;

  /**
   * Set together with ATIME/MTIME when the time is "now" and not {@code atimeNs}/{@code mtimeNs}.
   */
  public static final int ATIME_NOW = 64;

  public static final int MTIME_NOW = 128;

  /** Bits of what is to be changed. */
  public int valid;

  /** Permission bits only (07777). */
  public int mode;

  public int uid;
  public int gid;
  public long size;
  public long atimeNs;
  public long mtimeNs;

  public boolean has(int bit) {
    return (valid & bit) != 0;
  }
}
