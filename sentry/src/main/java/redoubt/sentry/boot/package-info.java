/**
 * From an empty JVM to a running, confined sandbox: {@link redoubt.sentry.boot.SentryMain} is the
 * process, {@link redoubt.sentry.boot.SandboxKernel} what the control protocol drives, {@link
 * redoubt.sentry.boot.ContainerBuilder} a container's mounts and first process.
 */
@NullMarked
package redoubt.sentry.boot;

import org.jspecify.annotations.NullMarked;
