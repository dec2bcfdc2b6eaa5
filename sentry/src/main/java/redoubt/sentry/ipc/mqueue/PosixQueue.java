package redoubt.sentry.ipc.mqueue;

import static redoubt.abi.Errno.EAGAIN;
import static redoubt.abi.Errno.EBUSY;
import static redoubt.abi.Errno.EMSGSIZE;

import java.util.ArrayDeque;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Poll;
import redoubt.abi.Signal;
import redoubt.sentry.kernel.Credentials;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.ThreadGroup;
import redoubt.sentry.kernel.WaitQueue;

/**
 * One queue of messages by priority: Linux's mqueue_inode_info. It lives while it has a name or a
 * description.
 */
final class PosixQueue {
  /** What a message costs beside its bytes, as Linux charges it to RLIMIT_MSGQUEUE. */
  private static final int MESSAGE_COST = 48;

  private static final int PRIORITY_COST = 48;

  final WaitQueue queue = new WaitQueue();
  final int maxMessages;
  final int maxSize;
  final int uid;
  final int gid;
  final int mode;

  private final TreeMap<Integer, ArrayDeque<byte[]>> messages = new TreeMap<>(); // guarded by this
  private int count; // guarded by this
  private long bytes; // guarded by this
  private int receivers; // guarded by this: tasks that wait for a message
  private @Nullable Notice notice; // guarded by this

  /** Guarded by the table. */
  int users;

  boolean named = true;

  static final class Message {
    final int priority;
    final byte[] text;

    Message(int priority, byte[] text) {
      this.priority = priority;
      this.text = text;
    }
  }

  PosixQueue(int maxMessages, int maxSize, int mode, Credentials c) {
    this.maxMessages = maxMessages;
    this.maxSize = maxSize;
    this.mode = mode;
    this.uid = c.fsuid;
    this.gid = c.fsgid;
  }

  /** {@return what it takes of its owner's RLIMIT_MSGQUEUE} */
  static long cost(long maxMessages, long maxSize) {
    return maxMessages * (MESSAGE_COST + maxSize)
        + Math.min(maxMessages, redoubt.abi.Ipc.MQ_PRIO_MAX) * PRIORITY_COST;
  }

  /** {@return whether {@code c} may open it for {@code want} (4 read, 2 write)} */
  boolean permits(Credentials c, int want) {
    int granted = c.fsuid == uid ? mode >> 6 : c.inGroup(gid) ? mode >> 3 : mode;
    return (granted & want) == want || c.hasCapability(redoubt.abi.Caps.CAP_DAC_OVERRIDE);
  }

  /** Puts a message in. Returns 0, -EMSGSIZE or -EAGAIN. */
  long send(Task t, int priority, byte[] text) {
    Notice due = null;
    synchronized (this) {
      if (text.length > maxSize) {
        return -EMSGSIZE;
      }
      if (count >= maxMessages) {
        return -EAGAIN;
      }
      messages.computeIfAbsent(priority, p -> new ArrayDeque<>()).add(text);
      bytes += text.length;
      if (count++ == 0 && receivers == 0) {
        due = notice;
        notice = null;
      }
    }
    queue.notify(Poll.POLLIN | Poll.POLLRDNORM);
    if (due != null) {
      due.tell(t);
    }
    return 0;
  }

  /** Takes the oldest of the highest priority, or {@return null}. */
  @Nullable Message receive() {
    Message m;
    synchronized (this) {
      Map.Entry<Integer, ArrayDeque<byte[]>> top = messages.lastEntry();
      if (top == null) {
        return null;
      }
      m = new Message(top.getKey(), top.getValue().remove());
      if (top.getValue().isEmpty()) {
        messages.remove(top.getKey());
      }
      count--;
      bytes -= m.text.length;
    }
    queue.notify(Poll.POLLOUT | Poll.POLLWRNORM);
    return m;
  }

  /** A task begins (1) or ends (-1) to wait for a message: it comes before a notice. */
  synchronized void waiting(int delta) {
    receivers += delta;
  }

  synchronized int count() {
    return count;
  }

  synchronized int poll() {
    return (count > 0 ? Poll.POLLIN | Poll.POLLRDNORM : 0)
        | (count < maxMessages ? Poll.POLLOUT | Poll.POLLWRNORM : 0);
  }

  /** mq_notify(3). Returns 0 or -EBUSY. */
  synchronized long register(Notice n) {
    if (notice != null) {
      return -EBUSY;
    }
    notice = n;
    return 0;
  }

  /** Drops the registration if it is that of {@code process}. */
  void unregister(ThreadGroup process) {
    Notice n;
    synchronized (this) {
      n = notice;
      if (n == null || n.process() != process) {
        return;
      }
      notice = null;
    }
    queue.notify(0);
    n.drop();
  }

  /** {@return the text that read(2) gives} */
  synchronized String text() {
    Notice n = notice;
    StringBuilder out = new StringBuilder();
    field(out, "QSIZE:", bytes, 10).append(' ');
    field(out, "NOTIFY:", n == null ? 0 : n.how(), 5).append(' ');
    field(out, "SIGNO:", n == null || n.how() != Signal.SIGEV_SIGNAL ? 0 : n.signo(), 5)
        .append(' ');
    field(out, "NOTIFY_PID:", n == null ? 0 : n.process().tgid(), 6).append('\n');
    return out.toString();
  }

  private static StringBuilder field(StringBuilder out, String name, long value, int width) {
    String digits = Long.toString(value);
    return out.append(name).append(digits).repeat(' ', Math.max(0, width - digits.length()));
  }
}
