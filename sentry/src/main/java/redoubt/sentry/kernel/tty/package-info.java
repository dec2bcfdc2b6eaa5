/**
 * Terminals: pseudo-terminal pairs with Linux's N_TTY line discipline and job control, drivers/tty.
 *
 * <p>Read {@link redoubt.sentry.kernel.tty.PseudoTerminal} first: one object is both ends. {@link
 * redoubt.sentry.kernel.tty.LineDiscipline} turns what the master writes into lines, echoes and
 * signals.
 *
 * <p>Lock order: {@code TaskSet.mu} before {@code PseudoTerminal.mu} before wait queues. Signals
 * take {@code TaskSet.mu}, so they are collected under {@code PseudoTerminal.mu} and sent after it
 * was released. Guest memory is never copied under it.
 */
@NullMarked
package redoubt.sentry.kernel.tty;

import org.jspecify.annotations.NullMarked;
