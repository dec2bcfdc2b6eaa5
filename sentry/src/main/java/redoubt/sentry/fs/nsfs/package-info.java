/**
 * The files that stand for namespaces: fs/nsfs.c. No locks of its own but a map's monitor. Read
 * {@link redoubt.sentry.fs.nsfs.NsFs} first.
 */
@NullMarked
package redoubt.sentry.fs.nsfs;

import org.jspecify.annotations.NullMarked;
