package redoubt.sentry.fs.gofer;

import static redoubt.abi.Errno.EIO;
import static redoubt.abi.Errno.ENFILE;
import static redoubt.abi.Errno.ENODATA;
import static redoubt.abi.Errno.ENOENT;
import static redoubt.abi.Errno.ESTALE;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Stat;
import redoubt.abi.Xattr;
import redoubt.host.FileSystemCalls;
import redoubt.host.Memory;
import redoubt.p9.P9;
import redoubt.p9.P9Attr;
import redoubt.p9.P9Walk;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.Latin1;
import redoubt.sentry.kernel.UserNamespace;
import redoubt.sentry.vfs.Inode;
import redoubt.sentry.vfs.PosixAcl;
import redoubt.sentry.vfs.SetAttr;
import redoubt.sentry.vfs.SpecialFiles;
import redoubt.sentry.vfs.StatData;

/** A host file: cached attributes, and the way to a fid. */
public abstract class GoferInode extends Inode {
  private static final int NO_FID = -1;
  private static final byte[] NOTHING = {};

  final GoferFs gofer;
  final long hostDev;
  final long hostIno;
  private final long ino;
  private final long btimeNs;

  // Attributes; change together under this.
  private volatile int mode;
  private volatile int uid;
  private volatile int gid;
  private volatile int nlink;
  volatile long size;
  private volatile long rdev;
  private long blocks;
  private int blksize;
  private long atimeNs;
  private long mtimeNs;
  private long ctimeNs;

  /** When the attributes came, of System.nanoTime. */
  private volatile long fetchedNs;

  /** The host's attributes have moved since, through a descriptor of ours. */
  volatile boolean stale;

  /** Names of extended attributes, in exclusive mode, once they were asked for. */
  private volatile @Nullable List<String> xattrNames;

  // Guarded by gofer.mu.
  private int fid = NO_FID;
  private int fidPins;
  private @Nullable GoferDir parent;
  private String name = "";

  GoferInode(GoferFs fs, P9Attr a, long ino) {
    super(fs);
    this.gofer = fs;
    this.hostDev = a.dev;
    this.hostIno = a.ino;
    this.ino = ino;
    this.btimeNs = btimeOf(a);
    update(a);
  }

  private static long btimeOf(P9Attr a) {
    return (a.flags & P9Attr.HAS_BTIME) == 0 ? 0 : ns(a.btimeSec, a.btimeNsec);
  }

  private static long ns(long sec, int nsec) {
    return sec * 1_000_000_000L + nsec;
  }

  /**
   * {@return whether attributes with this inode's number are this file's, and not a later one's}
   */
  final boolean isSame(P9Attr a) {
    return a.type() == (mode & S_IFMT) && btimeOf(a) == btimeNs;
  }

  final void update(P9Attr a) {
    synchronized (this) {
      mode = a.mode;
      uid = a.uid;
      gid = a.gid;
      nlink = a.nlink;
      size = a.size;
      rdev = SpecialFiles.device((int) (a.rdev >>> 32), (int) a.rdev);
      blocks = a.blocks;
      blksize = a.blksize;
      atimeNs = ns(a.atimeSec, a.atimeNsec);
      mtimeNs = ns(a.mtimeSec, a.mtimeNsec);
      ctimeNs = ns(a.ctimeSec, a.ctimeNsec);
      stale = false;
      fetchedNs = System.nanoTime();
    }
  }

  /** As {@link #update}, from a host's struct stat of this file. */
  final void updateFromStat(MemorySegment s) {
    synchronized (this) {
      mode = s.get(Memory.INT, Stat.STAT_ST_MODE);
      uid = s.get(Memory.INT, Stat.STAT_ST_UID);
      gid = s.get(Memory.INT, Stat.STAT_ST_GID);
      nlink = (int) s.get(Memory.LONG, Stat.STAT_ST_NLINK);
      size = s.get(Memory.LONG, Stat.STAT_ST_SIZE);
      blocks = s.get(Memory.LONG, Stat.STAT_ST_BLOCKS);
      atimeNs = statTime(s, Stat.STAT_ST_ATIME);
      mtimeNs = statTime(s, Stat.STAT_ST_MTIME);
      ctimeNs = statTime(s, Stat.STAT_ST_CTIME);
      stale = false;
      fetchedNs = System.nanoTime();
    }
  }

