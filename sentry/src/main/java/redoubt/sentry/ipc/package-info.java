/**
 * Files that tasks of one sandbox talk through, and wait on: pipes and FIFOs, eventfd, timerfd,
 * signalfd and epoll. Nothing here leaves the sentry.
 *
 * <p>Read {@link redoubt.sentry.ipc.Pipe} first, then {@link redoubt.sentry.ipc.Epoll}. {@link
 * redoubt.sentry.ipc.Ipc#install} puts the whole package into a kernel.
 *
 * <p>Lock order, outermost first: {@code Epoll.NEST_MU}, an outer epoll's {@code mu}, an inner
 * epoll's {@code mu}, {@code EpollLinks}, a file's own lock (pipe, eventfd, socket), {@code
 * PagePool}, {@code WaitQueue} monitors, {@code Epoll.readyMu}, {@code Waiter}. Files notify their
 * queues after they let go of their own lock.
 */
@NullMarked
package redoubt.sentry.ipc;

import org.jspecify.annotations.NullMarked;
