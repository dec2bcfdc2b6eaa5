package redoubt.sandbox;

import org.jspecify.annotations.Nullable;

/**
 * How a container is created, beyond its config.json.
 *
 * @param bundle absolute path of the bundle's directory
 * @param consoleSocket path of the socket that takes the terminal's master, or empty
 * @param preserveFds how many descriptors from 3 on the container gets
 * @param foreground the sandbox ends with this process, and leaves nothing behind
 * @param overlayRoot whether a writable root gets an upper in memory
 * @param blockRoot whether a guest kernel gets the root as a disk, not from the gofer
 * @param cgroups whether the host's control groups are used
 * @param network {@code none}, {@code sandbox}, or {@code auto}: sandbox if config.json names a
 *     network namespace
 * @param kernel the kind: {@code sentry}, {@code vm} or {@code uml}
 * @param ioUring whether the container has io_uring
 * @param debugLog file for the sentry's log, or null for the state directory's
 * @param logToStderr whether the log goes to this process's standard error
 */
public record CreateOptions(
    String bundle,
    String consoleSocket,
    int preserveFds,
    boolean foreground,
    boolean overlayRoot,
    boolean blockRoot,
    boolean cgroups,
    String network,
    String kernel,
    String platform,
    boolean patch,
    boolean ioUring,
    boolean strace,
    boolean debug,
    @Nullable String debugLog,
    boolean logToStderr) {}
