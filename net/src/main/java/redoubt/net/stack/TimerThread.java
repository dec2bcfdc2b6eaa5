package redoubt.net.stack;

import java.util.concurrent.locks.LockSupport;

/** Runs a stack's timers on the machine's clock. Sleeps until one is due: idle costs nothing. */
public final class TimerThread implements AutoCloseable {
  private final NetworkStack stack;
  private final Thread thread;
  private volatile boolean isClosed;

  public TimerThread(NetworkStack stack) {
    this.stack = stack;
    this.thread = Thread.ofPlatform().daemon().name("net timers").start(this::run);
  }

  private void run() {
    stack.setTimerThread(Thread.currentThread());
    while (!isClosed) {
      long deadline = stack.runTimers();
      if (deadline == Long.MAX_VALUE) {
        LockSupport.park(this);
      } else {
        long wait = deadline - stack.nowNs();
        if (wait > 0) {
          LockSupport.parkNanos(this, wait);
        }
      }
    }
    stack.setTimerThread(null);
  }

  @Override
  public void close() {
    isClosed = true;
    LockSupport.unpark(thread);
  }
}
