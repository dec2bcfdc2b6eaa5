package redoubt.sentry.fs.gofer;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.lang.ref.Reference;
import java.lang.ref.ReferenceQueue;
import java.lang.ref.WeakReference;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import redoubt.p9.P9Attr;
import redoubt.p9.P9Client;
import redoubt.p9.P9Dir;
import redoubt.p9.P9StatFs;
import redoubt.p9.P9Walk;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.Latin1;
import redoubt.sentry.platform.Platform;
import redoubt.sentry.vfs.FileSystem;
import redoubt.sentry.vfs.StatfsData;

/**
 * One attach point of the gofer. In <em>exclusive</em> mode (rootfs: nobody else changes it)
 * attributes, names and directory lists are believed until this filesystem changes them itself; in
 * <em>shared</em> mode (bind mounts) they are asked for again when they are older than {@link
 * #FRESH_NS}.
 *
 * <p>What it holds is bounded: fids, idle descriptors, listed names; inodes themselves live as long
 * as dentries, descriptions or mappings want them, and two names of one host file are one inode
 * meanwhile.
 */
public final class GoferFs extends FileSystem {
  /** V9FS_MAGIC. */
  public static final long MAGIC = 0x01021997;

  /** How long shared attributes are believed. */
  static final long FRESH_NS = 1_000_000;

  /** Most fids held by files that nobody has open. */
  private static final int IDLE_FIDS_MAX = 8192;

  /** Most files with donated descriptors that nobody has open. */
  private static final int IDLE_FDS_MAX = 128;

  /** Most names in the lists of directories that are kept. */
  private static final int LISTED_MAX = 65536;

  private record Key(long dev, long ino) {
    @Override
    public int hashCode() {
      return Long.hashCode(ino * 31 + dev);
    }

    @Override
    public boolean equals(Object o) {
      return o instanceof Key k && k.dev == dev && k.ino == ino;
    }
  }

  private static final class Ref extends WeakReference<GoferInode> {
    final Key key;

    Ref(GoferInode inode, Key key, ReferenceQueue<GoferInode> queue) {
      super(inode, queue);
      this.key = key;
    }
  }

  final P9Client client;
  final Platform platform;
  final boolean shared;
  private final GoferInode root;

  /** Exclusive mode only. */
  final ListAhead listAhead;

  /** Goes up before and after each change of names, for who enters names that he walked before. */
  private volatile long changes;

  final Object mu = new Object();

  @GuardedBy("mu")
  private final Map<Key, Ref> inodes = new HashMap<>();

  private final ReferenceQueue<GoferInode> collected = new ReferenceQueue<>();

  /** Host devices below the attach point, in the order they were met. */
  @GuardedBy("mu")
  private long[] devices = new long[2];

  @GuardedBy("mu")
  private int deviceCount;

  /**
   * Inodes with a fid that nobody pins, the longest unused first: a ring through GoferInode.lru*.
   */
  @GuardedBy("mu")
  private final LinkedHashSet<GoferInode> idleFids = new LinkedHashSet<>();

  @GuardedBy("mu")
  private final LinkedHashSet<GoferFile> idleFds = new LinkedHashSet<>();

  @GuardedBy("mu")
  private final LinkedHashSet<GoferDir> listed = new LinkedHashSet<>();

  @GuardedBy("mu")
  private int listedNames;

  @GuardedBy("mu")
  private final ArrayDeque<P9Walk> walks = new ArrayDeque<>();

  @GuardedBy("mu")
  private final ArrayDeque<P9Dir> dirs = new ArrayDeque<>();

  /**
   * Attaches.
   *
   * @param attach the name of the attach point (Tattach aname)
   * @param shared whether others change these files, too
   * @throws ErrnoException what the gofer says
   */
  public GoferFs(P9Client client, Platform platform, String attach, boolean shared) {
    super("9p");
    this.client = client;
    this.platform = platform;
    this.shared = shared;
    this.listAhead = new ListAhead(this);
    P9Attr attr = new P9Attr();
    int fid = (int) ErrnoException.check(client.attach(Latin1.bytes(attach), attr));
    root = intern(attr, null, "");
    root.adoptFid(fid);
    root.pinFid(); // for ever
  }

  /** A directory; or the one file that a bind mount of a file has. */
  @Override
  public GoferInode root() {
    return root;
  }

  @Override
  public long magic() {
    return MAGIC;
  }

  @Override
  public boolean needsRevalidate() {
    return shared;
  }

  @Override
  public boolean batchesWalks() {
    return true;
  }

  @Override
  public void statfs(StatfsData s) {
    P9StatFs h = new P9StatFs();
    int fid = root.useFid();
    try {
      ErrnoException.check(client.statfs(fid, h));
    } finally {
      root.unpinFid();
    }
    s.type = MAGIC;
    s.bsize = h.bsize;
    s.blocks = h.blocks;
    s.bfree = h.bfree;
    s.bavail = h.bavail;
    s.files = h.files;
    s.ffree = h.ffree;
    s.fsid = device();
    s.namelen = h.namelen;
  }

  /** Gives back every fid and descriptor that nobody uses. */
  @Override
  public void release() {
    listAhead.close();
    trimFids(0);
    trimFds(0);
    trimListings(0, null);
    client.flushClunks();
  }

  // ---- inodes ----

