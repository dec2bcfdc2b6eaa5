/**
 * Memory of the stack: frames ({@link redoubt.net.buffer.Packet}) from a bounded pool, and the
 * chunked store of a connection's bytes ({@link redoubt.net.buffer.StreamStore}).
 *
 * <p>All of it is byte arrays on the heap: a frame crosses to native memory once, at the link, and
 * every access to a header is a plain array access. Nothing here is thread-safe; the stack's lock
 * guards it.
 */
@NullMarked
package redoubt.net.buffer;

import org.jspecify.annotations.NullMarked;
