package redoubt.sentry.ipc;

import static redoubt.abi.Errno.EAGAIN;
import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ENOTTY;

import redoubt.abi.Poll;
import redoubt.abi.Time;
import redoubt.host.Memory;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.ClockTimer;
import redoubt.sentry.kernel.IoBuffer;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.WaitQueue;
import redoubt.sentry.vfs.FileDescription;

/**
 * A timer to wait on: <a
 * href="https://man7.org/linux/man-pages/man2/timerfd_create.2.html">timerfd_create(2)</a>.
 *
 * <p>The guest cannot set the clock, so TFD_TIMER_CANCEL_ON_SET is kept but never cancels.
 */
public final class TimerFd extends FileDescription {
  private final WaitQueue queue = new WaitQueue();
  private final int clock;
  private final Ticker ticker;
  private long ticks; // guarded by this
  private int settings; // guarded by this: TFD_TIMER_* of the last settime

  /**
   * @param flags O_NONBLOCK or 0
   */
  public TimerFd(Task t, int clock, int flags) {
    super(
        AnonymousFiles.of(t.kernel()).newOther(t.creds(), "[timerfd]"), O_RDWR | flags, t.creds());
    this.clock = clock;
    this.ticker = new Ticker(t);
  }

  private final class Ticker extends ClockTimer {
    Ticker(Task t) {
      super(t.kernel().timers(), clock, null);
    }

    @Override
    protected boolean fired() {
      synchronized (TimerFd.this) {
        ticks++;
      }
      queue.notify(Poll.POLLIN | Poll.POLLRDNORM);
      return false; // the interval goes on when somebody reads: an unread timer costs nothing
    }
  }

  /** {@return the clock it was made for} */
  public int clock() {
    return clock;
  }

  /** timerfd_settime(2) with checked flags; times in ns, {@code first} 0 disarms. */
  public void set(int flags, long first, long interval) {
    synchronized (this) {
      ticks = 0;
      settings = flags;
    }
    long at = first;
    if (first != 0 && (flags & Time.TFD_TIMER_ABSTIME) == 0) {
      at = ticker.now() + first;
      at = at < 0 ? Long.MAX_VALUE : at;
    }
    ticker.set(at, interval);
  }

  /** {@return ns to the next expiry, 0 when disarmed} */
  public long remaining() {
    return ticker.remaining();
  }

  public long interval() {
    return ticker.interval();
  }

  @Override
  public long read(Task t, IoBuffer dst, long offset) {
    if (dst.remaining() < 8) {
      return -EINVAL;
    }
    long n;
    synchronized (this) {
      if (ticks == 0) {
        return -EAGAIN;
      }
      n = ticks;
      ticks = 0;
    }
    n += ticker.rearm(0);
    t.scratch().set(Memory.LONG, 0, n);
    return dst.put(t.scratch(), 0, 8) == 8 ? 8 : -EFAULT;
  }

  @Override
  public synchronized int poll() {
    return ticks > 0 ? Poll.POLLIN : 0;
  }

  @Override
  public WaitQueue waitQueue() {
    return queue;
  }

  @Override
  public long ioctl(Task t, Args a) {
    if (a.int1() != Time.TFD_IOC_SET_TICKS) {
      return -ENOTTY;
    }
    if (t.copyInScratch(a.long2(), 8) < 0) {
      return -EFAULT;
    }
    long n = t.scratch().get(Memory.LONG, 0);
    if (n == 0) {
      return -EINVAL;
    }
    synchronized (this) {
      ticks = n;
    }
    queue.notify(Poll.POLLIN | Poll.POLLRDNORM);
    return 0;
  }

  @Override
  protected void release() {
    ticker.disarm();
  }

  @Override
  public String fdinfo() {
    long n;
    int flags;
    synchronized (this) {
      n = ticks;
      flags = settings;
    }
    return "clockid: "
        + clock
        + "\nticks: "
        + n
        + "\nsettime flags: 0"
        + Integer.toOctalString(flags)
        + "\nit_value: ("
        + seconds(remaining())
        + ")\nit_interval: ("
        + seconds(interval())
        + ")\n";
  }

  private static String seconds(long ns) {
    return ns / 1_000_000_000 + ", " + ns % 1_000_000_000;
  }

  @Override
  public long seek(Task t, long offset, int whence) {
    return 0; // noop_llseek
  }

  @Override
  public String linkText() {
    return "anon_inode:[timerfd]";
  }
}
