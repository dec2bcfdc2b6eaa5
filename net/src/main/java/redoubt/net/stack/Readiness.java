package redoubt.net.stack;

import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * An endpoint's bell. {@link #ring} under the stack's lock only notes what happened; the stack
 * calls the listener once it has let go of its lock, so that a listener may take any lock.
 */
public final class Readiness {
  /** Told what happened: POLL* bits. Runs on whatever thread caused it; must not block. */
  @FunctionalInterface
  public interface Listener {
    void ready(int events);
  }

  private final NetworkStack stack;
  private volatile @Nullable Listener listener;

  /** Rises before each call, so that who reads it sees all that led to earlier calls. */
  private volatile int calls;

  boolean isPending;
  private final AtomicInteger events = new AtomicInteger();
  @Nullable Readiness next;

  public Readiness(NetworkStack stack) {
    this.stack = stack;
  }

  /** Sets who is told. */
  public void listen(@Nullable Listener listener) {
    this.listener = listener;
  }

  /** Precondition: the stack's lock is held. */
  public void ring(int events) {
    if (listener == null) {
      return;
    }
    this.events.getAndAccumulate(events, (a, b) -> a | b);
    if (!isPending) {
      stack.notifyLater(this);
    }
  }

  /**
   * {@return how often the listener was called} To be read before endpoint state is looked at
   * without the stack's lock: what that misses is told to the listener later.
   */
  public int observe() {
    return calls;
  }

  /** Precondition: the stack's lock is held. */
  void polled() {
    isPending = false;
    calls = calls + 1;
  }

  void call() {
    Listener l = listener;
    int happened = events.getAndSet(0);
    if (l != null && happened != 0) {
      l.ready(happened);
    }
  }
}
