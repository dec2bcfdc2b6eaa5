package redoubt.sentry.vfs;

/** What statfs(2) reports. */
public final class StatfsData {
  public long type;
  public long bsize;
  public long blocks;
  public long bfree;
  public long bavail;
  public long files;
  public long ffree;
  public long fsid;
  public long namelen;
  public long flags;
}
