/** The filesystems, a package each, and the names under which mount(2) knows them. */
@NullMarked
package redoubt.sentry.fs;

import org.jspecify.annotations.NullMarked;
