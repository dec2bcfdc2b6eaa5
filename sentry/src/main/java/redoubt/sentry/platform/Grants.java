package redoubt.sentry.platform;

import redoubt.host.Region;

/**
 * What contexts were let answer by themselves on the strength of one file's state: {@link
 * GuestContext#grantView}, {@link GuestContext#grantStatus}. Whoever changes the state takes all of
 * it back, before anybody can know of the change.
 *
 * <p>Its monitor is a leaf but for the contexts' own.
 */
public final class Grants {
  private static final int LIMIT = 32;

  private final GuestContext[] contexts = new GuestContext[LIMIT];
  private final int[] fds = new int[LIMIT];
  private int count; // guarded by this
  private volatile int version;

  /** {@return a number that {@link #withdraw} changes}; to be read before the file's state is */
  public int version() {
    return version;
  }

  /** {@link GuestContext#grantStatus}, unless the state has changed since {@code seen} was read. */
  public void giveStatus(int seen, GuestContext context, int fd, Region status) {
    synchronized (this) {
      if (note(seen, context, fd)) {
        context.grantStatus(fd, status);
      }
    }
  }

  /** {@link GuestContext#grantView}, unless the state has changed since {@code seen} was read. */
  public void giveView(
      int seen,
      GuestContext context,
      int fd,
      int view,
      long offset,
      long length,
      long address,
      int what) {
    synchronized (this) {
      if (note(seen, context, fd)) {
        context.grantView(fd, view, offset, length, address, what);
      }
    }
  }

  // Preconditions: holds this.
  private boolean note(int seen, GuestContext context, int fd) {
    if (version != seen) {
      return false;
    }
    if (!isKnown(context, fd)) {
      if (count == LIMIT) {
        withdrawLocked();
      }
      contexts[count] = context;
      fds[count++] = fd;
    }
    return true;
  }

  private boolean isKnown(GuestContext context, int fd) {
    for (int i = 0; i < count; i++) {
      if (contexts[i] == context && fds[i] == fd) {
        return true;
      }
    }
    return false;
  }

  /** The file has changed, or will look different to some. Any thread. */
  public void withdraw() {
    synchronized (this) {
      version++;
      if (count > 0) {
        withdrawLocked();
      }
    }
  }

  private void withdrawLocked() {
    for (int i = 0; i < count; i++) {
      contexts[i].setStanding(fds[i], 0);
    }
    java.util.Arrays.fill(contexts, 0, count, null);
    count = 0;
  }
}
