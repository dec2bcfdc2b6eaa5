/**
 * System calls: one class per man-page family, the dispatcher's switch, and the table of names,
 * argument formats and support levels ({@code syscalls.tbl}) that strace, the documentation and the
 * stub's marshalling share. Read {@link redoubt.sentry.syscalls.SyscallTable} first.
 */
@NullMarked
package redoubt.sentry.syscalls;

import org.jspecify.annotations.NullMarked;
