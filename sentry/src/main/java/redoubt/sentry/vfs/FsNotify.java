package redoubt.sentry.vfs;

import static redoubt.abi.Fanotify.FAN_ACCESS_PERM;
import static redoubt.abi.Fanotify.FAN_ONDIR;
import static redoubt.abi.Fanotify.FAN_OPEN_EXEC;
import static redoubt.abi.Fanotify.FAN_OPEN_EXEC_PERM;
import static redoubt.abi.Fanotify.FAN_OPEN_PERM;
import static redoubt.abi.Fanotify.FAN_RENAME;
import static redoubt.abi.Inotify.IN_ACCESS;
import static redoubt.abi.Inotify.IN_ATTRIB;
import static redoubt.abi.Inotify.IN_CLOSE_NOWRITE;
import static redoubt.abi.Inotify.IN_CLOSE_WRITE;
import static redoubt.abi.Inotify.IN_CREATE;
import static redoubt.abi.Inotify.IN_DELETE;
import static redoubt.abi.Inotify.IN_DELETE_SELF;
import static redoubt.abi.Inotify.IN_ISDIR;
import static redoubt.abi.Inotify.IN_MODIFY;
import static redoubt.abi.Inotify.IN_MOVED_FROM;
import static redoubt.abi.Inotify.IN_MOVED_TO;
import static redoubt.abi.Inotify.IN_MOVE_SELF;
import static redoubt.abi.Inotify.IN_OPEN;
import static redoubt.abi.Inotify.IN_UNMOUNT;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.Task;

/**
 * Tells the watches of a file and of its directory what happens to it, and the groups of fanotify:
 * Linux's fsnotify. What the host or another sandbox does to a shared mount is not seen.
 *
 * <p>While nobody watches anything in the whole sentry each hook costs one read of a counter.
 */
public final class FsNotify {
  private static final AtomicInteger WATCHES = new AtomicInteger();

  /** Inodes with watches, for the end of their filesystem; bounded as the watches are. */
  private static final Set<Inode> WATCHED = ConcurrentHashMap.newKeySet();

  private static final AtomicInteger COOKIES = new AtomicInteger();

  /** Who hears of everything, bounded by fanotify's limit of groups. */
  private static final CopyOnWriteArrayList<FsGroup> GROUPS = new CopyOnWriteArrayList<>();

  /** How many of them want to be asked. */
  private static final AtomicInteger DECIDERS = new AtomicInteger();

  private FsNotify() {}

  /** {@return whether nobody watches anything} */
  public static boolean isIdle() {
    return WATCHES.get() == 0;
  }

  // ---- watches ----

  /** Puts {@code w} on the inode of {@code d}. */
  public static void add(Dentry d, Watch w) {
    Inode inode = d.inode();
    synchronized (inode) {
      InodeWatches all = inode.watches;
      if (all == null) {
        all = new InodeWatches();
        inode.watches = all;
      }
      if (all.pinned == null) {
        d.pin();
        all.pinned = d;
      }
      all.watches.add(w);
    }
    WATCHED.add(inode);
    WATCHES.incrementAndGet();
  }

  /** Takes {@code w} off; harmless when it is off already. {@return whether it was on} */
  public static boolean remove(Inode inode, Watch w) {
    Dentry unpin = null;
    synchronized (inode) {
      InodeWatches all = inode.watches;
      if (all == null || !all.watches.remove(w)) {
        return false;
      }
      if (all.watches.isEmpty()) {
        unpin = all.pinned;
        inode.watches = null;
        WATCHED.remove(inode);
      }
    }
    WATCHES.decrementAndGet();
    if (unpin != null) {
      unpin.unpin();
    }
    return true;
  }

  /** From now on {@code g} hears of everything. */
  public static void join(FsGroup g) {
    GROUPS.add(g);
    WATCHES.incrementAndGet();
    if (g.decides()) {
      DECIDERS.incrementAndGet();
    }
  }

