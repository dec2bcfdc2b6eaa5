package redoubt.sentry.socket.inet;

import static redoubt.abi.Errno.EAGAIN;
import static redoubt.abi.Errno.EINPROGRESS;
import static redoubt.abi.Errno.EINTR;
import static redoubt.abi.Errno.EMFILE;
import static redoubt.abi.Poll.POLLIN;
import static redoubt.abi.Poll.POLLOUT;
import static redoubt.abi.Poll.POLLRDHUP;
import static redoubt.abi.Socket.AF_INET;
import static redoubt.abi.Socket.SHUT_RDWR;
import static redoubt.abi.Socket.SHUT_WR;
import static redoubt.abi.Socket.SOCK_NONBLOCK;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import redoubt.host.Fd;
import redoubt.host.HostIo;
import redoubt.sentry.kernel.KernelIo;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.WaitQueue;
import redoubt.sentry.socket.SocketCall;
import redoubt.sentry.socket.Sockets;

/**
 * A connection to a port of a container's 127.0.0.1 whose other end is two pipes of the host: what
 * {@code redoubt port-forward} carries. Each direction has a thread; the end of one is passed on
 * while the other goes on.
 */
public final class PortForward {
  private static final int MAX = 64;
  private static final int BUFFER = 64 << 10;
  private static final AtomicInteger OPEN = new AtomicInteger();

  private final Task task;
  private final TcpSocket socket;
  private final AtomicInteger running = new AtomicInteger(2);

  private PortForward(Task task, TcpSocket socket) {
    this.task = task;
    this.socket = socket;
  }

  /**
   * Connects, and begins to carry bytes from {@code in} and to {@code out}, which are its own from
   * now on.
   *
   * @param t whose network it is
   * @return 0 or -errno, with both closed
   */
  public static long open(Task t, int port, Fd in, Fd out) {
    long r = OPEN.incrementAndGet() > MAX ? -EMFILE : 0;
    TcpSocket s = null;
    if (r == 0) {
      s = new TcpSocket(t, Sockets.of(t).inet(), AF_INET, SOCK_NONBLOCK);
      var c = new SocketCall();
      InetAddresses.write(AF_INET, 0, InetAddresses.LOOPBACK4, port, c.name);
      r = s.connect(t, c, true);
      if (r == -EINPROGRESS) {
        r = s.connectResult();
        r = r == -EAGAIN ? 0 : r; // send and receive wait for it
      }
    }
    if (s == null || r < 0) {
      in.close();
      out.close();
      if (s != null) {
        s.decRef();
      }
      OPEN.decrementAndGet();
      return r;
    }
    var f = new PortForward(t, s);
    Thread.ofPlatform().daemon().name("forward in").start(() -> f.run(() -> f.bringIn(in)));
    Thread.ofPlatform().daemon().name("forward out").start(() -> f.run(() -> f.takeOut(out)));
    return 0;
  }

  private void run(Runnable direction) {
    try {
      direction.run();
    } finally {
      if (running.decrementAndGet() == 0) {
        socket.decRef();
        OPEN.decrementAndGet();
      }
    }
  }

  private void bringIn(Fd in) {
    var call = new SocketCall();
    try (in;
        Arena arena = Arena.ofConfined()) {
      MemorySegment buffer = arena.allocate(BUFFER, 8);
      var src = new KernelIo(buffer, 0, 0);
      for (; ; ) {
        long n = HostIo.read(in.number(), buffer, 0, BUFFER);
        if (n == -EINTR) {
          continue;
        }
        if (n <= 0) {
          socket.shutdown(n == 0 ? SHUT_WR : SHUT_RDWR);
          return;
        }
        src.reset(buffer, 0, n);
        while (src.remaining() > 0) {
          long r = socket.send(task, src, call.reset(0));
          if (r == -EAGAIN) {
            await(POLLOUT);
          } else if (r < 0) {
            return; // the container has closed it: what still comes is for nobody
          }
        }
      }
    }
  }

  private void takeOut(Fd out) {
    var call = new SocketCall();
    try (out;
        Arena arena = Arena.ofConfined()) {
      MemorySegment buffer = arena.allocate(BUFFER, 8);
      var dst = new KernelIo(buffer, 0, 0);
      for (; ; ) {
        dst.reset(buffer, 0, BUFFER);
        long n = socket.receive(task, dst, call.reset(0));
        if (n == -EAGAIN) {
          await(POLLIN | POLLRDHUP);
          continue;
        }
        if (n <= 0) {
          return;
        }
        if (!write(out, buffer, n)) {
          socket.shutdown(SHUT_RDWR);
          return;
        }
      }
    }
  }

  private static boolean write(Fd out, MemorySegment buffer, long length) {
    for (long done = 0; done < length; ) {
      long w = HostIo.write(out.number(), buffer, done, length - done);
      if (w < 0 && w != -EINTR) {
        return false;
      }
      done += Math.max(w, 0);
    }
    return true;
  }

  /** Waits until one of {@code events} holds. */
  private void await(int events) {
    Thread self = Thread.currentThread();
    var entry =
        new WaitQueue.Entry() {
          @Override
          protected void onEvent(int happened) {
            LockSupport.unpark(self);
          }
        };
    WaitQueue q = socket.waitQueue();
    q.add(entry, events);
    try {
      while ((socket.poll() & (events | redoubt.abi.Poll.POLLERR | redoubt.abi.Poll.POLLHUP))
          == 0) {
        LockSupport.park(this);
      }
    } finally {
      q.remove(entry);
    }
  }
}
