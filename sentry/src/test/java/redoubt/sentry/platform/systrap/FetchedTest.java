package redoubt.sentry.platform.systrap;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.lang.foreign.Arena;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import redoubt.host.Region;
import redoubt.sentry.platform.GuestContext;

/** What a stub says that it brought along is believed within the context's areas only. */
class FetchedTest {
  private static final long GUEST = 0x5000;
  private static final int LIMIT = 4096;

  private Region context;
  private Fetched fetched;

  @BeforeEach
  void makeContext() {
    context = Region.of(Arena.ofAuto().allocate(Layout.CONTEXT_BYTES, 64));
    fetched = new Fetched(context);
  }

  private void describe(int i, long guest, int offset, int length) {
    long at = Layout.FETCHED + i * 16L;
    context.putLong(at, guest);
    context.putInt(at + 8, offset);
    context.putInt(at + 12, length);
  }

  private void write(int at, String text) {
    byte[] bytes = text.getBytes(StandardCharsets.ISO_8859_1);
    for (int i = 0; i < bytes.length; i++) {
      context.putByte(at + i, bytes[i]);
    }
  }

  @Test
  void shouldFindWhatLiesBesideItsDescription() {
    describe(0, GUEST, Layout.BESIDE, 6);
    write(Layout.BESIDE, "/etc\u00e9\0");
    fetched.read(1);
    assertEquals(Layout.BESIDE + 2, fetched.find(GUEST + 2, 4));
    assertEquals(-1, fetched.find(GUEST + 2, 5));
    assertEquals("/etc\u00e9", fetched.string(GUEST, LIMIT));
  }

  @Test
  void shouldFindWhatIsInTheLine() {
    write(Layout.CALL + 32, "/tmp/a\0");
    fetched.inLine(GUEST, 4, 7);
    assertEquals("/tmp/a", fetched.string(GUEST, LIMIT));
    assertEquals(Layout.CALL + 32, fetched.find(GUEST, 7));
    assertEquals(-1, fetched.find(GUEST, 8));
  }

  @Test
  void shouldBelieveNoBytesBeyondTheLine() {
    int[][] bad = {{0, 8}, {3, 8}, {4, 0}, {4, 25}, {6, 9}, {7, 1}, {15, 255}, {4, 255}};
    for (int[] b : bad) {
      fetched.inLine(GUEST, b[0], b[1]);
      assertEquals(-1, fetched.find(GUEST, 0), b[0] + ", " + b[1]);
    }
  }

  @Test
  void shouldFindSeveral() {
    describe(0, GUEST, Layout.CONTEXT_PREFETCH, 3);
    describe(1, 2 * GUEST, Layout.CONTEXT_WINDOW, GuestContext.BUFFER_BYTES);
    write(Layout.CONTEXT_PREFETCH, "ab\0");
    fetched.read(2);
    assertEquals("ab", fetched.string(GUEST, LIMIT));
    assertEquals(Layout.CONTEXT_WINDOW + 8, fetched.find(2 * GUEST + 8, 8));
    assertEquals(3, fetched.prefetchUsed());
    assertEquals(GuestContext.BUFFER_BYTES, fetched.windowUsed());
  }

  @Test
  void shouldReadStringsThatAreLong() {
    String text = "x".repeat(510);
    describe(0, GUEST, Layout.CONTEXT_PREFETCH, 511);
    write(Layout.CONTEXT_PREFETCH, text + "\0");
    fetched.read(1);
    assertEquals(text, fetched.string(GUEST, LIMIT));
    assertNull(fetched.string(GUEST, 100));
  }

  @Test
  void shouldGiveNoStringWithoutItsEnd() {
    describe(0, GUEST, Layout.BESIDE, 3);
    write(Layout.BESIDE, "abc");
    fetched.read(1);
    assertNull(fetched.string(GUEST, LIMIT));
  }

  @Test
  void shouldBelieveNoDescriptionOutsideItsArea() {
    int[][] bad = {
      {0, 8},
      {(int) Layout.FETCHED, 8},
      {Layout.BESIDE - 1, 8},
      {Layout.BESIDE, Layout.ANSWERS - Layout.BESIDE + 1},
      {Layout.ANSWERS, 0},
      {Layout.BESIDE, -1},
      {Layout.BESIDE, Integer.MAX_VALUE},
      {Layout.CONTEXT_STACK, 8},
      {Layout.CONTEXT_WINDOW - 1, 8},
      {Layout.CONTEXT_WINDOW + 1, 8},
      {Layout.CONTEXT_WINDOW, GuestContext.BUFFER_BYTES + 1},
      {Layout.CONTEXT_PREFETCH - 1, 8},
      {Layout.CONTEXT_PREFETCH, Layout.PREFETCH_BYTES + 1},
      {Layout.CONTEXT_PREFETCH + Layout.PREFETCH_BYTES + 1, 0},
      {Integer.MIN_VALUE, 8},
      {Integer.MAX_VALUE, 8},
    };
    for (int[] b : bad) {
      describe(0, GUEST, b[0], b[1]);
      fetched.read(1);
      assertEquals(-1, fetched.find(GUEST, 0), b[0] + ", " + b[1]);
    }
    fetched.read(Layout.FETCHED_LIMIT);
    assertEquals(-1, fetched.find(GUEST, 0));
  }
}
