/**
 * A kernel without a platform, for unit tests: {@link redoubt.sentry.testing.FakeGuest} is a task
 * whose memory is a Java segment and whose system calls are method calls.
 */
@NullMarked
package redoubt.sentry.testing;

import org.jspecify.annotations.NullMarked;
