package redoubt.p9;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.util.Objects;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Errno;
import redoubt.host.Fd;
import redoubt.host.FileSystemCalls;
import redoubt.host.Memory;
import redoubt.host.SeqpacketSocket;

/**
 * One socket to the gofer and the calls under way on it. Thread-safe.
 *
 * <p>Who receives: of the threads that wait, one is the <em>leader</em> and reads the socket. It
 * gives answers for others to them by exchanging message buffers (no copy), and when its own comes
 * it leaves and wakes another. A call's life:
 *
 * <pre>
 *   FREE --begin--> FILLING --send--> SENT --answer came--> DONE --end--> FREE
 * </pre>
 */
final class P9Lane {
  /** Most calls under way at once; further callers wait for one to end. */
  private static final int CALLS_MAX = 64;

  private static final int FREE = 0;
  private static final int FILLING = 1;
  private static final int SENT = 2;
  private static final int DONE = 3;

  /** A call: a tag, a buffer for the request and then the answer, and fids it may need. */
  static final class Call {
    final P9Lane lane;
    final int tag;
    final int[] fids = new int[P9.CLUNK_MAX];

    /** Written by the owner, except that the leader exchanges it under {@code mu} when SENT. */
    P9Buffer buffer;

    /** The descriptor that came with the answer, or -1. */
    int fd = -1;

    /** The answer brought a descriptor for which this process had no room. */
    boolean lostFd;

    private final Condition turn;
    private final SeqpacketSocket.Channel channel = new SeqpacketSocket.Channel();

    /** FREE to SENT by the owner; DONE by the leader, after buffer and fd. */
    private volatile int state = FREE;

    /** Whether the owner sleeps on {@link #turn}; guarded by {@code mu}. */
    private boolean waiting;

    private Call(P9Lane lane, int tag, Condition turn, P9Buffer buffer) {
      this.lane = lane;
      this.tag = tag;
      this.turn = turn;
      this.buffer = buffer;
    }

    int takeFd() {
      int taken = fd;
      fd = -1;
      return taken;
    }
  }

  private final Fd socket;
  private final int msize;

  private final ReentrantLock mu = new ReentrantLock();
  private final Condition freed = mu.newCondition();

  @GuardedBy("mu")
  private final @Nullable Call[] calls = new @Nullable Call[CALLS_MAX];

  @GuardedBy("mu")
  private int callCount;

  @GuardedBy("mu")
  private final int[] freeCalls = new int[CALLS_MAX];

  @GuardedBy("mu")
  private int freeCallCount;

  @GuardedBy("mu")
  private int sleepers;

  @GuardedBy("mu")
  private @Nullable Call leader;

  @GuardedBy("mu")
  private boolean broken;

  P9Lane(Fd socket, int msize) {
    this.socket = socket;
    this.msize = msize;
  }

  int socketNumber() {
    return socket.number();
  }

  /** Takes a call and begins its message; null if the connection has ended. */
  @Nullable Call begin(int type) {
    Call c;
    mu.lock();
    try {
      while (!broken && freeCallCount == 0 && callCount == CALLS_MAX) {
        freed.awaitUninterruptibly();
      }
      if (broken) {
        return null;
      }
      if (freeCallCount == 0) {
        addCall();
      }
      c = Objects.requireNonNull(calls[freeCalls[--freeCallCount]]);
      c.state = FILLING;
    } finally {
      mu.unlock();
    }
    c.buffer.begin(type, c.tag);
    return c;
  }

  /** Sends the message of length {@code length}; returns null, or why the connection fails. */
  @Nullable String send(Call c, int length) {
    c.state = SENT;
    long r = SeqpacketSocket.send(socket.number(), c.buffer.haddr(0), length);
    if (r < 0) {
      return r == -Errno.EPIPE
          ? "the gofer has ended"
          : "sending to the gofer: " + Errno.name((int) -r);
    }
    return null;
  }

