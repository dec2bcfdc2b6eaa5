package redoubt.gofer;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Errno;
import redoubt.host.Fd;
import redoubt.host.FileSystemCalls;
import redoubt.host.HostException;
import redoubt.host.SeqpacketSocket;

/**
 * What the workers of one gofer share: the socket, the attach points, the fids and what the host
 * can do.
 */
public final class GoferServer {
  /** Lanes at most, and workers for each: the second serves while the first waits for a disk. */
  private static final int LANES_MAX = 64;

  private static final int LANE_WORKERS = 2;
  private static final long STACK_BYTES = 128 * 1024;

  final int socket;

  /** A directory descriptor of /proc/self/fd, to open what an O_PATH descriptor stands for. */
  final int procFd;

  final FidTable fids;
  final Log log;

  /** Whether the host has openat2(2), Linux 5.6. */
  final boolean hasOpenat2;

  /** The largest message, once agreed. */
  volatile int msize;

  private final Attach[] attaches;
  private final AtomicBoolean ended = new AtomicBoolean();

  private final Object laneMu = new Object();

  @GuardedBy("laneMu")
  private final int[] laneSockets = new int[LANES_MAX];

  @GuardedBy("laneMu")
  private int laneCount;

  @GuardedBy("laneMu")
  private final Thread[] laneThreads = new Thread[LANES_MAX * LANE_WORKERS];

  @GuardedBy("laneMu")
  private boolean noMoreLanes;

  GoferServer(int socket, int procFd, Attach[] attaches, int maxFids, Log log, boolean hasOpenat2) {
    this.socket = socket;
    this.procFd = procFd;
    this.attaches = attaches;
    this.fids = new FidTable(maxFids);
    this.log = log;
    this.hasOpenat2 = hasOpenat2;
  }

  @Nullable Attach attach(byte[] name) {
    for (Attach a : attaches) {
      if (java.util.Arrays.equals(a.name, name)) {
        return a;
      }
    }
    return null;
  }

  @Nullable Attach firstAttach() {
    return attaches.length > 0 ? attaches[0] : null;
  }

  /** Starts workers on threads of their own, and works on this one until the client is gone. */
  void serve(Worker[] workers) {
    Thread[] threads = new Thread[workers.length - 1];
    for (int i = 1; i < workers.length; i++) {
      Worker w = workers[i];
      Thread t = new Thread(null, w, "gofer-" + i, STACK_BYTES);
      threads[i - 1] = t;
      t.setDaemon(true);
      t.start();
    }
    workers[0].run();
    for (Thread t : threads) {
      join(t);
    }
    int lanes;
    synchronized (laneMu) {
      noMoreLanes = true;
      lanes = laneCount;
    }
    for (int i = 0; i < lanes; i++) {
      for (int w = 0; w < LANE_WORKERS; w++) {
        join(laneThread(i * LANE_WORKERS + w));
      }
      FileSystemCalls.close(laneSocket(i));
    }
    fids.clear();
    FileSystemCalls.close(socket);
  }

  /**
   * Makes one more socket and workers that answer it on one processor.
   *
   * @return the client's end, or -errno
   */
  long addLane(int cpu) {
    Fd[] pair;
    try {
      pair = SeqpacketSocket.pair();
    } catch (HostException e) {
      return -e.errno();
    }
    synchronized (laneMu) {
      if (noMoreLanes || ended.get() || laneCount == LANES_MAX) {
        pair[0].close();
        pair[1].close();
        return -Errno.ENOSPC;
      }
      int mine = pair[0].release();
      SeqpacketSocket.setSendBuffer(mine, msize);
      laneSockets[laneCount] = mine;
      for (int w = 0; w < LANE_WORKERS; w++) {
        Thread t = new Thread(null, new Worker(this, mine, cpu), "gofer-lane-" + cpu, STACK_BYTES);
        t.setDaemon(true);
        laneThreads[laneCount * LANE_WORKERS + w] = t;
        t.start();
      }
      laneCount++;
    }
    return pair[1].release();
  }

  private Thread laneThread(int i) {
    synchronized (laneMu) {
      return laneThreads[i];
    }
  }

  private int laneSocket(int i) {
    synchronized (laneMu) {
      return laneSockets[i];
    }
  }

  @SuppressWarnings("ThreadJoinLoop") // the library it proposes is not ours to load
  private static void join(Thread t) {
    while (t.isAlive()) {
      try {
        t.join();
      } catch (InterruptedException e) {
        // Nobody interrupts us; wait on.
      }
    }
  }

  /** Ends the connection: all workers return. Only the first reason is logged. */
  void end(String why) {
    if (ended.compareAndSet(false, true)) {
      log.line(why);
      shutdown();
    }
  }

  /** As {@link #end}, for a failed receive or send. */
  void end(String what, long result) {
    end(what + ": " + Errno.name((int) -result));
  }

  /**
   * The client closed its end: of the first socket, which is the usual way out; of a lane, which
   * then only ends itself.
   */
  void clientGone(int which) {
    if (which == socket && ended.compareAndSet(false, true)) {
      shutdown();
    }
  }

  private void shutdown() {
    SeqpacketSocket.shutdown(socket);
    synchronized (laneMu) {
      for (int i = 0; i < laneCount; i++) {
        SeqpacketSocket.shutdown(laneSockets[i]);
      }
    }
  }
}