  /** Ends what {@link #join} began. */
  public static void leave(FsGroup g) {
    if (GROUPS.remove(g)) {
      WATCHES.decrementAndGet();
      if (g.decides()) {
        DECIDERS.decrementAndGet();
      }
    }
  }

  // ---- hooks ----

  static void opened(VfsPath p) {
    toFileAndParent(p, p.dentry, IN_OPEN);
  }

  static void openedForExec(VfsPath p) {
    toFileAndParent(p, p.dentry, IN_OPEN);
    toGroups(p, p.dentry, FAN_OPEN_EXEC);
  }

  static void closed(FileDescription f) {
    if (!isIdle() && !f.isSilent() && (f.flags() & FileDescription.O_PATH) == 0) {
      toFileAndParent(
          f.path(), f.path().dentry, f.isWritable() ? IN_CLOSE_WRITE : IN_CLOSE_NOWRITE);
    }
  }

  /** Asks before the file {@code p} is opened; throws EPERM when somebody says no. */
  public static void askToOpen(Task t, VfsPath p) {
    ask(t, p, FAN_OPEN_PERM);
  }

  /** As {@link #askToOpen}, before it is executed. */
  public static void askToExecute(Task t, VfsPath p) {
    ask(t, p, FAN_OPEN_EXEC_PERM);
    ask(t, p, FAN_OPEN_PERM);
  }

  /** {@return whether {@code f} may be read}: 0, -EPERM or -EINTR */
  public static long askToRead(Task t, FileDescription f) {
    return DECIDERS.get() == 0 || f.isSilent() ? 0 : answer(t, f.path(), FAN_ACCESS_PERM);
  }

  private static void ask(Task t, VfsPath p, int mask) {
    if (DECIDERS.get() != 0) {
      ErrnoException.check(answer(t, p, mask));
    }
  }

  private static long answer(Task t, VfsPath p, int mask) {
    FsEvent e = event(p, p.dentry, mask);
    for (FsGroup g : GROUPS) {
      long r = e == null || !g.decides() ? 0 : g.ask(t, e);
      if (r < 0) {
        return r;
      }
    }
    return 0;
  }

  /** After a description dropped its pin: a nameless file may be gone now. */
  public static void unpinned(Dentry d) {
    if (isIdle()) {
      return;
    }
    Inode inode = d.inodeOrNull();
    InodeWatches all = inode == null ? null : inode.watches;
    if (inode != null && all == null && d.isDetached()) {
      groupsSeeGone(d, inode);
    }
    if (inode != null && all != null && all.nameless && !isUsed(d, all)) {
      inodeGone(inode, all);
    }
  }

  /** Something was read from {@code f}. */
  public static void accessed(FileDescription f) {
    if (!f.isSilent()) {
      toFileAndParent(f.path(), f.path().dentry, IN_ACCESS);
    }
  }

  /** The contents of {@code f} changed. */
  public static void modified(FileDescription f) {
    if (!f.isSilent()) {
      toFileAndParent(f.path(), f.path().dentry, IN_MODIFY);
    }
  }

  /** The length of {@code f} was set: fsnotify_change knows no mount. */
  public static void truncated(FileDescription f) {
    toFileAndParent(null, f.path().dentry, IN_MODIFY);
  }

  /** The contents of {@code file}, called {@code name} in {@code dir}, changed by themselves. */
  public static void modified(Inode dir, String name, Inode file) {
    if (!isIdle()) {
      toInode(dir, IN_MODIFY, 0, name, false);
      toInode(file, IN_MODIFY, 0, null, false);
    }
  }

