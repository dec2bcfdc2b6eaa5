/**
 * System V shared memory, semaphores and message queues: <a
 * href="https://man7.org/linux/man-pages/man7/sysvipc.7.html">sysvipc(7)</a>.
 *
 * <p>Each kind has a table whose monitor guards all its objects; it is innermost but for a waiter.
 * Segments are mapped and unmapped without it. Read IpcObject first, then SemaphoreSet.
 */
@NullMarked
package redoubt.sentry.ipc.sysv;

import org.jspecify.annotations.NullMarked;
