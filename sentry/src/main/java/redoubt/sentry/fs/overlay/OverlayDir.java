package redoubt.sentry.fs.overlay;

import static redoubt.abi.Errno.EEXIST;
import static redoubt.abi.Errno.EISDIR;
import static redoubt.abi.Errno.ENOENT;
import static redoubt.abi.Errno.ENOTDIR;
import static redoubt.abi.Errno.ENOTEMPTY;
import static redoubt.abi.Errno.EPERM;
import static redoubt.abi.Errno.EXDEV;

import java.lang.ref.WeakReference;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Fcntl;
import redoubt.sentry.fs.DirListing;
import redoubt.sentry.fs.ListableDir;
import redoubt.sentry.fs.ListedDirectory;
import redoubt.sentry.fs.gofer.GoferDir;
import redoubt.sentry.fs.gofer.GoferInode;
import redoubt.sentry.fs.tmpfs.TmpDir;
import redoubt.sentry.fs.tmpfs.TmpFile;
import redoubt.sentry.fs.tmpfs.TmpInode;
import redoubt.sentry.kernel.Credentials;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.vfs.Dentry;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.Inode;
import redoubt.sentry.vfs.StatData;
import redoubt.sentry.vfs.VfsPath;

/**
 * A directory of an overlay: what its upper directory has, and what its lower ones have and the
 * upper one does not hide.
 *
 * <p>Which names a lower directory has is known without asking it: a name that the VFS changes was
 * looked up before, and a name that was hidden once stays in {@link #hidden}.
 */
public final class OverlayDir extends OverlayInode implements ListableDir {
  private static final String OPAQUE = PRIVATE_XATTR + "opaque";

  /** Lower directories merged here, from top to bottom; none when it was made here. */
  private final List<Inode> lowers;

  /** Whether the upper directory had entries of which {@link #hidden} does not know. */
  private final boolean untracked;

  /**
   * Names that a lower directory has and that an upper entry hides or hid. Guarded by OverlayFs.mu.
   */
  private @Nullable Set<String> hidden;

  /** Children that are only below, as long as anybody knows them. Guarded by itself. */
  private final Map<String, WeakReference<OverlayInode>> known = new HashMap<>(4);

  private int sweepAt = 64; // guarded by known

  OverlayDir(
      OverlayFs fs,
      @Nullable TmpDir upper,
      List<Inode> lowers,
      @Nullable OverlayDir origin,
      String originName,
      boolean untracked) {
    super(fs, upper, lowers.isEmpty() ? null : lowers.get(0), origin, originName);
    this.lowers = lowers;
    this.untracked = untracked;
  }

  private @Nullable TmpDir upperDir() {
    return (TmpDir) upperOrNull();
  }

  /** A merged directory shows one link, as Linux's: who counts subdirectories by it must not. */
  @Override
  public void stat(StatData s) {
    super.stat(s);
    if (upperOrNull() != null && !lowers.isEmpty()) {
      s.nlink = 1;
    }
  }

  // ---- looking up ----

  @Override
  public @Nullable OverlayInode lookup(String name) {
    TmpDir u = upperDir();
    if (u != null) {
      TmpInode c = u.lookup(name);
      if (c != null) {
        return OverlayFs.isWhiteout(c) ? null : ofUpper(c, name);
      }
    }
    if (lowers.isEmpty()) {
      return null;
    }
    OverlayInode child = knownChild(name);
    return child != null ? child : lookupBelow(name);
  }

  private OverlayInode ofUpper(TmpInode c, String name) {
    synchronized (overlay.mu) {
      OverlayInode known = overlay.above(c);
      if (known != null) {
        return known;
      }
      // It was there when the overlay was made.
      OverlayInode o;
      if (c instanceof TmpDir d) {
        List<Inode> below = isOpaque(d) ? List.of() : dirsBelow(name);
        o = new OverlayDir(overlay, d, below, this, name, true);
      } else if (c instanceof TmpFile f) {
        o = new OverlayFile(overlay, f, null, this, name);
      } else {
        o = new OverlayNode(overlay, c, null, this, name);
      }
      overlay.setAbove(c, o);
      return o;
    }
  }

