package redoubt.sentry.fs.host;

import java.lang.foreign.MemorySegment;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import redoubt.host.Fd;
import redoubt.host.HostIo;
import redoubt.host.Memory;
import redoubt.sentry.kernel.Kernel;
import redoubt.sentry.kernel.WaitQueue;

/** One thread that sleeps in the host's epoll_wait(2) and passes on what becomes ready. */
final class HostPoller {
  private static final int BATCH = 16;
  private static final int SIZEOF_EPOLL_EVENT = 12;

  private final Fd epoll = HostIo.newEpoll();
  private final ConcurrentHashMap<Long, WaitQueue> queues = new ConcurrentHashMap<>();
  private final AtomicLong keys = new AtomicLong();
  private boolean started; // guarded by this

  /** {@return the kernel's one poller} */
  static HostPoller of(Kernel k) {
    synchronized (k) {
      HostPoller p = k.subsystemOrNull(HostPoller.class);
      if (p == null) {
        p = new HostPoller();
        k.register(HostPoller.class, p);
      }
      return p;
    }
  }

  /**
   * Watches {@code fd} and notifies {@code queue}. Returns a key for {@link #remove}, or -1 if it
   * never blocks.
   */
  long add(Fd fd, WaitQueue queue) {
    long key = keys.incrementAndGet();
    queues.put(key, queue);
    if (HostIo.watch(epoll, fd.number(), key) < 0) {
      queues.remove(key);
      return -1;
    }
    start();
    return key;
  }

  void remove(Fd fd, long key) {
    if (key >= 0) {
      HostIo.unwatch(epoll, fd.number());
      queues.remove(key);
    }
  }

  private synchronized void start() {
    if (!started) {
      Thread t = new Thread(null, this::run, "host-poller", 256 * 1024);
      t.setDaemon(true);
      t.start();
      started = true;
    }
  }

  private void run() {
    MemorySegment events = Memory.allocateGlobal(BATCH * SIZEOF_EPOLL_EVENT);
    for (; ; ) {
      long n = HostIo.await(epoll, events, BATCH);
      if (n < 0 && n != -redoubt.abi.Errno.EINTR) {
        return;
      }
      for (int i = 0; i < n; i++) {
        WaitQueue q = queues.get(events.get(Memory.LONG, (long) i * SIZEOF_EPOLL_EVENT + 4));
        if (q != null) {
          q.notify(events.get(Memory.INT, (long) i * SIZEOF_EPOLL_EVENT));
        }
      }
    }
  }
}
