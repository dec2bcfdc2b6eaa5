package redoubt.sentry.fs.tmpfs;

import static redoubt.abi.Errno.EEXIST;
import static redoubt.abi.Errno.EISDIR;
import static redoubt.abi.Errno.EMLINK;
import static redoubt.abi.Errno.ENOENT;
import static redoubt.abi.Errno.ENOTDIR;
import static redoubt.abi.Errno.ENOTEMPTY;
import static redoubt.abi.Errno.EXDEV;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Fcntl;
import redoubt.abi.Stat;
import redoubt.sentry.fs.DirListing;
import redoubt.sentry.fs.ListableDir;
import redoubt.sentry.kernel.Credentials;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.vfs.Dentry;
import redoubt.sentry.vfs.DirSink;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.Inode;
import redoubt.sentry.vfs.VfsPath;

/**
 * A directory. Entries have cookies that only grow and are never used again, so that a reader sees
 * each name that stays exactly once, whatever happens to the others.
 */
public final class TmpDir extends TmpInode implements ListableDir {
  /** What an entry adds to st_size: BOGO_DIRENT_SIZE. */
  private static final int ENTRY_SIZE = 20;

  private static final int CAP_FSETID = 4;
  private static final int LINK_MAX = 0x7fff_ffff;

  private static final class Entry {
    final String name;
    final long cookie;
    TmpInode inode;
    boolean dead;

    Entry(String name, long cookie, TmpInode inode) {
      this.name = name;
      this.cookie = cookie;
      this.inode = inode;
    }
  }

  // Guarded by this.
  private final Map<String, Entry> byName = new HashMap<>(4);
  private Entry[] byCookie = new Entry[4]; // ascending; the dead are dropped now and then
  private int slots;
  private long nextCookie = 2;
  private boolean removed;

  private volatile @Nullable TmpDir parent;

  TmpDir(TmpFs fs, int permissions, int uid, int gid, @Nullable TmpDir parent) {
    super(fs, S_IFDIR | permissions & 07777, uid, gid, 2);
    this.parent = parent;
  }

  @Override
  public long size() {
    return (long) (byName.size() + 2) * ENTRY_SIZE;
  }

  /** {@return the directory that holds this one, or null for the root and what was removed} */
  public @Nullable TmpDir parent() {
    return parent;
  }

  @Override
  public @Nullable TmpInode lookup(String name) {
    synchronized (this) {
      Entry e = byName.get(name);
      return e == null ? null : e.inode;
    }
  }

  @Override
  public boolean revalidate(Dentry child) {
    return lookup(child.name()) == child.inodeOrNull();
  }

  // ---- making ----

  @Override
  public TmpFile create(String name, int mode, Credentials creds) {
    synchronized (this) {
      checkFree(name);
      int gid = newGid(creds);
      TmpFile f = new TmpFile(tmpfs, newMode(mode, gid, creds), creds.fsuid, gid, 1);
      f.inherit(this);
      enter(name, f);
      return f;
    }
  }

  @Override
  public TmpDir mkdir(String name, int mode, Credentials creds) {
    synchronized (this) {
      checkFree(name);
      if (nlink == LINK_MAX) {
        throw ErrnoException.of(EMLINK);
      }
      int inherited = mode() & Stat.S_ISGID;
      TmpDir d = new TmpDir(tmpfs, mode & 07777 | inherited, creds.fsuid, newGid(creds), this);
      d.inherit(this);
      enter(name, d);
      nlink++;
      return d;
    }
  }

  @Override
  public TmpInode mknod(String name, int mode, long rdev, Credentials creds) {
    synchronized (this) {
      checkFree(name);
      int gid = newGid(creds);
      int m = mode & S_IFMT | newMode(mode & 07777, gid, creds);
      TmpNode n = new TmpNode(tmpfs, m, rdev, null, creds.fsuid, gid);
      n.inherit(this);
      enter(name, n);
      return n;
    }
  }

  @Override
  public TmpInode symlink(String name, String target, Credentials creds) {
    synchronized (this) {
      checkFree(name);
      TmpNode n = new TmpNode(tmpfs, S_IFLNK | 0777, 0, target, creds.fsuid, newGid(creds));
      enter(name, n);
      return n;
    }
  }

  @Override
  public TmpFile tmpfile(int mode, Credentials creds) {
    synchronized (this) {
      int gid = newGid(creds);
      TmpFile f = new TmpFile(tmpfs, newMode(mode, gid, creds), creds.fsuid, gid, 0);
      f.inherit(this);
      return f;
    }
  }

