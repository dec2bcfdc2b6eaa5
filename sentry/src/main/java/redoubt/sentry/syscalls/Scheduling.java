package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.E2BIG;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EPERM;
import static redoubt.abi.Errno.ESRCH;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Caps;
import redoubt.abi.Resource;
import redoubt.abi.Sched;
import redoubt.host.Memory;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.Credentials;
import redoubt.sentry.kernel.Task;

/**
 * <a href="https://man7.org/linux/man-pages/man7/sched.7.html">sched(7)</a>. The host schedules;
 * policies, priorities and affinities are kept as the guest set them, and niceness too, but change
 * nothing on the host.
 */
final class Scheduling {
  private static final int RT_PRIORITY_MAX = 99;

  private Scheduling() {}

  /** <a href="https://man7.org/linux/man-pages/man2/sched_yield.2.html">sched_yield(2)</a>. */
  static long schedYield(Task t, Args a) {
    Thread.yield();
    return 0;
  }

  /** {@return the task with number {@code pid}, the caller for 0; null if there is none} */
  private static @Nullable Task find(Task t, int pid) {
    if (pid == 0) {
      return t;
    }
    synchronized (t.kernel().tasks().mu) {
      return t.pidNamespace().task(pid);
    }
  }

  private static boolean sameOwner(Task t, Task other) {
    Credentials c = t.creds();
    Credentials o = other.creds();
    return c.euid == o.euid || c.euid == o.ruid;
  }

  // ---- affinity ----

  private static long online(Task t) {
    int cpus = t.kernel().cpus;
    return cpus >= 64 ? -1L : (1L << cpus) - 1;
  }

  /** {@return the CPUs of its control group}: cpuset_cpus_allowed */
  private static long allowed(Task t) {
    return t.cgroup().cpuMask() & online(t);
  }

  /** {@return the CPUs that {@code t} may run on, as bits} */
  static long affinity(Task t) {
    long allowed = allowed(t);
    return (t.affinity & allowed) != 0 ? t.affinity & allowed : allowed;
  }

  /**
   * <a
   * href="https://man7.org/linux/man-pages/man2/sched_setaffinity.2.html">sched_getaffinity(2)</a>:
   * bytes written.
   */
  static long schedGetaffinity(Task t, Args a) {
    long length = a.a1 & 0xffffffffL;
    if (length * 8 < t.kernel().cpus || (length & 7) != 0) {
      return -EINVAL;
    }
    Task other = find(t, a.int0());
    if (other == null) {
      return -ESRCH;
    }
    long r = t.copyOutLong(a.a2, affinity(other));
    return r < 0 ? r : 8;
  }

  /**
   * <a
   * href="https://man7.org/linux/man-pages/man2/sched_setaffinity.2.html">sched_setaffinity(2)</a>.
   */
  static long schedSetaffinity(Task t, Args a) {
    long length = Math.min(a.a1 & 0xffffffffL, 8);
    t.scratch().set(Memory.LONG, 0, 0);
    long r = t.copyInScratch(a.a2, length);
    if (r < 0) {
      return r;
    }
    long mask = t.scratch().get(Memory.LONG, 0);
    Task other = find(t, a.int0());
    if (other == null) {
      return -ESRCH;
    }
    if (!sameOwner(t, other) && !t.hasCapability(other.userNamespace(), Caps.CAP_SYS_NICE)) {
      return -EPERM;
    }
    if ((mask & allowed(other)) == 0) {
      return -EINVAL;
    }
    other.affinity = mask;
    return 0;
  }

  /**
   * <a href="https://man7.org/linux/man-pages/man2/getcpu.2.html">getcpu(2)</a>: a CPU that the
   * task may run on.
   */
  static long getcpu(Task t, Args a) {
    int cpu = Long.numberOfTrailingZeros(affinity(t));
    long r = a.a0 == 0 ? 0 : t.copyOutInt(a.a0, cpu);
    return r < 0 || a.a1 == 0 ? r : t.copyOutInt(a.a1, 0);
  }

