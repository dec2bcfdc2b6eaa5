/**
 * The gofer: one process per sandbox that serves the files of all its containers over 9P from
 * directory descriptors that were handed to it.
 *
 * <p>It never resolves a path of more than one name, never follows a symlink and never takes "." or
 * "..", so nothing that a guest or another process does to the tree meanwhile can lead it out of
 * its attach points. A file that it has found is an {@code O_PATH} descriptor; it is opened for
 * data through {@code /proc/self/fd}, so that what is opened is what was found.
 *
 * <p>Who may do what is the sentry's decision: the gofer acts with the rights that it has, except
 * that it changes nothing below a read-only attach point.
 *
 * <p>Several {@link redoubt.gofer.Worker} threads receive from one socket. Locks: {@code
 * FidTable.mu} and {@code Fid.dirMu}, both leaves; system calls are made under {@code dirMu} only
 * (reading one directory through one descriptor is serial anyway).
 *
 * <p>No reflection, NIO, {@code String.format} or third-party class: it starts with each sandbox.
 *
 * <p>Read {@link redoubt.gofer.Worker} first.
 */
@NullMarked
package redoubt.gofer;

import org.jspecify.annotations.NullMarked;
