package redoubt.sentry.ipc.mqueue;

import static redoubt.abi.Errno.EACCES;
import static redoubt.abi.Errno.EEXIST;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EMFILE;
import static redoubt.abi.Errno.ENOENT;
import static redoubt.abi.Errno.ENOSPC;
import static redoubt.abi.Errno.EPERM;

import java.util.HashMap;
import java.util.Map;
import redoubt.abi.Caps;
import redoubt.abi.Fcntl;
import redoubt.abi.Resource;
import redoubt.sentry.kernel.Credentials;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.Task;

/** The named queues of a sandbox and what each user's take: Linux's mqueue file system. */
final class PosixQueues {
  /** fs.mqueue: queues_max, msg_default, msg_max, msgsize_default, msgsize_max; hard limits. */
  private static final int QUEUES = 256;

  private static final int DEFAULT_MESSAGES = 10;
  private static final int DEFAULT_SIZE = 8192;
  private static final int HARD_MESSAGES = 65536;
  private static final int HARD_SIZE = 16 << 20;

  private final Map<String, PosixQueue> byName = new HashMap<>();
  private final Map<Integer, Long> charged = new HashMap<>();

  static PosixQueues of(Task t) {
    return t.namespaces().ipc.part(PosixQueues.class, PosixQueues::new);
  }

  /** What a new queue shall hold. */
  record Shape(long maxMessages, long maxSize) {
    static final Shape DEFAULT = new Shape(DEFAULT_MESSAGES, DEFAULT_SIZE);

    boolean isValid(boolean privileged) {
      long messages = privileged ? HARD_MESSAGES : DEFAULT_MESSAGES;
      long size = privileged ? HARD_SIZE : DEFAULT_SIZE;
      return maxMessages > 0 && maxSize > 0 && maxMessages <= messages && maxSize <= size;
    }
  }

  /** Opens or makes a queue for one more description. */
  synchronized PosixQueue open(Task t, String name, int flags, int mode, Shape shape) {
    PosixQueue q = byName.get(name);
    if (q == null) {
      if ((flags & Fcntl.O_CREAT) == 0) {
        throw ErrnoException.of(ENOENT);
      }
      q = make(t, mode & ~t.fs().umask() & 0777, shape);
      byName.put(name, q);
    } else {
      int both = Fcntl.O_CREAT | Fcntl.O_EXCL;
      if ((flags & both) == both) {
        throw ErrnoException.of(EEXIST);
      }
      int access = flags & Fcntl.O_ACCMODE;
      int want = access == Fcntl.O_RDONLY ? 4 : access == Fcntl.O_WRONLY ? 2 : 6;
      if (!q.permits(t.creds(), want)) {
        throw ErrnoException.of(EACCES);
      }
    }
    q.users++;
    return q;
  }

  private PosixQueue make(Task t, int mode, Shape shape) {
    boolean privileged = t.hasCapability(Caps.CAP_SYS_RESOURCE);
    if (byName.size() >= QUEUES && !privileged || byName.size() >= 16 * QUEUES) {
      throw ErrnoException.of(ENOSPC);
    }
    if (!shape.isValid(privileged)) {
      throw ErrnoException.of(EINVAL);
    }
    int uid = t.creds().fsuid;
    long now = charged.getOrDefault(uid, 0L) + PosixQueue.cost(shape.maxMessages, shape.maxSize);
    if (now > t.threadGroup().limits.bound(Resource.RLIMIT_MSGQUEUE)) {
      throw ErrnoException.of(EMFILE);
    }
    charged.put(uid, now);
    return new PosixQueue((int) shape.maxMessages, (int) shape.maxSize, mode, t.creds());
  }

  /** mq_unlink(3). */
  synchronized long unlink(Credentials c, String name) {
    PosixQueue q = byName.get(name);
    if (q == null) {
      return -ENOENT;
    }
    if (c.fsuid != q.uid && !c.hasCapability(Caps.CAP_FOWNER)) {
      return -EPERM; // the root of the file system is sticky
    }
    byName.remove(name);
    q.named = false;
    free(q);
    return 0;
  }

  /** A description was closed. */
  synchronized void closed(PosixQueue q) {
    q.users--;
    free(q);
  }

  private void free(PosixQueue q) {
    if (!q.named && q.users == 0) {
      charged.merge(q.uid, -PosixQueue.cost(q.maxMessages, q.maxSize), Long::sum);
    }
  }
}
