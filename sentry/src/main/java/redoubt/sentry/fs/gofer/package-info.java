/**
 * The gofer's files as inodes: rootfs and bind mounts over {@link redoubt.p9.P9Client}.
 *
 * <p>Read {@link redoubt.sentry.fs.gofer.GoferFs} first. Names and attributes come in batches and
 * are kept; data goes by host calls on donated descriptors and mappings of them, without a message.
 * A fid is a thing that an inode can do without: it is taken by walking from the parent when it is
 * needed, and given back when too many are held, so an inode that only attributes were asked of
 * costs the gofer nothing.
 *
 * <p>Lock order: directory monitors, a file's monitor, {@code GoferFs.mu}. No message is sent under
 * {@code mu}.
 */
@NullMarked
package redoubt.sentry.fs.gofer;

import org.jspecify.annotations.NullMarked;
