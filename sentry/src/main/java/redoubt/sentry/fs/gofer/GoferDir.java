package redoubt.sentry.fs.gofer;

import static redoubt.abi.Errno.EIO;
import static redoubt.abi.Errno.ENFILE;
import static redoubt.abi.Errno.ENOENT;
import static redoubt.abi.Errno.EXDEV;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Fcntl;
import redoubt.abi.Stat;
import redoubt.p9.P9;
import redoubt.p9.P9Attr;
import redoubt.p9.P9Dir;
import redoubt.p9.P9Walk;
import redoubt.sentry.fs.DirListing;
import redoubt.sentry.fs.ListableDir;
import redoubt.sentry.fs.ListedDirectory;
import redoubt.sentry.kernel.Credentials;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.Latin1;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.vfs.Dentry;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.Inode;
import redoubt.sentry.vfs.VfsPath;

/**
 * A host directory. In exclusive mode the list that a reader asked for is kept, with the inodes:
 * what is looked up afterwards costs no message, whether it is there or not.
 */
public final class GoferDir extends GoferInode implements ListableDir {
  private static final int O_CREAT_EXCL_RDWR = Fcntl.O_CREAT | Fcntl.O_EXCL | Fcntl.O_RDWR;

  /** Most directories that are listed ahead. */
  private static final int AHEAD_MAX = P9.READDIRS_MAX - 1;

  private static final int AHEAD_REST = 8;

  /** From so many on a walk is sure enough to ask for what nobody has asked for. */
  private static final int AHEAD_SURE = 4;

  /** In the result of {@link #find}. */
  public static final int MISSING = 1 << 16;

  /** All names, or null when they are not known. Written, and the map used, under listingMu. */
  private volatile @Nullable Map<String, GoferInode> listing;

  /**
   * Directories in this one to list with the next that is asked for; up to 0, so many are asked for
   * before. Guarded by listingMu.
   */
  private int ahead;

  /** Names as listed; the count that GoferFs was told. Guarded by listingMu. */
  private int listingCount;

  private final Object listingMu = new Object();

  GoferDir(GoferFs fs, P9Attr a, long ino) {
    super(fs, a, ino);
  }

  // ---- looking up ----

  @Override
  public @Nullable GoferInode lookup(String name) {
    synchronized (listingMu) {
      Map<String, GoferInode> l = listing;
      if (l != null) {
        return l.get(name);
      }
    }
    P9Walk w = gofer.takeWalk();
    try {
      int n = walk(List.of(name), w);
      if (n == 1) {
        return enter(w, 0, this, name);
      }
      if (w.error == ENOENT) {
        return null;
      }
      throw ErrnoException.of(w.error == 0 ? EIO : w.error);
    } finally {
      gofer.giveWalk(w);
    }
  }

  /** Walks; returns how many names were found. */
  private int walk(List<String> names, P9Walk w) {
    int length = names.size() - 1;
    for (int i = 0; i < names.size(); i++) {
      length += names.get(i).length();
    }
    byte[] path = new byte[length];
    int at = 0;
    for (int i = 0; i < names.size(); i++) {
      if (i > 0) {
        path[at++] = '/';
      }
      String name = names.get(i);
      for (int j = 0; j < name.length(); j++) {
        path[at++] = (byte) name.charAt(j);
      }
    }
    int f = useFid();
    try {
      long r = gofer.client.walk(f, path, 0, length, -1, w);
      if (r == -ENFILE || (r >= 0 && w.error == ENFILE)) {
        gofer.trimFids(0);
        for (int i = 0; i < r; i++) {
          gofer.client.clunk(w.fids[i]);
        }
        r = gofer.client.walk(f, path, 0, length, -1, w);
      }
      return (int) ErrnoException.check(r);
    } finally {
      unpinFid();
    }
  }

  /** {@return the inode of the walk's name {@code i}}, with its fid */
  private GoferInode enter(P9Walk w, int i, GoferDir parent, String name) {
    GoferInode inode = gofer.intern(w.attrs[i], parent, name);
    inode.adoptFid(w.fids[i]);
    if (i == w.count - 1 && w.targetLength >= 0 && inode instanceof GoferNode link) {
      link.setTarget(
          new String(w.target, 0, w.targetLength, java.nio.charset.StandardCharsets.ISO_8859_1));
    }
    return inode;
  }

