/**
 * Guest memory: {@link redoubt.sentry.mm.MemoryManager} keeps the VMAs of an address space,
 * decides, and sends the changes to the platform in batches. Pages belong to the host process; what
 * guests really share lies in the {@link redoubt.sentry.mm.MemoryFile}.
 *
 * <p>Lock order: {@code MemoryManager.mu} before a {@link redoubt.sentry.mm.Mappable}'s own lock
 * before {@code MemoryFile}.
 */
@NullMarked
package redoubt.sentry.mm;

import org.jspecify.annotations.NullMarked;
