package redoubt.sentry.platform.systrap;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import redoubt.host.Region;
import redoubt.sentry.platform.GuestContext;

/**
 * Copies to guest memory that the guest thread makes on its way back. The first one's description
 * travels in the line of the call, and so do its bytes when they are few: every further line costs
 * the guest thread a fetch from another core, some 100 ns.
 *
 * <p>Owned by the context's Java thread.
 */
final class CopyQueue {
  private final Region memory;

  /** Bytes of the first copy, until they go into the line. */
  private final Region staged = Region.of(Arena.ofAuto().allocate(Layout.FIRST_BYTES, 8));

  private boolean hasFirst;
  private long firstGuest;
  private long firstPlace;
  private int count;
  private int bytes;
  private boolean hasWindow;
  private int used;

  CopyQueue(Region memory) {
    this.memory = memory;
  }

  boolean isEmpty() {
    return !hasFirst;
  }

  /** {@return bytes of the queue's part of the context that have ever held something} */
  int used() {
    return used;
  }

  /**
   * Queues a copy of {@code length} bytes, more than 0, that lie below the stub's region.
   *
   * @return false if there is no room
   */
  boolean add(long uaddr, MemorySegment src, long srcOffset, long length) {
    if (!hasFirst && length <= Layout.FIRST_BYTES) {
      staged.put(0, src, srcOffset, length);
      enqueue(uaddr, 0, (int) length);
      return true;
    }
    if (count >= Layout.QUEUE_LIMIT || length > Layout.QUEUE_BYTES - bytes) {
      return false;
    }
    int at = Layout.CONTEXT_QUEUE + bytes;
    memory.put(at, src, srcOffset, length);
    bytes += (int) (length + 7 & ~7L);
    used = Math.min(Layout.QUEUE_BYTES, Math.max(used, bytes));
    enqueue(uaddr, at, (int) length);
    return true;
  }

  /**
   * Queues the first {@code length} bytes of the window.
   *
   * @throws IllegalStateException if the window is queued already, or is smaller
   */
  void addWindow(long uaddr, long length) {
    if (hasWindow || length > GuestContext.BUFFER_BYTES) {
      throw new IllegalStateException("the window is queued already, or the length is too large");
    }
    hasWindow = true;
    enqueue(uaddr, Layout.CONTEXT_WINDOW, (int) length);
  }

  private void enqueue(long uaddr, int offset, int length) {
    if (!hasFirst) {
      hasFirst = true;
      firstGuest = uaddr;
      firstPlace = (long) offset << 32 | length;
      return;
    }
    long at = Layout.QUEUE + count * 16L;
    memory.putLong(at, uaddr);
    memory.putInt(at + 8, offset);
    memory.putInt(at + 12, length);
    count++;
  }

  void clear() {
    hasFirst = false;
    hasWindow = false;
    count = 0;
    bytes = 0;
  }

  /** Writes the first copy into the call's line; {@return what the command's word says of all} */
  int writeFirst() {
    if (!hasFirst) {
      return 0;
    }
    Region m = memory;
    m.putLong(Layout.FIRST_GUEST, firstGuest);
    m.putLong(Layout.FIRST_PLACE, firstPlace);
    if (firstPlace >>> 32 == 0) {
      m.put(Layout.FIRST_DATA, staged, 0, Layout.FIRST_BYTES);
    }
    return Layout.CMD_FIRST | count << 8;
  }
}
