/**
 * The virtual filesystem: inodes that filesystems implement, one cache of names ({@link
 * redoubt.sentry.vfs.Dentry}) over all of them, mounts, path walk and open file descriptions.
 *
 * <p>Read {@link redoubt.sentry.vfs.Inode} first: a filesystem is a class of inodes whose
 * operations take a name and know nothing of dentries or mounts. {@link
 * redoubt.sentry.vfs.PathWalk} joins them.
 *
 * <p>Errors: these are cold paths, so operations throw {@link
 * redoubt.sentry.kernel.ErrnoException}; data paths of {@link redoubt.sentry.vfs.FileDescription}
 * return {@code -errno}.
 *
 * <p>Lock order, outermost first: {@code Vfs.RENAME_MU}, {@code Mount.TREE_MU}, a directory inode's
 * own lock (two of them in order of inode number), a file inode's own lock, {@code Dentry}
 * monitors.
 */
@NullMarked
package redoubt.sentry.vfs;

import org.jspecify.annotations.NullMarked;