  private static long statTime(MemorySegment s, long at) {
    return s.get(Memory.LONG, at) * 1_000_000_000L + s.get(Memory.LONG, at + 8);
  }

  // ---- attributes ----

  @Override
  public final int mode() {
    return mode;
  }

  @Override
  public final int uid() {
    return uid;
  }

  @Override
  public final int gid() {
    return gid;
  }

  @Override
  public final long ino() {
    return ino;
  }

  @Override
  public long size() {
    return size;
  }

  @Override
  public final long rdev() {
    return rdev;
  }

  public final int nlink() {
    return nlink;
  }

  /** {@return whether the attributes may be believed} */
  final boolean isFresh() {
    return !stale && (!gofer.shared || System.nanoTime() - fetchedNs < GoferFs.FRESH_NS);
  }

  /** Gets the attributes again. Returns 0 or -errno. */
  long refresh() {
    int f = pinnedFid();
    if (f < 0) {
      return f;
    }
    P9Attr a = new P9Attr();
    long r = gofer.client.getattr(f, a);
    unpinFid();
    if (r >= 0) {
      update(a);
    }
    return r;
  }

  @Override
  public void stat(StatData s) {
    if (!isFresh()) {
      long r = refresh();
      // A file that lost its name keeps the attributes that it had.
      if (r < 0 && r != -ESTALE && r != -ENOENT) {
        throw ErrnoException.of((int) -r);
      }
    }
    synchronized (this) {
      s.dev = fs.device();
      s.ino = ino;
      s.mode = mode;
      s.nlink = nlink;
      s.uid = uid;
      s.gid = gid;
      s.rdev = rdev;
      s.size = size;
      s.blocks = blocks;
      s.blksize = blksize;
      s.atimeNs = atimeNs;
      s.mtimeNs = mtimeNs;
      s.ctimeNs = ctimeNs;
      s.btimeNs = btimeNs;
      s.attributes = 0;
    }
  }

  @Override
  public void setattr(SetAttr a) {
    int valid = 0;
    if (a.has(SetAttr.MODE)) {
      valid |= P9.SETATTR_MODE;
    }
    if (a.has(SetAttr.UID)) {
      valid |= P9.SETATTR_UID;
    }
    if (a.has(SetAttr.GID)) {
      valid |= P9.SETATTR_GID;
    }
    if (a.has(SetAttr.SIZE)) {
      valid |= P9.SETATTR_SIZE;
    }
    if (a.has(SetAttr.ATIME_NOW)) {
      valid |= P9.SETATTR_ATIME;
    } else if (a.has(SetAttr.ATIME)) {
      valid |= P9.SETATTR_ATIME | P9.SETATTR_ATIME_SET;
    }
    if (a.has(SetAttr.MTIME_NOW)) {
      valid |= P9.SETATTR_MTIME;
    } else if (a.has(SetAttr.MTIME)) {
      valid |= P9.SETATTR_MTIME | P9.SETATTR_MTIME_SET;
    }
    P9Attr out = new P9Attr();
    int f = useFid();
    try {
      synchronized (this) {
        ErrnoException.check(
            gofer.client.setattr(
                f,
                valid,
                a.mode & 07777,
                a.uid,
                a.gid,
                a.size,
                Math.floorDiv(a.atimeNs, 1_000_000_000L),
                (int) Math.floorMod(a.atimeNs, 1_000_000_000L),
                Math.floorDiv(a.mtimeNs, 1_000_000_000L),
                (int) Math.floorMod(a.mtimeNs, 1_000_000_000L),
                out));
        update(out);
      }
    } finally {
      unpinFid();
    }
  }

