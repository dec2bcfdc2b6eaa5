package redoubt.sentry.platform.systrap;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import redoubt.abi.Errno;
import redoubt.host.RawSyscall;
import redoubt.sentry.platform.GuestContext;
import redoubt.sentry.platform.MapBatch;

/** Guests that attack the stub they live in: they may end themselves, and nothing else. */
@Timeout(180)
class HostileTest {
  /** Bytes of struct control. */
  private static final int WORDS = 0x788;

  /** One past the last system call number of the host. */
  private static final int NUMBERS = 470;

  private static final int MSEAL = 462;

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
  void shouldTrapEverySystemCallNumberAtAnUnpatchedSite() throws InterruptedException {
    kernel.mapText = false; // anonymous text is not patched
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

  /** Each word that sentry and stub share, with each nasty value, before and during each call. */
  @Test
  void shouldSurviveEveryWordOfAContext() throws InterruptedException {
    kernel.extra = (t, nr) -> slowCopy(t);
    int step = 4 * Integer.getInteger("hostile.step", 3);
    for (int word = 0; word < WORDS; word += step) {
      for (int stage = 0; stage < 2; stage++) {
        kernel.faults.clear();
        kernel.runBounded(60, 23, word + 4 * stage, stage);
      }
      if (word % (32 * step) == 0) {
        assertEquals(42 << 8, new MiniKernel(platform).run(1), "after word " + word);
      }
    }
  }

  /** A call that takes its time, so that somebody else writes meanwhile. */
  private static long slowCopy(MiniKernel.Task t) {
    LockSupport.parkNanos(20_000);
    long address = t.c.reg(GuestContext.RDI);
    long n = t.c.copyIn(address, t.buffer, 0, 4096);
    return n + t.c.copyOut(address, t.buffer, 0, 4096);
  }

  @Test
  void shouldSurviveRepliesForgedDuringChanges() throws InterruptedException {
    for (int i = 0; i < 5; i++) {
      kernel.runBounded(800, 24, 300);
    }
  }

  /** A reply is forged before the map thread has done anything; the sentry must not believe it. */
  @Test
  void shouldKnowWhatIsUnmappedThoughRepliesAreForged() throws InterruptedException {
    int[] seen = new int[2];
    kernel.extra =
        (t, nr) -> {
          if (nr == 10_003) {
            seen[isMappedAfterAttestedUnmap((StubSpace) t.proc.space) ? 1 : 0]++;
          }
          return 0;
        };
    // Most processes get a few tries until the map thread finds an operation of another batch.
    for (int i = 0; i < 40 && seen[0] < 30; i++) {
      kernel.runBounded(400, 28, 300);
    }
    assertEquals(0, seen[1], "pages were still mapped when they would have been given away");
    assertTrue(seen[0] > 9, seen[0] + " tries only");
  }

  private static boolean isMappedAfterAttestedUnmap(StubSpace space) {
    long uaddr = 0x5555_0000_0000L;
    MapBatch batch = new MapBatch();
    batch.mapAnonymous(uaddr, 1 << 20, 3, false);
    space.apply(batch);
    batch.clear();
    batch.unmap(uaddr, 1 << 20);
    batch.attest();
    space.apply(batch);
    try {
      return Files.readString(Path.of("/proc/" + space.pid() + "/maps")).contains("555500000000-");
    } catch (IOException e) {
      return false; // the process is gone, and its map with it
    }
  }

  /** What every address of a stub's text can reach with every number: nothing but a trap. */
  @Test
  void shouldTrapEveryNumberFromEveryCallSiteOfTheStub() throws Exception {
    long[] attempt = new long[1];
    kernel.refuse = true;
    kernel.extra =
        (t, nr) -> {
          attempt[0] = nr == 10_002 ? t.c.reg(GuestContext.RDI) : attempt[0];
          return -38;
        };
    int answered = 0;
    int ended = 0;
    for (long site : callSites()) {
      int endedHere = 0;
      for (long from = 0; from < NUMBERS; ) {
        kernel.faults.clear();
        attempt[0] = from;
        int status = kernel.runBounded(5000, 25, site, from);
        assertNotEquals(
            101 << 8, status, "call " + attempt[0] + " got through at " + Long.toHexString(site));
        if (status == 0) {
          answered++;
          break;
        }
        ended++;
        // One that ends the process ends it always: the rest in larger steps.
        from = attempt[0] + (++endedHere < 15 ? 1 : 23);
      }
    }
    assertTrue(answered >= 2, answered + " sites let a guest go on");
    assertTrue(ended > 100, ended + " attempts ended the process");
    assertTrue(platform.violations() > 50, "the privileged sites were not reached");
  }

  /** {@return the addresses of all syscall instructions in the stub's text}, intended or not */
  private static List<Long> callSites() throws IOException {
    byte[] elf = Files.readAllBytes(Path.of(System.getProperty("redoubt.native"), "keeper"));
    var sites = new ArrayList<Long>();
    long[] text = segment(0);
    for (int i = 0; i < text[1]; i++) {
      int at = 4096 + i; // the segment's place in the file
      if (elf[at] == 0x0f && elf[at + 1] == 0x05) {
        sites.add(text[0] + i);
      }
    }
    assertTrue(sites.size() >= 10, sites + "");
    return sites;
  }

  @Test
  void shouldTrapTheOtherWaysIntoTheHost() throws InterruptedException {
    kernel.refuse = true;
    kernel.run(26, 0); // answered by us, or a fault where the host has no such page
    int status = kernel.run(26, 1);
    assertEquals(11, status & 0x7f, "sysenter in 64-bit mode is a fault");
    assertEquals(0, kernel.run(26, 2), "a call of the 32-bit table got through");
  }

  /** What a stub maps of its own: two things that guests can write, and no text among them. */
  @Test
  void shouldMapNothingOfItsOwnWritableButRepliesAndContexts() throws Exception {
    for (boolean forked : new boolean[] {false, true}) {
      kernel.exec(forked ? new long[] {27} : new long[] {7});
      Thread.sleep(100);
      for (MiniKernel.Proc p : kernel.all()) {
        int pid = platform.pidOf((StubSpace) p.space);
        assertTrue(pid > 0);
        int seen = 0;
        for (String line : Files.readAllLines(Path.of("/proc/" + pid + "/maps"))) {
          seen += checkOwn(line) ? 1 : 0;
        }
        assertTrue(seen >= 4, seen + " mappings");
      }
      kernel.killAll();
    }
  }

  /** The VmFlags of the stub's text say that its mapping cannot be changed any more. */
  @Test
  void shouldSealTheStubsText() throws Exception {
    Assumptions.assumeTrue(hostSeals(), "no mseal(2) on this host");
    kernel.exec(27);
    Thread.sleep(100);
    for (MiniKernel.Proc p : kernel.all()) {
      Path smaps = Path.of("/proc/" + platform.pidOf((StubSpace) p.space) + "/smaps");
      String text = Files.readString(smaps);
      int at = text.indexOf(Long.toHexString(Layout.TEXT_VA));
      String flags = text.substring(text.indexOf("VmFlags:", at)).lines().findFirst().orElseThrow();
      assertTrue(flags.contains(" sl"), flags);
    }
    kernel.killAll();
  }

  private static boolean hostSeals() {
    return RawSyscall.syscall(MSEAL, 0, 0, 1) == -Errno.EINVAL; // no such flag
  }

  /** {@return whether a line of /proc/PID/maps is the stub's own} */
  private static boolean checkOwn(String line) {
    String[] fields = line.split("[- ]+", 4);
    long start = Long.parseUnsignedLong(fields[0], 16);
    String rights = fields[2].length() == 4 ? fields[2] : line.split(" ")[1];
    assertFalse(rights.contains("w") && rights.contains("x"), line);
    if (start < Layout.REGION || start < 0) {
      return false;
    }
    boolean reply = start == Layout.REPLY_VA && line.contains("redoubt-control");
    boolean context =
        start >= Layout.CONTEXT_VA && start < Layout.TEXT_VA && line.contains("redoubt-contexts");
    assertEquals(reply || context, rights.contains("w"), line);
    return true;
  }
}
