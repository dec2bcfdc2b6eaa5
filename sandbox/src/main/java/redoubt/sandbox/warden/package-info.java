/**
 * The warden: the host process that stands for a guest kernel of Linux ({@code vm} or {@code uml}).
 * To the command line and the shim it is what the sentry is: it serves the same control socket, its
 * exit code is the container's. Inside it speaks docs/protocol.md with the guest's agent, and turns
 * the guest's FUSE requests into the gofer's 9P. Start with {@link
 * redoubt.sandbox.warden.WardenMain}.
 *
 * <p>All that comes over the link is a hostile guest's word: lengths are bounded, ids looked up, a
 * broken rule ends the sandbox. Locks, outermost first: {@code GuestKernel.mu}, {@code
 * GuestProcess.mu}, {@code FuseTree.mu}, then a link's. The thread that reads the link takes none
 * of them for longer than a look-up, and never waits for the guest or for a host file.
 */
@NullMarked
package redoubt.sandbox.warden;

import org.jspecify.annotations.NullMarked;
