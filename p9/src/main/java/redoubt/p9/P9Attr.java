package redoubt.p9;

import java.lang.foreign.MemorySegment;
import redoubt.abi.Stat;
import redoubt.host.Memory;

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
  public void readStatx(MemorySegment m, long s) {
    int mask = m.get(Memory.INT, s);
    blksize = m.get(Memory.INT, s + 4);
    nlink = m.get(Memory.INT, s + 16);
    uid = m.get(Memory.INT, s + 20);
    gid = m.get(Memory.INT, s + 24);
    mode = m.get(Memory.SHORT, s + 28) & 0xffff;
    ino = m.get(Memory.LONG, s + 32);
    size = m.get(Memory.LONG, s + 40);
    blocks = m.get(Memory.LONG, s + 48);
    atimeSec = m.get(Memory.LONG, s + 64);
    atimeNsec = m.get(Memory.INT, s + 72);
    btimeSec = m.get(Memory.LONG, s + 80);
    btimeNsec = m.get(Memory.INT, s + 88);
    ctimeSec = m.get(Memory.LONG, s + 96);
    ctimeNsec = m.get(Memory.INT, s + 104);
    mtimeSec = m.get(Memory.LONG, s + 112);
    mtimeNsec = m.get(Memory.INT, s + 120);
    rdev = deviceNumber(m.get(Memory.INT, s + 128), m.get(Memory.INT, s + 132));
    dev = deviceNumber(m.get(Memory.INT, s + 136), m.get(Memory.INT, s + 140));
    flags = (mask & 0x800) != 0 ? HAS_BTIME : 0;
  }

  /** Writes the attributes into a message. */
  public void write(P9Buffer out) {
    int p = out.reserve(BYTES);
    if (p < 0) {
      return;
    }
    MemorySegment m = out.memory();
    m.set(Memory.INT, p, mode);
    m.set(Memory.INT, p + 4, uid);
    m.set(Memory.INT, p + 8, gid);
    m.set(Memory.INT, p + 12, nlink);
    m.set(Memory.LONG, p + 16, ino);
    m.set(Memory.LONG, p + 24, dev);
    m.set(Memory.LONG, p + 32, rdev);
    m.set(Memory.LONG, p + 40, size);
    m.set(Memory.LONG, p + 48, blocks);
    m.set(Memory.INT, p + 56, blksize);
    m.set(Memory.INT, p + 60, flags);
    m.set(Memory.LONG, p + 64, atimeSec);
    m.set(Memory.LONG, p + 72, mtimeSec);
    m.set(Memory.LONG, p + 80, ctimeSec);
    m.set(Memory.LONG, p + 88, btimeSec);
    m.set(Memory.INT, p + 96, atimeNsec);
    m.set(Memory.INT, p + 100, mtimeNsec);
    m.set(Memory.INT, p + 104, ctimeNsec);
    m.set(Memory.INT, p + 108, btimeNsec);
  }

  /** Reads the attributes out of a message; nonsense marks the message as failed. */
  public void read(P9Buffer in) {
    int p = in.skip(BYTES);
    if (p < 0) {
      return;
    }
    MemorySegment m = in.memory();
    mode = m.get(Memory.INT, p);
    uid = m.get(Memory.INT, p + 4);
    gid = m.get(Memory.INT, p + 8);
    nlink = m.get(Memory.INT, p + 12);
    ino = m.get(Memory.LONG, p + 16);
    dev = m.get(Memory.LONG, p + 24);
    rdev = m.get(Memory.LONG, p + 32);
    size = m.get(Memory.LONG, p + 40);
    blocks = m.get(Memory.LONG, p + 48);
    blksize = m.get(Memory.INT, p + 56);
    flags = m.get(Memory.INT, p + 60);
    atimeSec = m.get(Memory.LONG, p + 64);
    mtimeSec = m.get(Memory.LONG, p + 72);
    ctimeSec = m.get(Memory.LONG, p + 80);
    btimeSec = m.get(Memory.LONG, p + 88);
    atimeNsec = m.get(Memory.INT, p + 96);
    mtimeNsec = m.get(Memory.INT, p + 100);
    ctimeNsec = m.get(Memory.INT, p + 104);
    btimeNsec = m.get(Memory.INT, p + 108);
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