  private static boolean isOpaque(Inode dir) {
    try {
      byte[] v = dir.getxattr(OPAQUE);
      return v.length == 1 && v[0] == 'y';
    } catch (ErrnoException e) {
      return false;
    }
  }

  /** {@return the directories called {@code name} below, down to the first thing that is none} */
  private List<Inode> dirsBelow(String name) {
    List<Inode> dirs = new ArrayList<>(1);
    for (Inode lower : lowers) {
      Inode found = lower.lookup(name);
      if (found == null) {
        continue;
      }
      if (!found.isDirectory()) {
        break;
      }
      dirs.add(found);
      if (lowers.size() > 1 && isOpaque(found)) {
        break;
      }
    }
    return List.copyOf(dirs);
  }

  private @Nullable OverlayInode lookupBelow(String name) {
    for (Inode lower : lowers) {
      Inode found = lower.lookup(name);
      if (found == null) {
        continue;
      }
      if (OverlayFs.isWhiteout(found)) {
        return null;
      }
      return enterBelow(name, found);
    }
    return null;
  }

  /** Makes the inode of a lower file, unless somebody knows it already. */
  private OverlayInode enterBelow(String name, Inode found) {
    OverlayInode made;
    if (found.isDirectory()) {
      List<Inode> dirs = lowers.size() == 1 ? List.of(found) : dirsBelow(name);
      made = new OverlayDir(overlay, null, dirs, this, name, false);
    } else if (found.isRegular()) {
      made = new OverlayFile(overlay, null, found, this, name);
    } else {
      made = new OverlayNode(overlay, null, found, this, name);
    }
    synchronized (known) {
      WeakReference<OverlayInode> ref = known.get(name);
      OverlayInode other = ref == null ? null : ref.get();
      if (other != null) {
        return other;
      }
      known.put(name, new WeakReference<>(made));
      if (known.size() > sweepAt) {
        known.values().removeIf(r -> r.get() == null);
        sweepAt = Math.max(64, 2 * known.size());
      }
    }
    return made;
  }

  private @Nullable OverlayInode knownChild(String name) {
    synchronized (known) {
      WeakReference<OverlayInode> ref = known.get(name);
      return ref == null ? null : ref.get();
    }
  }

  @Override
  public void prefetch(Dentry self, List<String> names) {
    if (lowers.size() != 1
        || !(lowers.get(0) instanceof GoferDir below)
        || hasAbove(names.get(0))) {
      return;
    }
    if (knownChild(names.get(0)) != null) {
      return;
    }
    long before = overlay.changes();
    GoferInode[] found = new GoferInode[names.size()];
    int result = below.find(names, found);
    int n = result & ~GoferDir.MISSING;
    boolean missing = (result & GoferDir.MISSING) != 0;
    OverlayDir dir = this;
    Dentry at = self;
    for (int i = 0; i < names.size(); i++) {
      String name = names.get(i);
      GoferInode lowerChild = i < n ? found[i] : null;
      boolean absent = i == n && missing;
      if ((lowerChild == null && !absent) || dir.hasAbove(name)) {
        return;
      }
      if (lowerChild != null && OverlayFs.isWhiteout(lowerChild)) {
        return;
      }
      OverlayInode child = lowerChild == null ? null : dir.enterBelow(name, lowerChild);
      if (i > 0 && overlay.changes() != before) {
        return;
      }
      Dentry next = at.enterChild(name, child);
      if (i > 0 && overlay.changes() != before) {
        at.forgetChildren(); // somebody may have removed what was entered just now
        return;
      }
      if (next.inodeOrNull() != child || !(child instanceof OverlayDir d)) {
        return;
      }
      if (d.lowers.size() != 1) {
        return;
      }
      dir = d;
      at = next;
    }
  }

