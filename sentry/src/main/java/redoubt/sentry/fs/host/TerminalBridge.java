package redoubt.sentry.fs.host;

import static redoubt.abi.Errno.EIO;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import redoubt.host.Fd;
import redoubt.host.HostIo;
import redoubt.sentry.kernel.Waiter;
import redoubt.sentry.kernel.tty.PseudoTerminal;
import redoubt.sentry.vfs.FileDescription;

/**
 * Joins a container's terminal to a host terminal (in raw mode): two threads copy, one for each
 * direction. The guest sees its own terminal only, and nothing that it does there is an ioctl on
 * the host's.
 *
 * <p>Each thread sleeps while nothing comes. The one that writes may block in the host for as long
 * as nobody reads there: that holds up this terminal's output only, as it should.
 */
public final class TerminalBridge {
  private static final int CHUNK = 4096;
  private static final int POLLING = FileDescription.POLLIN | FileDescription.POLLOUT;

  private final PseudoTerminal tty;
  private final Fd host;
  private final Fd stop = HostIo.newEvent();
  private final Waiter outWaiter = new Waiter();
  private final Waiter inWaiter = new Waiter();
  private final CountDownLatch outDone = new CountDownLatch(1);
  private final CountDownLatch inDone = new CountDownLatch(1);
  private volatile boolean finishing;
  private volatile boolean stopped;

  private TerminalBridge(PseudoTerminal tty, Fd host) {
    this.tty = tty;
    this.host = host;
  }

  /**
   * Starts copying. The bridge owns {@code host} from now on; the container's terminal takes over
   * its window size unless it has one.
   */
  public static TerminalBridge start(PseudoTerminal tty, Fd host) {
    TerminalBridge b = new TerminalBridge(tty, host);
    if (tty.windowSizeBits() == 0) {
      tty.setWindowSize(HostIo.windowSize(host.number()));
    }
    b.thread("terminal-out", b::copyOut);
    b.thread("terminal-in", b::copyIn);
    return b;
  }

  private void thread(String name, Runnable body) {
    Thread t = new Thread(null, body, name, 256 * 1024);
    t.setDaemon(true);
    t.start();
  }

  /**
   * Ends the bridge once everything that was printed has reached the host, or after {@code limitMs}
   * when the host does not take it. Call when the container's process has ended; blocks.
   */
  public void finish(long limitMs) {
    finishing = true;
    outWaiter.wake();
    try {
      boolean drained = outDone.await(limitMs, TimeUnit.MILLISECONDS);
      stopped = true;
      HostIo.signal(stop);
      inWaiter.wake();
      inDone.await(limitMs, TimeUnit.MILLISECONDS);
      if (drained) {
        host.close();
        stop.close();
      } // else a thread still sits in a write to it: its number must not be reused
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void copyOut() {
    try (Arena arena = Arena.ofConfined()) {
      copyOut(arena.allocate(CHUNK));
    }
  }

  private void copyOut(MemorySegment buffer) {
    Waiter.Entry entry = new Waiter.Entry(outWaiter);
    tty.masterQueue().add(entry, FileDescription.POLLIN);
    try {
      for (; ; ) {
        boolean last = finishing; // before the read: what came before it is read
        long n = tty.readMaster(buffer, CHUNK);
        if (n > 0) {
          if (!writeAll(buffer, n)) {
            return;
          }
        } else if (last) {
          return;
        } else {
          outWaiter.block(Waiter.FOREVER, false); // -EAGAIN, or -EIO until somebody opens it again
        }
      }
    } finally {
      tty.masterQueue().remove(entry);
      outDone.countDown();
    }
  }

  private boolean writeAll(MemorySegment buffer, long bytes) {
    long done = 0;
    while (done < bytes) {
      long n = HostIo.write(host.number(), buffer, done, bytes - done);
      if (n == -redoubt.abi.Errno.EAGAIN) {
        HostIo.awaitWritable(host.number());
      } else if (n < 0 && n != -redoubt.abi.Errno.EINTR) {
        return false;
      } else {
        done += Math.max(n, 0);
      }
    }
    return true;
  }

  private void copyIn() {
    try (Arena arena = Arena.ofConfined()) {
      copyIn(arena.allocate(CHUNK));
    }
  }

  private void copyIn(MemorySegment buffer) {
    Waiter.Entry entry = new Waiter.Entry(inWaiter);
    tty.masterQueue().add(entry, POLLING);
    try {
      while (!stopped) {
        int room = tty.masterRoom();
        if (room == 0) {
          inWaiter.block(Waiter.FOREVER, false);
          continue;
        }
        if (!HostIo.awaitReadable(host.number(), stop.number()) || stopped) {
          return;
        }
        long n = HostIo.read(host.number(), buffer, 0, Math.min(room, CHUNK));
        if (n == 0 || n == -EIO) {
          tty.hangUpFromHost(); // the host's terminal is gone
          return;
        }
        if (n > 0) {
          tty.writeMaster(buffer, 0, (int) n);
        } else if (n != -redoubt.abi.Errno.EINTR && n != -redoubt.abi.Errno.EAGAIN) {
          return;
        }
      }
    } finally {
      tty.masterQueue().remove(entry);
      inDone.countDown();
    }
  }
}
