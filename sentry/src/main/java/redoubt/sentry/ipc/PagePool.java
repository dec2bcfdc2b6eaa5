package redoubt.sentry.ipc;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;
import redoubt.host.Memory;

/**
 * Pages outside the Java heap for bytes under way in pipes and sockets, reused and bounded in
 * number. Memory that was taken once stays the sentry's.
 */
public final class PagePool {
  /** Bytes in a page. */
  public static final int PAGE = 4096;

  /** Bytes under way in one sandbox at most. */
  private static final long LIMIT_BYTES = 256L << 20;

  private static final int CHUNK_PAGES = 16;
  private static final int SHARES = 16;

  /** The sentry's one pool. */
  public static final PagePool SHARED = new PagePool(LIMIT_BYTES / PAGE);

  private final long limit;
  private MemorySegment[] free = new MemorySegment[4 * CHUNK_PAGES]; // guarded by this
  private int freeCount; // guarded by this
  private long total; // guarded by this

  /**
   * @param limit most pages that may exist
   */
  public PagePool(long limit) {
    this.limit = limit;
  }

  /** {@return a page of undefined content, or null when the limit is reached} */
  public synchronized @Nullable MemorySegment take() {
    if (freeCount == 0 && !grow()) {
      return null;
    }
    return free[--freeCount];
  }

  /** Takes a page back that {@link #take} gave; nobody may touch it any more. */
  public synchronized void release(MemorySegment page) {
    if (freeCount == free.length) {
      free = java.util.Arrays.copyOf(free, 2 * free.length);
    }
    free[freeCount++] = page;
  }

  /** {@return pages that are in use now} */
  public synchronized long inUse() {
    return total - freeCount;
  }

  /**
   * {@return bytes that one queue may hold while it competes with others} A part of what is left,
   * so that the pool never ends: the more queues fill it, the less each of them gets.
   */
  public synchronized long share() {
    return (limit - total + freeCount) * PAGE / SHARES;
  }

  private boolean grow() {
    int n = (int) Math.min(CHUNK_PAGES, limit - total);
    if (n <= 0) {
      return false;
    }
    MemorySegment chunk = Memory.allocateGlobal((long) n * PAGE);
    for (int i = 0; i < n; i++) {
      free[freeCount++] = chunk.asSlice((long) i * PAGE, PAGE);
    }
    total += n;
    return true;
  }
}
