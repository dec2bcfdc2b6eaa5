package redoubt.sentry.ipc;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

/** The bound on bytes under way, and how queues share it. */
class PagePoolTest {
  private static final int LIMIT = 256;

  @Test
  void shouldEndAtItsLimit() {
    var pool = new PagePool(LIMIT);
    for (int i = 0; i < LIMIT; i++) {
      assertNotNull(pool.take());
    }
    assertNull(pool.take());
    assertEquals(0, pool.share());
  }

  @Test
  void shouldLeaveRoomForEveryQueueWhenAllTakeTheirShare() {
    var pool = new PagePool(LIMIT);
    int queues = LIMIT / 2;
    long[] held = new long[queues];
    for (int round = 0; round < LIMIT; round++) {
      for (int q = 0; q < queues; q++) {
        if (held[q] == 0 || held[q] < pool.share()) {
          assertNotNull(pool.take(), "queue " + q + " in round " + round);
          held[q] += PagePool.PAGE;
        }
      }
    }
    assertTrue(pool.inUse() < LIMIT);
  }

  @Test
  void shouldShareMoreWhenPagesComeBack() {
    var pool = new PagePool(LIMIT);
    var page = pool.take();
    long before = pool.share();
    pool.release(page);
    assertTrue(pool.share() > before);
  }
}