  /** A name of this file is gone. */
  final void unlinked(GoferDir dir, String removedName) {
    synchronized (gofer.mu) {
      if (parent == dir && name.equals(removedName) && nlink > 1) {
        parent = null; // another name may tell later
      }
    }
    synchronized (this) {
      nlink = Math.max(0, nlink - 1);
      stale = true;
    }
    if (nlink == 0) {
      gofer.forget(this);
    }
  }

  /** Another name was made. */
  final void linked() {
    synchronized (this) {
      nlink++;
      stale = true;
    }
  }

  // ---- fids ----

  final void setPlace(@Nullable GoferDir dir, String newName) {
    synchronized (gofer.mu) {
      if (dir != null) {
        parent = dir;
        name = newName;
      }
    }
  }

  /** {@return the directory in which it was last seen, or null} */
  final @Nullable GoferDir parentDir() {
    synchronized (gofer.mu) {
      return parent;
    }
  }

  /** Takes over a fid of this file; one too many is given back. */
  final void adoptFid(int newFid) {
    boolean taken;
    boolean idle;
    synchronized (gofer.mu) {
      taken = fid == NO_FID;
      if (taken) {
        fid = newFid;
      }
      idle = taken && fidPins == 0;
    }
    if (!taken) {
      gofer.client.clunk(newFid);
    } else if (idle) {
      gofer.fidIdle(this);
    }
  }

  /** Gives up the fid for {@link GoferFs#trimFids}; under mu. Returns it, or -1. */
  final int takeFid() {
    synchronized (gofer.mu) {
      int f = fid;
      fid = NO_FID;
      return f;
    }
  }

  /** Keeps the fid, which is there, until {@link #unpinFid}. */
  final void pinFid() {
    synchronized (gofer.mu) {
      if (fidPins++ == 0) {
        gofer.fidBusy(this);
      }
    }
  }

  final void unpinFid() {
    int last = NO_FID;
    synchronized (gofer.mu) {
      if (--fidPins > 0 || fid == NO_FID) {
        return;
      }
      if (nlink == 0) {
        last = takeFid();
      }
    }
    if (last == NO_FID) {
      gofer.fidIdle(this);
    } else {
      // Nothing is left to be done with it, and the host keeps the space until it goes.
      gofer.client.clunkNow(last);
    }
  }

  /**
   * {@return a fid, kept until {@link #unpinFid}}
   *
   * @throws ErrnoException ESTALE if the file is not where it was last seen
   */
  final int useFid() {
    int f = pinnedFid();
    if (f < 0) {
      throw ErrnoException.of(-f);
    }
    return f;
  }

  /** As {@link #useFid}, or returns -errno. */
  final int pinnedFid() {
    return pinnedFid(-1, null);
  }

  /**
   * As {@link #pinnedFid}; when the fid has to be walked to anyway, opens the file on the way.
   *
   * @param openFlags of open(2), or -1
   * @param opened gets the descriptor at index 0, or stays as it is
   */
  final int pinnedFid(int openFlags, int @Nullable [] opened) {
    GoferDir dir;
    String at;
    synchronized (gofer.mu) {
      if (fid != NO_FID) {
        pinFid();
        return fid;
      }
      dir = parent;
      at = name;
    }
    if (dir == null) {
      return -ESTALE;
    }
    int dirFid = dir.pinnedFid();
    if (dirFid < 0) {
      return dirFid;
    }
    P9Walk w = gofer.takeWalk();
    try {
      byte[] path = Latin1.bytes(at);
      long r = gofer.client.walk(dirFid, path, 0, path.length, openFlags, w);
      if (r == -ENFILE || w.error == ENFILE) {
        gofer.trimFids(0);
        r = gofer.client.walk(dirFid, path, 0, path.length, openFlags, w);
      }
      if (r < 1) {
        int error = r < 0 ? (int) -r : w.error;
        return error == ENOENT ? -ESTALE : error == 0 ? -EIO : -error;
      }
      int fd = w.takeHostFd();
      P9Attr a = w.attrs[0];
      if (a.dev != hostDev || a.ino != hostIno || !isSame(a)) {
        gofer.client.clunk(w.fids[0]);
        if (fd >= 0) {
          FileSystemCalls.close(fd);
        }
        return -ESTALE;
      }
      if (fd >= 0 && opened != null) {
        opened[0] = fd;
      } else if (fd >= 0) {
        FileSystemCalls.close(fd);
      }
      int extra = NO_FID;
      int ours;
      synchronized (gofer.mu) {
        pinFid();
        if (fid == NO_FID) {
          fid = w.fids[0];
        } else {
          extra = w.fids[0];
        }
        ours = fid;
      }
      if (extra != NO_FID) {
        gofer.client.clunk(extra);
      }
      return ours;
    } finally {
      gofer.giveWalk(w);
      dir.unpinFid();
    }
  }

