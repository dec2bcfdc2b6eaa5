package redoubt.sentry.kernel;

import java.lang.ref.PhantomReference;
import java.lang.ref.Reference;
import java.lang.ref.ReferenceQueue;
import java.util.HashSet;
import java.util.Set;

/**
 * How much of the sentry's heap a kind of object may take that guests make and that nobody closes:
 * filters and rules that live in credentials. What the garbage collector has found dead counts no
 * more.
 */
public final class HeapBudget {
  private static final class Charge extends PhantomReference<Object> {
    private final long bytes;

    Charge(Object owner, ReferenceQueue<Object> queue, long bytes) {
      super(owner, queue);
      this.bytes = bytes;
    }
  }

  private final ReferenceQueue<Object> dead = new ReferenceQueue<>();
  private final Set<Charge> charges = new HashSet<>(); // guarded by this
  private final long limit;
  private long used; // guarded by this

  /**
   * @param part the heap is divided by it
   */
  public HeapBudget(int part) {
    this.limit = Runtime.getRuntime().maxMemory() / part;
  }

  /** Counts {@code bytes} as long as {@code owner} lives. Returns false if there is no room. */
  public synchronized boolean charge(Object owner, long bytes) {
    for (Reference<?> r; (r = dead.poll()) != null; ) {
      if (r instanceof Charge c && charges.remove(c)) {
        used -= c.bytes;
      }
    }
    if (used + bytes > limit) {
      return false;
    }
    used += bytes;
    charges.add(new Charge(owner, dead, bytes));
    return true;
  }
}
