package redoubt.p9;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.util.Random;
import org.junit.jupiter.api.Test;
import redoubt.abi.Stat;

class P9BufferTest {
  private final P9Buffer b = new P9Buffer(Arena.ofAuto().allocate(256));

  @Test
  void shouldReadWhatWasWritten() {
    b.begin(P9.TWALKATTR, 0xfffe);
    b.put8(0xab);
    b.put16(0xcdef);
    b.put32(-2);
    b.put64(Long.MIN_VALUE);
    b.putString(new byte[] {9, 8, 7}, 1, 2);
    int length = b.finish();
    assertTrue(b.accept(length));
    assertEquals(P9.TWALKATTR, b.type());
    assertEquals(0xfffe, b.tag());
    assertEquals(0xab, b.get8());
    assertEquals(0xcdef, b.get16());
    assertEquals(-2, b.get32());
    assertEquals(Long.MIN_VALUE, b.get64());
    assertEquals(2, b.get16());
    byte[] got = new byte[2];
    b.getBytes(got, 0, 2);
    assertArrayEquals(new byte[] {8, 7}, got);
    assertTrue(b.isConsumed());
  }

  @Test
  void shouldFailInsteadOfPassingTheEnd() {
    b.begin(1, 2);
    b.put32(5);
    assertTrue(b.accept(b.finish()));
    b.get32();
    assertFalse(b.failed());
    assertEquals(0, b.get8());
    assertTrue(b.failed());
    assertFalse(b.isConsumed());
    b.begin(1, 2);
    b.putBytes(new byte[300], 0, 300);
    assertTrue(b.failed());
  }

  @Test
  void shouldFailOnNegativeAndHugeLengths() {
    b.begin(1, 2);
    assertTrue(b.accept(b.finish()));
    assertEquals(-1, b.skip(-1));
    assertTrue(b.failed());
    assertTrue(b.accept(7));
    assertEquals(-1, b.skip(Integer.MAX_VALUE));
  }

  @Test
  void shouldRefuseAFrameOfAnotherSize() {
    b.begin(1, 2);
    b.put32(0);
    b.finish();
    assertTrue(b.accept(11));
    assertFalse(b.accept(10));
    assertFalse(b.accept(12));
    assertFalse(b.accept(6));
    assertFalse(b.accept(0));
    assertFalse(b.accept(257));
  }

  @Test
  void shouldCarryAttributes() {
    P9Attr a = new P9Attr();
    a.mode = Stat.S_IFREG | 0644;
    a.uid = -2;
    a.gid = 3;
    a.nlink = 4;
    a.ino = -5;
    a.dev = 6;
    a.rdev = 7;
    a.size = 8;
    a.blocks = 9;
    a.blksize = 10;
    a.flags = P9Attr.HAS_BTIME;
    a.atimeSec = -11;
    a.mtimeSec = 12;
    a.ctimeSec = 13;
    a.btimeSec = 14;
    a.atimeNsec = 15;
    a.mtimeNsec = 16;
    a.ctimeNsec = 17;
    a.btimeNsec = 999_999_999;
    b.begin(1, 2);
    a.write(b);
    assertEquals(P9.HEADER + P9Attr.BYTES, b.finish());
    P9Attr c = new P9Attr();
    assertTrue(b.accept(P9.HEADER + P9Attr.BYTES));
    c.read(b);
    assertTrue(b.isConsumed());
    P9Buffer again = new P9Buffer(Arena.ofAuto().allocate(256));
    again.begin(1, 2);
    c.write(again);
    again.finish();
    assertEquals(-1, b.memory().asSlice(0, 119).mismatch(again.memory().asSlice(0, 119)));
  }

  @Test
  void shouldRefuseAttributesThatNoFileHas() {
    for (int bad = 0; bad < 4; bad++) {
      P9Attr a = new P9Attr();
      a.mode = bad == 0 ? 0 : bad == 1 ? Stat.S_IFREG | 0x10000 : Stat.S_IFREG;
      a.size = bad == 2 ? -1 : 0;
      a.mtimeNsec = bad == 3 ? 1_000_000_000 : 0;
      b.begin(1, 2);
      a.write(b);
      b.accept(b.finish());
      new P9Attr().read(b);
      assertTrue(b.failed(), "case " + bad);
    }
  }

  @Test
  void shouldNeverThrowWhateverIsRead() {
    var random = new Random(42);
    for (int round = 0; round < 20_000; round++) {
      int length = random.nextInt(300);
      for (int i = 0; i < 64; i++) {
        b.memory().set(redoubt.host.Memory.INT, 4L * i, random.nextInt());
      }
      b.memory().set(redoubt.host.Memory.INT, 0, length);
      b.accept(length);
      for (int i = 0; i < 12; i++) {
        switch (random.nextInt(6)) {
          case 0 -> b.get8();
          case 1 -> b.get16();
          case 2 -> b.get32();
          case 3 -> b.get64();
          case 4 -> b.skip(b.get16());
          default -> new P9Attr().read(b);
        }
      }
      assertTrue(b.remaining() >= 0);
    }
  }
}
