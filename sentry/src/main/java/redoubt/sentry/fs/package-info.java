/**
 * What the filesystems share: {@link redoubt.sentry.fs.RegularFile}, the one open description of regular
 * files, over {@link redoubt.sentry.fs.FileContent}, which tmpfs, gofer and overlay inodes implement; and
 * {@link redoubt.sentry.fs.ListedDirectory}, which reads a directory from a list taken at its start.
 *
 * <p>Read {@code FileContent} first. Locks are those of the filesystems; nothing here holds one over a call
 * of a filesystem, but for the description's own monitor while a directory is listed.
 */
@NullMarked
package redoubt.sentry.fs;

import org.jspecify.annotations.NullMarked;
