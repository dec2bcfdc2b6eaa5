package redoubt.sentry.platform.systrap;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The platform alone, under a kernel of a dozen calls. */
@Timeout(120)
class SystrapTest {
  private KeeperProcess keeper;
  private Systrap platform;
  private MiniKernel kernel;

  @BeforeEach
  void start() {
    keeper = KeeperProcess.start();
    platform = new Systrap(keeper.socket());
    kernel = new MiniKernel(platform);
  }

  @AfterEach
  void stop() {
    platform.close();
    keeper.close();
  }

  private void shouldExit(int code, long... arguments) throws InterruptedException {
    assertEquals(code << 8, kernel.run(arguments), "wait status");
  }

  @Test
  void shouldWriteAndExit() throws InterruptedException {
    shouldExit(42, 1);
    assertEquals("hello from the guest\n", kernel.output.toString());
  }

  @Test
  void shouldForkCopyOnWriteAndWait() throws InterruptedException {
    shouldExit(0, 2, 50, 40);
  }

  @Test
  void shouldMapAndUnmap() throws InterruptedException {
    shouldExit(0, 4, 100, 65536);
  }

  @Test
  void shouldRunThreadsOfOneAddressSpace() throws InterruptedException {
    shouldExit(0, 5, 40);
  }

  @Test
  void shouldReportFaultsWithTheirDetails() throws InterruptedException {
    shouldExit(0, 6);
    assertEquals(6, kernel.faults.size(), kernel.faults.toString());
    assertEquals(
        List.of("11 1 14 4 1234", "4 2 6 0", "8 1 0 0", "5 128 3 0", "11 128 13 0"),
        List.of(
            kernel.faults.get(0),
            head(kernel.faults.get(1)),
            head(kernel.faults.get(2)),
            head(kernel.faults.get(3)),
            head(kernel.faults.get(4))));
    assertTrue(kernel.faults.get(5).startsWith("11 2 14 7 "), kernel.faults.get(5));
  }

  private static String head(String fault) {
    return fault.substring(0, fault.lastIndexOf(' '));
  }

  @Test
  void shouldInterruptASpinningGuest() throws InterruptedException {
    MiniKernel.Proc p = kernel.exec(7);
    Thread.sleep(50);
    MiniKernel.Task t;
    synchronized (p.tasks) {
      t = p.tasks.get(0);
    }
    long[] tookNs = new long[21];
    for (int i = 0; i < tookNs.length; i++) {
      long before = System.nanoTime();
      t.c.interrupt();
      while (t.interrupts <= i) {
        Thread.onSpinWait();
      }
      tookNs[i] = System.nanoTime() - before;
    }
    // The median: on a busy machine any one may wait for its turn.
    java.util.Arrays.sort(tookNs);
    assertTrue(tookNs[10] < 10_000_000, "interrupts take " + tookNs[10] + " ns");
    p.exiting = true;
    p.status = 0;
    t.c.interrupt();
    kernel.await(p);
  }

  @Test
  void shouldKeepMachineStateOverCalls() throws InterruptedException {
    shouldExit(0, 8, 2000);
  }

  @Test
  void shouldSurviveBadPointers() throws InterruptedException {
    shouldExit(0, 9);
  }

  @Test
  void shouldCallFromPatchedSites() throws InterruptedException {
    shouldExit(0, 11, 20000);
    shouldExit(0, 12, 20000);
    long[] counts = platform.patchCounts();
    assertTrue(counts[1] > 10 && counts[1] * 10 >= counts[0] * 9, counts[1] + " of " + counts[0]);
  }

  @Test
  void shouldKeepRedZoneAndRegistersAtPatchedSites() throws InterruptedException {
    shouldExit(0, 13, 5000);
  }

  @Test
  void shouldInterruptAnywhereInPatchedCalls() throws InterruptedException {
    MiniKernel.Proc p = kernel.exec(14);
    MiniKernel.Task t;
    synchronized (p.tasks) {
      t = p.tasks.get(0);
    }
    for (int i = 1; i <= 3000; i++) {
      t.c.interrupt();
      long until = System.nanoTime() + 2_000_000_000L;
      while (t.interrupts < i && System.nanoTime() < until && p.status == -1) {
        Thread.onSpinWait();
      }
      assertTrue(t.interrupts >= i, "interrupt " + i + " was lost, status " + p.status);
    }
    p.exiting = true;
    p.status = 0;
    t.c.interrupt();
    kernel.await(p);
  }

  @Test
  void shouldGiveGsToAGuestThatSetsIt() throws InterruptedException {
    shouldExit(0, 15, 0);
    shouldExit(0, 15, 1);
  }

  @Test
  void shouldAnswerAloneAndTakeItBack() throws InterruptedException {
    kernel.answerGetppid = true;
    long before = kernel.calls.get();
    shouldExit(0, 11, 50000);
    assertTrue(kernel.calls.get() - before < 100, "the calls were events");
    kernel.answerGetppid = false;
    shouldExit(0, 11, 1000);
    assertTrue(kernel.calls.get() - before >= 1000, "the calls were no events");
  }

  @Test
  void shouldForkVectorState() throws InterruptedException {
    shouldExit(0, 10);
  }
}
