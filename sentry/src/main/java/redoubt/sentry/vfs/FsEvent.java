package redoubt.sentry.vfs;

import org.jspecify.annotations.Nullable;

/**
 * Something that happened to a file, with all that is known of it: what Linux's fsnotify() is
 * given.
 *
 * @param mask FAN_* bits, with FAN_ONDIR when it is about a directory
 * @param path where it happened, or null when no mount was involved
 * @param object the file
 * @param inode the file's inode
 * @param dir the directory whose entry it was, or null
 * @param name the entry's name, or null
 * @param newDir where a rename went to, else null
 * @param newName the name after a rename, else null
 */
public record FsEvent(
    int mask,
    @Nullable VfsPath path,
    Dentry object,
    Inode inode,
    @Nullable Dentry dir,
    @Nullable String name,
    @Nullable Dentry newDir,
    @Nullable String newName) {}
