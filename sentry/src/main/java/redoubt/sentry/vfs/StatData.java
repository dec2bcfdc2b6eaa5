package redoubt.sentry.vfs;

/**
 * Attributes of an inode as statx(2) reports them; a reusable carrier. Times in ns since the epoch.
 */
public final class StatData {
  public long dev;
  public long ino;
  public int mode;
  public int nlink;
  public int uid;
  public int gid;
  public long rdev;
  public long size;
  public long blocks;
  public int blksize = 4096;
  public long atimeNs;
  public long mtimeNs;
  public long ctimeNs;

  /** Creation time, or 0 when the filesystem keeps none. */
  public long btimeNs;

  /** STATX_ATTR_* bits. */
  public long attributes;
}
