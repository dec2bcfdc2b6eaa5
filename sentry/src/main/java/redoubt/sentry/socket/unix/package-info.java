/**
 * AF_UNIX sockets: <a href="https://man7.org/linux/man-pages/man7/unix.7.html">unix(7)</a>.
 *
 * <p>A send puts its bytes straight into the receiver's queue. Read {@link
 * redoubt.sentry.socket.unix.UnixSocket} first; {@link redoubt.sentry.socket.unix.InFlight} keeps
 * sockets that were sent over each other from living for ever.
 */
@NullMarked
package redoubt.sentry.socket.unix;

import org.jspecify.annotations.NullMarked;
