package redoubt.sentry.strace;

import java.lang.foreign.MemorySegment;

/** Reads the memory of the traced task. */
@FunctionalInterface
public interface UserReader {
  /** {@return bytes copied; fewer than {@code length}, or negative, when the memory faulted} */
  long copyIn(long uaddr, MemorySegment dst, long dstOffset, long length);
}