  @Override
  public void link(String name, Inode target) {
    if (!tmpfs.owns(target) || !(target instanceof TmpInode inode)) {
      throw ErrnoException.of(EXDEV);
    }
    synchronized (this) {
      checkFree(name);
      synchronized (inode) {
        if (inode instanceof TmpFile f && f.isFreed()) {
          throw ErrnoException.of(ENOENT);
        }
        if (inode.nlink == LINK_MAX) {
          throw ErrnoException.of(EMLINK);
        }
        inode.addLink();
      }
      enter(name, inode);
    }
  }

  private int newGid(Credentials creds) {
    return (mode() & Stat.S_ISGID) != 0 ? gid() : creds.fsgid;
  }

  /** Linux's mode_strip_sgid: no set-group-ID for a group that the maker is not in. */
  private int newMode(int mode, int gid, Credentials creds) {
    int m = mode & 07777;
    int sgidExec = Stat.S_ISGID | Stat.S_IXGRP;
    if ((mode() & Stat.S_ISGID) != 0
        && (m & sgidExec) == sgidExec
        && !creds.inGroup(gid)
        && !creds.hasCapabilityOver(uid(), gid(), CAP_FSETID)) {
      m &= ~Stat.S_ISGID;
    }
    return m;
  }

  // ---- removing ----

  @Override
  public void unlink(String name, Inode child) {
    TmpInode gone;
    synchronized (this) {
      Entry e = existing(name);
      gone = e.inode;
      if (gone.isDirectory()) {
        throw ErrnoException.of(EISDIR);
      }
      remove(e);
    }
    gone.dropLink();
  }

  @Override
  public void rmdir(String name, Inode child) {
    synchronized (this) {
      Entry e = existing(name);
      if (!(e.inode instanceof TmpDir d)) {
        throw ErrnoException.of(ENOTDIR);
      }
      d.bury();
      remove(e);
      nlink--;
    }
  }

  /** Marks this empty directory as removed; ENOTEMPTY if it is not empty. */
  private void bury() {
    synchronized (this) {
      if (!byName.isEmpty()) {
        throw ErrnoException.of(ENOTEMPTY);
      }
      removed = true;
      nlink = 0;
      parent = null;
      changed();
    }
    gone();
  }

  @Override
  public void rename(String name, Inode newDirectory, String newName, int flags) {
    if (!(newDirectory instanceof TmpDir newDir) || !tmpfs.owns(newDirectory)) {
      throw ErrnoException.of(EXDEV);
    }
    TmpInode replaced;
    TmpDir first = ino() <= newDir.ino() ? this : newDir;
    synchronized (first) {
      synchronized (first == this ? newDir : this) {
        replaced = renameLocked(name, newDir, newName, flags);
      }
    }
    if (replaced != null) {
      replaced.dropLink();
    }
  }

  /** Returns the non-directory whose name was taken over, if any. */
  private @Nullable TmpInode renameLocked(String name, TmpDir newDir, String newName, int flags) {
    Entry from = existing(name);
    TmpInode moving = from.inode;
    Entry to = newDir.byName.get(newName);
    if ((flags & Fcntl.RENAME_EXCHANGE) != 0) {
      if (to == null) {
        throw ErrnoException.of(ENOENT);
      }
      exchange(from, newDir, to);
      return null;
    }
    if (to != null && (flags & Fcntl.RENAME_NOREPLACE) != 0) {
      throw ErrnoException.of(EEXIST);
    }
    if (newDir.removed) {
      throw ErrnoException.of(ENOENT);
    }
    TmpInode replaced = null;
    if (to != null) {
      if (to.inode == moving) {
        return null;
      }
      if (to.inode instanceof TmpDir d) {
        if (!(moving instanceof TmpDir)) {
          throw ErrnoException.of(EISDIR);
        }
        d.bury();
        newDir.nlink--;
      } else {
        replaced = to.inode;
      }
      newDir.remove(to);
    }
    remove(from);
    newDir.enter(newName, moving);
    if (moving instanceof TmpDir d) {
      nlink--;
      newDir.nlink++;
      d.parent = newDir;
    }
    synchronized (moving) {
      moving.changed();
    }
    if ((flags & Fcntl.RENAME_WHITEOUT) != 0) {
      enter(name, new TmpNode(tmpfs, S_IFCHR, 0, null, 0, 0));
    }
    return replaced;
  }