  /** Attributes changed, as setattr's {@code valid} says: fsnotify_change. */
  public static void changed(Dentry d, int valid) {
    if (isIdle()) {
      return;
    }
    int mask = 0;
    if ((valid & (SetAttr.UID | SetAttr.GID | SetAttr.MODE)) != 0) {
      mask |= IN_ATTRIB;
    }
    if ((valid & SetAttr.SIZE) != 0) {
      mask |= IN_MODIFY;
    }
    int both = SetAttr.ATIME | SetAttr.MTIME;
    if ((valid & both) == both) {
      mask |= IN_ATTRIB;
    } else if ((valid & SetAttr.ATIME) != 0) {
      mask |= IN_ACCESS;
    } else if ((valid & SetAttr.MTIME) != 0) {
      mask |= IN_MODIFY;
    }
    if (mask != 0) {
      toFileAndParent(null, d, mask);
    }
  }

  /** Extended attributes changed. */
  public static void attributes(Dentry d) {
    toFileAndParent(null, d, IN_ATTRIB);
  }

  static void created(Dentry dir, String name, Dentry made) {
    if (!isIdle()) {
      toDirectory(dir, IN_CREATE | directoryBit(made.inode()), 0, name, made);
    }
  }

  static void linked(Dentry dir, String name, Dentry target) {
    if (!isIdle()) {
      toInode(target.inode(), IN_ATTRIB, 0, null, false);
      toGroups(null, target, null, null, IN_ATTRIB);
      toDirectory(dir, IN_CREATE | directoryBit(target.inode()), 0, name, target);
    }
  }

  /** The name {@code d} of {@code dir} was removed. */
  static void removed(Dentry dir, Dentry d, Inode child) {
    if (isIdle()) {
      return;
    }
    if (!child.isDirectory()) {
      toInode(child, IN_ATTRIB, 0, null, false);
      toGroups(null, d, null, null, IN_ATTRIB);
    }
    nameGone(d, child);
    toDirectory(dir, IN_DELETE | directoryBit(child), 0, d.name(), d);
  }

  /**
   * A rename was done.
   *
   * @param moving what has the new name now
   * @param target what {@code newName} was before, or null
   */
  static void moved(
      Dentry oldDir,
      String oldName,
      Dentry newDir,
      String newName,
      Dentry moving,
      @Nullable Dentry target) {
    if (isIdle()) {
      return;
    }
    int cookie = COOKIES.incrementAndGet();
    Inode inode = moving.inode();
    Inode replaced = target == null ? null : target.inodeOrNull();
    int dir = directoryBit(inode);
    FsEvent renamed =
        new FsEvent(FAN_RENAME | dir, null, moving, inode, oldDir, oldName, newDir, newName);
    for (FsGroup g : GROUPS) {
      g.event(renamed);
    }
    toDirectory(oldDir, IN_MOVED_FROM | dir, cookie, oldName, moving);
    toDirectory(newDir, IN_MOVED_TO | dir, cookie, newName, moving);
    if (target != null && replaced != null) {
      toInode(replaced, IN_ATTRIB | directoryBit(replaced), 0, null, false);
      toGroups(null, target, null, null, IN_ATTRIB);
    }
    toInode(inode, IN_MOVE_SELF, 0, null, false);
    toGroups(null, moving, null, null, IN_MOVE_SELF);
  }

  /** A file lost the name {@code d}: if it was its last and nobody has it open, it is gone. */
  static void nameGone(Dentry d, Inode inode) {
    InodeWatches all = inode.watches;
    if (all == null) {
      groupsSeeGone(d, inode);
      return;
    }
    if (!inode.isDirectory() && linksOf(inode) != 0) {
      return;
    }
    if (isUsed(d, all)) {
      all.nameless = true;
    } else {
      inodeGone(inode, all);
    }
  }

  /** As {@link #nameGone}, for a file that only marks of its whole filesystem are about. */
  private static void groupsSeeGone(Dentry d, Inode inode) {
    if (!GROUPS.isEmpty() && d.pins() == 0 && (inode.isDirectory() || linksOf(inode) == 0)) {
      toGroups(null, d, null, null, IN_DELETE_SELF);
    }
  }

