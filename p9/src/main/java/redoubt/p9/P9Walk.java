package redoubt.p9;

import redoubt.host.FileSystemCalls;

/**
 * What a walk found: a fid and attributes for each name, the target of the symlink that it stopped
 * at, and the donated descriptor of the last file. Reusable; not thread-safe.
 *
 * <p>The fids and the descriptor belong to the caller once the walk has returned.
 */
public final class P9Walk {
  /** How many names were walked; {@link #fids} and {@link #attrs} are good up to here. */
  public int count;

  /** How many names were asked for, which is less than the path has if it has too many. */
  public int asked;

  /** Offset in the caller's path array behind the last name asked for. */
  public int pathEnd;

  public final int[] fids = new int[P9.WALK_MAX];
  public final P9Attr[] attrs = new P9Attr[P9.WALK_MAX];

  /** Why the name after the last walked one could not be walked (ENOENT), or 0. */
  public int error;

  /** Why the last file could not be opened, or 0; only if opening was asked for. */
  public int openError;

  /** The donated descriptor, or -1. */
  public int hostFd = -1;

  /** The target of a symlink, when the walk stopped at one. */
  public final byte[] target = new byte[P9.PATH_MAX];

  /** Bytes of {@link #target}, or -1 if the walk did not stop at a symlink. */
  public int targetLength = -1;

  public P9Walk() {
    for (int i = 0; i < attrs.length; i++) {
      attrs[i] = new P9Attr();
    }
  }

  /** {@return the descriptor, owned by the caller from now on, or -1} */
  public int takeHostFd() {
    int fd = hostFd;
    hostFd = -1;
    return fd;
  }

  void reset() {
    count = 0;
    asked = 0;
    error = 0;
    openError = 0;
    targetLength = -1;
    int fd = takeHostFd();
    if (fd >= 0) {
      FileSystemCalls.close(fd);
    }
  }
}
