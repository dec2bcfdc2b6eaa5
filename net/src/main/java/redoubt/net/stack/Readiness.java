package redoubt.net.stack;

import org.jspecify.annotations.Nullable;

/**
 * An endpoint's bell. {@link #ring} under the stack's lock only notes that something changed; the
 * stack calls the listener once it has let go of its lock, so that a listener may take any lock.
 */
public final class Readiness {
  private final NetworkStack stack;
  private volatile @Nullable Runnable listener;
  boolean isPending;
  @Nullable Readiness next;

  public Readiness(NetworkStack stack) {
    this.stack = stack;
  }

  /** Sets who is told. It is called by whatever thread caused the change; it must not block. */
  public void listen(@Nullable Runnable listener) {
    this.listener = listener;
  }

  /** Precondition: the stack's lock is held. */
  public void ring() {
    if (!isPending && listener != null) {
      stack.notifyLater(this);
    }
  }

  void call() {
    Runnable l = listener;
    if (l != null) {
      l.run();
    }
  }
}
