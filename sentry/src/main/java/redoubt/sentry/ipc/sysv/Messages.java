package redoubt.sentry.ipc.sysv;

import static redoubt.abi.Errno.E2BIG;
import static redoubt.abi.Errno.EACCES;
import static redoubt.abi.Errno.EAGAIN;
import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.EIDRM;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ENOMEM;
import static redoubt.abi.Errno.ENOMSG;
import static redoubt.abi.Errno.EPERM;
import static redoubt.abi.Errno.ERESTARTNOHAND;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import redoubt.abi.Caps;
import redoubt.abi.Ipc;
import redoubt.abi.Poll;
import redoubt.host.Memory;
import redoubt.sentry.ipc.sysv.MessageQueue.Message;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.WaitQueue;
import redoubt.sentry.kernel.Waiter;

/**
 * The calls of <a href="https://man7.org/linux/man-pages/man2/msgget.2.html">msgget(2)</a> and its
 * family: ipc/msg.c.
 */
public final class Messages {
  // struct msginfo, 32 bytes.
  private static final int MSGINFO = 32;
  private static final int MSGSSZ = 16;

  private Messages() {}

  private static MessageQueues queues(Task t) {
    return t.namespaces().ipc.part(MessageQueues.class, MessageQueues::new);
  }

  /** msgget(2). */
  public static long msgget(Task t, Args a) {
    return queues(t).get(t, a.int0(), 0, a.int1());
  }

