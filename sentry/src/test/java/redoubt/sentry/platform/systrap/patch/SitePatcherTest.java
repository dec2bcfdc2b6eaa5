package redoubt.sentry.platform.systrap.patch;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Which call sites are patched, by hand-made text and in the C libraries and programs that are
 * here.
 */
class SitePatcherTest {
  private static final int ENTRY = 0x50;
  private static final String SYSCALL = "0f05";
  private static final String CMP = "483d01f0ffff"; // cmp $-4095,%rax
  private static final String NOPS = "90".repeat(100);

  @Test
  void shouldReplaceTheMovBeforeACall() {
    byte[] text = code(NOPS + "b827000000" + SYSCALL + CMP + "c3");
    byte[] before = text.clone();
    SitePatcher.Patches p = some(patch(text));
    assertEquals(1, p.count());
    assertEquals((byte) 0xe9, text[100], "a jump");
    before[100] = text[100];
    System.arraycopy(text, 101, before, 101, 4);
    assertArrayEquals(before, text, "nothing but the mov changes");
    assertEquals("b827000000", hex(p.code(), 0, 5), "the number is loaded in the trampoline");
  }

  @Test
  void shouldMoveWhatFollowsACallWithoutAMov() {
    byte[] text = code(NOPS + "31c0" + SYSCALL + CMP + "c3" + NOPS);
    SitePatcher.Patches p = some(patch(text));
    assertEquals(1, p.count());
    assertEquals((byte) 0xe9, text[102]);
    assertEquals("31c0", hex(text, 100, 2));
    assertTrue(
        hex(p.code(), 0, p.code().length).contains(SYSCALL + CMP + "e9"), "call, tail, back");
  }

  @Test
  void shouldMakeAJumpBehindACallAnew() {
    // xor; syscall; jmp to the nop before the xor; padding
    byte[] text = code(NOPS + "31c0" + SYSCALL + "ebf9" + "cccccccccccccccccccc" + NOPS);
    SitePatcher.Patches p = some(patch(text));
    byte[] t = p.code();
    int jump = hex(t, 0, t.length).indexOf(SYSCALL + "e9") / 2 + 2;
    assertEquals(99, jump + 5 + int32(t, jump + 1) + SitePatcher.DISTANCE);
    assertEquals(104, p.original(jump), "a thread there stands at the jump of the text");
    assertEquals(jump, p.moved(104));
  }

  @Test
  void shouldMakeAConditionalJumpBehindACallAnew() {
    byte[] text = code(NOPS + "31c0" + SYSCALL + "85c0" + "75f0" + "c3" + NOPS); // test; jne
    SitePatcher.Patches p = some(patch(text));
    byte[] t = p.code();
    int jump = hex(t, 0, t.length).indexOf(SYSCALL + "85c00f85") / 2 + 4;
    assertEquals(108 - 16, jump + 6 + int32(t, jump + 2) + SitePatcher.DISTANCE);
    assertEquals((byte) 0xe9, t[jump + 6]);
    assertEquals(108, jump + 11 + int32(t, jump + 7) + SitePatcher.DISTANCE, "else on behind it");
    assertEquals(106, p.original(jump));
    assertEquals(108, p.original(jump + 6));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        // a branch to the tail, from behind it and from before
        "31c0" + SYSCALL + CMP + "ebf8",
        "eb04" + "31c0" + SYSCALL + CMP + "c3",
        // a relative call as tail: its bytes cannot move
        "31c0" + SYSCALL + "e800000000" + "c3",
        // a jump with the next instruction right behind it
        "9090909090909090" + "31c0" + SYSCALL + "ebf0" + "4889f8c3",
        // a return with the next function right behind it
        "9090909090909090" + "31c0" + SYSCALL + "c3" + "4889f8c3",
      })
  void shouldLeaveASiteWhoseTailCannotMove(String code) {
    String padded = NOPS + "90".repeat(12) + code + NOPS;
    byte[] text = code(padded);
    assertNull(patch(text));
    assertArrayEquals(code(padded), text);
  }

  @Test
  void shouldLeaveSignalReturnsAlone() {
    String code = NOPS + "48c7c00f000000" + SYSCALL + NOPS;
    byte[] text = code(code);
    assertNull(patch(text));
    assertArrayEquals(code(code), text);
  }

  @Test
  void shouldLeaveConstantsAlone() {
    String code = NOPS + "48b8" + "1122330f05445566" + "c3" + NOPS; // movabs with 0f 05 inside
    byte[] text = code(code);
    assertNull(patch(text));
    assertArrayEquals(code(code), text);
  }

  static Stream<Path> libraries() {
    return Stream.of(
            "/usr/lib/x86_64-linux-gnu/libc.so.6",
            "/usr/lib/x86_64-linux-musl/libc.so",
            "/lib/ld-musl-x86_64.so.1",
            "/usr/local/go/bin/gofmt",
            "/usr/lib/go-1.19/bin/gofmt")
        .map(Path::of);
  }

  @ParameterizedTest
  @MethodSource("libraries")
  void shouldPatchNineTenthsOfTheSites(Path file) throws IOException {
    assumeTrue(Files.exists(file), "not here: " + file);
    byte[] elf = Files.readAllBytes(file);
    ByteBuffer b = ByteBuffer.wrap(elf).order(ByteOrder.LITTLE_ENDIAN);
    int found = 0;
    int patched = 0;
    for (int i = 0; i < b.getShort(56); i++) {
      int header = (int) b.getLong(32) + i * 56;
      if (b.getInt(header) != 1 || (b.getInt(header + 4) & 1) == 0) {
        continue;
      }
      int from = (int) b.getLong(header + 8);
      SitePatcher.Patches p =
          patch(Arrays.copyOfRange(elf, from, from + (int) b.getLong(header + 32)));
      if (p != null) {
        found += p.found();
        patched += p.count();
      }
    }
    System.out.println(file + ": " + patched + " of " + found + " sites patched");
    assertTrue(found > 10, "sites found: " + found);
    assertTrue(patched * 10 >= found * 9, patched + " of " + found);
  }

  private static SitePatcher.@Nullable Patches patch(byte[] text) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment same = arena.allocate(text.length);
      MemorySegment.copy(text, 0, same, ValueLayout.JAVA_BYTE, 0, text.length);
      return SitePatcher.patch(text, same, text.length, ENTRY, new Answers(0x600));
    }
  }

  private static SitePatcher.Patches some(SitePatcher.@Nullable Patches p) {
    assertNotNull(p);
    return java.util.Objects.requireNonNull(p);
  }

  private static int int32(byte[] b, int at) {
    return ByteBuffer.wrap(b).order(ByteOrder.LITTLE_ENDIAN).getInt(at);
  }

  private static byte[] code(String hex) {
    return HexFormat.of().parseHex(hex);
  }

  private static String hex(byte[] b, int from, int length) {
    return HexFormat.of().formatHex(b, from, from + length);
  }
}
