package redoubt.sentry.ipc.mqueue;

import org.jspecify.annotations.Nullable;
import redoubt.abi.Signal;
import redoubt.sentry.kernel.SignalInfo;
import redoubt.sentry.kernel.Signals;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.ThreadGroup;
import redoubt.sentry.vfs.FileDescription;

/** A registration of mq_notify(3): a signal, or for SIGEV_THREAD a cookie that goes to a socket. */
final class Notice {
  /** Bytes of a cookie; the last says what happened (include/linux/mqueue.h in the kernel). */
  static final int COOKIE_BYTES = 32;

  private static final byte WOKEN_UP = 1;
  private static final byte REMOVED = 2;

  private final ThreadGroup process;
  private final int how;
  private final int signo;
  private final long value;
  private final @Nullable FileDescription socket;
  private final byte[] cookie;

  /**
   * @param socket a reference that {@link #tell} or {@link #drop} gives back, or null
   */
  Notice(
      ThreadGroup process,
      int how,
      int signo,
      long value,
      @Nullable FileDescription socket,
      byte[] cookie) {
    this.process = process;
    this.how = how;
    this.signo = signo;
    this.value = value;
    this.socket = socket;
    this.cookie = cookie;
  }

  ThreadGroup process() {
    return process;
  }

  int how() {
    return how;
  }

  int signo() {
    return signo;
  }

  /** A message of {@code t} came to the empty queue. */
  void tell(Task t) {
    if (how == Signal.SIGEV_SIGNAL && signo != 0) {
      int pid = t.threadGroup().tgidIn(process.pidNamespace());
      Signals.send(process, SignalInfo.queued(signo, Signal.SI_MESGQ, pid, t.creds().ruid, value));
    }
    deliver(WOKEN_UP);
  }

  /** It is taken back. */
  void drop() {
    deliver(REMOVED);
  }

  private void deliver(byte what) {
    FileDescription s = socket;
    if (s == null) {
      return;
    }
    cookie[COOKIE_BYTES - 1] = what;
    if (s instanceof NoticeSocket n) {
      n.deliver(cookie);
    }
    s.decRef();
  }
}
