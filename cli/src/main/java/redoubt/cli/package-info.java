/**
 * The command line: {@link redoubt.cli.Main} reads the global flags and runs a {@link
 * redoubt.cli.Verb}. Start time is the design: no third-party code, no reflection, a verb's class
 * is loaded by a switch. There are no locks. Read {@link redoubt.cli.Main} first.
 */
@NullMarked
package redoubt.cli;

import org.jspecify.annotations.NullMarked;