  /**
   * Waits for the answer to what was sent.
   *
   * @return null with the answer accepted in the call's buffer, or why the connection fails
   */
  @Nullable String await(Call c) {
    mu.lock();
    try {
      while (leader != null && c.state == SENT && !broken) {
        c.waiting = true;
        sleepers++;
        c.turn.awaitUninterruptibly();
        sleepers--;
        c.waiting = false;
      }
      if (c.state == DONE) {
        return null;
      }
      if (broken) {
        return "the gofer has ended";
      }
      leader = c;
    } finally {
      mu.unlock();
    }
    String trouble = lead(c);
    if (trouble != null) {
      return trouble;
    }
    mu.lock();
    try {
      leader = null;
      if (sleepers > 0) {
        promote();
      }
    } finally {
      mu.unlock();
    }
    return null;
  }

  /** Gives a call back. */
  void end(Call c) {
    int fd = c.takeFd();
    if (fd >= 0) {
      FileSystemCalls.close(fd);
    }
    mu.lock();
    try {
      c.state = FREE;
      freeCalls[freeCallCount++] = c.tag;
      freed.signal();
    } finally {
      mu.unlock();
    }
  }

  /** Makes every call fail, those under way too. */
  void breakUp() {
    mu.lock();
    try {
      if (broken) {
        return;
      }
      broken = true;
      leader = null;
      SeqpacketSocket.shutdown(socket.number());
      for (int i = 0; i < callCount; i++) {
        Call c = calls[i];
        if (c != null) {
          c.turn.signal();
        }
      }
      freed.signalAll();
    } finally {
      mu.unlock();
    }
  }

  /** Waits for the calls under way and gives memory and socket back. */
  void close() {
    breakUp();
    mu.lock();
    try {
      while (freeCallCount < callCount) {
        freed.awaitUninterruptibly();
      }
      for (int i = 0; i < callCount; i++) {
        Call c = calls[i];
        if (c != null) {
          Memory.unmap(c.buffer.memory());
          calls[i] = null;
        }
      }
      callCount = 0;
      freeCallCount = 0;
    } finally {
      mu.unlock();
    }
    socket.close();
  }

  /** Receives until the answer of {@code c} is there; returns what is wrong, or null. */
  private @Nullable String lead(Call c) {
    while (true) {
      P9Buffer b = c.buffer;
      long n = c.channel.receive(socket.number(), b.haddr(0), msize, true);
      if (n == 0 || n == -Errno.ECONNRESET) {
        return "the gofer has ended";
      }
      if (n < 0) {
        return "receiving from the gofer: " + Errno.name((int) -n);
      }
      int fd = c.channel.takeFd();
      boolean lost = c.channel.lostFd();
      if (!b.accept(n)) {
        closeFd(fd);
        return "malformed message from the gofer: the size in it is not " + n;
      }
      int tag = b.tag();
      if (tag == c.tag) {
        c.fd = fd;
        c.lostFd = lost;
        c.state = DONE;
        return null;
      }
      if (!deliver(c, b, tag, fd, lost)) {
        closeFd(fd);
        return "malformed message from the gofer: nobody waits for tag " + tag;
      }
    }
  }

  /** Gives an answer to the call that has its tag. */
  private boolean deliver(Call from, P9Buffer b, int tag, int fd, boolean lost) {
    mu.lock();
    try {
      Call to = tag < callCount ? calls[tag] : null;
      if (to == null || to.state != SENT) {
        return false;
      }
      from.buffer = to.buffer;
      to.buffer = b;
      to.fd = fd;
      to.lostFd = lost;
      to.state = DONE;
      to.turn.signal();
      return true;
    } finally {
      mu.unlock();
    }
  }

  private static void closeFd(int fd) {
    if (fd >= 0) {
      FileSystemCalls.close(fd);
    }
  }

  @GuardedBy("mu")
  private void addCall() {
    int tag = callCount++;
    calls[tag] = new Call(this, tag, mu.newCondition(), new P9Buffer(Memory.mapAnonymous(msize)));
    freeCalls[freeCallCount++] = tag;
  }

  @GuardedBy("mu")
  private void promote() {
    for (int i = 0; i < callCount; i++) {
      Call c = calls[i];
      if (c != null && c.waiting && c.state == SENT) {
        c.turn.signal();
        return;
      }
    }
  }
}