  @Override
  public void prefetch(Dentry self, List<String> names) {
    long before = gofer.changes();
    GoferInode[] found = new GoferInode[names.size()];
    int result = find(names, found);
    int n = result & ~MISSING;
    boolean missing = (result & MISSING) != 0;
    Dentry at = self;
    for (int i = 0; i <= n && i < names.size(); i++) {
      GoferInode inode = found[i];
      // After the last name found may come one that is not there.
      if (inode == null && (!missing || gofer.shared)) {
        break;
      }
      if (i > 0 && gofer.changes() != before) {
        break;
      }
      Dentry next = at.enterChild(names.get(i), inode);
      if (i > 0 && gofer.changes() != before) {
        at.forgetChildren(); // somebody may have removed what was entered just now
        break;
      }
      if (inode == null || next.inodeOrNull() != inode) {
        break;
      }
      at = next;
    }
  }

  /**
   * Finds names one below the other, in one message. A symbolic link ends the search.
   *
   * @param found gets the inodes
   * @return how many were found, and {@link #MISSING} if the next one is not there
   */
  public int find(List<String> names, GoferInode[] found) {
    synchronized (listingMu) {
      Map<String, GoferInode> l = listing;
      if (l != null) {
        GoferInode first = l.get(names.get(0));
        if (first == null) {
          return MISSING;
        }
        found[0] = first;
        return 1; // the rest is looked up from there, perhaps in a list as well
      }
    }
    P9Walk w = gofer.takeWalk();
    try {
      int n = walk(names, w);
      GoferDir parent = this;
      for (int i = 0; i < n; i++) {
        GoferInode inode = enter(w, i, parent, names.get(i));
        found[i] = inode;
        if (!(inode instanceof GoferDir d)) {
          for (int j = i + 1; j < n; j++) {
            gofer.client.clunk(w.fids[j]);
          }
          return i + 1;
        }
        parent = d;
      }
      return w.error == ENOENT ? n | MISSING : n;
    } catch (ErrnoException e) {
      return 0; // the lookup that follows meets it again
    } finally {
      gofer.giveWalk(w);
    }
  }

  @Override
  public boolean cachesNegative() {
    return !gofer.shared;
  }

  @Override
  public boolean revalidate(Dentry child) {
    Inode inode = child.inodeOrNull();
    if (!(inode instanceof GoferInode known)) {
      return false;
    }
    if (known.isFresh()) {
      return true;
    }
    try {
      return lookup(child.name()) == known; // which refreshes its attributes, too
    } catch (ErrnoException e) {
      return false;
    }
  }

  // ---- listing ----

  @Override
  public FileDescription open(Task t, VfsPath path, int flags) {
    return new ListedDirectory(this::list, path, flags, t.creds());
  }

  /**
   * {@return the names of this directory}
   *
   * @throws ErrnoException what the gofer says
   */
  @Override
  public DirListing list() {
    if (!gofer.shared) {
      DirListing kept = keptList();
      GoferDir dir = kept == null ? parentDir() : null;
      if (dir != null && gofer.listAhead.list(dir, this)) {
        kept = keptList();
      }
      if (kept != null) {
        return kept;
      }
    }
    long before = gofer.changes();
    DirListing out = new DirListing();
    // In the order that the host told them, so that every listing has the same.
    Map<String, GoferInode> names = gofer.shared ? null : new LinkedHashMap<>();
    P9Dir batch = gofer.takeDir();
    int f = useFid();
    try {
      long offset = 0;
      do {
        long n = ErrnoException.check(gofer.client.readdir(f, offset, names != null, batch));
        if (n == 0 && !batch.isEnd()) {
          break;
        }
        while (batch.next()) {
          offset = batch.offset;
          take(batch, out, names);
        }
        ErrnoException.check(gofer.client.check(batch));
      } while (!batch.isEnd());
    } finally {
      unpinFid();
      gofer.giveDir(batch);
    }
    if (names != null && names.size() == out.size()) {
      keep(names, before);
    }
    return out;
  }

  private void take(P9Dir batch, DirListing out, @Nullable Map<String, GoferInode> names) {
    String name = Latin1.string(batch.memory(), batch.nameOffset, batch.nameLength);
    if (name.equals(".") || name.equals("..")) {
      return;
    }
    if (names != null && batch.hasAttr) {
      GoferInode inode = gofer.intern(batch.attr, this, name);
      names.put(name, inode);
      out.add(name, inode.ino(), DirListing.typeOf(inode.mode()));
    } else {
      out.add(name, batch.ino, batch.type);
    }
  }

