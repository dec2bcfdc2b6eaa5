package redoubt.p9;

import redoubt.abi.Stat;
import redoubt.host.Region;

/**
 * Attributes of a file as our messages carry them: {@code struct statx} without what nobody asks
 * for. Reusable; not thread-safe.
 *
 * <pre>
 *   0 mode[4]  uid[4]  gid[4]  nlink[4]
 *  16 ino[8]  dev[8]  rdev[8]  size[8]  blocks[8]
 *  56 blksize[4]  flags[4]
 *  64 atime[8]  mtime[8]  ctime[8]  btime[8]            seconds
 *  96 atime[4]  mtime[4]  ctime[4]  btime[4]            nanoseconds
 * </pre>
 *
 * <p>dev and rdev are {@code major << 32 | minor} of the host. flags: bit 0, btime is known.
 */
public final class P9Attr {
  /** Bytes on the wire. */
  public static final int BYTES = 112;

  /** In {@link #flags}: {@link #btimeSec} and {@link #btimeNsec} mean something. */
  public static final int HAS_BTIME = 1;

  public int mode;
  public int uid;
  public int gid;
  public int nlink;
  public long ino;
  public long dev;
  public long rdev;
  public long size;
  public long blocks;
  public int blksize;
  public int flags;
  public long atimeSec;
  public long mtimeSec;
  public long ctimeSec;
  public long btimeSec;
  public int atimeNsec;
  public int mtimeNsec;
  public int ctimeNsec;
  public int btimeNsec;

  public P9Attr() {}

  /** {@return the file type, S_IFREG and kin} */
  public int type() {
    return mode & Stat.S_IFMT;
  }

  public boolean isDirectory() {
    return type() == Stat.S_IFDIR;
  }

  public boolean isRegular() {
    return type() == Stat.S_IFREG;
  }

  public boolean isSymlink() {
    return type() == Stat.S_IFLNK;
  }

  /** Takes the values of {@code other}. */
  public void set(P9Attr other) {
    mode = other.mode;
    uid = other.uid;
    gid = other.gid;
    nlink = other.nlink;
    ino = other.ino;
    dev = other.dev;
    rdev = other.rdev;
    size = other.size;
    blocks = other.blocks;
    blksize = other.blksize;
    flags = other.flags;
    atimeSec = other.atimeSec;
    mtimeSec = other.mtimeSec;
    ctimeSec = other.ctimeSec;
    btimeSec = other.btimeSec;
    atimeNsec = other.atimeNsec;
    mtimeNsec = other.mtimeNsec;
    ctimeNsec = other.ctimeNsec;
    btimeNsec = other.btimeNsec;
  }

  /** Takes the host's answer: {@code struct statx} at offset {@code s} of {@code m}. */
  public void readStatx(Region m, long s) {
    int mask = m.getInt(s);
    blksize = m.getInt(s + 4);
    nlink = m.getInt(s + 16);
    uid = m.getInt(s + 20);
    gid = m.getInt(s + 24);
    mode = m.getShort(s + 28) & 0xffff;
    ino = m.getLong(s + 32);
    size = m.getLong(s + 40);
    blocks = m.getLong(s + 48);
    atimeSec = m.getLong(s + 64);
    atimeNsec = m.getInt(s + 72);
    btimeSec = m.getLong(s + 80);
    btimeNsec = m.getInt(s + 88);
    ctimeSec = m.getLong(s + 96);
    ctimeNsec = m.getInt(s + 104);
    mtimeSec = m.getLong(s + 112);
    mtimeNsec = m.getInt(s + 120);
    rdev = deviceNumber(m.getInt(s + 128), m.getInt(s + 132));
    dev = deviceNumber(m.getInt(s + 136), m.getInt(s + 140));
    flags = (mask & 0x800) != 0 ? HAS_BTIME : 0;
  }

  /** Writes the attributes into a message. */
  public void write(P9Buffer out) {
    int p = out.reserve(BYTES);
    if (p < 0) {
      return;
    }
    Region m = out.region();
    m.putInt(p, mode);
    m.putInt(p + 4, uid);
    m.putInt(p + 8, gid);
    m.putInt(p + 12, nlink);
    m.putLong(p + 16, ino);
    m.putLong(p + 24, dev);
    m.putLong(p + 32, rdev);
    m.putLong(p + 40, size);
    m.putLong(p + 48, blocks);
    m.putInt(p + 56, blksize);
    m.putInt(p + 60, flags);
    m.putLong(p + 64, atimeSec);
    m.putLong(p + 72, mtimeSec);
    m.putLong(p + 80, ctimeSec);
    m.putLong(p + 88, btimeSec);
    m.putInt(p + 96, atimeNsec);
    m.putInt(p + 100, mtimeNsec);
    m.putInt(p + 104, ctimeNsec);
    m.putInt(p + 108, btimeNsec);
  }

  /** Reads the attributes out of a message; nonsense marks the message as failed. */
  public void read(P9Buffer in) {
    int p = in.skip(BYTES);
    if (p < 0) {
      return;
    }
    Region m = in.region();
    mode = m.getInt(p);
    uid = m.getInt(p + 4);
    gid = m.getInt(p + 8);
    nlink = m.getInt(p + 12);
    ino = m.getLong(p + 16);
    dev = m.getLong(p + 24);
    rdev = m.getLong(p + 32);
    size = m.getLong(p + 40);
    blocks = m.getLong(p + 48);
    blksize = m.getInt(p + 56);
    flags = m.getInt(p + 60);
    atimeSec = m.getLong(p + 64);
    mtimeSec = m.getLong(p + 72);
    ctimeSec = m.getLong(p + 80);
    btimeSec = m.getLong(p + 88);
    atimeNsec = m.getInt(p + 96);
    mtimeNsec = m.getInt(p + 100);
    ctimeNsec = m.getInt(p + 104);
    btimeNsec = m.getInt(p + 108);
    if (!isSane()) {
      in.fail();
    }
  }

  private boolean isSane() {
    int type = type();
    boolean known =
        type == Stat.S_IFREG
            || type == Stat.S_IFDIR
            || type == Stat.S_IFLNK
            || type == Stat.S_IFCHR
            || type == Stat.S_IFBLK
            || type == Stat.S_IFIFO
            || type == Stat.S_IFSOCK;
    return known
        && (mode & ~0177777) == 0
        && size >= 0
        && blocks >= 0
        && blksize >= 0
        && isNsec(atimeNsec)
        && isNsec(mtimeNsec)
        && isNsec(ctimeNsec)
        && isNsec(btimeNsec);
  }

  private static boolean isNsec(int v) {
    return v >= 0 && v < 1_000_000_000;
  }

  private static long deviceNumber(int major, int minor) {
    return ((long) major << 32) | (minor & 0xffffffffL);
  }
}