  // ---- extended attributes ----

  @Override
  public boolean hasAcls() {
    return !isSymlink();
  }

  /** Of files that are shared with the host mode bits count: each walk would be a message more. */
  @Override
  public @Nullable PosixAcl acl(boolean inherited) {
    if (gofer.shared || isSymlink()) {
      return null;
    }
    String name =
        inherited ? Xattr.XATTR_NAME_POSIX_ACL_DEFAULT : Xattr.XATTR_NAME_POSIX_ACL_ACCESS;
    return listxattr().contains(name) ? PosixAcl.parse(getxattr(name), UserNamespace.ROOT) : null;
  }

  @Override
  public byte[] getxattr(String attribute) {
    List<String> names = xattrNames;
    if (!gofer.shared) {
      if (names == null) {
        names = listxattr();
      }
      if (!names.contains(attribute)) {
        throw ErrnoException.of(ENODATA);
      }
    }
    byte[] n = Latin1.bytes(attribute);
    int f = useFid();
    try {
      for (; ; ) {
        long length = ErrnoException.check(gofer.client.getxattr(f, n, NOTHING));
        byte[] value = new byte[(int) length];
        if (length == 0) {
          return value;
        }
        long r = gofer.client.getxattr(f, n, value);
        if (r == -redoubt.abi.Errno.ERANGE) {
          continue; // it grew meanwhile
        }
        ErrnoException.check(r);
        return r == length ? value : java.util.Arrays.copyOf(value, (int) r);
      }
    } finally {
      unpinFid();
    }
  }

  @Override
  public void setxattr(String attribute, byte[] value, int flags) {
    int f = useFid();
    try {
      ErrnoException.check(
          gofer.client.setxattr(f, Latin1.bytes(attribute), value, value.length, flags));
      xattrNames = null;
      stale = true;
    } finally {
      unpinFid();
    }
  }

  @Override
  public void removexattr(String attribute) {
    int f = useFid();
    try {
      ErrnoException.check(gofer.client.removexattr(f, Latin1.bytes(attribute)));
      xattrNames = null;
      stale = true;
    } finally {
      unpinFid();
    }
  }

  @Override
  public List<String> listxattr() {
    List<String> known = xattrNames;
    if (known != null && !gofer.shared) {
      return known;
    }
    byte[] list = new byte[1024];
    long r;
    int f = useFid();
    try {
      r = gofer.client.listxattr(f, list);
      if (r == -redoubt.abi.Errno.ERANGE) {
        list = new byte[P9.XATTR_MAX];
        r = gofer.client.listxattr(f, list);
      }
    } finally {
      unpinFid();
    }
    if (r == -redoubt.abi.Errno.EOPNOTSUPP) {
      r = 0;
    }
    ErrnoException.check(r);
    List<String> names = new ArrayList<>();
    int start = 0;
    for (int i = 0; i < r; i++) {
      if (list[i] == 0) {
        names.add(new String(list, start, i - start, java.nio.charset.StandardCharsets.ISO_8859_1));
        start = i + 1;
      }
    }
    names = List.copyOf(names);
    if (!gofer.shared) {
      xattrNames = names;
    }
    return names;
  }
}
