package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.EACCES;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EPERM;
import static redoubt.abi.Errno.ESRCH;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Caps;
import redoubt.abi.Resource;
import redoubt.host.Memory;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.Credentials;
import redoubt.sentry.kernel.Pid;
import redoubt.sentry.kernel.ResourceLimits;
import redoubt.sentry.kernel.ResourceUsage;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.ThreadGroup;

/** Limits, usage and niceness: kernel/sys.c. */
final class ResourceCalls {
  /** /proc/sys/fs/nr_open. */
  private static final long NR_OPEN = 1 << 20;

  private ResourceCalls() {}

  /** <a href="https://man7.org/linux/man-pages/man2/getrlimit.2.html">getrlimit(2)</a>. */
  static long getrlimit(Task t, Args a) {
    return limit(t, t.threadGroup(), a.int0(), false, 0, 0, a.a1);
  }

  /** <a href="https://man7.org/linux/man-pages/man2/getrlimit.2.html">setrlimit(2)</a>. */
  static long setrlimit(Task t, Args a) {
    long r = t.copyInScratch(a.a1, Resource.SIZEOF_RLIMIT);
    return r < 0 ? r : limit(t, t.threadGroup(), a.int0(), true, soft(t), hard(t), 0);
  }

  /** <a href="https://man7.org/linux/man-pages/man2/getrlimit.2.html">prlimit64(2)</a>. */
  static long prlimit64(Task t, Args a) {
    ThreadGroup g = t.threadGroup();
    long soft = 0;
    long hard = 0;
    if (a.a2 != 0) {
      long r = t.copyInScratch(a.a2, Resource.SIZEOF_RLIMIT);
      if (r < 0) {
        return r;
      }
      soft = soft(t);
      hard = hard(t);
    }
    int pid = a.int0();
    if (pid != 0 && pid != t.tid()) {
      Task other = find(t, pid);
      if (other == null) {
        return -ESRCH;
      }
      g = other.threadGroup();
      if (g != t.threadGroup() && !mayChange(t, other)) {
        return -EPERM;
      }
    }
    return limit(t, g, a.int1(), a.a2 != 0, soft, hard, a.a3);
  }

  private static long soft(Task t) {
    return t.scratch().get(Memory.LONG, Resource.RLIMIT_RLIM_CUR);
  }

  private static long hard(Task t) {
    return t.scratch().get(Memory.LONG, Resource.RLIMIT_RLIM_MAX);
  }

  private static @Nullable Task find(Task t, int pid) {
    synchronized (t.kernel().tasks().mu) {
      return t.pidNamespace().task(pid);
    }
  }

  private static boolean mayChange(Task t, Task other) {
    Credentials c = t.creds();
    Credentials o = other.creds();
    return (c.ruid == o.euid
            && c.ruid == o.suid
            && c.ruid == o.ruid
            && c.rgid == o.egid
            && c.rgid == o.sgid
            && c.rgid == o.rgid)
        || c.hasCapability(o.userNs, Caps.CAP_SYS_RESOURCE);
  }

  /** Changes a limit if {@code set}, and gives the old one to {@code uold} unless that is 0. */
  private static long limit(
      Task t, ThreadGroup g, int which, boolean set, long soft, long hard, long uold) {
    if (which < 0 || which >= Resource.RLIM_NLIMITS) {
      return -EINVAL;
    }
    ResourceLimits limits = g.limits;
    long oldSoft;
    long oldHard;
    synchronized (limits) {
      oldSoft = limits.soft(which);
      oldHard = limits.hard(which);
      if (set) {
        if (Long.compareUnsigned(soft, hard) > 0) {
          return -EINVAL;
        }
        if (which == Resource.RLIMIT_NOFILE && Long.compareUnsigned(hard, NR_OPEN) > 0) {
          return -EPERM;
        }
        if (Long.compareUnsigned(hard, oldHard) > 0 && !t.hasCapability(Caps.CAP_SYS_RESOURCE)) {
          return -EPERM;
        }
        limits.set(which, soft, hard);
      }
    }
    if (set && which == Resource.RLIMIT_FSIZE) {
      t.kernel().platform().withdrawGrants(); // writes are to be looked at from now on
    }
    if (uold == 0) {
      return 0;
    }
    MemorySegment s = t.scratch();
    s.set(Memory.LONG, Resource.RLIMIT_RLIM_CUR, oldSoft);
    s.set(Memory.LONG, Resource.RLIMIT_RLIM_MAX, oldHard);
    return t.copyOutScratch(uold, Resource.SIZEOF_RLIMIT);
  }

