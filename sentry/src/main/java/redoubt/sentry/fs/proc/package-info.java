/**
 * <a href="https://man7.org/linux/man-pages/man5/proc.5.html">proc(5)</a>: what the kernel tells of
 * itself, in the formats of Documentation/filesystems/proc.rst.
 *
 * <p>Read {@link redoubt.sentry.fs.proc.ProcFs} first, then {@link redoubt.sentry.fs.proc.TaskDir}.
 * Inodes hold tasks weakly: a name that is still cached keeps no dead process. Texts take {@code
 * TaskSet.mu} and {@code SignalHandlers.mu} for moments, one after the other, and never copy to a
 * guest under them.
 */
@NullMarked
package redoubt.sentry.fs.proc;

import org.jspecify.annotations.NullMarked;