  /** {@return whether the upper directory decides about {@code name}} */
  private boolean hasAbove(String name) {
    TmpDir u = upperDir();
    return u != null && u.lookup(name) != null;
  }

  // ---- listing ----

  @Override
  public FileDescription open(Task t, VfsPath path, int flags) {
    return new ListedDirectory(this::list, path, flags, t.creds());
  }

  @Override
  public DirListing list() {
    TmpDir u = upperDir();
    if (u == null && lowers.size() == 1) {
      return ((ListableDir) lowers.get(0)).list();
    }
    DirListing out = new DirListing();
    Set<String> seen = new HashSet<>();
    if (u != null) {
      u.forEach((name, inode) -> {
        seen.add(name);
        if (!OverlayFs.isWhiteout(inode)) {
          OverlayInode o = overlay.above(inode);
          long ino = o != null ? o.ino() : OverlayFs.UPPER_INO + inode.ino();
          out.add(name, ino, DirListing.typeOf(inode.mode()));
        }
      });
    }
    for (int i = 0; i < lowers.size(); i++) {
      Inode dir = lowers.get(i);
      DirListing l = ((ListableDir) dir).list();
      for (int j = 0; j < l.size(); j++) {
        String name = l.name(j);
        if (!seen.add(name)) {
          continue;
        }
        if (l.type(j) == redoubt.abi.DirentType.DT_CHR) {
          Inode node = dir.lookup(name);
          if (node == null || OverlayFs.isWhiteout(node)) {
            continue;
          }
        }
        out.add(name, l.ino(j), l.type(j));
      }
    }
    return out;
  }

  private void checkEmpty() {
    if (list().size() > 0) {
      throw ErrnoException.of(ENOTEMPTY);
    }
  }

  // ---- copying up ----

  /** {@return the upper directory}, made (with those above it) if there is none yet */
  @Override
  TmpDir copyUp() {
    TmpDir u = upperDir();
    if (u != null) {
      return u;
    }
    synchronized (overlay.mu) {
      u = upperDir();
      if (u != null) {
        return u;
      }
      OverlayDir dir = origin;
      if (dir == null || removed) {
        throw ErrnoException.of(ENOENT);
      }
      TmpDir to = dir.copyUp();
      try (KeptTimes kept = new KeptTimes(to)) {
        u = to.mkdir(originName, 0700, OverlayFs.KERNEL);
        OverlayFs.copyAttributes(real(), u);
      }
      setUpper(u);
      return u;
    }
  }

  // ---- changing names; the VFS holds our monitor ----

  /**
   * {@return whether a lower directory has {@code name}}; it counts as hidden from now on. Under
   * mu.
   */
  private boolean hides(String name, @Nullable OverlayInode child) {
    Set<String> h = hidden;
    if (h != null && h.contains(name)) {
      return true;
    }
    boolean below = child != null && child.isFrom(this, name);
    if (!below && untracked) {
      below = lookupBelow(name) != null;
    }
    if (below) {
      if (h == null) {
        h = new HashSet<>(4);
        hidden = h;
      }
      h.add(name);
      synchronized (known) {
        known.remove(name);
      }
    }
    return below;
  }

  private interface Maker {
    TmpInode make(TmpDir dir);
  }

  /** Makes something in the upper directory, in the place of a whiteout if there is one. */
  private OverlayInode make(String name, Maker maker) {
    TmpDir u = copyUp();
    synchronized (overlay.mu) {
      checkNotRemoved();
      overlay.noteChange();
      boolean whiteout = dropWhiteout(u, name);
      TmpInode made;
      try {
        made = maker.make(u);
        if (whiteout && made instanceof TmpDir d) {
          markOpaque(d);
        }
      } catch (ErrnoException e) {
        if (whiteout) {
          putWhiteout(u, name);
        }
        throw e;
      }
      OverlayInode o;
      if (made instanceof TmpDir d) {
        o = new OverlayDir(overlay, d, List.of(), this, name, false);
      } else if (made instanceof TmpFile f) {
        o = new OverlayFile(overlay, f, null, this, name);
      } else {
        o = new OverlayNode(overlay, made, null, this, name);
      }
      overlay.setAbove(made, o);
      return o;
    }
  }

