package redoubt.sentry.vfs;

import redoubt.abi.Signal;
import redoubt.sentry.kernel.Kernel;
import redoubt.sentry.kernel.TimerWheel;
import redoubt.sentry.kernel.WaitQueue;

/**
 * O_ASYNC: the owner of a description gets a signal whenever it becomes readable or writable.
 * Linux's kill_fasync.
 */
public final class Fasync extends WaitQueue.Entry {
  private static final int ANY =
      FileDescription.POLLIN | FileDescription.POLLOUT | FileDescription.POLLPRI;

  private final Kernel kernel;
  private final FileDescription file;
  private final WaitQueue queue;
  private final int fd;

  private Fasync(Kernel kernel, FileDescription file, WaitQueue queue, int fd) {
    this.kernel = kernel;
    this.file = file;
    this.queue = queue;
    this.fd = fd;
  }

  /** F_SETFL has set or cleared O_ASYNC of {@code f}; nothing for files that are always ready. */
  public static void set(Kernel kernel, FileDescription f, int fd, boolean on) {
    synchronized (f) {
      Fasync now = f.fasync;
      if (!on && now != null) {
        now.end();
      } else if (on && now == null) {
        WaitQueue q = f.waitQueue();
        if (q != null) {
          Fasync made = new Fasync(kernel, f, q, fd);
          f.fasync = made;
          q.add(made, ANY);
        }
      }
    }
  }

  void end() {
    file.fasync = null;
    queue.remove(this);
  }

  @Override
  protected void onEvent(int events) {
    // Whoever made the event may hold locks that a signal's come before.
    kernel.timers().arm(new Told(events), System.nanoTime());
  }

  private final class Told extends TimerWheel.Timer {
    private final int events;

    Told(int events) {
      this.events = events;
    }

    @Override
    protected void expired() {
      if (file.fasync != Fasync.this) {
        return;
      }
      // si_code and band_table of fs/fcntl.c
      if ((events & FileDescription.POLLHUP) != 0) {
        tell(Signal.POLL_HUP, 0x18);
      } else if ((events & FileDescription.POLLIN) != 0) {
        tell(Signal.POLL_IN, 0x41);
      } else if ((events & FileDescription.POLLPRI) != 0) {
        tell(Signal.POLL_PRI, 0x82);
      } else if ((events & FileDescription.POLLOUT) != 0) {
        tell(Signal.POLL_OUT, 0x304);
      }
    }

    private void tell(int code, long band) {
      FileOwner.signal(file.owner, file, fd, code, band);
    }
  }
}
