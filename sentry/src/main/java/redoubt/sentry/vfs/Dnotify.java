package redoubt.sentry.vfs;

import static redoubt.abi.Errno.ENOTDIR;
import static redoubt.abi.Inotify.IN_ACCESS;
import static redoubt.abi.Inotify.IN_ATTRIB;
import static redoubt.abi.Inotify.IN_CREATE;
import static redoubt.abi.Inotify.IN_DELETE;
import static redoubt.abi.Inotify.IN_MODIFY;
import static redoubt.abi.Inotify.IN_MOVED_FROM;
import static redoubt.abi.Inotify.IN_MOVED_TO;

import org.jspecify.annotations.Nullable;
import redoubt.abi.Fcntl;
import redoubt.abi.Signal;
import redoubt.sentry.kernel.Kernel;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.TimerWheel;

/**
 * A signal when something happens in an open directory: F_NOTIFY of <a
 * href="https://man7.org/linux/man-pages/man2/fcntl.2.html">fcntl(2)</a>, fs/notify/dnotify. Unlike
 * Linux, it belongs to the description and not to one process' descriptor: it ends with the last of
 * them.
 */
public final class Dnotify extends Watch {
  private static final int KINDS =
      Fcntl.DN_ACCESS
          | Fcntl.DN_MODIFY
          | Fcntl.DN_CREATE
          | Fcntl.DN_DELETE
          | Fcntl.DN_RENAME
          | Fcntl.DN_ATTRIB;

  private final Kernel kernel;
  private final FileDescription file;
  private final Inode dir;
  private final int fd;
  private volatile int wanted;

  private Dnotify(Kernel kernel, FileDescription file, int fd) {
    this.kernel = kernel;
    this.file = file;
    this.dir = file.inode();
    this.fd = fd;
  }

  /** F_NOTIFY: what is asked for is added to what was; 0 takes all back. Returns 0 or -errno. */
  public static long set(Task t, FileDescription f, int fd, int mask) {
    if ((mask & KINDS) == 0) {
      Dnotify old = f.dnotify;
      if (old != null) {
        old.end();
      }
      return 0;
    }
    if (!f.inode().isDirectory()) {
      return -ENOTDIR;
    }
    f.owner = new FileOwner(t.kernel(), t.threadGroup().pid(), FileOwner.PROCESS, t.creds());
    synchronized (f) {
      Dnotify d = f.dnotify;
      if (d == null) {
        d = new Dnotify(t.kernel(), f, fd);
        d.wanted = mask;
        f.dnotify = d;
        FsNotify.add(f.path().dentry, d);
      } else {
        d.wanted |= mask;
      }
    }
    return 0;
  }

  /** The description is closed, or wants nothing more. */
  void end() {
    wanted = 0;
    file.dnotify = null;
    FsNotify.remove(dir, this);
  }

  @Override
  protected void event(int mask, int cookie, @Nullable String name, boolean unlinked) {
    int now = wanted;
    if (name == null || (kinds(mask) & now) == 0) {
      return; // of the directory's children only
    }
    if ((now & Fcntl.DN_MULTISHOT) == 0) {
      wanted = 0;
    }
    // A directory's monitor may be held here, and a signal takes locks that come before it.
    kernel.timers().arm(new Told(), System.nanoTime());
  }

  private final class Told extends TimerWheel.Timer {
    @Override
    protected void expired() {
      FileOwner.signal(file.owner, file, fd, Signal.POLL_MSG, Leases.POLL_MSG_BAND);
    }
  }

  private static int kinds(int mask) {
    int kinds = 0;
    kinds |= (mask & IN_ACCESS) != 0 ? Fcntl.DN_ACCESS : 0;
    kinds |= (mask & IN_MODIFY) != 0 ? Fcntl.DN_MODIFY : 0;
    kinds |= (mask & IN_ATTRIB) != 0 ? Fcntl.DN_ATTRIB : 0;
    kinds |= (mask & (IN_CREATE | IN_MOVED_TO)) != 0 ? Fcntl.DN_CREATE : 0;
    kinds |= (mask & (IN_DELETE | IN_MOVED_FROM)) != 0 ? Fcntl.DN_DELETE : 0;
    kinds |= (mask & IN_MOVED_FROM) != 0 ? Fcntl.DN_RENAME : 0;
    return kinds;
  }

  @Override
  protected void inodeGone() {}
}
