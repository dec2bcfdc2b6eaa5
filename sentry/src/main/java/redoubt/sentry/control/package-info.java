/**
 * The control protocol of a sandbox: what the redoubt command, the shim and the launcher stage say
 * to the sentry, and the contract by which the sentry is booted (see {@code docs/design/boot.md}).
 *
 * <p>A Unix stream socket carries frames: a header of 16 bytes ({@link
 * redoubt.sentry.control.Frame}), then fields of one tag byte, four length bytes and the value
 * ({@link redoubt.sentry.control.WireWriter}). Readers skip tags that they do not know, so that an
 * old sandbox and a new command understand each other, and a C program can speak it in fifty lines.
 * File descriptors travel with the header's first byte.
 *
 * <p>The command distrusts the sentry: its answers are bounded, carry no descriptors and are
 * escaped before they are shown.
 *
 * <p>Lock order: {@code ControlServer.Peer.writeMu} is a leaf. Read {@link
 * redoubt.sentry.control.BootFds} first, then {@link redoubt.sentry.control.SandboxOperations}.
 */
@NullMarked
package redoubt.sentry.control;

import org.jspecify.annotations.NullMarked;
