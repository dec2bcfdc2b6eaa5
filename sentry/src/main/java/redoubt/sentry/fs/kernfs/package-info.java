/**
 * The base of filesystems that exist only in the kernel's mind (proc, sysfs, devpts): directories
 * with fixed and numbered children, texts that are made when read, links that are computed.
 *
 * <p>Read {@link redoubt.sentry.fs.kernfs.KernDir} first. No locks but the monitor of a directory
 * around its map of children; texts are generated without any lock held.
 */
@NullMarked
package redoubt.sentry.fs.kernfs;

import org.jspecify.annotations.NullMarked;
