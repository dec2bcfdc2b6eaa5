package redoubt.sentry.platform;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * One guest address space: page tables and guest threads lent by the host. Guest memory is not
 * visible to the sentry; it is changed by {@link #apply} and read and written by copies.
 *
 * <p>All methods may be called from any thread. Calls of {@code apply} on one address space are
 * serialised by the implementation; the caller ({@code MemoryManager}) holds its own mapping lock.
 */
public interface AddressSpace {
  /**
   * Carries out the operations of {@code batch} in order and waits until they are done.
   *
   * @return 0, or the negative errno of the first operation that failed; later ones were not tried
   */
  long apply(MapBatch batch);

  /**
   * Copies this address space as fork(2) does: private memory copy-on-write, shared memory shared.
   * The copy has no threads.
   *
   * @throws PlatformException if the host has no process or memory for it
   */
  AddressSpace fork();

  /**
   * Adds a guest thread, not yet running; all its registers are zero.
   *
   * @throws PlatformException if the host has no thread for it
   */
  GuestContext newContext();

  /**
   * Copies from this address space by a thread that has a guest's rights, for callers that are not
   * one of its own tasks (ptrace, /proc/PID/mem).
   *
   * @return bytes copied, short at the first byte that cannot be read
   */
  long copyIn(long uaddr, MemorySegment dst, long dstOffset, long length);

  /** As {@link #copyIn}, the other way. */
  long copyOut(long uaddr, MemorySegment src, long srcOffset, long length);

  /**
   * Puts the text of all programs back as their files have it, and leaves it alone from now on:
   * somebody looks closely (ptrace).
   */
  default void unpatch() {}

  /**
   * Executable pages of files that are mapped from now on stay byte for byte as they are in the
   * file: the program reads its own text.
   */
  default void keepText() {}

  /**
   * {@return where views of files may be mapped, out of the guest's reach} by batches that are
   * {@link MapBatch#forViews}; 0 if the platform has none
   */
  default long viewBase() {
    return 0;
  }

  /** {@return bytes from {@link #viewBase} on} */
  default long viewBytes() {
    return 0;
  }

  /** Kills all its threads, for what cannot be mended; {@link #release} follows all the same. */
  void destroy();

  /** {@return whether the host process is gone}, killed by the host or by itself */
  boolean isDead();

  /**
   * {@return what it occupies of the host's memory, or null if that is not known} Takes a while
   * (some 50 us): no lock that a guest's call needs may be held.
   */
  default @Nullable MemoryUsage memoryUsage() {
    return null;
  }

  /** {@return whether it began as a copy of another one, and so shares pages with it} */
  default boolean isForked() {
    return false;
  }

  /**
   * Ends the address space and all its threads. Idempotent; no other call may follow.
   *
   * @param whenGone runs once none of its threads can run any more, on some thread without locks;
   *     not if this is not the first call
   */
  void release(Runnable whenGone);

  /** As the other, with nothing to do afterwards. */
  default void release() {
    release(() -> {});
  }
}
