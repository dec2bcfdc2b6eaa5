/**
 * Control groups, version 2: the tree, who is in which group, and its limits, which the sentry
 * enforces by its own accounting: <a
 * href="https://man7.org/linux/man-pages/man7/cgroups.7.html">cgroups(7)</a> and
 * Documentation/admin-guide/cgroup-v2.rst.
 *
 * <p>Read {@link redoubt.sentry.kernel.cgroup.Cgroup} first; {@code fs.cgroup} shows it as files.
 * What stands in it is guarded by {@code TaskSet.mu}; listeners and wait queues are told without
 * it. Memory and CPU time are the host's to count: {@code CgroupAccountant} asks from time to time,
 * and only while some group has a limit on them.
 */
@NullMarked
package redoubt.sentry.kernel.cgroup;

import org.jspecify.annotations.NullMarked;
