package redoubt.sentry.socket.netlink;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Random;
import org.junit.jupiter.api.Test;
import redoubt.host.Memory;

class AttributesTest {
  private static final int TYPES = 8;

  private static MemorySegment bytes(int... words) {
    MemorySegment s = Arena.ofAuto().allocate(4L * words.length, 4);
    for (int i = 0; i < words.length; i++) {
      s.set(Memory.INT, 4L * i, words[i]);
    }
    return s;
  }

  private static int header(int type, int size) {
    return type << 16 | size;
  }

  @Test
  void shouldTakeTheLastOfAType() {
    MemorySegment s = bytes(header(1, 8), 5, header(2, 5), 'x', header(0x8001, 8), 6);
    Attributes a = new Attributes(s, 0, (int) s.byteSize());
    assertEquals(6, a.integer(1, 0));
    assertEquals("x", a.string(2));
    assertEquals(-1, a.size(3));
    assertEquals(9, a.integer(3, 9));
  }

  @Test
  void shouldEndAtAnAttributeThatIsLongerThanTheMessage() {
    MemorySegment s = bytes(header(1, 8), 5, header(2, 16), 1, header(3, 8), 2);
    Attributes a = new Attributes(s, 0, (int) s.byteSize() - 4);
    assertTrue(a.has(1));
    assertFalse(a.has(2));
    assertFalse(a.has(3));
  }

  @Test
  void shouldStayWithinAnyMessage() {
    Random random = new Random(7);
    for (int i = 0; i < 20_000; i++) {
      int length = random.nextInt(64);
      MemorySegment s = Arena.ofAuto().allocate(Math.max(1, length), 4);
      for (int at = 0; at < length; at++) {
        s.set(Memory.BYTE, at, (byte) random.nextInt(random.nextBoolean() ? 12 : 256));
      }
      Attributes a = new Attributes(s, Math.min(length, random.nextInt(20)), length);
      for (int type = 0; type < TYPES; type++) {
        a.integer(type, 0);
        a.address(type, 0);
        a.half(type, 8);
        a.mac(type);
        a.string(type);
      }
    }
  }
}
