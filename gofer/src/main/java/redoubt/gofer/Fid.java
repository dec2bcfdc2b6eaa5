package redoubt.gofer;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import redoubt.host.FileSystemCalls;

/**
 * A file that was found: an {@code O_PATH} descriptor that lives as long as somebody holds the fid.
 * The {@link FidTable} counts the holders.
 */
final class Fid {
  final int fd;
  final Attach attach;

  /** S_IFREG and kin; the type of an inode never changes. */
  final int type;

  final boolean isRoot;

  /** Holders: the table and each worker that uses it. Guarded by the table's lock. */
  int holders = 1;

  final Object dirMu = new Object();

  /** A descriptor to read the directory with, or -1. */
  @GuardedBy("dirMu")
  int dirFd = -1;

  /** Where {@link #dirFd} stands. */
  @GuardedBy("dirMu")
  long dirOffset;

  Fid(int fd, Attach attach, int type, boolean isRoot) {
    this.fd = fd;
    this.attach = attach;
    this.type = type;
    this.isRoot = isRoot;
  }

  /** Closes the descriptors. Preconditions: nobody holds the fid. */
  void close(FidTable table) {
    FileSystemCalls.close(fd);
    synchronized (dirMu) {
      if (dirFd >= 0) {
        FileSystemCalls.close(dirFd);
        dirFd = -1;
        table.dirClosed();
      }
    }
  }
}
