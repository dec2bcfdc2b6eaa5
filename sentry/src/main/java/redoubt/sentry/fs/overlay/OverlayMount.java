package redoubt.sentry.fs.overlay;

import static redoubt.abi.Errno.EEXIST;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ELOOP;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import redoubt.sentry.fs.FileSystems;
import redoubt.sentry.fs.gofer.GoferFs;
import redoubt.sentry.fs.tmpfs.TmpDir;
import redoubt.sentry.fs.tmpfs.TmpFs;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.vfs.Dentry;
import redoubt.sentry.vfs.FileSystem;
import redoubt.sentry.vfs.Inode;
import redoubt.sentry.vfs.Mount;
import redoubt.sentry.vfs.PathWalk;
import redoubt.sentry.vfs.VfsPath;

/**
 * {@code mount -t overlay} by a guest: ovl_fill_super of fs/overlayfs/super.c. What differs from
 * Linux: an upper directory may be in the container's own root, which is an overlay itself, if it
 * was made there; redirects, indexes and metacopies are never made, as with redirect_dir=off.
 */
public final class OverlayMount {
  /**
   * Overlays on top of each other, the container's root counted: FILESYSTEM_MAX_STACK_DEPTH is 2.
   */
  private static final int MOST_DEEP = 4;

  private final Task task;
  private final OverlayOptions options;
  private final List<VfsPath> layers = new ArrayList<>();

  private OverlayMount(Task task, OverlayOptions options) {
    this.task = task;
    this.options = options;
  }

  /**
   * {@return a new overlay}
   *
   * @param spare an empty tmpfs for overlays without an upper directory
   */
  public static FileSystem make(FileSystems.Owner owner, List<String> given, TmpFs spare) {
    Task t = owner.task();
    if (t == null) {
      throw ErrnoException.of(EINVAL);
    }
    return new OverlayMount(t, OverlayOptions.parse(given)).make(spare);
  }

  private OverlayFs make(TmpFs spare) {
    VfsPath upper = options.upper().isEmpty() ? null : directory(options.upper());
    VfsPath work = upper == null ? null : directory(options.work());
    List<Inode> lowers = new ArrayList<>();
    for (String path : options.lowers()) {
      VfsPath p = directory(path);
      layers.add(p);
      lowers.add(lower(p.inode()));
    }
    TmpDir top = spare.root();
    if (upper != null && work != null) {
      top = upper(upper, work);
      layers.add(upper);
    }
    checkApart();
    if (upper == null) {
      OverlayFs.copyAttributes(lowers.get(0), top);
    }
    return new OverlayFs(top, lowers, hold(), options.shown(), upper != null);
  }

  private VfsPath directory(String path) {
    VfsPath p =
        new PathWalk(task, task.startAt(redoubt.abi.Fcntl.AT_FDCWD, path))
            .to(path, PathWalk.FOLLOW);
    if (!p.inode().isDirectory()) {
      throw ErrnoException.of(EINVAL);
    }
    return p;
  }

  /**
   * {@return what is merged of {@code dir}}: of what was made in a container's root, the upper one
   */
  private static Inode lower(Inode dir) {
    FileSystem fs = dir.fs;
    if (fs instanceof OverlayFs o && depth(o) >= MOST_DEEP) {
      throw ErrnoException.of(EINVAL);
    }
    if (!(fs instanceof TmpFs || fs instanceof OverlayFs || fs instanceof GoferFs)) {
      throw ErrnoException.of(EINVAL);
    }
    TmpDir whole = dir instanceof OverlayDir d ? d.whole() : null;
    return whole != null ? whole : dir;
  }

  private static int depth(OverlayFs fs) {
    int most = 0;
    for (Inode lower : fs.root().lowers()) {
      most = Math.max(most, lower.fs instanceof OverlayFs o ? depth(o) : 0);
    }
    return most + 1;
  }

  private TmpDir upper(VfsPath upper, VfsPath work) {
    if (upper.mount != work.mount
        || upper.dentry.isBelow(work.dentry)
        || work.dentry.isBelow(upper.dentry)
        || upper.mount.isReadOnly()) {
      throw ErrnoException.of(EINVAL);
    }
    TmpDir top = writable(upper.inode());
    TmpDir workDir = writable(work.inode());
    if (top == null || workDir == null) {
      throw ErrnoException.of(EINVAL); // not supported as upperdir
    }
    upper.inode().checkPermission(task.creds(), Inode.MAY_WRITE | Inode.MAY_EXEC);
    work.inode().checkPermission(task.creds(), Inode.MAY_WRITE | Inode.MAY_EXEC);
    changesBelow(upper.dentry.fs);
    try {
      workDir.mkdir("work", 0, task.creds());
    } catch (ErrnoException e) {
      if (e.errno() != EEXIST) {
        throw e;
      }
    }
    return top;
  }

  private static @Nullable TmpDir writable(Inode dir) {
    return switch (dir) {
      case TmpDir d -> d;
      case OverlayDir d -> d.whole();
      default -> null;
    };
  }

  private static void changesBelow(FileSystem fs) {
    if (fs instanceof TmpFs t) {
      t.changesBelow();
    } else if (fs instanceof OverlayFs o) {
      o.changesBelow();
    }
  }

  /** ovl_check_overlapping_layers: no lower layer is in another one. */
  private void checkApart() {
    for (int i = 0; i < options.lowers().size(); i++) {
      VfsPath lower = layers.get(i);
      for (VfsPath other : layers) {
        if (other != lower && lower.dentry.isBelow(other.dentry)) {
          throw ErrnoException.of(ELOOP);
        }
      }
    }
  }

  /** Mounts of our own, so that the layers stay when what they were found through is unmounted. */
  private List<Mount> hold() {
    List<Mount> held = new ArrayList<>();
    for (VfsPath p : layers) {
      Dentry d = p.dentry;
      held.add(new Mount(d.fs, d, "none", 0));
    }
    return held;
  }
}
