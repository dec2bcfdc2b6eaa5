package redoubt.sentry.loader;

import java.lang.foreign.MemorySegment;

/** Reads an executable file at an offset, as pread(2). */
@FunctionalInterface
public interface ProgramReader {
  /** {@return bytes read, 0 at the end of the file, or a negative errno} */
  long read(MemorySegment dst, long dstOffset, long length, long fileOffset);
}
