package redoubt.sentry.kernel;

import org.jspecify.annotations.Nullable;
import redoubt.abi.Fcntl;
import redoubt.abi.Resource;
import redoubt.abi.Stat;
import redoubt.host.Region;
import redoubt.sentry.mm.FileViews;
import redoubt.sentry.mm.Mappable;
import redoubt.sentry.platform.Grants;
import redoubt.sentry.platform.GuestContext;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.FsNotify;
import redoubt.sentry.vfs.Inode;

/**
 * Lets the platform answer calls on files in memory that a task makes again and again: pread(2) and
 * pwrite(2) from a view of the file, fstat(2) with what it gave last.
 */
public final class FileGrants {
  /** Calls on a description until its calls are granted, and from one grant to the next. */
  private static final int HOT = 32;

  private static final int HOT_AGAIN = HOT - 4;

  /** After which no grant is tried for long. */
  private static final int HOPELESS = -10_000;

  private static final int SYNCHRONOUS = Fcntl.O_DSYNC | Fcntl.O_SYNC | FileDescription.O_DIRECT;

  private FileGrants() {}

  /**
   * The call in progress has read or written at byte {@code offset} of {@code f}, which came from
   * {@link Task#fdget}.
   */
  public static void served(Task t, FileDescription f, long offset) {
    if (++f.heat >= HOT) {
      offerView(t, f, offset);
    }
  }

  // The version of the grants is older than all that is looked at here, so that whoever changes any
  // of it meanwhile has the grant refused.
  private static void offerView(Task t, FileDescription f, long offset) {
    Mappable file = f.mappable();
    Grants grants = file == null ? null : file.grants();
    if (file == null || grants == null || !FsNotify.isIdle()) {
      f.heat = HOPELESS;
      return;
    }
    int seen = grants.version();
    boolean writable = mayWrite(t, f);
    FileViews views = t.mm().views();
    FileViews.View v = views.find(file, offset, writable);
    f.heat = v == null ? 0 : HOT_AGAIN;
    if (v == null) {
      v = views.make(file, grants, offset, writable, !t.mm().isShared());
      if (v == null) {
        f.heat = HOPELESS;
        return;
      }
      seen = v.version; // older views may have gone
      if (mayWrite(t, f) != writable) {
        return;
      }
    }
    long length = Math.min(v.length, file.viewableBytes() - v.offset);
    int what =
        (f.isReadable() ? GuestContext.READS_VIEW : 0) | (writable ? GuestContext.WRITES_VIEW : 0);
    int fd = t.grantsFollow(f);
    if (fd >= 0) {
      grants.giveView(seen, t.context(), fd, v.slot, v.offset, length, v.address, what);
      t.grantsGiven(f, fd);
    }
  }

  /** Whether writes need nothing but the bytes in their place. */
  private static boolean mayWrite(Task t, FileDescription f) {
    Inode inode = f.inode();
    return f.isWritable()
        && (f.flags() & (FileDescription.O_APPEND | SYNCHRONOUS)) == 0
        && (inode.mode() & (Stat.S_ISUID | Stat.S_ISGID)) == 0
        && inode.mayWriteInPlace()
        && t.threadGroup().limits.bound(Resource.RLIMIT_FSIZE) == Long.MAX_VALUE;
  }

  /** {@return whether fstat(2) is called on {@code f} often enough for {@link #offerStatus}} */
  public static boolean isStatusHot(FileDescription f) {
    return ++f.statusHeat >= HOT;
  }

  /** {@return what {@link #offerStatus} wants to know from before the status was read, or null} */
  public static @Nullable Grants statusGrants(FileDescription f) {
    Grants grants = f.grants();
    f.statusHeat = grants == null ? HOPELESS : HOT_AGAIN;
    return grants;
  }

  /**
   * Lets fstat(2) on {@code f} give {@code status}.
   *
   * @param seen the version of {@code grants} before the status was read
   */
  public static void offerStatus(
      Task t, FileDescription f, Grants grants, int seen, Region status) {
    int fd = t.grantsFollow(f);
    if (fd >= 0) {
      grants.giveStatus(seen, t.context(), fd, status);
      t.grantsGiven(f, fd);
    }
  }
}