  // ---- policies ----

  private static boolean isRealTime(int policy) {
    return policy == Sched.SCHED_FIFO || policy == Sched.SCHED_RR;
  }

  private static boolean isKnown(int policy) {
    return policy == Sched.SCHED_NORMAL
        || policy == Sched.SCHED_BATCH
        || policy == Sched.SCHED_IDLE
        || isRealTime(policy);
  }

  /**
   * <a
   * href="https://man7.org/linux/man-pages/man2/sched_setscheduler.2.html">sched_setscheduler(2)</a>.
   */
  static long schedSetscheduler(Task t, Args a) {
    return a.int1() < 0 ? -EINVAL : set(t, a.int0(), a.int1(), a.a2);
  }

  /**
   * <a href="https://man7.org/linux/man-pages/man2/sched_setparam.2.html">sched_setparam(2)</a>.
   */
  static long schedSetparam(Task t, Args a) {
    return set(t, a.int0(), -1, a.a1);
  }

  /** {@code policy} -1 keeps the policy. */
  private static long set(Task t, int pid, int policy, long uparam) {
    if (uparam == 0 || pid < 0) {
      return -EINVAL;
    }
    long priority = t.copyInInt(uparam);
    if (priority < 0) {
      return priority;
    }
    Task other = find(t, pid);
    if (other == null) {
      return -ESRCH;
    }
    boolean reset =
        policy >= 0 ? (policy & Sched.SCHED_RESET_ON_FORK) != 0 : other.schedResetOnFork;
    int p = policy >= 0 ? policy & ~Sched.SCHED_RESET_ON_FORK : other.schedPolicy;
    return apply(t, other, p, (int) priority, reset);
  }

  /** kernel/sched: __sched_setscheduler's checks, without deadlines. */
  private static long apply(Task t, Task other, int policy, int priority, boolean reset) {
    if (!isKnown(policy)
        || priority < 0
        || priority > RT_PRIORITY_MAX
        || isRealTime(policy) != (priority != 0)) {
      return -EINVAL;
    }
    if (!t.hasCapability(Caps.CAP_SYS_NICE)) {
      long limit = other.threadGroup().limits.bound(Resource.RLIMIT_RTPRIO);
      if (isRealTime(policy)
          && ((policy != other.schedPolicy && limit == 0)
              || (priority > other.schedPriority && priority > limit))) {
        return -EPERM;
      }
      if (!sameOwner(t, other) || (other.schedResetOnFork && !reset)) {
        return -EPERM;
      }
    }
    other.schedPolicy = policy;
    other.schedPriority = priority;
    other.schedResetOnFork = reset;
    return 0;
  }

  /**
   * <a
   * href="https://man7.org/linux/man-pages/man2/sched_setscheduler.2.html">sched_getscheduler(2)</a>.
   */
  static long schedGetscheduler(Task t, Args a) {
    if (a.int0() < 0) {
      return -EINVAL;
    }
    Task other = find(t, a.int0());
    if (other == null) {
      return -ESRCH;
    }
    return other.schedPolicy | (other.schedResetOnFork ? Sched.SCHED_RESET_ON_FORK : 0);
  }

  /**
   * <a href="https://man7.org/linux/man-pages/man2/sched_setparam.2.html">sched_getparam(2)</a>.
   */
  static long schedGetparam(Task t, Args a) {
    if (a.a1 == 0 || a.int0() < 0) {
      return -EINVAL;
    }
    Task other = find(t, a.int0());
    return other == null ? -ESRCH : t.copyOutInt(a.a1, other.schedPriority);
  }

  /**
   * <a
   * href="https://man7.org/linux/man-pages/man2/sched_get_priority_max.2.html">sched_get_priority_max(2)</a>.
   */
  static long schedGetPriorityMax(Task t, Args a) {
    int policy = a.int0();
    return isRealTime(policy)
        ? RT_PRIORITY_MAX
        : isKnown(policy) || policy == Sched.SCHED_DEADLINE ? 0 : -EINVAL;
  }

