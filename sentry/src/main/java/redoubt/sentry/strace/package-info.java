/**
 * The observer that prints one line a system call, with names instead of numbers. {@link
 * redoubt.sentry.strace.Strace} is the entry; {@code FlagSets} knows the names, {@code Values} the
 * structs. Each task owns a {@code Strace.Trace}, used by its own thread only: no locks.
 */
@NullMarked
package redoubt.sentry.strace;

import org.jspecify.annotations.NullMarked;
