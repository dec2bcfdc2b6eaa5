package redoubt.sentry.loader;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import redoubt.abi.Elf;
import redoubt.abi.Errno;

class StackBuilderTest {
  private static final long TOP = 0x7fff_0000_0000L;
  private static final byte[] RANDOM = "0123456789abcdef".getBytes(StandardCharsets.ISO_8859_1);

  private static List<byte[]> strings(String... s) {
    return java.util.Arrays.stream(s).map(x -> x.getBytes(StandardCharsets.ISO_8859_1)).toList();
  }

  private static String string(StackBuilder.Image image, long address) {
    int at = (int) (address - image.sp());
    int end = at;
    while (image.bytes()[end] != 0) {
      end++;
    }
    return new String(image.bytes(), at, end - at, StandardCharsets.ISO_8859_1);
  }

  private static StackBuilder.Image build(int padding, List<byte[]> argv, List<byte[]> envp) {
    return StackBuilder.build(
        TOP, argv, envp, strings("/bin/x").getFirst(), new long[] {6, 4096}, RANDOM, padding);
  }

  @Test
  void shouldLayOutWhatAProgramReads() {
    for (int padding : new int[] {0, 1, 7, 8, 4099, 8191}) {
      var image = build(padding, strings("x", "", "arg"), strings("A=1", "B=22"));
      assertEquals(0, image.sp() % 16);
      assertEquals(TOP, image.sp() + image.bytes().length);
      ByteBuffer b = ByteBuffer.wrap(image.bytes()).order(ByteOrder.LITTLE_ENDIAN);
      assertEquals(3, b.getLong());
      assertEquals("x", string(image, b.getLong()));
      assertEquals("", string(image, b.getLong()));
      assertEquals("arg", string(image, b.getLong()));
      assertEquals(0, b.getLong());
      assertEquals("A=1", string(image, b.getLong()));
      assertEquals("B=22", string(image, b.getLong()));
      assertEquals(0, b.getLong());
      assertEquals(image.auxvOffset(), b.position());
      Map<Long, Long> auxv = new HashMap<>();
      long type;
      do {
        type = b.getLong();
        auxv.put(type, b.getLong());
      } while (type != 0);
      assertEquals(image.auxvOffset() + image.auxvBytes(), b.position());
      assertEquals(4096, auxv.get((long) Elf.AT_PAGESZ));
      assertEquals("/bin/x", string(image, auxv.get((long) Elf.AT_EXECFN)));
      assertEquals("x86_64", string(image, auxv.get((long) Elf.AT_PLATFORM)));
      byte[] random = new byte[16];
      b.get((int) (auxv.get((long) Elf.AT_RANDOM) - image.sp()), random);
      assertArrayEquals(RANDOM, random);
      assertEquals(0, b.getLong(image.bytes().length - 8));
    }
  }

  @Test
  void shouldTellWhereArgumentsAndEnvironmentLie() {
    var image = build(0, strings("x", "arg"), strings("A=1"));
    byte[] b = image.bytes();
    int start = (int) (image.argStart() - image.sp());
    assertEquals(
        "x\0arg\0",
        new String(b, start, (int) (image.argEnd() - image.argStart()), StandardCharsets.UTF_8));
    assertEquals("A=1", string(image, image.argEnd()));
    assertEquals(image.argEnd() + 4, image.envEnd());
  }

  @Test
  void shouldPassOneEmptyStringWhenThereAreNoArguments() {
    var image = build(0, List.of(), List.of());
    ByteBuffer b = ByteBuffer.wrap(image.bytes()).order(ByteOrder.LITTLE_ENDIAN);
    assertEquals(1, b.getLong());
    assertEquals("", string(image, b.getLong()));
  }

  @Test
  void shouldLimitStringsAsLinuxDoes() {
    long eightMiB = 8L << 20;
    assertEquals((2L << 20) - 16, StackBuilder.stringLimit(eightMiB, 1, 1));
    assertEquals((6L << 20) - 8, StackBuilder.stringLimit(-1, 0, 0));
    assertEquals(131072 - 8, StackBuilder.stringLimit(4096, 1, 0));
    assertEquals(-Errno.E2BIG, StackBuilder.stringLimit(eightMiB, 1 << 20, 0));
    byte[] name = new byte[10];
    List<byte[]> longest = List.of(new byte[131071]);
    assertEquals(0, StackBuilder.check(longest, List.of(), name, eightMiB));
    List<byte[]> tooLong = List.of(new byte[131072]);
    assertEquals(-Errno.E2BIG, StackBuilder.check(tooLong, List.of(), name, eightMiB));
    List<byte[]> many = java.util.Collections.nCopies(16, new byte[131071]);
    assertEquals(-Errno.E2BIG, StackBuilder.check(many, List.of(), name, eightMiB));
    assertEquals(0, StackBuilder.check(many.subList(0, 15), List.of(), name, eightMiB));
    assertTrue(StackBuilder.check(many, List.of(), name, -1) == 0);
  }
}
