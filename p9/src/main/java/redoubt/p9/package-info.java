/**
 * 9P2000.L over a Unix {@code SOCK_SEQPACKET} pair, with batched walks and donated descriptors.
 *
 * <p>{@link redoubt.p9.P9} has the numbers, {@link redoubt.p9.P9Buffer} the encoding, {@link
 * redoubt.p9.P9Client} the sentry's side; the gofer's side is {@code redoubt.gofer}. The messages
 * that are ours stand in docs/design/9p.md.
 *
 * <p>Locks: {@code P9Client.mu} (fids) and {@code P9Lane.mu} (calls), both leaves: nothing is
 * called and nothing blocks while one is held.
 *
 * <p>Read {@link redoubt.p9.P9Client} first.
 */
@NullMarked
package redoubt.p9;

import org.jspecify.annotations.NullMarked;
