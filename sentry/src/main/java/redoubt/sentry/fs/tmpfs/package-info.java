/**
 * tmpfs: names and attributes in the sentry's heap, data in ranges of the {@link
 * redoubt.sentry.mm.MemoryFile}. It serves /tmp, /dev/shm, memfds and the upper side of overlays.
 *
 * <p>Read {@link redoubt.sentry.fs.tmpfs.TmpFs}, then {@link redoubt.sentry.fs.tmpfs.TmpFile} for
 * the data.
 *
 * <p>Lock order: directory monitors (two of them in order of inode number), a file's monitor (one
 * writer, as Linux's inode lock), the guest's memory manager, the file's extent lock, {@code
 * MemoryFile}. Pages that a guest may have mapped are freed only after every {@code
 * MappingObserver} has answered.
 */
@NullMarked
package redoubt.sentry.fs.tmpfs;

import org.jspecify.annotations.NullMarked;