  private @Nullable DirListing keptList() {
    synchronized (listingMu) {
      Map<String, GoferInode> l = listing;
      if (l == null) {
        return null;
      }
      DirListing out = new DirListing();
      l.forEach((name, inode) -> out.add(name, inode.ino(), DirListing.typeOf(inode.mode())));
      return out;
    }
  }

  private void keep(Map<String, GoferInode> names, long before) {
    int count = names.size() + 1; // an empty list takes room, too
    synchronized (listingMu) {
      if (listing != null || gofer.changes() != before) {
        return;
      }
      listing = names;
      listingCount = count;
    }
    gofer.listed(this, count);
  }

  // ---- listing ahead; see ListAhead ----

  boolean isListed() {
    return listing != null;
  }

  /**
   * {@code first}, a directory in this one, is to be listed: {@return it and those to list with
   * it}, twice as many each time, or none
   */
  List<byte[]> listedWith(GoferDir first) {
    List<byte[]> names = new ArrayList<>();
    synchronized (listingMu) {
      Map<String, GoferInode> l = listing;
      if (l == null) {
        return names;
      }
      int most = ahead;
      ahead = most <= 0 ? most + 1 : Math.min(2 * most, AHEAD_MAX);
      if (most <= 0) {
        return names;
      }
      boolean found = false;
      for (Map.Entry<String, GoferInode> e : l.entrySet()) {
        found |= e.getValue() == first;
        addUnlisted(found, e, names);
        if (names.size() > most) {
          break;
        }
      }
    }
    return names;
  }

  /**
   * {@return directories after {@code last} that have no list yet}, if somebody surely wants them
   */
  List<byte[]> listedAfter(String last) {
    List<byte[]> names = new ArrayList<>();
    synchronized (listingMu) {
      Map<String, GoferInode> l = listing;
      if (l == null || ahead < AHEAD_SURE) {
        return names;
      }
      boolean found = false;
      for (Map.Entry<String, GoferInode> e : l.entrySet()) {
        addUnlisted(found, e, names);
        found |= e.getKey().equals(last);
        if (names.size() > ahead) {
          break;
        }
      }
    }
    return names;
  }

  private static void addUnlisted(
      boolean found, Map.Entry<String, GoferInode> e, List<byte[]> names) {
    if (found && e.getValue() instanceof GoferDir d && !d.isListed()) {
      names.add(Latin1.bytes(e.getKey()));
    }
  }

  /** A directory in this one has no room in a message, and others like it may not have either. */
  void restFromListing() {
    synchronized (listingMu) {
      ahead = -AHEAD_REST;
    }
  }

  /** {@return the directory called {@code name} in the list of this one}, or null */
  @Nullable GoferDir listedDir(String name) {
    synchronized (listingMu) {
      Map<String, GoferInode> l = listing;
      return l != null && l.get(name) instanceof GoferDir d ? d : null;
    }
  }

  /** Keeps the entries of an answer as the list, unless names changed since {@code before}. */
  void keepEntries(P9Dir entries, long before) {
    Map<String, GoferInode> names = new LinkedHashMap<>();
    boolean whole = true;
    while (entries.next()) {
      if (!entries.hasAttr) {
        whole = false;
        continue;
      }
      String name = Latin1.string(entries.memory(), entries.nameOffset, entries.nameLength);
      names.put(name, gofer.intern(entries.attr, this, name));
    }
    ErrnoException.check(gofer.client.check(entries));
    if (whole) {
      keep(names, before);
    }
  }

  /** Forgets the list. */
  void dropListing() {
    int count;
    synchronized (listingMu) {
      if (listing == null) {
        return;
      }
      listing = null;
      ahead = 0;
      count = listingCount;
    }
    gofer.unlisted(this, count);
  }

  // ---- changing; the VFS holds our monitor ----

  private void begin() {
    gofer.noteChange();
  }

  /** A change was made: names and attributes of this directory are new. */
  private void end() {
    dropListing();
    stale = true;
    gofer.noteChange();
  }

  private int newGid(Credentials creds) {
    return (mode() & Stat.S_ISGID) != 0 ? gid() : creds.fsgid;
  }

  @Override
  public Inode create(String name, int mode, Credentials creds) {
    return createFile(Latin1.bytes(name), name, O_CREAT_EXCL_RDWR, mode, creds);
  }

  @Override
  public Inode tmpfile(int mode, Credentials creds) {
    return createFile(new byte[0], "", Fcntl.O_TMPFILE | Fcntl.O_RDWR, mode, creds);
  }

