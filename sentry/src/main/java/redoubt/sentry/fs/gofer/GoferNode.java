package redoubt.sentry.fs.gofer;

import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ENXIO;

import org.jspecify.annotations.Nullable;
import redoubt.p9.P9;
import redoubt.p9.P9Attr;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.VfsPath;

/**
 * A host's symbolic link, FIFO, socket or device node. A link's target never changes, so it is
 * kept.
 */
final class GoferNode extends GoferInode {
  private volatile @Nullable String target;

  GoferNode(GoferFs fs, P9Attr a, long ino) {
    super(fs, a, ino);
  }

  void setTarget(String text) {
    target = text;
  }

  @Override
  public String readlink() {
    String known = target;
    if (known != null) {
      return known;
    }
    if (!isSymlink()) {
      throw ErrnoException.of(EINVAL);
    }
    byte[] text = new byte[P9.PATH_MAX];
    int f = useFid();
    long r;
    try {
      r = ErrnoException.check(gofer.client.readlink(f, text));
    } finally {
      unpinFid();
    }
    known = new String(text, 0, (int) r, java.nio.charset.StandardCharsets.ISO_8859_1);
    target = known;
    return known;
  }

  @Override
  public FileDescription open(Task t, VfsPath path, int flags) {
    throw ErrnoException.of(ENXIO); // special files are opened by their drivers, never the host's
  }
}
