package redoubt.p9;

import java.lang.foreign.MemorySegment;
import redoubt.host.Region;

/**
 * One message in memory outside the heap, with a cursor that writes it or reads it.
 *
 * <p>Nothing throws: a read or write past the end sets {@link #failed()} and gives zero, so that a
 * decoder reads a whole body in a straight line and asks once whether all of it was there. Every
 * length that came over the wire is checked here before it is used. Not thread-safe.
 */
public final class P9Buffer {
  private final Region memory;
  private final int capacity;
  private int position;
  private int limit;
  private boolean failed;

  /** Takes {@code memory} for messages of up to its size. */
  public P9Buffer(MemorySegment memory) {
    this.memory = Region.of(memory);
    this.capacity = (int) Math.min(memory.byteSize(), P9.MSIZE_MAX);
  }

  public MemorySegment memory() {
    return memory.segment();
  }

  /** {@return the same memory as {@link #memory}} */
  public Region region() {
    return memory;
  }

  public int capacity() {
    return capacity;
  }

  public int position() {
    return position;
  }

  /** {@return whether any read or write since the start went past the end} */
  public boolean failed() {
    return failed;
  }

  /** Marks the message as bad: a value in it makes no sense. */
  public void fail() {
    failed = true;
  }

  /** {@return the host address of byte {@code offset} of the message} */
  public long haddr(int offset) {
    return memory.address() + offset;
  }

  /** {@return bytes between the cursor and the end} */
  public int remaining() {
    return limit - position;
  }

  // Writing.

  /** Begins a message; {@link #finish} fills in its size. */
  public void begin(int type, int tag) {
    limit = capacity;
    failed = false;
    memory.putByte(4, (byte) type);
    memory.putShort(5, (short) tag);
    position = P9.HEADER;
  }

  /** Ends the message and {@return its size} */
  public int finish() {
    memory.putInt(0, position);
    return position;
  }

  public void put8(int v) {
    int p = advance(1);
    if (p >= 0) {
      memory.putByte(p, (byte) v);
    }
  }

  public void put16(int v) {
    int p = advance(2);
    if (p >= 0) {
      memory.putShort(p, (short) v);
    }
  }

  public void put32(int v) {
    int p = advance(4);
    if (p >= 0) {
      memory.putInt(p, v);
    }
  }

  public void put64(long v) {
    int p = advance(8);
    if (p >= 0) {
      memory.putLong(p, v);
    }
  }

  /** Writes bytes without a length. */
  public void putBytes(byte[] from, int offset, int length) {
    int p = advance(length);
    if (p >= 0) {
      memory.putBytes(p, from, offset, length);
    }
  }

  /** Writes bytes without a length. */
  public void putBytes(Region from, long offset, int length) {
    int p = advance(length);
    if (p >= 0) {
      memory.put(p, from, offset, length);
    }
  }

  /** Writes a string: a length of two bytes, and the bytes. */
  public void putString(byte[] from, int offset, int length) {
    if (length > 0xffff) {
      failed = true;
      return;
    }
    put16(length);
    putBytes(from, offset, length);
  }

  /** Overwrites four bytes at {@code offset}, which were written before. */
  public void patch32(int offset, int v) {
    memory.putInt(offset, v);
  }

  /** Overwrites two bytes at {@code offset}, which were written before. */
  public void patch16(int offset, int v) {
    memory.putShort(offset, (short) v);
  }

  /** Leaves {@code length} bytes to be filled in place; returns their offset, or -1. */
  public int reserve(int length) {
    return advance(length);
  }

  /** Takes the cursor back to an earlier {@link #position()}. */
  public void rewind(int to) {
    position = Math.min(position, Math.max(to, P9.HEADER));
  }

  // Reading.

  /**
   * Takes {@code length} bytes of {@link #memory} as a message and puts the cursor on its body.
   *
   * @return whether the header is sound: the size in it is the size that came
   */
  public boolean accept(long length) {
    failed = false;
    if (length < P9.HEADER || length > capacity) {
      limit = 0;
      position = 0;
      failed = true;
      return false;
    }
    position = P9.HEADER;
    limit = (int) length;
    return memory.getInt(0) == limit;
  }

  /** {@return the type of the message} */
  public int type() {
    return memory.getByte(4) & 0xff;
  }

  /** {@return the tag of the message} */
  public int tag() {
    return memory.getShort(5) & 0xffff;
  }

  public int get8() {
    int p = advance(1);
    return p < 0 ? 0 : memory.getByte(p) & 0xff;
  }

  public int get16() {
    int p = advance(2);
    return p < 0 ? 0 : memory.getShort(p) & 0xffff;
  }

  public int get32() {
    int p = advance(4);
    return p < 0 ? 0 : memory.getInt(p);
  }

  public long get64() {
    int p = advance(8);
    return p < 0 ? 0 : memory.getLong(p);
  }

  /** Passes over {@code length} bytes; returns the offset where they begin, or -1. */
  public int skip(int length) {
    return advance(length);
  }

  /** Reads {@code length} bytes into an array that has room for them. */
  public void getBytes(byte[] to, int offset, int length) {
    int p = advance(length);
    if (p >= 0) {
      memory.getBytes(p, to, offset, length);
    }
  }

  /** {@return whether the whole body was read, and nothing past it} */
  public boolean isConsumed() {
    return !failed && position == limit;
  }

  private int advance(int bytes) {
    int p = position;
    if (bytes < 0 || bytes > limit - p) {
      failed = true;
      return -1;
    }
    position = p + bytes;
    return p;
  }
}
