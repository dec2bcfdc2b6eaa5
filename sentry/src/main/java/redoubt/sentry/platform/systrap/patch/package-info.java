/**
 * Patching of call sites: finds {@code syscall} instructions in a file's text and makes a copy of
 * the text in which they jump to trampolines instead of trapping.
 *
 * <p>Pure functions over bytes, without the host: read {@link
 * redoubt.sentry.platform.systrap.patch.SitePatcher} first.
 */
@NullMarked
package redoubt.sentry.platform.systrap.patch;

import org.jspecify.annotations.NullMarked;
