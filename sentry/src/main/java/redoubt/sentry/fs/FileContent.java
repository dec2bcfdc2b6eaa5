package redoubt.sentry.fs;

import static redoubt.abi.Errno.EINVAL;

import redoubt.sentry.kernel.IoBuffer;

/**
 * The bytes of a regular file, as its inode offers them to {@link RegularFile} and to an overlay
 * above it. Results are counts or {@code -errno}; reads and writes allocate nothing.
 */
public interface FileContent {
  /** Largest file size and offset, MAX_LFS_FILESIZE. */
  long MAX_BYTES = Long.MAX_VALUE;

  /** A description with these flags of open(2) uses the content from now on; 0 or -errno. */
  long opened(int flags);

  /** Pairs with a successful {@link #opened}, with the same flags. */
  void closed(int flags);

  /** Reads at {@code offset}; 0 at or past the end. */
  long readAt(IoBuffer dst, long offset);

  /**
   * Writes at {@code offset}, or at the end when {@code file} has O_APPEND, whose {@link
   * RegularFile#appended} is told where that was.
   */
  long writeAt(IoBuffer src, long offset, RegularFile file);

  /** Sets the size; 0 or -errno. */
  long truncate(long length);

  /** fallocate(2) with FALLOC_FL_* bits. */
  long allocate(int mode, long offset, long length);

  /**
   * {@return the next data (or hole) at or after {@code offset}, which lies below the size, or
   * -ENXIO}
   */
  long seekData(long offset, boolean hole);

  /** fsync(2) or fdatasync(2). */
  long fsync(boolean dataOnly);

  /** The file was read. Moves the access time as relatime does, or always when {@code strict}. */
  void accessed(boolean strict);

  /**
   * The file is to be mapped next; {@code sharedWritable}: MAP_SHARED by a description that may
   * write.
   *
   * @return 0 or -errno
   */
  long prepareMap(boolean sharedWritable);

  /** {@return F_SEAL_* bits, or -EINVAL where there are no seals} */
  default int seals() {
    return -EINVAL;
  }

  /** fcntl(F_ADD_SEALS); the description is writable and the bits are known. */
  default long addSeals(int more) {
    return -EINVAL;
  }
}
