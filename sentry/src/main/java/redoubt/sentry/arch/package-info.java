/** What is particular to x86-64: the frame that a signal handler finds on its stack. */
@NullMarked
package redoubt.sentry.arch;

import org.jspecify.annotations.NullMarked;