  /**
   * {@return the inode of a host file}, made if there is none; {@code parent} and {@code name} are
   * where it was seen just now.
   */
  GoferInode intern(P9Attr a, @Nullable GoferDir parent, String name) {
    Key key = new Key(a.dev, a.ino);
    GoferInode inode;
    synchronized (mu) {
      for (Reference<?> gone = collected.poll(); gone != null; gone = collected.poll()) {
        Key k = ((Ref) gone).key;
        inodes.remove(k, gone);
      }
      Ref ref = inodes.get(key);
      inode = ref == null ? null : ref.get();
      if (inode == null || !inode.isSame(a)) {
        inode = make(a, guestIno(a));
        inodes.put(key, new Ref(inode, key, collected));
        inode.setPlace(parent, name);
        return inode;
      }
      inode.setPlace(parent, name);
    }
    if (shared) {
      inode.update(a);
    }
    return inode;
  }

  private GoferInode make(P9Attr a, long ino) {
    if (a.isDirectory()) {
      return new GoferDir(this, a, ino);
    }
    if (a.isRegular()) {
      return new GoferFile(this, a, ino);
    }
    return new GoferNode(this, a, ino);
  }

  /** The host's number, with the host device in the high bits where there is more than one. */
  @GuardedBy("mu")
  private long guestIno(P9Attr a) {
    int i = 0;
    while (i < deviceCount && devices[i] != a.dev) {
      i++;
    }
    if (i == deviceCount) {
      if (deviceCount == devices.length) {
        devices = java.util.Arrays.copyOf(devices, 2 * deviceCount);
      }
      devices[deviceCount++] = a.dev;
    }
    return a.ino ^ (long) (i & 0x7fff) << 48;
  }

  /** The host file is gone: its number may come again for another one. */
  void forget(GoferInode inode) {
    synchronized (mu) {
      Key key = new Key(inode.hostDev, inode.hostIno);
      Ref ref = inodes.get(key);
      if (ref != null && ref.get() == inode) {
        inodes.remove(key);
      }
    }
  }

  /** {@return the inode known under a host identity, or null} */
  @Nullable GoferInode known(P9Attr a) {
    synchronized (mu) {
      Ref ref = inodes.get(new Key(a.dev, a.ino));
      return ref == null ? null : ref.get();
    }
  }

  // ---- changes of names ----

  long changes() {
    return changes;
  }

  /** A change of names begins or ends; see {@link #changes}. */
  void noteChange() {
    synchronized (mu) {
      changes++;
    }
  }

  // ---- bounds ----

  /** A fid became idle. */
  void fidIdle(GoferInode inode) {
    synchronized (mu) {
      idleFids.add(inode);
      if (idleFids.size() <= IDLE_FIDS_MAX) {
        return;
      }
    }
    trimFids(IDLE_FIDS_MAX - IDLE_FIDS_MAX / 16);
  }

  /** A fid is in use. Under mu. */
  void fidBusy(GoferInode inode) {
    synchronized (mu) {
      idleFids.remove(inode);
    }
  }

  /** Gives idle fids back until {@code most} are left. */
  void trimFids(int most) {
    for (; ; ) {
      int fid;
      synchronized (mu) {
        if (idleFids.size() <= most) {
          return;
        }
        Iterator<GoferInode> i = idleFids.iterator();
        GoferInode oldest = i.next();
        i.remove();
        fid = oldest.takeFid();
      }
      if (fid >= 0) {
        client.clunk(fid);
      }
    }
  }

  void fdsIdle(GoferFile file) {
    synchronized (mu) {
      idleFds.add(file);
      if (idleFds.size() <= IDLE_FDS_MAX) {
        return;
      }
    }
    trimFds(IDLE_FDS_MAX);
  }

  void fdsBusy(GoferFile file) {
    synchronized (mu) {
      idleFds.remove(file);
    }
  }

  /** Closes idle descriptors until {@code most} files with such are left. */
  void trimFds(int most) {
    for (; ; ) {
      GoferFile oldest;
      synchronized (mu) {
        if (idleFds.size() <= most) {
          return;
        }
        Iterator<GoferFile> i = idleFds.iterator();
        oldest = i.next();
        i.remove();
      }
      oldest.closeIfIdle();
    }
  }

  /**
   * A directory's list of {@code names} names is kept from now on; others may be dropped for it.
   */
  void listed(GoferDir dir, int names) {
    synchronized (mu) {
      listed.add(dir);
      listedNames += names;
    }
    trimListings(LISTED_MAX, dir);
  }

  /** A list of {@code names} names was dropped. */
  void unlisted(GoferDir dir, int names) {
    synchronized (mu) {
      listed.remove(dir);
      listedNames -= names;
    }
  }

  private void trimListings(int most, @Nullable GoferDir butNot) {
    for (; ; ) {
      GoferDir oldest;
      synchronized (mu) {
        if (listedNames <= most || listed.isEmpty()) {
          return;
        }
        oldest = listed.iterator().next();
        if (oldest == butNot) {
          return;
        }
        listed.remove(oldest);
      }
      oldest.dropListing();
    }
  }

  // ---- message carriers ----

  P9Walk takeWalk() {
    synchronized (mu) {
      P9Walk w = walks.poll();
      if (w != null) {
        return w;
      }
    }
    return new P9Walk();
  }

  void giveWalk(P9Walk w) {
    synchronized (mu) {
      if (walks.size() < 8) {
        walks.push(w);
      }
    }
  }

  P9Dir takeDir() {
    synchronized (mu) {
      P9Dir d = dirs.poll();
      if (d != null) {
        return d;
      }
    }
    return client.newDir();
  }

  void giveDir(P9Dir d) {
    synchronized (mu) {
      if (dirs.size() < 2) {
        dirs.push(d);
        return;
      }
    }
    d.close();
  }
}
