package redoubt.gofer;

import static redoubt.abi.Errno.EBADF;
import static redoubt.abi.Errno.ENFILE;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import redoubt.p9.P9;

/** Fids by their numbers, which the client chooses. Bounded; thread-safe. */
final class FidTable {
  /** Directories that may be open for reading at once; more are opened anew for each batch. */
  private static final int OPEN_DIRS_MAX = 64;

  private final int limit;
  private final AtomicInteger openDirs = new AtomicInteger();

  private final Object mu = new Object();

  @GuardedBy("mu")
  private @Nullable Fid[] fids = new @Nullable Fid[64];

  @GuardedBy("mu")
  private int count;

  /**
   * @param limit most fids at once
   */
  FidTable(int limit) {
    this.limit = limit;
  }

  /** {@return the fid with this number, held for the caller until {@link #release}, or null} */
  @Nullable Fid acquire(int number) {
    synchronized (mu) {
      if (number < 0 || number >= fids.length) {
        return null;
      }
      Fid fid = fids[number];
      if (fid != null) {
        fid.holders++;
      }
      return fid;
    }
  }

  /** Lets a fid go; the last holder closes it. */
  void release(Fid fid) {
    synchronized (mu) {
      if (--fid.holders > 0) {
        return;
      }
    }
    fid.close(this);
  }

  /** {@return whether one more fid would be too many} */
  boolean isFull() {
    synchronized (mu) {
      return count >= limit;
    }
  }

  /**
   * Gives a fid a number, and holds it for the caller too.
   *
   * @return 0, -EBADF if the number is taken or beyond all limits, or -ENFILE
   */
  int install(int number, Fid fid) {
    synchronized (mu) {
      if (number < 0 || number >= P9.FID_LIMIT) {
        return -EBADF;
      }
      if (count >= limit) {
        return -ENFILE;
      }
      if (number >= fids.length) {
        fids = Arrays.copyOf(fids, Math.max(number + 1, 2 * fids.length));
      }
      if (fids[number] != null) {
        return -EBADF;
      }
      fids[number] = fid;
      fid.holders++;
      count++;
      return 0;
    }
  }

  /** Takes a number back; returns 0 or -EBADF. */
  int remove(int number) {
    Fid fid;
    synchronized (mu) {
      fid = number < 0 || number >= fids.length ? null : fids[number];
      if (fid == null) {
        return -EBADF;
      }
      fids[number] = null;
      count--;
    }
    release(fid);
    return 0;
  }

  /** Takes all numbers back: a client that says its version starts afresh. */
  void clear() {
    @Nullable Fid[] old;
    synchronized (mu) {
      old = fids;
      fids = new @Nullable Fid[64];
      count = 0;
    }
    for (Fid fid : old) {
      if (fid != null) {
        release(fid);
      }
    }
  }

  /** {@return whether a directory may stay open for reading}; {@link #dirClosed} undoes it. */
  boolean mayKeepDir() {
    if (openDirs.incrementAndGet() <= OPEN_DIRS_MAX) {
      return true;
    }
    openDirs.decrementAndGet();
    return false;
  }

  void dirClosed() {
    openDirs.decrementAndGet();
  }

  int count() {
    synchronized (mu) {
      return count;
    }
  }
}
