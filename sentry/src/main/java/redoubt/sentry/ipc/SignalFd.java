package redoubt.sentry.ipc;

import static redoubt.abi.Errno.EAGAIN;
import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Eventfd.SIGNALFD_SIGINFO_SSI_ADDR;
import static redoubt.abi.Eventfd.SIGNALFD_SIGINFO_SSI_BAND;
import static redoubt.abi.Eventfd.SIGNALFD_SIGINFO_SSI_CODE;
import static redoubt.abi.Eventfd.SIGNALFD_SIGINFO_SSI_ERRNO;
import static redoubt.abi.Eventfd.SIGNALFD_SIGINFO_SSI_FD;
import static redoubt.abi.Eventfd.SIGNALFD_SIGINFO_SSI_INT;
import static redoubt.abi.Eventfd.SIGNALFD_SIGINFO_SSI_OVERRUN;
import static redoubt.abi.Eventfd.SIGNALFD_SIGINFO_SSI_PID;
import static redoubt.abi.Eventfd.SIGNALFD_SIGINFO_SSI_PTR;
import static redoubt.abi.Eventfd.SIGNALFD_SIGINFO_SSI_SIGNO;
import static redoubt.abi.Eventfd.SIGNALFD_SIGINFO_SSI_STATUS;
import static redoubt.abi.Eventfd.SIGNALFD_SIGINFO_SSI_STIME;
import static redoubt.abi.Eventfd.SIGNALFD_SIGINFO_SSI_TID;
import static redoubt.abi.Eventfd.SIGNALFD_SIGINFO_SSI_UID;
import static redoubt.abi.Eventfd.SIGNALFD_SIGINFO_SSI_UTIME;
import static redoubt.abi.Eventfd.SIZEOF_SIGNALFD_SIGINFO;

import java.lang.foreign.MemorySegment;
import redoubt.abi.Poll;
import redoubt.abi.Signal;
import redoubt.host.Memory;
import redoubt.sentry.kernel.IoBuffer;
import redoubt.sentry.kernel.SignalInfo;
import redoubt.sentry.kernel.Signals;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.ThreadGroup;
import redoubt.sentry.kernel.WaitQueue;
import redoubt.sentry.vfs.FileDescription;

/**
 * Signals to read: <a href="https://man7.org/linux/man-pages/man2/signalfd.2.html">signalfd(2)</a>.
 * Whoever reads or polls sees the signals of their own, whoever made it.
 */
public final class SignalFd extends FileDescription {
  private static final int SIGNALS_AT_ONCE = Task.PATH_MAX / SIZEOF_SIGNALFD_SIGINFO;

  private volatile long mask;

  /**
   * Whose queue callers that do not say who they are wait on: the last reader's, the maker's at
   * first.
   */
  private volatile ThreadGroup lastGroup;

  /**
   * @param flags O_NONBLOCK or 0
   */
  public SignalFd(Task t, long mask, int flags) {
    super(
        AnonymousFiles.of(t.kernel()).newOther(t.creds(), "[signalfd]"), O_RDWR | flags, t.creds());
    this.mask = mask & ~Signals.UNBLOCKABLE;
    this.lastGroup = t.threadGroup();
  }

  /** Replaces the signals to read. */
  public void setMask(Task t, long newMask) {
    mask = newMask & ~Signals.UNBLOCKABLE;
    t.threadGroup().signalQueue.notify(Poll.POLLIN);
  }

  @Override
  public long read(Task t, IoBuffer dst, long offset) {
    lastGroup = t.threadGroup();
    long room = dst.remaining() / SIZEOF_SIGNALFD_SIGINFO;
    if (room == 0) {
      return -EINVAL;
    }
    MemorySegment s = t.scratch();
    int n = 0;
    while (n < Math.min(room, SIGNALS_AT_ONCE)) {
      SignalInfo i = Signals.dequeue(t, mask);
      if (i == null) {
        break;
      }
      write(i, s, (long) n * SIZEOF_SIGNALFD_SIGINFO);
      n++;
    }
    if (n == 0) {
      return -EAGAIN;
    }
    long bytes = (long) n * SIZEOF_SIGNALFD_SIGINFO;
    long r = dst.put(s, 0, bytes);
    return r > 0 ? r : -EFAULT;
  }