  private GoferInode createFile(byte[] bytes, String name, int flags, int mode, Credentials creds) {
    P9Walk w = gofer.takeWalk();
    int f = useFid();
    begin();
    try {
      ErrnoException.check(
          gofer.client.create(f, bytes, flags, mode & 07777, creds.fsuid, newGid(creds), w));
      GoferInode inode = gofer.intern(w.attrs[0], name.isEmpty() ? null : this, name);
      inode.adoptFid(w.fids[0]);
      int fd = w.takeHostFd();
      if (inode instanceof GoferFile file) {
        file.adoptWritable(fd);
      }
      return inode;
    } finally {
      end();
      unpinFid();
      gofer.giveWalk(w);
    }
  }

  @Override
  public Inode mkdir(String name, int mode, Credentials creds) {
    P9Attr a = new P9Attr();
    int f = useFid();
    begin();
    try {
      int m = mode & 07777 | mode() & Stat.S_ISGID;
      long r = gofer.client.mkdir(f, Latin1.bytes(name), m, creds.fsuid, newGid(creds), a);
      return made(r, a, name);
    } finally {
      end();
      unpinFid();
    }
  }

  @Override
  public Inode mknod(String name, int mode, long rdev, Credentials creds) {
    P9Attr a = new P9Attr();
    int f = useFid();
    begin();
    try {
      int major = (int) (rdev >>> 8 & 0xfff | rdev >>> 32 & ~0xfffL);
      int minor = (int) (rdev & 0xff | rdev >>> 12 & ~0xffL);
      long r =
          gofer.client.mknod(
              f, Latin1.bytes(name), mode, major, minor, creds.fsuid, newGid(creds), a);
      return made(r, a, name);
    } finally {
      end();
      unpinFid();
    }
  }

  @Override
  public Inode symlink(String name, String target, Credentials creds) {
    P9Attr a = new P9Attr();
    int f = useFid();
    begin();
    try {
      long r =
          gofer.client.symlink(
              f, Latin1.bytes(name), Latin1.bytes(target), creds.fsuid, newGid(creds), a);
      return made(r, a, name);
    } finally {
      end();
      unpinFid();
    }
  }

  private GoferInode made(long fidOrErrno, P9Attr a, String name) {
    int fid = (int) ErrnoException.check(fidOrErrno);
    GoferInode inode = gofer.intern(a, this, name);
    inode.adoptFid(fid);
    return inode;
  }

  @Override
  public void link(String name, Inode target) {
    if (!(target instanceof GoferInode file) || target.fs != fs) {
      throw ErrnoException.of(EXDEV);
    }
    int f = useFid();
    begin();
    try {
      int t = file.useFid();
      try {
        ErrnoException.check(gofer.client.link(f, t, Latin1.bytes(name)));
      } finally {
        file.unpinFid();
      }
      file.linked();
      file.setPlace(this, name);
    } finally {
      end();
      unpinFid();
    }
  }

  @Override
  public void unlink(String name, Inode child) {
    remove(name, child, 0);
  }

  @Override
  public void rmdir(String name, Inode child) {
    remove(name, child, Fcntl.AT_REMOVEDIR);
  }

  private void remove(String name, Inode child, int flags) {
    int f = useFid();
    begin();
    try {
      ErrnoException.check(gofer.client.unlink(f, Latin1.bytes(name), flags));
      if (child instanceof GoferInode c) {
        c.unlinked(this, name);
        if (flags != 0) {
          gofer.forget(c);
        }
      }
    } finally {
      end();
      unpinFid();
    }
  }

  @Override
  public void rename(String name, Inode newDirectory, String newName, int flags) {
    if (!(newDirectory instanceof GoferDir newDir) || newDirectory.fs != fs) {
      throw ErrnoException.of(EXDEV);
    }
    GoferInode moving = lookup(name);
    GoferInode replaced = newDir.lookup(newName);
    int from = useFid();
    try {
      int to = newDir.useFid();
      begin();
      try {
        ErrnoException.check(
            gofer.client.rename(from, Latin1.bytes(name), to, Latin1.bytes(newName), flags));
        if (moving != null) {
          moving.setPlace(newDir, newName);
          moving.stale = true;
        }
        if (replaced != null && (flags & Fcntl.RENAME_EXCHANGE) != 0) {
          replaced.setPlace(this, name);
          replaced.stale = true;
        } else if (replaced != null) {
          replaced.unlinked(newDir, newName);
          if (replaced.isDirectory()) {
            gofer.forget(replaced);
          }
        }
      } finally {
        newDir.end();
        end();
        newDir.unpinFid();
      }
    } finally {
      unpinFid();
    }
  }
}