  private static long linksOf(Inode inode) {
    try {
      StatData s = new StatData();
      inode.stat(s);
      return s.nlink;
    } catch (ErrnoException gone) {
      return 0;
    }
  }

  private static boolean isUsed(Dentry d, InodeWatches all) {
    return d.pins() > (all.pinned == d ? 1 : 0);
  }

  private static void inodeGone(Inode inode, InodeWatches all) {
    for (Watch w : all.watches) {
      w.event(IN_DELETE_SELF, 0, null, false);
      if (remove(inode, w)) {
        w.inodeGone();
      }
    }
  }

  /** The last mount of {@code fs} is gone: its watches hear of it and go. */
  static void unmounted(FileSystem fs) {
    if (isIdle()) {
      return;
    }
    for (Inode inode : WATCHED) {
      InodeWatches all = inode.fs == fs ? inode.watches : null;
      if (all == null) {
        continue;
      }
      for (Watch w : all.watches) {
        w.event(IN_UNMOUNT | directoryBit(inode), 0, null, false);
        if (remove(inode, w)) {
          w.inodeGone();
        }
      }
    }
    for (FsGroup g : GROUPS) {
      g.unmounted(fs);
    }
  }

  /** Nothing uses {@code m} any more. */
  static void mountGone(Mount m) {
    for (FsGroup g : GROUPS) {
      g.mountGone(m);
    }
  }

  private static int directoryBit(Inode inode) {
    return inode.isDirectory() ? IN_ISDIR : 0;
  }

  private static void toFileAndParent(@Nullable VfsPath p, Dentry d, int mask) {
    if (isIdle()) {
      return;
    }
    Inode inode = d.inodeOrNull();
    if (inode == null) {
      return;
    }
    int bits = mask | directoryBit(inode);
    Dentry parent = d.parent();
    Inode dir = parent == null ? null : parent.inodeOrNull();
    if (dir != null) {
      toInode(dir, bits, 0, d.name(), d.isDetached());
    }
    toInode(inode, bits, 0, null, false);
    toGroups(p, d, mask);
  }

  private static void toDirectory(Dentry dir, int mask, int cookie, String name, Dentry child) {
    Inode inode = dir.inodeOrNull();
    if (inode != null) {
      toInode(inode, mask, cookie, name, false);
    }
    toGroups(null, child, dir, name, mask);
  }

  // ---- groups ----

  private static void toGroups(@Nullable VfsPath p, Dentry d, int mask) {
    if (!GROUPS.isEmpty()) {
      FsEvent e = event(p, d, mask);
      for (FsGroup g : GROUPS) {
        if (e != null) {
          g.event(e);
        }
      }
    }
  }

  private static void toGroups(
      @Nullable VfsPath p, Dentry d, @Nullable Dentry dir, @Nullable String name, int mask) {
    Inode inode = d.inodeOrNull();
    if (GROUPS.isEmpty() || inode == null) {
      return;
    }
    FsEvent e = new FsEvent(mask | directoryBit(inode), p, d, inode, dir, name, null, null);
    for (FsGroup g : GROUPS) {
      g.event(e);
    }
  }

  /** {@return what happened to {@code d}, an entry of its directory}, or null if it is gone */
  private static @Nullable FsEvent event(@Nullable VfsPath p, Dentry d, int mask) {
    Inode inode = d.inodeOrNull();
    if (inode == null) {
      return null;
    }
    Dentry dir = d.parent();
    boolean named = dir != null && !d.isDetached();
    int bits = inode.isDirectory() ? mask | FAN_ONDIR : mask;
    return new FsEvent(bits, p, d, inode, dir, named ? d.name() : null, null, null);
  }

  private static void toInode(
      Inode inode, int mask, int cookie, @Nullable String name, boolean unlinked) {
    InodeWatches all = inode.watches;
    if (all != null) {
      for (Watch w : all.watches) {
        w.event(mask, cookie, name, unlinked);
      }
    }
  }
}
