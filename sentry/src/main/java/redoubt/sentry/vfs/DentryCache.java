package redoubt.sentry.vfs;

import java.util.ArrayDeque;

/**
 * The bound on cached names of the whole sandbox: a clock over all dentries, with one second
 * chance.
 */
final class DentryCache {
  /** Most dentries kept; about 200 bytes each. */
  static final int LIMIT = 32768;

  private static final ArrayDeque<Dentry> CLOCK = new ArrayDeque<>(); // guarded by CLOCK

  private DentryCache() {}

  static void added(Dentry d) {
    synchronized (CLOCK) {
      CLOCK.addLast(d);
      int tries = 64;
      while (CLOCK.size() > LIMIT && tries-- > 0) {
        evictOne();
      }
    }
  }

  private static void evictOne() {
    Dentry d = CLOCK.removeFirst();
    Dentry parent = d.parent();
    if (parent == null || parent.cachedChildQuietly(d.name()) != d) {
      return; // gone from its directory already
    }
    if (d.referenced || d.isPinned() || d.hasChildren()) {
      d.referenced = false;
      CLOCK.addLast(d);
      return;
    }
    parent.forget(d);
  }
}
