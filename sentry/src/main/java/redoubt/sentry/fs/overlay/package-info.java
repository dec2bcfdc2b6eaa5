/**
 * Overlays: a tmpfs on top of directories that are only read, most often the gofer's rootfs below.
 *
 * <p>Read {@link redoubt.sentry.fs.overlay.OverlayDir} first. An {@link
 * redoubt.sentry.fs.overlay.OverlayInode} is one file whatever happens to it: it shows the lower
 * file until a change copies it up, and the upper one from then on, with the same inode number.
 * Descriptions that are open see the upper data from then on, too, which Linux's do not; mappings
 * that were there keep the lower pages, as on Linux.
 *
 * <p>Names that are gone from a lower directory leave a whiteout (a character device 0:0) in the
 * upper one. A directory keeps its lower directories by reference, so renaming one needs no EXDEV
 * and copies nothing but the directory itself (Linux: {@code redirect_dir=on}). Hard links below
 * are separate files once copied up, as on Linux with {@code index=off}.
 *
 * <p>Lock order: the VFS's directory monitors, an overlay file's monitor (while its data is copied
 * up), {@code OverlayFs.mu} (names change and directories are copied up one at a time), then the
 * locks of tmpfs and gofer.
 */
@NullMarked
package redoubt.sentry.fs.overlay;

import org.jspecify.annotations.NullMarked;
