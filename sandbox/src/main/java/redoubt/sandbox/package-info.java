/**
 * The seam between the command line (or a shim) and a sandbox: state directory, host cgroup,
 * launch, hooks, and the control connection to the kernel inside.
 *
 * <p>{@link redoubt.sandbox.Sandbox} is the seam; {@code SentrySandbox} boots a sentry by {@code
 * docs/design/boot.md}. State of a container is the directory {@code ROOT/ID} ({@link
 * redoubt.sandbox.StateDirectory}); whoever changes it holds the flock of its {@code lock} file,
 * which is the only lock here.
 */
@NullMarked
package redoubt.sandbox;

import org.jspecify.annotations.NullMarked;