  /** What lower directories have is not to be seen through {@code d}, at the next mount neither. */
  private void markOpaque(TmpDir d) {
    if (overlay.lasting) {
      d.setxattr(OPAQUE, new byte[] {'y'}, 0);
    }
  }

  private void checkNotRemoved() {
    if (removed) {
      throw ErrnoException.of(ENOENT);
    }
  }

  private static boolean dropWhiteout(TmpDir u, String name) {
    TmpInode c = u.lookup(name);
    if (c == null || !OverlayFs.isWhiteout(c)) {
      return false;
    }
    u.unlink(name, c);
    return true;
  }

  private static void putWhiteout(TmpDir u, String name) {
    u.mknod(name, S_IFCHR, 0, OverlayFs.KERNEL);
  }

  @Override
  public Inode create(String name, int mode, Credentials creds) {
    return make(name, u -> u.create(name, mode, creds));
  }

  @Override
  public Inode mkdir(String name, int mode, Credentials creds) {
    return make(name, u -> u.mkdir(name, mode, creds));
  }

  @Override
  public Inode mknod(String name, int mode, long rdev, Credentials creds) {
    if (overlay.lasting && (mode & S_IFMT) == S_IFCHR && rdev == 0) {
      throw ErrnoException.of(EPERM); // a whiteout
    }
    return make(name, u -> u.mknod(name, mode, rdev, creds));
  }

  @Override
  public Inode symlink(String name, String target, Credentials creds) {
    return make(name, u -> u.symlink(name, target, creds));
  }

  @Override
  public Inode tmpfile(int mode, Credentials creds) {
    TmpFile f = copyUp().tmpfile(mode, creds);
    OverlayFile o = new OverlayFile(overlay, f, null, null, "");
    overlay.setAbove(f, o);
    return o;
  }

  @Override
  public void link(String name, Inode target) {
    if (!(target instanceof OverlayInode o) || o.overlay != overlay) {
      throw ErrnoException.of(EXDEV);
    }
    TmpInode source = o.copyUp();
    TmpDir u = copyUp();
    synchronized (overlay.mu) {
      checkNotRemoved();
      overlay.noteChange();
      boolean whiteout = dropWhiteout(u, name);
      try {
        u.link(name, source);
      } catch (ErrnoException e) {
        if (whiteout) {
          putWhiteout(u, name);
        }
        throw e;
      }
    }
  }

  @Override
  public void unlink(String name, Inode child) {
    if (!(child instanceof OverlayInode o)) {
      throw ErrnoException.of(EXDEV);
    }
    if (o instanceof OverlayDir) {
      throw ErrnoException.of(EISDIR);
    }
    synchronized (overlay.mu) {
      overlay.noteChange();
      boolean below = hides(name, o);
      TmpDir u = below ? copyUp() : upperDir();
      if (u == null) {
        throw ErrnoException.of(ENOENT);
      }
      TmpInode c = u.lookup(name);
      if (c != null) {
        u.unlink(name, c);
      }
      if (below) {
        putWhiteout(u, name);
      }
      if (c == null) {
        o.removed = true;
      }
    }
  }

  @Override
  public void rmdir(String name, Inode child) {
    if (!(child instanceof OverlayDir d)) {
      throw ErrnoException.of(ENOTDIR);
    }
    synchronized (overlay.mu) {
      d.checkEmpty();
      overlay.noteChange();
      boolean below = hides(name, d);
      TmpDir u = below ? copyUp() : upperDir();
      if (u == null) {
        throw ErrnoException.of(ENOENT);
      }
      d.removeUpper(u, name);
      if (below) {
        putWhiteout(u, name);
      }
    }
  }

