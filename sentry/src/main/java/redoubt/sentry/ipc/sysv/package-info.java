/**
 * System V shared memory: <a
 * href="https://man7.org/linux/man-pages/man7/sysvipc.7.html">sysvipc(7)</a>.
 *
 * <p>Lock order: {@link redoubt.sentry.ipc.sysv.SharedSegments}' monitor is innermost; segments are
 * mapped and unmapped without it.
 */
@NullMarked
package redoubt.sentry.ipc.sysv;

import org.jspecify.annotations.NullMarked;
