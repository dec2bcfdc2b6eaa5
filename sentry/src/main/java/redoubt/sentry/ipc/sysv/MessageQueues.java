package redoubt.sentry.ipc.sysv;

import redoubt.sentry.kernel.Task;

/** The message queues of a sandbox. A subsystem of the kernel. */
public final class MessageQueues extends IpcTable<MessageQueue> {
  /**
   * Bytes of all queued messages with what each costs: a bound that Linux leaves to the memory
   * cgroup; past it msgsnd(2) gives ENOMEM.
   */
  static final long MAX_BYTES = 64 << 20;

  private static final int COST = 64;
  private long bytes;

  public MessageQueues() {
    super(redoubt.abi.Ipc.MSGMNI);
  }

  @Override
  MessageQueue make(Task t, int id, int key, int size, int flags) {
    return new MessageQueue(id, key, flags, t);
  }

  boolean charge(int length) {
    if (bytes + length + COST > MAX_BYTES) {
      return false;
    }
    bytes += length + COST;
    return true;
  }

  void uncharge(int length) {
    bytes -= length + COST;
  }

  /** IPC_RMID; the caller wakes those who wait. */
  void remove(MessageQueue q) {
    take(q);
    bytes -= q.bytes + (long) COST * q.count();
  }
}
