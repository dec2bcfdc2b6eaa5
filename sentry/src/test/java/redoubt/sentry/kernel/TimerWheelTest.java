package redoubt.sentry.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class TimerWheelTest {
  private final TimerWheel wheel = new TimerWheel();
  private final List<Integer> fired = Collections.synchronizedList(new ArrayList<>());

  private final class Numbered extends TimerWheel.Timer {
    final int number;
    final CountDownLatch latch;

    Numbered(int number, CountDownLatch latch) {
      this.number = number;
      this.latch = latch;
    }

    @Override
    protected void expired() {
      fired.add(number);
      latch.countDown();
    }
  }

  @Test
  void shouldFireInOrderWhateverWasArmedAgainAndCancelled() throws Exception {
    int n = 2000;
    Random random = new Random(7);
    CountDownLatch all = new CountDownLatch(n / 2);
    long start = System.nanoTime() + 300_000_000L;
    List<Numbered> timers = new ArrayList<>();
    for (int i = 0; i < n; i++) {
      Numbered t = new Numbered(i, all);
      timers.add(t);
      wheel.arm(t, start + random.nextInt(1_000_000_000));
    }
    Collections.shuffle(timers, random);
    for (Numbered t : timers) {
      wheel.arm(t, start + t.number * 10_000L);
    }
    for (Numbered t : timers) {
      if (t.number % 2 == 1) {
        wheel.cancel(t);
        wheel.cancel(t);
      }
    }
    assertTrue(all.await(20, TimeUnit.SECONDS));
    List<Integer> expected = new ArrayList<>();
    for (int i = 0; i < n; i += 2) {
      expected.add(i);
    }
    assertEquals(expected, fired);
  }

  @Test
  void shouldFireThoseOfTheSameTimeInTheOrderOfTheirArming() throws Exception {
    CountDownLatch all = new CountDownLatch(100);
    long at = System.nanoTime() + 50_000_000L;
    List<Integer> expected = new ArrayList<>();
    for (int i = 0; i < 100; i++) {
      wheel.arm(new Numbered(i, all), at);
      expected.add(i);
    }
    assertTrue(all.await(20, TimeUnit.SECONDS));
    assertEquals(expected, fired);
  }

  @Test
  void shouldGoOnAfterATimerThatFails() throws Exception {
    CountDownLatch after = new CountDownLatch(1);
    long at = System.nanoTime() + 20_000_000L;
    wheel.arm(
        new TimerWheel.Timer() {
          @Override
          protected void expired() {
            throw new IllegalStateException("on purpose");
          }
        },
        at);
    wheel.arm(new Numbered(1, after), at + 1);
    assertTrue(after.await(20, TimeUnit.SECONDS));
  }

  @Test
  void shouldWakeUpForAnEarlierTimer() throws Exception {
    CountDownLatch late = new CountDownLatch(1);
    CountDownLatch early = new CountDownLatch(1);
    wheel.arm(new Numbered(2, late), System.nanoTime() + 3_600_000_000_000L);
    Thread.sleep(50);
    wheel.arm(new Numbered(1, early), System.nanoTime() + 1_000_000L);
    assertTrue(early.await(20, TimeUnit.SECONDS));
    assertEquals(1, late.getCount());
  }
}
