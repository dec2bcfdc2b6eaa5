/**
 * What a Linux guest is booted from: the kernels that this host has, and the initramfs that we make
 * with the agent and the modules in it. {@link redoubt.sandbox.guest.GuestImages} is the way in.
 */
@NullMarked
package redoubt.sandbox.guest;

import org.jspecify.annotations.NullMarked;
