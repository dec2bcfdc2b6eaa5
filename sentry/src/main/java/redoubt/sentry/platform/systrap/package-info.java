/**
 * The default platform: guest code runs natively in stub processes, whose system calls the host's
 * seccomp turns into SIGSYS; the handler hands them over through shared memory.
 *
 * <p>The C side is {@code native/keeper}; {@code layout.h} there is {@link
 * redoubt.sentry.platform.systrap.Layout} here. Read {@link
 * redoubt.sentry.platform.systrap.StubContext} first: {@code run} is the hot path.
 *
 * <p>Who is trusted: the keeper and each stub's map thread (they hold the token, and what they read
 * is mapped read-only for guests). Nobody else: every word of a context and of a reply page is a
 * hostile guest's.
 *
 * <p>Lock order: {@code StubSpace.mu} (one batch at a time), then {@code Systrap.mu} (free slots,
 * spaces by pid), then the socket's. The watcher thread takes {@code Systrap.mu} only.
 */
@NullMarked
package redoubt.sentry.platform.systrap;

import org.jspecify.annotations.NullMarked;
