package redoubt.sentry.vfs;

import static redoubt.abi.Errno.EACCES;
import static redoubt.abi.Errno.EAGAIN;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ETIMEDOUT;

import java.util.ArrayList;
import java.util.List;
import redoubt.abi.Caps;
import redoubt.abi.Fcntl;
import redoubt.abi.Signal;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.Pid;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.WaitQueue;
import redoubt.sentry.kernel.Waiter;

/**
 * The leases on one inode: F_SETLEASE of <a
 * href="https://man7.org/linux/man-pages/man2/F_GETLEASE.2const.html">fcntl(2)</a>, the leases of
 * fs/locks.c. Who opens or truncates such a file against a lease waits until its holder, who hears
 * of it by a signal, has given it up, or for {@link #breakTimeS}.
 *
 * <p>What other sandboxes or the host do to a shared file breaks no lease. One monitor a file; it
 * is never held while anybody waits or is signalled.
 */
public final class Leases {
  /** /proc/sys/fs/lease-break-time. */
  public static volatile int breakTimeS = 45;

  private static final class Lease {
    final FileDescription holder;
    final int fd;
    int type;

    /** What a breaker wants it to become, or -1. */
    int wanted = -1;

    long deadlineNs;

    Lease(FileDescription holder, int fd, int type) {
      this.holder = holder;
      this.fd = fd;
      this.type = type;
    }
  }

  private final List<Lease> leases = new ArrayList<>(); // guarded by this
  private final WaitQueue changed = new WaitQueue();

  private Leases() {}

  private static Leases of(Inode inode) {
    synchronized (inode) {
      Leases l = inode.leases;
      if (l == null) {
        l = new Leases();
        inode.leases = l;
      }
      return l;
    }
  }

  // ---- holders ----

  /** F_SETLEASE. Returns 0 or -errno. */
  public static long set(Task t, FileDescription f, int fd, int type) {
    if (type != Fcntl.F_RDLCK && type != Fcntl.F_WRLCK && type != Fcntl.F_UNLCK) {
      return -EINVAL;
    }
    Inode inode = f.inode();
    if (type == Fcntl.F_UNLCK) {
      return inode.leases == null ? -EAGAIN : inode.leases.drop(f) ? 0 : -EAGAIN;
    }
    if (t.creds().fsuid != inode.uid() && !t.hasCapability(Caps.CAP_LEASE)) {
      return -EACCES;
    }
    if (!inode.isRegular()) {
      return -EINVAL;
    }
    long r = of(inode).add(f, inode, fd, type);
    if (r == 0 && f.owner == null) {
      Pid self = t.threadGroup().pid();
      f.owner = new FileOwner(t.kernel(), self, FileOwner.PROCESS, t.creds());
    }
    return r;
  }

  /** generic_add_lease. */
  private long add(FileDescription f, Inode inode, int fd, int type) {
    synchronized (this) {
      timeOut();
      if (type == Fcntl.F_RDLCK && inode.hasWriters()) {
        return -EAGAIN;
      }
      if (type == Fcntl.F_WRLCK && !inode.isOpenedOnlyBy(f)) {
        return -EAGAIN;
      }
      Lease own = null;
      for (Lease l : leases) {
        if (l.holder == f) {
          own = l;
          continue;
        }
        if (type == Fcntl.F_WRLCK || l.type == Fcntl.F_WRLCK || l.wanted == Fcntl.F_UNLCK) {
          return -EAGAIN;
        }
      }
      if (own != null) {
        own.type = type;
        own.wanted = -1;
      } else {
        leases.add(new Lease(f, fd, type));
        f.hasLease = true;
      }
    }
    changed.notify(1);
    return 0;
  }

  /** {@return whether {@code f} had one} */
  private boolean drop(FileDescription f) {
    boolean had;
    synchronized (this) {
      had = leases.removeIf(l -> l.holder == f);
      f.hasLease = false;
    }
    changed.notify(1);
    return had;
  }

  /** F_GETLEASE: what it is, or will have to be. */
  public static long get(FileDescription f) {
    Leases all = f.inode().leases;
    if (all == null) {
      return Fcntl.F_UNLCK;
    }
    synchronized (all) {
      all.timeOut();
      for (Lease l : all.leases) {
        if (l.holder == f) {
          return l.wanted >= 0 ? l.wanted : l.type;
        }
      }
      return Fcntl.F_UNLCK;
    }
  }

  /** {@code f} is closed. */
  static void closed(FileDescription f) {
    Leases all = f.inode().leases;
    if (all != null) {
      all.drop(f);
    }
  }

  /** time_out_leases. Preconditions: holds this. */
  private void timeOut() {
    long now = System.nanoTime();
    for (Lease l : List.copyOf(leases)) {
      if (l.wanted >= 0 && now - l.deadlineNs >= 0) {
        if (l.wanted == Fcntl.F_UNLCK) {
          leases.remove(l);
          l.holder.hasLease = false;
        } else {
          l.type = l.wanted;
          l.wanted = -1;
        }
      }
    }
  }

  // ---- breakers ----

  /**
   * Somebody opens or truncates {@code inode}: __break_lease.
   *
   * @param nonblocking O_NONBLOCK of the open
   * @throws ErrnoException EWOULDBLOCK; what {@link Task#block} says when it is interrupted
   */
  static void breakFor(Task t, Inode inode, boolean writes, boolean nonblocking) {
    Leases all = inode.leases;
    if (all != null) {
      all.breakAll(t, writes, nonblocking);
    }
  }

  private static boolean conflicts(Lease l, boolean writes) {
    return writes || l.type == Fcntl.F_WRLCK;
  }

  /** Asks the holders who stand against it. {@return when the first must have answered, 0: none} */
  private long ask(boolean writes, List<Lease> asked) {
    synchronized (this) {
      timeOut();
      long first = 0;
      int want = writes ? Fcntl.F_UNLCK : Fcntl.F_RDLCK;
      for (Lease l : leases) {
        if (!conflicts(l, writes)) {
          continue;
        }
        if (l.wanted < 0 || (writes && l.wanted != Fcntl.F_UNLCK)) {
          l.wanted = want;
          l.deadlineNs = System.nanoTime() + breakTimeS * 1_000_000_000L;
          asked.add(l);
        }
        first = first == 0 || l.deadlineNs - first < 0 ? l.deadlineNs : first;
      }
      return first;
    }
  }

  private void breakAll(Task t, boolean writes, boolean nonblocking) {
    Waiter.Entry e = t.waitEntry();
    changed.add(e, 1);
    try {
      for (; ; ) {
        List<Lease> asked = new ArrayList<>();
        long deadline = ask(writes, asked);
        if (deadline == 0) {
          return;
        }
        for (Lease l : asked) {
          FileOwner.signal(l.holder.owner, l.holder, l.fd, Signal.POLL_MSG, POLL_MSG_BAND);
        }
        if (nonblocking) {
          throw ErrnoException.of(EAGAIN);
        }
        long r = t.block(deadline);
        if (r < 0 && r != -ETIMEDOUT) {
          throw ErrnoException.of((int) -r);
        }
      }
    } finally {
      changed.remove(e);
    }
  }

  /** EPOLLIN | EPOLLRDNORM | EPOLLMSG, of band_table in fs/fcntl.c. */
  static final long POLL_MSG_BAND = 0x441;
}
