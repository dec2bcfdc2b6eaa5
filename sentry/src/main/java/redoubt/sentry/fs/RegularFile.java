package redoubt.sentry.fs;

import static redoubt.abi.Errno.EFBIG;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ENODEV;
import static redoubt.abi.Errno.ENXIO;
import static redoubt.abi.Errno.EPERM;

import redoubt.abi.Fcntl;
import redoubt.abi.Mman;
import redoubt.sentry.kernel.Credentials;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.IoBuffer;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.Inode;
import redoubt.sentry.vfs.Mount;
import redoubt.sentry.vfs.VfsPath;

/**
 * An open regular file of tmpfs, gofer or overlay: a position and flags over its {@link
 * FileContent}.
 */
public final class RegularFile extends FileDescription {
  private static final int MS_STRICTATIME = 1 << 24;
  private static final int MS_NOATIMES = Mount.MS_NOATIME | Mount.MS_RDONLY;

  private static final long SEALS =
      Fcntl.F_SEAL_SEAL
          | Fcntl.F_SEAL_SHRINK
          | Fcntl.F_SEAL_GROW
          | Fcntl.F_SEAL_WRITE
          | Fcntl.F_SEAL_FUTURE_WRITE
          | 0x20; // F_SEAL_EXEC

  private final FileContent content;
  private final int openFlags;

  /** Where the last O_APPEND write ended, or -1. */
  private volatile long appendEnd = -1;

  /**
   * @throws ErrnoException if the content cannot be opened so
   */
  public RegularFile(FileContent content, VfsPath path, int flags, Credentials creds) {
    super(path, flags, creds);
    this.content = content;
    this.openFlags = flags;
  }

  /** Opens {@code inode}'s content. */
  public static RegularFile open(FileContent content, VfsPath path, int flags, Credentials creds) {
    ErrnoException.check(content.opened(flags));
    return new RegularFile(content, path, flags, creds);
  }

  /** {@return the bytes behind it} */
  public FileContent content() {
    return content;
  }

  /** {@return whether writes go to the end} */
  public boolean isAppending() {
    return (flags() & O_APPEND) != 0;
  }

  /** An O_APPEND write ended at {@code end}. */
  public void appended(long end) {
    appendEnd = end;
  }

  @Override
  public long positionAfterAppend() {
    return isAppending() ? appendEnd : -1;
  }

  @Override
  protected void release() {
    content.closed(openFlags);
  }

  @Override
  public boolean isSeekable() {
    return true;
  }

  @Override
  public long read(Task t, IoBuffer dst, long offset) {
    if (offset < 0) {
      return -EINVAL;
    }
    long r = content.readAt(dst, offset);
    if (r >= 0 && (flags() & Fcntl.O_NOATIME) == 0) {
      int mountFlags = path().mount.flags();
      if ((mountFlags & MS_NOATIMES) == 0) {
        content.accessed((mountFlags & MS_STRICTATIME) != 0);
      }
    }
    return r;
  }

  @Override
  public long write(Task t, IoBuffer src, long offset) {
    if (offset < 0) {
      return -EINVAL;
    }
    if (src.remaining() > FileContent.MAX_BYTES - offset) {
      return -EFBIG;
    }
    if (src.remaining() == 0) {
      return 0;
    }
    long r = content.writeAt(src, offset, this);
    if (r > 0 && (flags() & (Fcntl.O_DSYNC | Fcntl.O_SYNC)) != 0) {
      long s = content.fsync((flags() & Fcntl.O_SYNC) != Fcntl.O_SYNC);
      if (s < 0) {
        return s;
      }
    }
    return r;
  }

  @Override
  public long seek(Task t, long offset, int whence) {
    if (whence != Fcntl.SEEK_DATA && whence != Fcntl.SEEK_HOLE) {
      return super.seek(t, offset, whence);
    }
    if (offset < 0 || offset >= inode().size()) {
      return -ENXIO;
    }
    long r = content.seekData(offset, whence == Fcntl.SEEK_HOLE);
    if (r >= 0) {
      position = r;
    }
    return r;
  }

  @Override
  public long fcntl(Task t, int command, long argument) {
    if (command == Fcntl.F_GET_SEALS) {
      return content.seals();
    }
    if (command == Fcntl.F_ADD_SEALS) {
      if (!isWritable()) {
        return -EPERM;
      }
      return (argument & ~SEALS) != 0 ? -EINVAL : content.addSeals((int) argument);
    }
    return super.fcntl(t, command, argument);
  }

  @Override
  public long fsync(boolean dataOnly) {
    return content.fsync(dataOnly);
  }

  @Override
  public long truncate(long length) {
    return length < 0 ? -EINVAL : content.truncate(length);
  }

  @Override
  public long allocate(int mode, long offset, long length) {
    if (offset < 0 || length <= 0) {
      return -EINVAL;
    }
    if (length > FileContent.MAX_BYTES - offset) {
      return -EFBIG;
    }
    return content.allocate(mode, offset, length);
  }

  @Override
  public long checkMmap(int prot, int flags) {
    boolean shared = (flags & 3) != Mman.MAP_PRIVATE; // MAP_SHARED or MAP_SHARED_VALIDATE
    long r = content.prepareMap(shared && isWritable());
    return r < 0 ? r : inode().mappable() == null ? -ENODEV : 0;
  }

  /** {@return the content of a regular file's inode} */
  public static FileContent contentOf(Inode inode) {
    return (FileContent) inode;
  }
}
