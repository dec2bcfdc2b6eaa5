package redoubt.sentry.vfs;

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
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import redoubt.sentry.kernel.ErrnoException;

/**
 * Tells the watches of a file and of its directory what happens to it: Linux's fsnotify. What the
 * host or another sandbox does to a shared mount is not seen.
 *
 * <p>While nobody watches anything in the whole sentry each hook costs one read of a counter.
 */
public final class FsNotify {
  private static final AtomicInteger WATCHES = new AtomicInteger();

  /** Inodes with watches, for the end of their filesystem; bounded as the watches are. */
  private static final Set<Inode> WATCHED = ConcurrentHashMap.newKeySet();

  private static final AtomicInteger COOKIES = new AtomicInteger();

  private FsNotify() {}

  private static boolean isIdle() {
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

  // ---- hooks ----

  static void opened(VfsPath p) {
    toFileAndParent(p.dentry, IN_OPEN);
  }

  static void closed(FileDescription f) {
    if (!isIdle() && (f.flags() & FileDescription.O_PATH) == 0) {
      toFileAndParent(f.path().dentry, f.isWritable() ? IN_CLOSE_WRITE : IN_CLOSE_NOWRITE);
    }
  }

  /** After a description dropped its pin: a nameless file may be gone now. */
  static void unpinned(Dentry d) {
    if (isIdle()) {
      return;
    }
    Inode inode = d.inodeOrNull();
    InodeWatches all = inode == null ? null : inode.watches;
    if (inode != null && all != null && all.nameless && !isUsed(d, all)) {
      inodeGone(inode, all);
    }
  }

  /** Something was read from {@code f}. */
  public static void accessed(FileDescription f) {
    toFileAndParent(f.path().dentry, IN_ACCESS);
  }

  /** The contents of {@code f} changed. */
  public static void modified(FileDescription f) {
    toFileAndParent(f.path().dentry, IN_MODIFY);
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
      toFileAndParent(d, mask);
    }
  }

  /** Extended attributes changed. */
  public static void attributes(Dentry d) {
    toFileAndParent(d, IN_ATTRIB);
  }

  static void created(Inode dir, String name, Inode made) {
    toDirectory(dir, IN_CREATE | directoryBit(made), 0, name);
  }

  static void linked(Inode dir, String name, Inode target) {
    if (!isIdle()) {
      toInode(target, IN_ATTRIB, 0, null, false);
      toDirectory(dir, IN_CREATE | directoryBit(target), 0, name);
    }
  }

  /** The name {@code d} of {@code dir} was removed. */
  static void removed(Inode dir, Dentry d, Inode child) {
    if (isIdle()) {
      return;
    }
    if (!child.isDirectory()) {
      toInode(child, IN_ATTRIB, 0, null, false);
    }
    nameGone(d, child);
    toDirectory(dir, IN_DELETE | directoryBit(child), 0, d.name());
  }

  /**
   * A rename was done.
   *
   * @param target what {@code newName} was before, or null
   */
  static void moved(
      Inode oldDir,
      String oldName,
      Inode newDir,
      String newName,
      Inode moving,
      @Nullable Inode target) {
    if (isIdle()) {
      return;
    }
    int cookie = COOKIES.incrementAndGet();
    int dir = directoryBit(moving);
    toDirectory(oldDir, IN_MOVED_FROM | dir, cookie, oldName);
    toDirectory(newDir, IN_MOVED_TO | dir, cookie, newName);
    if (target != null) {
      toInode(target, IN_ATTRIB | directoryBit(target), 0, null, false);
    }
    toInode(moving, IN_MOVE_SELF, 0, null, false);
  }

  /** A file lost the name {@code d}: if it was its last and nobody has it open, it is gone. */
  static void nameGone(Dentry d, Inode inode) {
    InodeWatches all = inode.watches;
    if (all == null || (!inode.isDirectory() && linksOf(inode) != 0)) {
      return;
    }
    if (isUsed(d, all)) {
      all.nameless = true;
    } else {
      inodeGone(inode, all);
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
  }

  private static int directoryBit(Inode inode) {
    return inode.isDirectory() ? IN_ISDIR : 0;
  }

  private static void toFileAndParent(Dentry d, int mask) {
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
  }

  private static void toDirectory(Inode dir, int mask, int cookie, String name) {
    if (!isIdle()) {
      toInode(dir, mask, cookie, name, false);
    }
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
