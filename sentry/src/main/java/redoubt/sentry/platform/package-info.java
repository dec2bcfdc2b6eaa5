/**
 * How guest code is run and its system calls are intercepted, as an interface. The kernel above
 * knows only {@link redoubt.sentry.platform.Platform}, {@link redoubt.sentry.platform.AddressSpace}
 * and {@link redoubt.sentry.platform.GuestContext}; {@code systrap} implements them, and ptrace and
 * KVM can.
 *
 * <p>Everything that comes out of a {@code GuestContext} (registers, fault addresses, copied bytes)
 * is a hostile guest's word: an implementation reads each shared word once and hands out the copy.
 */
@NullMarked
package redoubt.sentry.platform;

import org.jspecify.annotations.NullMarked;
