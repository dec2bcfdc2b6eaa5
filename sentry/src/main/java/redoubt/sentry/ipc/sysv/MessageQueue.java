package redoubt.sentry.ipc.sysv;

import java.util.ArrayDeque;
import java.util.Iterator;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Ipc;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.WaitQueue;

/** One message queue: Linux's msg_queue. Guarded by its table's monitor. */
final class MessageQueue extends IpcObject {
  static final class Message {
    final long type;
    final byte[] text;

    Message(long type, byte[] text) {
      this.type = type;
      this.text = text;
    }
  }

  private final ArrayDeque<Message> messages = new ArrayDeque<>();
  final WaitQueue senders = new WaitQueue();
  final WaitQueue receivers = new WaitQueue();
  long bytes;
  long maxBytes = Ipc.MSGMNB;
  int lastSender;
  int lastReceiver;
  long sentAt;
  long receivedAt;

  MessageQueue(int id, int key, int mode, Task t) {
    super(id, key, mode, t);
  }

  int count() {
    return messages.size();
  }

  boolean hasRoom(int length) {
    return length + bytes <= maxBytes && 1 + messages.size() <= maxBytes;
  }

  void add(Message m) {
    messages.add(m);
    bytes += m.text.length;
  }

  /** {@return the first message that {@code type} and {@code flags} of msgrcv(2) ask for} */
  @Nullable Message find(long type, int flags) {
    if ((flags & Ipc.MSG_COPY) != 0) {
      return at(type);
    }
    Message lowest = null;
    for (Message m : messages) {
      if (type == 0) {
        return m;
      }
      if (type > 0 && (m.type == type) != ((flags & Ipc.MSG_EXCEPT) != 0)) {
        return m;
      }
      // Long.MIN_VALUE stands for Long.MAX_VALUE, as in Linux's convert_mode.
      if (type < 0
          && m.type <= (type == Long.MIN_VALUE ? Long.MAX_VALUE : -type)
          && (lowest == null || m.type < lowest.type)) {
        lowest = m;
      }
    }
    return lowest;
  }

  private @Nullable Message at(long index) {
    Iterator<Message> i = messages.iterator();
    for (long n = 0; i.hasNext(); n++) {
      Message m = i.next();
      if (n == index) {
        return m;
      }
    }
    return null;
  }

  void remove(Message m) {
    for (Iterator<Message> i = messages.iterator(); i.hasNext(); ) {
      if (i.next() == m) {
        i.remove();
        bytes -= m.text.length;
        return;
      }
    }
  }
}
