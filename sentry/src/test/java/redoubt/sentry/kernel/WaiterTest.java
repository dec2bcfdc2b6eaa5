package redoubt.sentry.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import redoubt.abi.Errno;

@Timeout(20)
final class WaiterTest {
  private static final long SOON_NS = 20_000_000;

  /** Waits as a host call would that {@link #ring} ends. */
  private static final class FakeWatch implements Waiter.Watch {
    final Semaphore bell = new Semaphore(0);
    final CountDownLatch began = new CountDownLatch(1);
    volatile int rings;
    volatile boolean leavesAtOnce;

    @Override
    public void keep(Waiter w, long deadlineNs) {
      while (!leavesAtOnce && w.beginWatching()) {
        began.countDown();
        bell.acquireUninterruptibly();
        w.endWatching();
      }
    }

    @Override
    public synchronized void ring() {
      rings = rings + 1;
      bell.release();
    }
  }

  private final Waiter waiter = new Waiter();
  private final FakeWatch watch = new FakeWatch();

  @Test
  void shouldEndTheWatchWhenItIsWoken() throws InterruptedException {
    var waker =
        new Thread(() -> {
          awaitBegin();
          waiter.wake();
          waiter.wake(); // a second token rings no second time
        });
    waker.start();
    assertEquals(0, waiter.block(Waiter.FOREVER, watch));
    waker.join();
    assertEquals(1, watch.rings);
  }

  @Test
  void shouldEndTheWatchWhenItIsInterrupted() throws InterruptedException {
    var waker =
        new Thread(() -> {
          awaitBegin();
          waiter.interrupt();
        });
    waker.start();
    assertEquals(-Errno.EINTR, waiter.block(Waiter.FOREVER, watch));
    waker.join();
    assertEquals(-Errno.EINTR, waiter.block(Waiter.FOREVER, watch));
    assertEquals(1, watch.rings);
  }

  @Test
  void shouldNotWaitWhenThereIsATokenAlready() {
    waiter.wake();
    assertTrue(waiter.isDue());
    assertFalse(waiter.beginWatching());
    assertEquals(0, waiter.block(Waiter.FOREVER, watch));
    assertEquals(0, watch.rings);
    assertFalse(waiter.isDue());
  }

  @Test
  void shouldSleepWhereTheWatchIsLeftToOthers() throws InterruptedException {
    watch.leavesAtOnce = true;
    assertEquals(-Errno.ETIMEDOUT, waiter.block(System.nanoTime() + SOON_NS, watch));
    var waker =
        new Thread(() -> {
          while (!waiter.isBlocked()) {
            Thread.onSpinWait();
          }
          waiter.wake();
        });
    waker.start();
    assertEquals(0, waiter.block(Waiter.FOREVER, watch));
    waker.join();
    assertEquals(0, watch.rings);
  }

  private void awaitBegin() {
    try {
      watch.began.await();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }
}
