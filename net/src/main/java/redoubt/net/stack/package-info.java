/**
 * The stack itself: its lock, clock, timers, interfaces and routes. Read {@link
 * redoubt.net.stack.NetworkStack} first.
 *
 * <p>Lock order: the stack's lock is the only one. Listeners are called without it, links flush
 * with it (they never block).
 */
@NullMarked
package redoubt.net.stack;

import org.jspecify.annotations.NullMarked;
