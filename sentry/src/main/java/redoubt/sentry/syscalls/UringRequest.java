package redoubt.sentry.syscalls;

import static redoubt.abi.IoUring.*;

import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import redoubt.host.Memory;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.TimerWheel;
import redoubt.sentry.kernel.WaitQueue;
import redoubt.sentry.vfs.FileDescription;

/**
 * One request of an io_uring: a copy of its submission entry, and how far it is. Belongs to the
 * task that submitted it, which alone carries it out.
 */
final class UringRequest extends WaitQueue.Entry {
  // What it waits for.
  static final int RUNNING = 0;
  static final int ARMED = 1;
  static final int READY = 2;
  static final int DONE = 3;

  final Uring ring;

  /** Who goes on with it; the submitter, or who is left when that has ended. */
  volatile Task owner;

  final int opcode;
  final int flags;
  final int ioprio;
  final int fd;
  final long off;
  final long addr;
  final int len;
  final int opFlags;
  final long userData;
  final int bufIndex;
  final int spliceFd;

  /** The file that it is about, with a reference, or null. */
  @Nullable FileDescription file;

  /** The queue that it is in while it waits for its file. */
  @Nullable WaitQueue queue;

  /** The next of its chain, which starts when this one is done. */
  @Nullable UringRequest next;

  /** A chain's time limit that is running because of this request. */
  @Nullable UringRequest limit;

  /** Of a time limit: what it limits. */
  @Nullable UringRequest limited;

  /** Of a timeout: how many completions end it, as a count of all completions; 0 for none. */
  long after;

  @Nullable Timer timer;

  /** A selected buffer's number, or -1. */
  int buffer = -1;

  /** RUNNING, ARMED, READY or DONE; from ARMED to READY by whoever comes first. */
  final AtomicInteger state = new AtomicInteger();

  /** Somebody ended it. */
  volatile boolean cancelled;

  /** The deadline came. */
  volatile boolean expired;

  /** Its time, if it has one. */
  final class Timer extends TimerWheel.Timer {
    @Override
    protected void expired() {
      expired = true;
      fire();
    }
  }

  /** Copies the entry at {@code at}: every word is read once, here. */
  UringRequest(Uring ring, Task owner, long at) {
    this.ring = ring;
    this.owner = owner;
    java.lang.foreign.MemorySegment s = owner.scratch();
    ring.memory.words.get(at, s, 0, SIZEOF_SQE);
    opcode = s.get(Memory.BYTE, SQE_OPCODE) & 0xff;
    flags = s.get(Memory.BYTE, SQE_FLAGS) & 0xff;
    ioprio = s.get(Memory.SHORT, SQE_IOPRIO) & 0xffff;
    fd = s.get(Memory.INT, SQE_FD);
    off = s.get(Memory.LONG, SQE_OFF);
    addr = s.get(Memory.LONG, SQE_ADDR);
    len = s.get(Memory.INT, SQE_LEN);
    opFlags = s.get(Memory.INT, SQE_OP_FLAGS);
    userData = s.get(Memory.LONG, SQE_USER_DATA);
    bufIndex = s.get(Memory.SHORT, SQE_BUF_INDEX) & 0xffff;
    spliceFd = s.get(Memory.INT, SQE_SPLICE_FD_IN);
  }

  boolean has(int sqeFlag) {
    return (flags & sqeFlag) != 0;
  }

  boolean isLinked() {
    return has(IOSQE_IO_LINK | IOSQE_IO_HARDLINK);
  }

  /** What it waits for came: its owner goes on with it. Any thread, under a queue's monitor. */
  void fire() {
    if (state.compareAndSet(ARMED, READY)) {
      ring.ready(this);
    }
  }

  @Override
  protected void onEvent(int events) {
    fire();
  }

  /** Takes it out of the queue that it waits in. */
  void disarm() {
    WaitQueue q = queue;
    if (q != null) {
      q.remove(this);
      queue = null;
    }
  }
}