  private void exchange(Entry from, TmpDir newDir, Entry to) {
    TmpInode a = from.inode;
    TmpInode b = to.inode;
    from.inode = b;
    to.inode = a;
    if (a instanceof TmpDir d) {
      nlink--;
      newDir.nlink++;
      d.parent = newDir;
    }
    if (b instanceof TmpDir d) {
      newDir.nlink--;
      nlink++;
      d.parent = this;
    }
    modified();
    newDir.modified();
    synchronized (a) {
      a.changed();
    }
    synchronized (b) {
      b.changed();
    }
  }

  // ---- entries; under this ----

  private void checkFree(String name) {
    if (removed) {
      throw ErrnoException.of(ENOENT);
    }
    if (byName.containsKey(name)) {
      throw ErrnoException.of(EEXIST);
    }
  }

  private Entry existing(String name) {
    Entry e = byName.get(name);
    if (e == null) {
      throw ErrnoException.of(ENOENT);
    }
    return e;
  }

  private void enter(String name, TmpInode inode) {
    if (slots == byCookie.length) {
      if (byName.size() < slots / 2) {
        dropDead();
      } else {
        byCookie = Arrays.copyOf(byCookie, 2 * slots);
      }
    }
    Entry e = new Entry(name, nextCookie++, inode);
    byName.put(name, e);
    byCookie[slots++] = e;
    modified();
  }

  private void remove(Entry e) {
    byName.remove(e.name);
    e.dead = true;
    if (slots > 0 && byCookie[slots - 1] == e) {
      slots--;
      byCookie[slots] = null;
    } else if (slots > 32 && byName.size() < slots / 4) {
      dropDead();
    }
    modified();
  }

  private void dropDead() {
    int n = 0;
    for (int i = 0; i < slots; i++) {
      Entry e = byCookie[i];
      if (!e.dead) {
        byCookie[n++] = e;
      }
    }
    Arrays.fill(byCookie, n, slots, null);
    slots = n;
  }

  private int slotAtOrAfter(long cookie) {
    int low = 0;
    int high = slots;
    while (low < high) {
      int mid = (low + high) >>> 1;
      if (byCookie[mid].cookie >= cookie) {
        high = mid;
      } else {
        low = mid + 1;
      }
    }
    return low;
  }

  /**
   * The filesystem was unmounted: drops every name below, so that what nobody has open is freed.
   */
  void abandon() {
    ArrayDeque<TmpDir> todo = new ArrayDeque<>();
    todo.add(this);
    for (TmpDir d; (d = todo.poll()) != null; ) {
      List<TmpInode> inodes = new ArrayList<>();
      synchronized (d) {
        d.removed = true;
        for (Entry e : d.byName.values()) {
          inodes.add(e.inode);
        }
        d.byName.clear();
        Arrays.fill(d.byCookie, 0, d.slots, null);
        d.slots = 0;
      }
      for (TmpInode inode : inodes) {
        if (inode instanceof TmpDir sub) {
          todo.add(sub);
        } else {
          inode.dropLink();
        }
      }
    }
  }

  /** {@return whether it has no names but "." and ".."} */
  public boolean isEmpty() {
    synchronized (this) {
      return byName.isEmpty();
    }
  }

  /** Receives the names of {@link #forEach}. */
  public interface EntryVisitor {
    void entry(String name, TmpInode inode);
  }

  /**
   * Shows every entry, in the order they were made; {@code visitor} must not change the directory.
   */
  public void forEach(EntryVisitor visitor) {
    synchronized (this) {
      for (int i = 0; i < slots; i++) {
        Entry e = byCookie[i];
        if (!e.dead) {
          visitor.entry(e.name, e.inode);
        }
      }
    }
  }

  @Override
  public DirListing list() {
    DirListing out = new DirListing();
    forEach((name, inode) -> out.add(name, inode.ino(), DirListing.typeOf(inode.mode())));
    return out;
  }

  /** Gives entries from cookie {@code position} on; returns where to go on. */
  long readdir(long position, DirSink sink) {
    synchronized (this) {
      long next = position;
      for (int i = slotAtOrAfter(position); i < slots; i++) {
        Entry e = byCookie[i];
        if (e.dead) {
          continue;
        }
        int type = DirListing.typeOf(e.inode.mode());
        if (!sink.entry(e.name, e.inode.ino(), type, e.cookie + 1)) {
          break;
        }
        next = e.cookie + 1;
      }
      touchAccessTime(false);
      return next;
    }
  }

  @Override
  public FileDescription open(Task t, VfsPath path, int flags) {
    return new TmpDirFile(this, path, flags, t.creds());
  }
}
