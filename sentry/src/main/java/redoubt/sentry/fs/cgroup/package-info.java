/**
 * cgroup2: control groups as directories. {@link redoubt.sentry.fs.cgroup.CgroupFs} is one tree as
 * one cgroup namespace sees it, {@link redoubt.sentry.fs.cgroup.CgroupDir} a group, {@link
 * redoubt.sentry.fs.cgroup.CoreFiles} and {@link redoubt.sentry.fs.cgroup.ResourceFiles} say what
 * its files show and take. What they act upon is {@code kernel.cgroup}, under {@code TaskSet.mu}.
 */
@NullMarked
package redoubt.sentry.fs.cgroup;

import org.jspecify.annotations.NullMarked;