  private static void write(SignalInfo i, MemorySegment s, long at) {
    s.asSlice(at, SIZEOF_SIGNALFD_SIGINFO).fill((byte) 0);
    s.set(Memory.INT, at + SIGNALFD_SIGINFO_SSI_SIGNO, i.signo);
    s.set(Memory.INT, at + SIGNALFD_SIGINFO_SSI_ERRNO, i.errno);
    s.set(Memory.INT, at + SIGNALFD_SIGINFO_SSI_CODE, i.code);
    if (i.code == Signal.SI_TIMER) {
      s.set(Memory.INT, at + SIGNALFD_SIGINFO_SSI_TID, i.pid());
      s.set(Memory.INT, at + SIGNALFD_SIGINFO_SSI_OVERRUN, i.uid());
      s.set(Memory.INT, at + SIGNALFD_SIGINFO_SSI_INT, i.status());
      s.set(Memory.LONG, at + SIGNALFD_SIGINFO_SSI_PTR, i.value());
      return;
    }
    if (i.code > 0 && i.code != Signal.SI_KERNEL && i.signo == Signal.SIGIO) {
      s.set(Memory.INT, at + SIGNALFD_SIGINFO_SSI_BAND, i.pid());
      s.set(Memory.INT, at + SIGNALFD_SIGINFO_SSI_FD, i.status());
      return;
    }
    if (i.code > 0 && i.code != Signal.SI_KERNEL && isFault(i.signo)) {
      s.set(Memory.LONG, at + SIGNALFD_SIGINFO_SSI_ADDR, i.address());
      return;
    }
    s.set(Memory.INT, at + SIGNALFD_SIGINFO_SSI_PID, i.pid());
    s.set(Memory.INT, at + SIGNALFD_SIGINFO_SSI_UID, i.uid());
    if (i.signo == Signal.SIGCHLD && i.code > 0) {
      s.set(Memory.INT, at + SIGNALFD_SIGINFO_SSI_STATUS, i.status());
      s.set(Memory.LONG, at + SIGNALFD_SIGINFO_SSI_UTIME, i.wordAt(32));
      s.set(Memory.LONG, at + SIGNALFD_SIGINFO_SSI_STIME, i.wordAt(40));
    } else if (i.code < 0) {
      s.set(Memory.INT, at + SIGNALFD_SIGINFO_SSI_INT, i.status());
      s.set(Memory.LONG, at + SIGNALFD_SIGINFO_SSI_PTR, i.value());
    }
  }

  private static boolean isFault(int signo) {
    return signo == Signal.SIGSEGV
        || signo == Signal.SIGBUS
        || signo == Signal.SIGILL
        || signo == Signal.SIGFPE
        || signo == Signal.SIGTRAP;
  }

  @Override
  public int poll(Task t) {
    return (Signals.pending(t) & mask) != 0 ? Poll.POLLIN : 0;
  }

  @Override
  public int poll() {
    return poll(lastGroup.leader());
  }

  @Override
  public WaitQueue waitQueue(Task t) {
    return t.threadGroup().signalQueue;
  }

  @Override
  public WaitQueue waitQueue() {
    return lastGroup.signalQueue;
  }

  @Override
  public String fdinfo() {
    String hex = Long.toHexString(mask);
    return "sigmask:\t" + "0".repeat(16 - hex.length()) + hex + "\n";
  }

  @Override
  public long seek(Task t, long offset, int whence) {
    return 0; // noop_llseek
  }

  @Override
  public String linkText() {
    return "anon_inode:[signalfd]";
  }
}