  /** <a href="https://man7.org/linux/man-pages/man2/msgop.2.html">msgsnd(2)</a>. */
  public static long msgsnd(Task t, Args a) {
    if (t.copyInScratch(a.a1, 8) < 0) {
      return -EFAULT;
    }
    long type = t.scratch().get(Memory.LONG, 0);
    if (a.a2 < 0 || a.a2 > Ipc.MSGMAX || a.int0() < 0 || type < 1) {
      return -EINVAL;
    }
    byte[] text = new byte[(int) a.a2];
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment m = arena.allocate(Math.max(1, text.length));
      if (t.copyIn(a.a1 + 8, m, 0, text.length) < 0) {
        return -EFAULT;
      }
      MemorySegment.copy(m, Memory.BYTE, 0, text, 0, text.length);
    }
    MessageQueues all = queues(t);
    MessageQueue q;
    synchronized (all) {
      q = all.find(a.int0());
    }
    if (q == null) {
      return -EINVAL;
    }
    Waiter.Entry entry = t.waitEntry();
    q.senders.add(entry, Poll.POLLOUT);
    try {
      for (; ; ) {
        long r = send(t, all, q, new Message(type, text));
        if (r != -EAGAIN || (a.int3() & Ipc.IPC_NOWAIT) != 0) {
          return r;
        }
        if (t.block(Waiter.FOREVER) < 0) {
          return -ERESTARTNOHAND;
        }
      }
    } finally {
      q.senders.remove(entry);
    }
  }

  private static long send(Task t, MessageQueues all, MessageQueue q, Message m) {
    synchronized (all) {
      if (q.removed) {
        return -EIDRM;
      }
      if (!q.permits(t.creds(), 2)) {
        return -EACCES;
      }
      if (!q.hasRoom(m.text.length)) {
        return -EAGAIN;
      }
      if (!all.charge(m.text.length)) {
        return -ENOMEM;
      }
      q.add(m);
      q.lastSender = t.tgid();
      q.sentAt = IpcObject.now();
    }
    q.receivers.notify(Poll.POLLIN);
    return 0;
  }

  /** <a href="https://man7.org/linux/man-pages/man2/msgop.2.html">msgrcv(2)</a>. */
  public static long msgrcv(Task t, Args a) {
    int flags = a.int4();
    if (a.int0() < 0 || a.a2 < 0) {
      return -EINVAL;
    }
    if ((flags & Ipc.MSG_COPY) != 0
        && ((flags & Ipc.MSG_EXCEPT) != 0 || (flags & Ipc.IPC_NOWAIT) == 0)) {
      return -EINVAL;
    }
    MessageQueues all = queues(t);
    MessageQueue q;
    synchronized (all) {
      q = all.find(a.int0());
    }
    if (q == null) {
      return -EINVAL;
    }
    WaitQueue queue = q.receivers;
    Waiter.Entry entry = t.waitEntry();
    queue.add(entry, Poll.POLLIN);
    try {
      for (; ; ) {
        long r = receive(t, all, q, a);
        if (r != -ENOMSG || (flags & Ipc.IPC_NOWAIT) != 0) {
          return r;
        }
        if (t.block(Waiter.FOREVER) < 0) {
          return -ERESTARTNOHAND;
        }
      }
    } finally {
      queue.remove(entry);
    }
  }

  private static long receive(Task t, MessageQueues all, MessageQueue q, Args a) {
    int flags = a.int4();
    Message m;
    synchronized (all) {
      if (q.removed) {
        return -EIDRM;
      }
      if (!q.permits(t.creds(), 4)) {
        return -EACCES;
      }
      m = q.find(a.a3, flags);
      if (m == null) {
        return -ENOMSG;
      }
      if (a.a2 < m.text.length && (flags & Ipc.MSG_NOERROR) == 0) {
        return -E2BIG;
      }
      if ((flags & Ipc.MSG_COPY) == 0) {
        q.remove(m);
        all.uncharge(m.text.length);
        q.lastReceiver = t.tgid();
        q.receivedAt = IpcObject.now();
      }
    }
    q.senders.notify(Poll.POLLOUT);
    return give(t, a.a1, m, (int) Math.min(a.a2, m.text.length));
  }

  private static long give(Task t, long uaddr, Message message, int length) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment m = arena.allocate(8L + length, 8);
      m.set(Memory.LONG, 0, message.type);
      MemorySegment.copy(message.text, 0, m, Memory.BYTE, 8, length);
      return t.copyOutNow(uaddr, m, 0, 8L + length) < 0 ? -EFAULT : length;
    }
  }

  /** <a href="https://man7.org/linux/man-pages/man2/msgctl.2.html">msgctl(2)</a>. */
  public static long msgctl(Task t, Args a) {
    int command = a.int1() & ~Ipc.IPC_64;
    if (a.int0() < 0 || command < 0) {
      return -EINVAL;
    }
    MessageQueues all = queues(t);
    return switch (command) {
      case Ipc.IPC_INFO, Ipc.MSG_INFO -> info(t, a.a2, all, command == Ipc.MSG_INFO);
      case Ipc.IPC_STAT, Ipc.MSG_STAT, Ipc.MSG_STAT_ANY -> stat(t, a, all, command);
      case Ipc.IPC_SET -> change(t, a, all);
      case Ipc.IPC_RMID -> remove(t, a, all);
      default -> -EINVAL;
    };
  }

  private static long remove(Task t, Args a, MessageQueues all) {
    MessageQueue q;
    synchronized (all) {
      q = all.find(a.int0());
      if (q == null) {
        return -EINVAL;
      }
      if (!q.isOwner(t.creds())) {
        return -EPERM;
      }
      all.remove(q);
    }
    q.receivers.notify(Poll.POLLIN);
    q.senders.notify(Poll.POLLOUT);
    return 0;
  }

  private static long change(Task t, Args a, MessageQueues all) {
    if (t.copyInScratch(a.a2, Ipc.SIZEOF_MSQID64_DS) < 0) {
      return -EFAULT;
    }
    MemorySegment m = t.scratch();
    long maxBytes = m.get(Memory.LONG, Ipc.MSQID64_DS_MSG_QBYTES);
    MessageQueue q;
    synchronized (all) {
      q = all.find(a.int0());
      if (q == null) {
        return -EINVAL;
      }
      if (!q.isOwner(t.creds())) {
        return -EPERM;
      }
      if (Long.compareUnsigned(maxBytes, Ipc.MSGMNB) > 0
          && !t.hasCapability(Caps.CAP_SYS_RESOURCE)) {
        return -EPERM;
      }
      q.maxBytes = maxBytes < 0 ? Long.MAX_VALUE : maxBytes;
      q.readPerm(m);
    }
    q.receivers.notify(Poll.POLLIN); // some may have lost their permission
    q.senders.notify(Poll.POLLOUT);
    return 0;
  }

  private static long stat(Task t, Args a, MessageQueues all, int command) {
    MemorySegment m = t.scratch();
    m.asSlice(0, Ipc.SIZEOF_MSQID64_DS).fill((byte) 0);
    MessageQueue q;
    synchronized (all) {
      q = all.find(a.int0());
      if (q == null) {
        return -EINVAL;
      }
      if (command != Ipc.MSG_STAT_ANY && !q.permits(t.creds(), 4)) {
        return -EACCES;
      }
      q.writePerm(m);
      m.set(Memory.LONG, Ipc.MSQID64_DS_MSG_STIME, q.sentAt);
      m.set(Memory.LONG, Ipc.MSQID64_DS_MSG_RTIME, q.receivedAt);
      m.set(Memory.LONG, Ipc.MSQID64_DS_MSG_CTIME, q.changedAt);
      m.set(Memory.LONG, Ipc.MSQID64_DS_MSG_CBYTES, q.bytes);
      m.set(Memory.LONG, Ipc.MSQID64_DS_MSG_QNUM, q.count());
      m.set(Memory.LONG, Ipc.MSQID64_DS_MSG_QBYTES, q.maxBytes);
      m.set(Memory.INT, Ipc.MSQID64_DS_MSG_LSPID, q.lastSender);
      m.set(Memory.INT, Ipc.MSQID64_DS_MSG_LRPID, q.lastReceiver);
    }
    long e = t.copyOutScratch(a.a2, Ipc.SIZEOF_MSQID64_DS);
    return e < 0 ? e : command == Ipc.IPC_STAT ? 0 : q.id;
  }

  private static long info(Task t, long uaddr, MessageQueues all, boolean usage) {
    int highest;
    int count = 0;
    int headers = 0;
    long bytes = 0;
    synchronized (all) {
      highest = all.highestId();
      for (MessageQueue q : all.all()) {
        count++;
        headers += q.count();
        bytes += q.bytes;
      }
    }
    MemorySegment m = t.scratch();
    m.asSlice(0, MSGINFO).fill((byte) 0);
    m.set(Memory.INT, 0, usage ? count : Ipc.MSGMNI * (Ipc.MSGMNB / 1024));
    m.set(Memory.INT, 4, usage ? headers : Ipc.MSGMNB);
    m.set(Memory.INT, 8, Ipc.MSGMAX);
    m.set(Memory.INT, 12, Ipc.MSGMNB);
    m.set(Memory.INT, 16, Ipc.MSGMNI);
    m.set(Memory.INT, 20, MSGSSZ);
    m.set(Memory.INT, 24, usage ? (int) bytes : Ipc.MSGMNB);
    m.set(Memory.SHORT, 28, (short) 0xffff);
    long e = t.copyOutScratch(uaddr, MSGINFO);
    return e < 0 ? e : highest;
  }

  /** Appends the lines of /proc/sysvipc/msg. */
  public static void list(Task t, StringBuilder out) {
    MessageQueues all = queues(t);
    synchronized (all) {
      for (MessageQueue q : all.all()) {
        IpcObject.column(out, 10, Long.toString(q.key));
        IpcObject.column(out, 11, Long.toString(q.id));
        IpcObject.column(out, 6, Integer.toOctalString(q.mode));
        IpcObject.column(out, 12, Long.toString(q.bytes));
        IpcObject.column(out, 11, Long.toString(q.count()));
        IpcObject.column(out, 6, Long.toString(q.lastSender));
        IpcObject.column(out, 6, Long.toString(q.lastReceiver));
        IpcObject.column(out, 6, Long.toString(q.uid));
        IpcObject.column(out, 6, Long.toString(q.gid));
        IpcObject.column(out, 6, Long.toString(q.creatorUid));
        IpcObject.column(out, 6, Long.toString(q.creatorGid));
        IpcObject.column(out, 11, Long.toString(q.sentAt));
        IpcObject.column(out, 11, Long.toString(q.receivedAt));
        IpcObject.column(out, 11, Long.toString(q.changedAt));
        out.append('\n');
      }
    }
  }
}
