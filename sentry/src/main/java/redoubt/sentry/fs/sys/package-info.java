/**
 * sysfs: what lscpu(1), the JVM, Go and container tools look for of a machine. Read {@link
 * redoubt.sentry.fs.sys.SysFs}; it is one tree made at mount time, without locks of its own.
 */
@NullMarked
package redoubt.sentry.fs.sys;

import org.jspecify.annotations.NullMarked;
