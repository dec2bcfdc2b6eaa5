package redoubt.p9;

import redoubt.host.Memory;
import redoubt.host.Region;

/**
 * A batch of directory entries, read one after the other with {@link #next()}. Reusable; it has a
 * message buffer of its own, which {@link P9Client#readdir} fills. Not thread-safe.
 */
public final class P9Dir implements AutoCloseable {
  /** Bit of an entry's type byte on the wire: attributes follow the name. */
  static final int ENTRY_HAS_ATTR = 0x80;

  P9Buffer buffer;

  private int remaining;
  private boolean end;

  /** Inode number. */
  public long ino;

  /** The cookie that continues after this entry. */
  public long offset;

  /** DT_REG and kin. */
  public int type;

  public int nameOffset;
  public int nameLength;

  /** Whether {@link #attr} is this entry's. */
  public boolean hasAttr;

  public final P9Attr attr = new P9Attr();

  P9Dir(P9Buffer buffer) {
    this.buffer = buffer;
  }

  /** {@return whether there is nothing after this batch} */
  public boolean isEnd() {
    return end;
  }

  /**
   * Goes to the next entry of the batch; returns false when there is none, or when its attributes
   * make no sense: {@link P9Client#check} tells.
   */
  public boolean next() {
    if (remaining <= 0 || buffer.failed()) {
      return false;
    }
    remaining--;
    decode();
    if (hasAttr) {
      attr.read(buffer);
    }
    return !buffer.failed();
  }

  /** Copies the entry's name; {@code to} has room for NAME_MAX bytes from {@code at} on. */
  public void copyName(byte[] to, int at) {
    buffer.region().getBytes(nameOffset, to, at, nameLength);
  }

  /** {@return the memory in which {@link #nameOffset} counts} */
  public Region memory() {
    return buffer.region();
  }

  @Override
  public void close() {
    remaining = 0;
    Memory.unmap(buffer.memory());
  }

  /** Forgets the batch. */
  void reset() {
    remaining = 0;
    end = false;
  }

  /**
   * Takes {@code count} entries, on the first of which the cursor is; {@link #skip} checked them.
   */
  void take(int count, boolean end) {
    remaining = count;
    this.end = end;
  }

  /** Checks {@code count} entries but for their attributes, and passes over them. */
  void skip(int count) {
    P9Buffer b = buffer;
    for (int i = 0; i < count && !b.failed(); i++) {
      decode();
      if (hasAttr) {
        b.skip(P9Attr.BYTES);
      }
      checkName();
    }
  }

  private void decode() {
    P9Buffer b = buffer;
    ino = b.get64();
    offset = b.get64();
    int t = b.get8();
    type = t & ~ENTRY_HAS_ATTR;
    nameLength = b.get16();
    nameOffset = b.skip(nameLength);
    hasAttr = (t & ENTRY_HAS_ATTR) != 0;
  }

  private void checkName() {
    if (buffer.failed() || type > 15 || !isName(buffer, nameOffset, nameLength)) {
      buffer.fail();
    }
  }

  /** {@return whether bytes that are there can be the name of a file} */
  static boolean isName(P9Buffer b, int offset, int length) {
    if (length == 0 || length > P9.NAME_MAX) {
      return false;
    }
    Region m = b.region();
    for (int i = 0; i < length; i++) {
      byte c = m.getByte(offset + i);
      if (c == '/' || c == 0) {
        return false;
      }
    }
    return true;
  }
}