  /** <a href="https://man7.org/linux/man-pages/man2/getrusage.2.html">getrusage(2)</a>. */
  static long getrusage(Task t, Args a) {
    ThreadGroup g = t.threadGroup();
    int who = a.int0();
    ResourceUsage u;
    switch (who) {
      case Resource.RUSAGE_SELF, Resource.RUSAGE_THREAD -> {
        t.noteResident();
        u = g.usage();
      }
      case Resource.RUSAGE_CHILDREN -> u = g.childrenUsage();
      default -> {
        return -EINVAL;
      }
    }
    if (who == Resource.RUSAGE_THREAD) {
      u.userNs = t.threadCpuNs();
      u.systemNs = t.systemNs();
    }
    return copyOut(t, u, who == Resource.RUSAGE_CHILDREN ? 0 : t.voluntarySwitches, a.a1);
  }

  /** Writes a struct rusage to {@code uaddr}. */
  static long copyOut(Task t, ResourceUsage u, long switches, long uaddr) {
    MemorySegment s = t.scratch();
    s.asSlice(0, Resource.SIZEOF_RUSAGE).fill((byte) 0);
    timeval(s, Resource.RUSAGE_RU_UTIME, u.userNs);
    timeval(s, Resource.RUSAGE_RU_STIME, u.systemNs);
    s.set(Memory.LONG, Resource.RUSAGE_RU_MAXRSS, u.maxRssBytes / 1024);
    s.set(Memory.LONG, Resource.RUSAGE_RU_NVCSW, switches);
    return t.copyOutScratch(uaddr, Resource.SIZEOF_RUSAGE);
  }

  private static void timeval(MemorySegment s, long at, long ns) {
    s.set(Memory.LONG, at, ns / 1_000_000_000);
    s.set(Memory.LONG, at + 8, ns / 1000 % 1_000_000);
  }

  // ---- niceness ----

  /**
   * {@return the tasks that {@code which} and {@code who} name}, or null if {@code which} is
   * unknown
   */
  private static @Nullable List<Task> named(Task t, int which, int who) {
    List<Task> found = new ArrayList<>();
    synchronized (t.kernel().tasks().mu) {
      switch (which) {
        case Resource.PRIO_PROCESS -> {
          Task one = who == 0 ? t : t.pidNamespace().task(who);
          if (one != null) {
            found.add(one);
          }
        }
        case Resource.PRIO_PGRP -> {
          Pid pgrp = who == 0 ? t.threadGroup().pgrp() : t.pidNamespace().pid(who);
          for (Task o : t.pidNamespace().tasks()) {
            if (o.threadGroup().pgrp() == pgrp) {
              found.add(o);
            }
          }
        }
        case Resource.PRIO_USER -> {
          int uid = who == 0 ? t.creds().ruid : t.userNamespace().kernelUid(who);
          for (Task o : t.pidNamespace().tasks()) {
            if (o.creds().ruid == uid) {
              found.add(o);
            }
          }
        }
        default -> {
          return null;
        }
      }
    }
    return found;
  }

  /**
   * <a href="https://man7.org/linux/man-pages/man2/getpriority.2.html">getpriority(2)</a>: 20 minus
   * the niceness.
   */
  static long getpriority(Task t, Args a) {
    List<Task> tasks = named(t, a.int0(), a.int1());
    if (tasks == null) {
      return -EINVAL;
    }
    long best = -ESRCH;
    for (Task o : tasks) {
      best = Math.max(best, 20 - o.niceness);
    }
    return best;
  }

  /** <a href="https://man7.org/linux/man-pages/man2/getpriority.2.html">setpriority(2)</a>. */
  static long setpriority(Task t, Args a) {
    List<Task> tasks = named(t, a.int0(), a.int1());
    if (tasks == null) {
      return -EINVAL;
    }
    int nice = Math.clamp(a.int2(), -20, 19);
    long result = -ESRCH;
    for (Task o : tasks) {
      long r = setNice(t, o, nice);
      if (r < 0 || result == -ESRCH) {
        result = r;
      }
    }
    return result;
  }

  /** Sets a task's niceness as set_one_prio does. */
  static long setNice(Task t, Task other, int nice) {
    Credentials c = t.creds();
    Credentials o = other.creds();
    boolean capable = c.hasCapability(o.userNs, Caps.CAP_SYS_NICE);
    if (o.ruid != c.euid && o.euid != c.euid && !capable) {
      return -EPERM;
    }
    if (nice < other.niceness
        && 20 - nice > other.threadGroup().limits.bound(Resource.RLIMIT_NICE)
        && !t.hasCapability(Caps.CAP_SYS_NICE)) {
      return -EACCES;
    }
    other.niceness = nice;
    return 0;
  }
}
