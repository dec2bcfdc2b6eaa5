package redoubt.host;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;

class RegionTest {
  private final MemorySegment memory = Arena.global().allocate(64, 8);
  private final Region region = Region.of(memory);

  private static void outside(Runnable access) {
    assertThrows(IndexOutOfBoundsException.class, access::run);
  }

  @Test
  void shouldBeTheSameMemoryAsItsSegment() {
    region.putLong(8, 0x1122334455667788L);
    assertEquals(0x55667788, memory.get(Memory.INT, 8));
    memory.set(Memory.INT, 9, 7);
    assertEquals(7, region.getInt(9));
  }

  @Test
  void shouldRefuseEveryByteOutside() {
    outside(() -> region.getByte(-1));
    outside(() -> region.getByte(64));
    outside(() -> region.getShort(63));
    outside(() -> region.putInt(61, 0));
    outside(() -> region.putLong(57, 0));
    outside(() -> region.getIntAcquire(Long.MAX_VALUE));
    outside(() -> region.getLong(Long.MIN_VALUE));
    outside(() -> region.clear(1, 64));
    outside(() -> region.clear(Long.MAX_VALUE, Long.MAX_VALUE));
    outside(() -> region.clear(0, -1));
    region.putLong(56, 1);
    region.clear(64, 0);
  }

  @Test
  void shouldRefuseCopiesThatLeaveEitherSide() {
    MemorySegment other = Arena.global().allocate(16, 8);
    outside(() -> region.put(0, other, 1, 16));
    outside(() -> region.put(49, other, 0, 16));
    outside(() -> region.get(0, other, 1, 16));
    outside(() -> region.get(0, other, Long.MAX_VALUE, 16));
    outside(() -> region.put(0, region, 60, 8));
    outside(() -> Region.zeroByte(other, 10, 7));
  }

  @Test
  void shouldCopyArraysInPlace() {
    byte[] heap = {1, 2, 3, 4, 5};
    region.putBytes(10, heap, 2, 3);
    byte[] back = new byte[5];
    region.getBytes(10, back, 1, 3);
    assertArrayEquals(new byte[] {0, 3, 4, 5, 0}, back);
    outside(() -> region.putBytes(62, heap, 0, 3));
    outside(() -> region.putBytes(0, heap, 3, 3));
    outside(() -> region.putBytes(0, heap, -1, 3));
    outside(() -> region.getBytes(0, back, 3, 3));
    outside(() -> region.getBytes(0, back, 0, -1));
    outside(() -> region.getBytes(62, back, 0, 3));
  }

  @Test
  void shouldCopyToAndFromTheHeap() {
    byte[] heap = {1, 2, 3, 4};
    region.put(3, MemorySegment.ofArray(heap), 1, 3);
    assertEquals(0x04030200, region.getInt(2));
    byte[] back = new byte[2];
    region.get(4, MemorySegment.ofArray(back), 0, 2);
    assertEquals(3, back[0]);
    assertThrows(
        IllegalArgumentException.class, () -> Region.of(MemorySegment.ofArray(new byte[8])));
  }

  @Test
  void shouldCopyAnyLength() {
    Region from = Region.of(Arena.ofAuto().allocate(400));
    for (int i = 0; i < 400; i++) {
      from.putByte(i, (byte) (i * 7 + 1));
    }
    for (int n = 0; n < 300; n++) {
      Region to = Region.of(Arena.ofAuto().allocate(400));
      to.put(3, from, 5, n);
      byte[] heap = new byte[301];
      from.getBytes(5, heap, n);
      for (int i = 0; i < 300; i++) {
        assertEquals(i < n ? from.getByte(5 + i) : 0, to.getByte(3 + i), i + " of " + n);
        assertEquals(i < n ? from.getByte(5 + i) : 0, heap[i], i + " of " + n);
      }
      assertEquals(0, to.getByte(2));
    }
  }

  @Test
  void shouldNotWriteThroughAReadOnlySegment() {
    MemorySegment readOnly = Arena.global().allocate(8, 8).asReadOnly();
    assertThrows(IllegalArgumentException.class, () -> region.get(0, readOnly, 0, 4));
  }

  @Test
  void shouldFindTheFirstZeroByte() {
    MemorySegment s = Arena.global().allocateFrom("abc");
    assertEquals(3, Region.zeroByte(s, 0, 4));
    assertEquals(-1, Region.zeroByte(s, 0, 3));
    assertEquals(1, Region.zeroByte(s, 2, 2));
  }
}