  /**
   * <a
   * href="https://man7.org/linux/man-pages/man2/sched_get_priority_max.2.html">sched_get_priority_min(2)</a>.
   */
  static long schedGetPriorityMin(Task t, Args a) {
    int policy = a.int0();
    return isRealTime(policy) ? 1 : isKnown(policy) || policy == Sched.SCHED_DEADLINE ? 0 : -EINVAL;
  }

  /**
   * <a
   * href="https://man7.org/linux/man-pages/man2/sched_rr_get_interval.2.html">sched_rr_get_interval(2)</a>.
   */
  static long schedRrGetInterval(Task t, Args a) {
    if (a.int0() < 0) {
      return -EINVAL;
    }
    Task other = find(t, a.int0());
    if (other == null) {
      return -ESRCH;
    }
    MemorySegment s = t.scratch();
    s.set(Memory.LONG, 0, 0);
    s.set(
        Memory.LONG,
        8,
        switch (other.schedPolicy) {
          case Sched.SCHED_RR -> 100_000_000;
          case Sched.SCHED_FIFO, Sched.SCHED_IDLE -> 0;
          default -> 4_000_000;
        });
    return t.copyOutScratch(a.a1, 16);
  }

  /** <a href="https://man7.org/linux/man-pages/man2/sched_setattr.2.html">sched_setattr(2)</a>. */
  static long schedSetattr(Task t, Args a) {
    if (a.a1 == 0 || a.int0() < 0 || a.int2() != 0) {
      return -EINVAL;
    }
    long size = t.copyInInt(a.a1);
    if (size < 0) {
      return size;
    }
    if (size == 0) {
      size = Sched.SCHED_ATTR_SIZE_VER0;
    }
    if (size < Sched.SCHED_ATTR_SIZE_VER0 || size > 4096) {
      return tooBig(t, a.a1);
    }
    long r = t.copyInScratch(a.a1, size);
    if (r < 0) {
      return r;
    }
    MemorySegment s = t.scratch();
    for (long i = Sched.SIZEOF_SCHED_ATTR; i < size; i++) {
      if (s.get(Memory.BYTE, i) != 0) {
        return tooBig(t, a.a1);
      }
    }
    int policy = s.get(Memory.INT, Sched.SCHED_ATTR_SCHED_POLICY);
    long flags = s.get(Memory.LONG, Sched.SCHED_ATTR_SCHED_FLAGS);
    int nice = Math.clamp(s.get(Memory.INT, Sched.SCHED_ATTR_SCHED_NICE), -20, 19);
    int priority = s.get(Memory.INT, Sched.SCHED_ATTR_SCHED_PRIORITY);
    if (policy < 0 || (flags & ~(long) Sched.SCHED_FLAG_ALL) != 0) {
      return -EINVAL;
    }
    Task other = find(t, a.int0());
    if (other == null) {
      return -ESRCH;
    }
    if ((flags & Sched.SCHED_FLAG_KEEP_POLICY) != 0) {
      policy = other.schedPolicy;
    }
    if (policy == Sched.SCHED_DEADLINE) {
      return -EPERM;
    }
    if ((flags & Sched.SCHED_FLAG_KEEP_PARAMS) != 0) {
      priority = other.schedPriority;
      nice = other.niceness;
    }
    r = apply(t, other, policy, priority, (flags & Sched.SCHED_FLAG_RESET_ON_FORK) != 0);
    if (r == 0 && !isRealTime(policy) && nice != other.niceness) {
      r = ResourceCalls.setNice(t, other, nice);
      return r < 0 ? -EPERM : r;
    }
    return r;
  }

