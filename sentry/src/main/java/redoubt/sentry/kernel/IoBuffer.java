package redoubt.sentry.kernel;

import java.lang.foreign.MemorySegment;

/**
 * Where the bytes of a read go, or those of a write come from: a guest's iovecs ({@link UserIo}) or
 * a kernel buffer ({@link KernelIo}). A cursor: each transfer advances it.
 */
public abstract class IoBuffer {
  /** {@return bytes that may still be transferred} */
  public abstract long remaining();

  /**
   * Gives {@code length} bytes (at most {@link #remaining}) of kernel memory to a reader.
   *
   * @return bytes taken, short when the guest's memory faulted, {@code -EFAULT} when none could be
   */
  public abstract long put(MemorySegment src, long offset, long length);

  /** Takes {@code length} bytes from a writer. Returns as {@link #put}. */
  public abstract long get(MemorySegment dst, long offset, long length);

  /** Gives {@code length} zero bytes to a reader. Returns as {@link #put}. */
  public abstract long putZeros(long length);

  /**
   * {@return native memory for host I/O} At most {@link #windowLimit} bytes. Guests may change it
   * at any time: data only. Take it before the {@link #commit} or {@link #fetch} that it belongs
   * to: those advance.
   */
  public abstract MemorySegment window();

  /** {@return how many bytes one round through the window may carry now} */
  public abstract long windowLimit();

  /** Gives the first {@code length} bytes of the window to a reader. Returns as {@link #put}. */
  public abstract long commit(long length);

  /**
   * Says that the window will be used again in this call, so that {@link #commit} may not defer its
   * copy.
   */
  public void expectMore() {}

  /**
   * Takes back the last {@code length} bytes of {@link #get}: an attempt that blocks has consumed
   * nothing.
   */
  public abstract void rewind(long length);

  /** Fills the window with up to {@code length} bytes from a writer. Returns as {@link #get}. */
  public abstract long fetch(long length);
}
