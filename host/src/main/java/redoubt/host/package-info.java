/**
 * The host kernel as Java sees it. This is the only package that makes restricted calls of {@code
 * java.lang.foreign}; everything else gets typed functions, {@link redoubt.host.Fd} objects and
 * bounded {@link java.lang.foreign.MemorySegment}s.
 *
 * <p>Read {@link redoubt.host.RawSyscall} first: one downcall shape carries every system call.
 */
@NullMarked
package redoubt.host;

import org.jspecify.annotations.NullMarked;