  /** Removes the upper directory of this empty one from {@code parent}. Under mu. */
  private void removeUpper(TmpDir parent, String name) {
    removed = true;
    TmpDir mine = upperDir();
    if (mine != null) {
      List<String> whiteouts = new ArrayList<>();
      mine.forEach((n, inode) -> whiteouts.add(n));
      for (String n : whiteouts) {
        dropWhiteout(mine, n);
      }
      parent.rmdir(name, mine);
    }
  }

  @Override
  public void rename(String name, Inode newDirectory, String newName, int flags) {
    if (!(newDirectory instanceof OverlayDir newDir) || newDir.overlay != overlay) {
      throw ErrnoException.of(EXDEV);
    }
    OverlayInode moving = lookup(name);
    OverlayInode replaced = newDir.lookup(newName);
    if (moving == null) {
      throw ErrnoException.of(ENOENT);
    }
    boolean exchange = (flags & Fcntl.RENAME_EXCHANGE) != 0;
    if (exchange && replaced == null) {
      throw ErrnoException.of(ENOENT);
    }
    if (replaced != null && (flags & Fcntl.RENAME_NOREPLACE) != 0) {
      throw ErrnoException.of(EEXIST);
    }
    if (overlay.lasting && (isMerged(moving) || (exchange && isMerged(replaced)))) {
      throw ErrnoException.of(EXDEV); // no redirect_dir
    }
    moving.copyUp();
    if (exchange && replaced != null) {
      replaced.copyUp();
    }
    TmpDir from = copyUp();
    TmpDir to = newDir.copyUp();
    synchronized (overlay.mu) {
      newDir.checkNotRemoved();
      overlay.noteChange();
      if (exchange) {
        hides(name, moving);
        newDir.hides(newName, replaced);
        from.rename(name, to, newName, Fcntl.RENAME_EXCHANGE);
        markMoved(moving);
        markMoved(replaced);
        return;
      }
      if (replaced instanceof OverlayDir d) {
        if (!(moving instanceof OverlayDir)) {
          throw ErrnoException.of(EISDIR);
        }
        d.checkEmpty();
        newDir.hides(newName, replaced);
        d.removeUpper(to, newName);
      } else if (replaced != null) {
        if (moving instanceof OverlayDir) {
          throw ErrnoException.of(ENOTDIR);
        }
        newDir.hides(newName, replaced);
        if (replaced.upperOrNull() == null) {
          replaced.removed = true;
        }
      }
      dropWhiteout(to, newName);
      boolean below = hides(name, moving);
      from.rename(name, to, newName, 0);
      markMoved(moving);
      if (below || (flags & Fcntl.RENAME_WHITEOUT) != 0) {
        putWhiteout(from, name);
      }
    }
  }

  private static boolean isMerged(@Nullable OverlayInode inode) {
    return inode instanceof OverlayDir d && !d.lowers.isEmpty();
  }

  private void markMoved(@Nullable OverlayInode moved) {
    if (moved instanceof OverlayDir d) {
      markOpaque(d.copyUp());
    }
  }

  /**
   * Names of ours alone may change below, in a guest's overlay that has its upper directory here.
   */
  @Override
  public boolean revalidate(Dentry child) {
    return !lowers.isEmpty() || lookup(child.name()) == child.inodeOrNull();
  }

  List<Inode> lowers() {
    return lowers;
  }

  /** {@return the tmpfs directory that is all of this one}, or null if it has more to it */
  @Nullable TmpDir whole() {
    return lowers.isEmpty() ? upperDir() : null;
  }

  @Override
  public boolean cachesNegative() {
    return true;
  }
}
