package redoubt.sentry.fs.overlay;

import static redoubt.abi.Errno.ENXIO;

import org.jspecify.annotations.Nullable;
import redoubt.sentry.fs.tmpfs.TmpDir;
import redoubt.sentry.fs.tmpfs.TmpInode;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.Inode;
import redoubt.sentry.vfs.VfsPath;

/** A symbolic link, FIFO, socket or device node of an overlay. */
final class OverlayNode extends OverlayInode {
  OverlayNode(
      OverlayFs fs,
      @Nullable TmpInode upper,
      @Nullable Inode lower,
      @Nullable OverlayDir origin,
      String originName) {
    super(fs, upper, lower, origin, originName);
  }

  @Override
  public String readlink() {
    return real().readlink();
  }

  @Override
  public FileDescription open(Task t, VfsPath path, int flags) {
    throw ErrnoException.of(ENXIO); // special files are opened by their drivers
  }

  @Override
  TmpInode copyUp() {
    TmpInode u = upperOrNull();
    if (u != null) {
      return u;
    }
    synchronized (overlay.mu) {
      u = upperOrNull();
      if (u != null) {
        return u;
      }
      OverlayDir dir = origin;
      if (dir == null || removed) {
        throw ErrnoException.of(redoubt.abi.Errno.ENOENT);
      }
      Inode from = real();
      TmpDir to = dir.copyUp();
      try (KeptTimes kept = new KeptTimes(to)) {
        if (from.isSymlink()) {
          u = to.symlink(originName, from.readlink(), OverlayFs.KERNEL);
        } else {
          u = to.mknod(originName, from.mode(), from.rdev(), OverlayFs.KERNEL);
        }
        OverlayFs.copyAttributes(from, u);
      }
      setUpper(u);
      return u;
    }
  }
}
