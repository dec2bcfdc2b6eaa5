package redoubt.sentry.ipc;

import static redoubt.abi.Errno.EBADF;
import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ENOENT;
import static redoubt.abi.Seccomp.*;

import java.lang.foreign.MemorySegment;
import redoubt.abi.Poll;
import redoubt.host.Memory;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.SeccompNotifier;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.WaitQueue;
import redoubt.sentry.kernel.Waiter;
import redoubt.sentry.vfs.FileDescription;

/**
 * The descriptor by which a supervisor decides about others' calls: <a
 * href="https://man7.org/linux/man-pages/man2/seccomp_unotify.2.html">seccomp_unotify(2)</a>.
 */
public final class SeccompListener extends FileDescription {
  private static final int SIZEOF_NOTIF = 80;
  private static final int SIZEOF_RESP = 24;
  private static final int SIZEOF_ADDFD = 24;
  private static final int ID_VALID_WRONG_DIR = 0x80082102;
  private static final int SECCOMP_IOCTL_NOTIF_SET_FLAGS = 0x40082104;
  private static final int ADDFD_FLAG_SETFD = 1;
  private static final int ADDFD_FLAG_SEND = 2;
  private static final int O_CLOEXEC = 02000000;

  private final SeccompNotifier notifier;

  public SeccompListener(Task t, SeccompNotifier notifier) {
    super(AnonymousFiles.of(t.kernel()).newOther(t.creds(), "seccomp notify"), O_RDWR, t.creds());
    this.notifier = notifier;
  }

  public SeccompNotifier notifier() {
    return notifier;
  }

  @Override
  public int poll() {
    int events = notifier.hasNew() ? Poll.POLLIN | Poll.POLLRDNORM : 0;
    events |= notifier.hasSent() ? Poll.POLLOUT | Poll.POLLWRNORM : 0;
    return notifier.isUnused() ? events | Poll.POLLHUP : events;
  }

  @Override
  public WaitQueue waitQueue() {
    return notifier.queue;
  }

  @Override
  protected void release() {
    notifier.close();
  }

  @Override
  public long ioctl(Task t, Args a) {
    return switch (a.int1()) {
      case SECCOMP_IOCTL_NOTIF_RECV -> receive(t, a.long2());
      case SECCOMP_IOCTL_NOTIF_SEND -> send(t, a.long2());
      case SECCOMP_IOCTL_NOTIF_ID_VALID, ID_VALID_WRONG_DIR -> {
        long r = t.copyInScratch(a.long2(), 8);
        yield r < 0 ? r : notifier.find(t.scratch().get(Memory.LONG, 0)) == null ? -ENOENT : 0;
      }
      case SECCOMP_IOCTL_NOTIF_ADDFD -> addFd(t, a.long2());
      case SECCOMP_IOCTL_NOTIF_SET_FLAGS -> (a.long2() & ~1L) != 0 ? -EINVAL : 0;
      default -> -EINVAL;
    };
  }

  private long receive(Task t, long uaddr) {
    MemorySegment s = t.scratch();
    long r = t.copyInScratch(uaddr, SIZEOF_NOTIF);
    if (r < 0) {
      return r;
    }
    for (int i = 0; i < SIZEOF_NOTIF; i++) {
      if (s.get(Memory.BYTE, i) != 0) {
        return -EINVAL;
      }
    }
    SeccompNotifier.Notification n;
    Waiter.Entry e = t.waitEntry();
    notifier.queue.add(e, -1);
    try {
      while ((n = notifier.receive()) == null) {
        if (notifier.isUnused()) {
          return -ENOENT;
        }
        long b = t.block(Waiter.FOREVER);
        if (b < 0) {
          return b;
        }
      }
    } finally {
      notifier.queue.remove(e);
    }
    s.asSlice(0, SIZEOF_NOTIF).fill((byte) 0);
    s.set(Memory.LONG, 0, n.id());
    s.set(Memory.INT, 8, n.task().tidIn(t.pidNamespace()));
    int[] data = n.data();
    for (int i = 0; i < data.length; i++) {
      s.set(Memory.INT, 16 + 4L * i, data[i]);
    }
    if (t.copyOutNow(uaddr, s, 0, SIZEOF_NOTIF) < 0) {
      notifier.unreceive(n);
      return -EFAULT;
    }
    return 0;
  }

  private long send(Task t, long uaddr) {
    long r = t.copyInScratch(uaddr, SIZEOF_RESP);
    if (r < 0) {
      return r;
    }
    MemorySegment s = t.scratch();
    long id = s.get(Memory.LONG, 0);
    long value = s.get(Memory.LONG, 8);
    int error = s.get(Memory.INT, 16);
    int flags = s.get(Memory.INT, 20);
    boolean goOn = (flags & SECCOMP_USER_NOTIF_FLAG_CONTINUE) != 0;
    if ((flags & ~SECCOMP_USER_NOTIF_FLAG_CONTINUE) != 0 || (goOn && (error != 0 || value != 0))) {
      return -EINVAL;
    }
    return notifier.reply(id, error != 0 ? error : value, goOn);
  }

  private long addFd(Task t, long uaddr) {
    long r = t.copyInScratch(uaddr, SIZEOF_ADDFD);
    if (r < 0) {
      return r;
    }
    MemorySegment s = t.scratch();
    long id = s.get(Memory.LONG, 0);
    int flags = s.get(Memory.INT, 8);
    int from = s.get(Memory.INT, 12);
    int to = s.get(Memory.INT, 16);
    int fdFlags = s.get(Memory.INT, 20);
    if ((fdFlags & ~O_CLOEXEC) != 0
        || (flags & ~(ADDFD_FLAG_SETFD | ADDFD_FLAG_SEND)) != 0
        || (to != 0 && (flags & ADDFD_FLAG_SETFD) == 0)) {
      return -EINVAL;
    }
    FileDescription f = t.file(from);
    if (f == null) {
      return -EBADF;
    }
    SeccompNotifier.Notification n = notifier.find(id);
    if (n == null) {
      f.decRef();
      return -ENOENT;
    }
    boolean closeOnExec = (fdFlags & O_CLOEXEC) != 0;
    long fd =
        (flags & ADDFD_FLAG_SETFD) != 0
            ? n.task()
                .fds()
                .replace(
                    n.task(),
                    f,
                    to,
                    closeOnExec,
                    n.task().threadGroup().limits.bound(redoubt.abi.Resource.RLIMIT_NOFILE))
            : n.task().installFd(f, closeOnExec);
    if (fd < 0 && (flags & ADDFD_FLAG_SETFD) != 0) {
      f.decRef();
    }
    if (fd >= 0 && (flags & ADDFD_FLAG_SEND) != 0) {
      notifier.reply(id, fd, false);
    }
    return fd;
  }
}
