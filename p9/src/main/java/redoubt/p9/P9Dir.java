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

  /** Goes to the next entry of the batch; returns false when there is none. */
  public boolean next() {
    if (remaining <= 0) {
      return false;
    }
    remaining--;
    decode();
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

  /** Checks all entries of an answer, cursor on the first; returns how many, or -1 if bad. */
  int accept(int count, boolean end) {
    P9Buffer b = buffer;
    int start = b.position();
    for (int i = 0; i < count && !b.failed(); i++) {
      decode();
    }
    if (!b.isConsumed()) {
      return -1;
    }
    b.rewind(start);
    remaining = count;
    this.end = end;
    return count;
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
    if (hasAttr) {
      attr.read(b);
    }
    if (b.failed() || nameLength == 0 || nameLength > P9.NAME_MAX || type > 15) {
      b.fail();
      return;
    }
    Region m = b.region();
    for (int i = 0; i < nameLength; i++) {
      byte c = m.getByte(nameOffset + i);
      if (c == '/' || c == 0) {
        b.fail();
        return;
      }
    }
  }
}