  private static long tooBig(Task t, long uattr) {
    t.copyOutInt(uattr, Sched.SIZEOF_SCHED_ATTR);
    return -E2BIG;
  }

  /** <a href="https://man7.org/linux/man-pages/man2/sched_setattr.2.html">sched_getattr(2)</a>. */
  static long schedGetattr(Task t, Args a) {
    long size = a.a2 & 0xffffffffL;
    if (a.a1 == 0
        || a.int0() < 0
        || size < Sched.SCHED_ATTR_SIZE_VER0
        || size > 4096
        || a.int3() != 0) {
      return -EINVAL;
    }
    Task other = find(t, a.int0());
    if (other == null) {
      return -ESRCH;
    }
    int n = (int) Math.min(size, Sched.SIZEOF_SCHED_ATTR);
    MemorySegment s = t.scratch();
    s.asSlice(0, Sched.SIZEOF_SCHED_ATTR).fill((byte) 0);
    s.set(Memory.INT, Sched.SCHED_ATTR_SIZE, n);
    s.set(Memory.INT, Sched.SCHED_ATTR_SCHED_POLICY, other.schedPolicy);
    s.set(
        Memory.LONG,
        Sched.SCHED_ATTR_SCHED_FLAGS,
        other.schedResetOnFork ? Sched.SCHED_FLAG_RESET_ON_FORK : 0);
    if (isRealTime(other.schedPolicy)) {
      s.set(Memory.INT, Sched.SCHED_ATTR_SCHED_PRIORITY, other.schedPriority);
    } else {
      s.set(Memory.INT, Sched.SCHED_ATTR_SCHED_NICE, other.niceness);
    }
    s.set(Memory.INT, Sched.SCHED_ATTR_SCHED_UTIL_MAX, 1024);
    return t.copyOutScratch(a.a1, n);
  }

  // ---- I/O priority ----

  /**
   * <a href="https://man7.org/linux/man-pages/man2/ioprio_set.2.html">ioprio_get(2)</a>: of
   * processes.
   */
  static long ioprioGet(Task t, Args a) {
    return switch (a.int0()) {
      case Sched.IOPRIO_WHO_PROCESS -> {
        Task other = find(t, a.int1());
        yield other == null ? -ESRCH : other.ioPriority;
      }
      case Sched.IOPRIO_WHO_PGRP, Sched.IOPRIO_WHO_USER -> t.ioPriority;
      default -> -EINVAL;
    };
  }

  /**
   * <a href="https://man7.org/linux/man-pages/man2/ioprio_set.2.html">ioprio_set(2)</a>: kept,
   * without effect.
   */
  static long ioprioSet(Task t, Args a) {
    int priority = a.int2();
    int level = priority & 7;
    switch (priority >> Sched.IOPRIO_CLASS_SHIFT) {
      case Sched.IOPRIO_CLASS_RT -> {
        if (!t.hasCapability(Caps.CAP_SYS_ADMIN) && !t.hasCapability(Caps.CAP_SYS_NICE)) {
          return -EPERM;
        }
      }
      case Sched.IOPRIO_CLASS_BE, Sched.IOPRIO_CLASS_IDLE -> {}
      case Sched.IOPRIO_CLASS_NONE -> {
        if (level != 0) {
          return -EINVAL;
        }
      }
      default -> {
        return -EINVAL;
      }
    }
    switch (a.int0()) {
      case Sched.IOPRIO_WHO_PROCESS -> {
        Task other = find(t, a.int1());
        if (other == null) {
          return -ESRCH;
        }
        if (!sameOwner(t, other) && !t.hasCapability(other.userNamespace(), Caps.CAP_SYS_NICE)) {
          return -EPERM;
        }
        other.ioPriority = priority;
        return 0;
      }
      case Sched.IOPRIO_WHO_PGRP, Sched.IOPRIO_WHO_USER -> {
        t.ioPriority = priority;
        return 0;
      }
      default -> {
        return -EINVAL;
      }
    }
  }
}
