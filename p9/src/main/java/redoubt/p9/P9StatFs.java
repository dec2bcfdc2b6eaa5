package redoubt.p9;

/** What statfs(2) says of a filesystem. Reusable; not thread-safe. */
public final class P9StatFs {
  public int type;
  public int bsize;
  public long blocks;
  public long bfree;
  public long bavail;
  public long files;
  public long ffree;
  public long fsid;
  public int namelen;

  public P9StatFs() {}

  void read(P9Buffer in) {
    type = in.get32();
    bsize = in.get32();
    blocks = in.get64();
    bfree = in.get64();
    bavail = in.get64();
    files = in.get64();
    ffree = in.get64();
    fsid = in.get64();
    namelen = in.get32();
  }
}
