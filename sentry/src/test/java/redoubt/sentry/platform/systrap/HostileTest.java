package redoubt.sentry.platform.systrap;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Guests that attack the stub they live in: they may end themselves, and nothing else. */
@Timeout(180)
class HostileTest {
  private KeeperProcess keeper;
  private Systrap platform;
  private MiniKernel kernel;

  @BeforeEach
  void start() {
    keeper = KeeperProcess.start();
    platform = new Systrap(keeper.socket());
    kernel = new MiniKernel(platform);
    kernel.quiet = true;
  }

  @AfterEach
  void stop() throws InterruptedException {
    // Whatever happened, an honest guest still runs.
    assertEquals(42 << 8, new MiniKernel(platform).run(1));
    assertTrue(keeper.process().isAlive());
    platform.close();
    keeper.close();
  }

  private static long[] segment(int index) {
    try {
      ByteBuffer h =
          ByteBuffer.wrap(
                  Files.readAllBytes(Path.of(System.getProperty("redoubt.native"), "keeper")))
              .order(ByteOrder.LITTLE_ENDIAN);
      int at = (int) h.getLong(32) + index * 56;
      return new long[] {h.getLong(at + 16), h.getLong(at + 40)};
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void shouldSurviveJumpsToEveryByteOfTheStubsText() throws InterruptedException {
    long[] text = segment(0);
    assertEquals(Layout.TEXT_VA, text[0]);
    int step = Integer.getInteger("hostile.step", 3);
    for (long i = 0; i < text[1]; i += step) {
      for (int how = 0; how < 3; how++) {
        if (step > 1 && (i / step + how) % 3 != 0) {
          continue;
        }
        kernel.faults.clear();
        kernel.runBounded(60, 16, text[0] + i, how);
      }
    }
    System.out.println(platform.violations() + " processes killed for want of the token");
    assertTrue(platform.violations() > 20, "nobody reached the map thread's calls");
  }

  @Test
  void shouldSurviveJumpsIntoTheKeepersText() throws InterruptedException {
    long[] text = segment(1);
    for (long i = 0; i < text[1]; i += 64) {
      kernel.faults.clear();
      int status = kernel.runBounded(60, 16, text[0] + i, 2);
      assertEquals(11, status, "the keeper's text is mapped in a stub");
    }
  }

  @Test
  void shouldTrapEverySystemCallNumber() throws InterruptedException {
    assertEquals(0, kernel.runBounded(20_000, 17, 0));
  }

  @Test
  void shouldSurviveAScribbledContext() throws InterruptedException {
    for (int i = 0; i < 5; i++) {
      kernel.runBounded(2000, 18, 0);
      kernel.runBounded(2000, 18, 1);
    }
  }

  @Test
  void shouldSurviveAForgedReply() throws InterruptedException {
    for (int i = 0; i < 5; i++) {
      kernel.runBounded(3000, 18, 2);
    }
  }

  @Test
  void shouldKeepGuestsFromWritingWhatTheSentryTrusts() throws InterruptedException {
    // The request page, the stub's text and its neighbourhood.
    MiniKernel.Proc p = kernel.exec(21, Layout.REQUEST_VA, Layout.REQUEST_VA + 4096);
    kernel.await(p);
    assertEquals(1, kernel.faults.size());
    kernel.faults.clear();
    long[] text = segment(0);
    kernel.await(kernel.exec(21, text[0], text[0] + 5 * 4096));
    assertEquals(5, kernel.faults.size());
  }

  @Test
  void shouldKillAGuestThatBlocksTheInterrupt() throws InterruptedException {
    // stub_restorer is the first function after the privileged text.
    MiniKernel.Proc p = kernel.exec(22, Layout.TEXT_VA + 0x280);
    Thread.sleep(100);
    synchronized (p.tasks) {
      p.tasks.get(0).c.interrupt();
    }
    int status = kernel.await(p);
    assertTrue(status != 0, "it ended by itself");
  }
}
