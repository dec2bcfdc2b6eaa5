/**
 * Device files: what opening {@code /dev/null} and its kin means, whatever filesystem holds the
 * node, and the usual population of a {@code /dev}.
 *
 * <p>Read {@link redoubt.sentry.fs.dev.Devices} first; it registers everything. No locks of its
 * own.
 */
@NullMarked
package redoubt.sentry.fs.dev;

import org.jspecify.annotations.NullMarked;
