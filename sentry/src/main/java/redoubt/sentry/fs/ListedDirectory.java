package redoubt.sentry.fs;

import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EISDIR;

import org.jspecify.annotations.Nullable;
import redoubt.abi.DirentType;
import redoubt.abi.Fcntl;
import redoubt.sentry.kernel.Credentials;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.IoBuffer;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.vfs.Dentry;
import redoubt.sentry.vfs.DirSink;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.VfsPath;

/**
 * An open directory that is read from one list, taken when reading begins and again after each
 * rewind. So cookies are stable whatever happens to the directory, as POSIX wants; names made after
 * the start may be missing and removed ones may still come, as POSIX allows.
 */
public final class ListedDirectory extends FileDescription {
  /** Where the list comes from. */
  public interface Source {
    /**
     * {@return the names now}
     *
     * @throws ErrnoException if they cannot be read
     */
    DirListing list();
  }

  private final Source source;
  private @Nullable DirListing listing; // guarded by this
  private boolean begun; // guarded by this

  public ListedDirectory(Source source, VfsPath path, int flags, Credentials creds) {
    super(path, flags, creds);
    this.source = source;
  }

  @Override
  public boolean isSeekable() {
    return true;
  }

  @Override
  public long read(Task t, IoBuffer dst, long offset) {
    return -EISDIR;
  }

  @Override
  public long seek(Task t, long offset, int whence) {
    return whence == Fcntl.SEEK_SET || whence == Fcntl.SEEK_CUR
        ? super.seek(t, offset, whence)
        : -EINVAL;
  }

  @Override
  public long readdir(Task t, DirSink sink) {
    synchronized (this) {
      DirListing l = listing;
      if (l == null || (position == 0 && begun)) {
        try {
          l = source.list();
        } catch (ErrnoException e) {
          return -e.errno();
        }
        listing = l;
      }
      begun = position > 0;
      if (position == 0) {
        if (!sink.entry(".", inode().ino(), DirentType.DT_DIR, 1)) {
          return 0;
        }
        position = 1;
        begun = true;
      }
      if (position == 1) {
        if (!sink.entry("..", parentIno(path()), DirentType.DT_DIR, 2)) {
          return 0;
        }
        position = 2;
      }
      while (position - 2 < l.size()) {
        int i = (int) (position - 2);
        if (!sink.entry(l.name(i), l.ino(i), l.type(i), position + 1)) {
          break;
        }
        position++;
      }
      return 0;
    }
  }

  /** {@return the inode number that ".." shows} */
  public static long parentIno(VfsPath path) {
    Dentry parent = path.dentry.parent();
    return (parent == null ? path.dentry : parent).inode().ino();
  }

  @Override
  public long fsync(boolean dataOnly) {
    return 0;
  }
}
