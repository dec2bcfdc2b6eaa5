/**
 * <a href="https://man7.org/linux/man-pages/man4/pts.4.html">devpts</a>: one instance is one family
 * of pseudo-terminals, with a ptmx of its own.
 *
 * <p>Read {@link redoubt.sentry.fs.devpts.DevPtsFs} first. Lock: the instance's monitor around its
 * table.
 */
@NullMarked
package redoubt.sentry.fs.devpts;

import org.jspecify.annotations.NullMarked;
