/**
 * Tasks, thread groups, sessions, signals, descriptors, credentials, time and waiting: what Linux
 * keeps in {@code kernel/}.
 *
 * <p>Read {@link redoubt.sentry.kernel.Task} first, then {@link redoubt.sentry.kernel.Waiter}, the
 * one place where a task blocks.
 *
 * <p>Lock order, outermost first: {@code Tracing.accessMu} (a tracee's registers and memory while
 * its tracer is at them), {@code TaskSet.mu} (the tree of tasks, sessions and their states), {@code
 * SignalHandlers.mu} of one thread group (its signal state), a {@code FdTable}'s monitor, a file's
 * or inode's own lock, {@code WaitQueue} monitors, {@code Waiter}. Nothing blocks while it holds
 * one of them.
 */
@NullMarked
package redoubt.sentry.kernel;

import org.jspecify.annotations.NullMarked;
