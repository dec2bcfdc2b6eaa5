/**
 * What execve(2) reads and writes, as pure functions: {@link redoubt.sentry.loader.ElfImage} parses
 * an executable, {@link redoubt.sentry.loader.Shebang} a script's first line, and {@link
 * redoubt.sentry.loader.StackBuilder} lays out a new program's stack. No locks; nothing here
 * touches a task or its memory. Read {@code ElfImage} first.
 */
@NullMarked
package redoubt.sentry.loader;

import org.jspecify.annotations.NullMarked;
