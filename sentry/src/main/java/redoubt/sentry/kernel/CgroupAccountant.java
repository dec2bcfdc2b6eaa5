package redoubt.sentry.kernel;

import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Signal;
import redoubt.sentry.kernel.cgroup.Cgroup;
import redoubt.sentry.kernel.cgroup.CpuLimits;
import redoubt.sentry.kernel.cgroup.MemoryLimits;
import redoubt.sentry.mm.MemoryManager;
import redoubt.sentry.platform.MemoryUsage;

/**
 * Enforces cpu.max and memory.max of the groups that the guest made. CPU time and memory are the
 * host's, so they are asked for from time to time: a group may use a little more than its limit
 * before it is stopped, and its next period is shorter by that. What Linux's scheduler and
 * mm/memcontrol.c do at each tick and page.
 *
 * <p>One thread, which there is only while a group has such a limit, and which hardly wakes while
 * the limited groups do nothing.
 */
public final class CgroupAccountant implements Runnable {
  private static final long CPU_TICK_NS = 2_000_000;
  private static final long MEMORY_TICK_NS = 8_000_000;
  private static final long IDLE_TICK_NS = 100_000_000;

  /** Closer to its limit than this a group is looked at every {@link #CPU_TICK_NS}. */
  private static final long CLOSE_BYTES = 96L << 20;

  /** How long a killed process may take to give its memory back before the next one is killed. */
  private static final long VICTIM_NS = 2_000_000_000;

  private final Kernel kernel;
  private final List<Cgroup> limited = new CopyOnWriteArrayList<>();
  private volatile @Nullable Thread thread; // changed under this

  /** Alternates: a group above memory.high runs at every other look. */
  private boolean odd;

  private CgroupAccountant(Kernel kernel) {
    this.kernel = kernel;
  }

  /** {@return the kernel's own} */
  static CgroupAccountant of(Kernel k) {
    return k.subsystemOrNew(CgroupAccountant.class, () -> new CgroupAccountant(k));
  }

  /** The limits of {@code group} have changed. */
  public static void limitsChanged(Kernel k, Cgroup group) {
    of(k).changed(group);
  }

  private synchronized void changed(Cgroup group) {
    boolean wanted =
        group.parent() != null // the host enforces the container's own
            && !group.isRemoved()
            && (group.cpu.isLimited() || group.memory.isLimited());
    if (wanted && !limited.contains(group)) {
      group.cpu.started = false;
      limited.add(group);
    }
    Thread t = thread;
    if (t != null) {
      LockSupport.unpark(t);
    } else if (!limited.isEmpty()) {
      t = Thread.ofPlatform().daemon().name("cgroups").unstarted(this);
      thread = t;
      t.start();
    }
  }

  /** Adds what {@code g} has used of the CPUs since it was last asked to its groups. */
  static void charge(ThreadGroup g) {
    long now = g.cpuNs();
    long used;
    synchronized (g) {
      used = now - g.chargedCpuNs;
      if (used <= 0) {
        return;
      }
      g.chargedCpuNs = now;
    }
    for (Cgroup c = g.leader.cgroup; c != null; c = c.parent()) {
      c.cpu.add(used);
    }
  }

  /** {@return the CPU time of {@code group} and the groups below it in ns} */
  public static long cpuNs(Kernel k, Cgroup group) {
    for (ThreadGroup g : groupsWithin(k, group)) {
      charge(g);
    }
    return group.cpu.usedNs();
  }

  private static List<ThreadGroup> groupsWithin(Kernel k, Cgroup group) {
    List<ThreadGroup> out = new ArrayList<>();
    synchronized (k.tasks().mu) {
      for (Container c : k.containers().values()) {
        if (group.isWithin(c.cgroup)) {
          for (ThreadGroup g : c.pids.threadGroups()) {
            if (!g.zombie && g.leader.cgroup.isWithin(group)) {
              out.add(g);
            }
          }
        }
      }
    }
    return out;
  }

  // ---- memory ----

  /**
   * What one process is charged.
   *
   * @param charged what is its own alone, as far as is known
   */
  private record Charge(ThreadGroup group, long charged, MemoryUsage usage) {}

  private static List<Charge> charges(Kernel k, Cgroup group) {
    List<Charge> out = new ArrayList<>();
    IdentityHashMap<MemoryManager, Boolean> seen = new IdentityHashMap<>();
    for (ThreadGroup g : groupsWithin(k, group)) {
      MemoryManager mm = memoryOf(g);
      if (mm == null || seen.put(mm, true) != null) {
        continue;
      }
      MemoryUsage u = mm.space().memoryUsage();
      if (u != null) {
        out.add(new Charge(g, Math.max(0, u.anonymousBytes() - mm.inheritedBytes), u));
      }
    }
    return out;
  }

  private static @Nullable MemoryManager memoryOf(ThreadGroup g) {
    for (Task t : g.tasks) {
      if (!t.isDead()) {
        return t.mm();
      }
    }
    return null;
  }

  private static long sum(List<Charge> charges) {
    long bytes = 0;
    for (Charge c : charges) {
      bytes += c.charged;
    }
    return bytes;
  }

  /** {@return memory.current of {@code group} but for shared memory} */
  public static long memoryBytes(Kernel k, Cgroup group) {
    long bytes = sum(charges(k, group));
    MemoryLimits m = group.memory;
    m.peakBytes = Math.max(m.peakBytes, bytes);
    return bytes;
  }

  /**
   * {@return what of a fork's memory is still its parent's, and so charged there}; 0 where no group
   * is limited, for then nobody asks
   */
  static long inheritedBytes(Task parent) {
    for (Cgroup c = parent.cgroup; c.parent() != null; c = c.parent()) {
      if (c.memory.isLimited()) {
        MemoryUsage u = parent.mm().space().memoryUsage();
        return u == null ? 0 : u.anonymousBytes();
      }
    }
    return 0;
  }

  // ---- the thread ----

  @Override
  public void run() {
    for (; ; ) {
      long wait;
      try {
        wait = tick(System.nanoTime());
      } catch (RuntimeException e) {
        kernel.log().log(3, "redoubt: control groups: " + e);
        wait = IDLE_TICK_NS;
      }
      if (wait < 0) {
        return;
      }
      LockSupport.parkNanos(this, wait);
    }
  }

  /** {@return when to look again, -1 when nothing is left to look at} */
  private long tick(long now) {
    odd = !odd;
    long wait = IDLE_TICK_NS;
    for (Cgroup c : List.copyOf(limited)) {
      if (c.isRemoved() || !(c.cpu.isLimited() || c.memory.isLimited())) {
        synchronized (this) {
          limited.remove(c);
        }
        throttle(c, false, now);
        continue;
      }
      cpuNs(kernel, c);
      boolean active = c.cpu.usedNs() != c.cpu.lastUsedNs || c.cpu.throttled;
      c.cpu.lastUsedNs = c.cpu.usedNs();
      if (c.cpu.isLimited()) {
        wait = Math.min(wait, lookAtCpu(c, now));
      }
      if (active && c.memory.isLimited()) {
        wait = Math.min(wait, lookAtMemory(c, now));
      }
    }
    synchronized (this) {
      if (limited.isEmpty()) {
        thread = null;
        return -1;
      }
    }
    return wait;
  }

  /** {@return when to look again} */
  private long lookAtCpu(Cgroup c, long now) {
    CpuLimits cpu = c.cpu;
    long quota = cpu.quotaUs * 1000;
    long period = cpu.periodUs * 1000;
    long used = cpu.usedNs();
    if (!cpu.started || now - cpu.periodStartNs > 100 * period) {
      cpu.started = true;
      cpu.periodStartNs = now;
      cpu.usedAtStartNs = used;
    }
    while (now - cpu.periodStartNs >= period) {
      cpu.periodStartNs += period;
      cpu.periods.incrementAndGet();
      // What was used too much is taken from the next period; what was left is lost.
      cpu.usedAtStartNs = Math.min(used, cpu.usedAtStartNs + quota);
    }
    long left = quota - (used - cpu.usedAtStartNs);
    long rest = period - (now - cpu.periodStartNs);
    if (left <= 0) {
      throttle(c, true, now);
      return rest;
    }
    throttle(c, false, now);
    return Math.min(rest, Math.max(CPU_TICK_NS / 2, left / Math.max(1, kernel.cpus)));
  }

  private void throttle(Cgroup c, boolean on, long now) {
    CpuLimits cpu = c.cpu;
    if (cpu.throttled == on) {
      return;
    }
    synchronized (kernel.tasks().mu) {
      cpu.throttled = on;
      for (Task t : CgroupMembers.tasksWithin(kernel, c)) {
        if (on) {
          if (t.halt(Task.HALT_THROTTLED, true)) {
            t.context().interrupt();
          }
        } else if (!throttledAbove(t.cgroup) && t.halt(Task.HALT_THROTTLED, false)) {
          t.waiter().wake();
        }
      }
    }
    if (on) {
      cpu.throttledPeriods.incrementAndGet();
      cpu.throttledSinceNs = now;
    } else {
      cpu.throttledNs.addAndGet(now - cpu.throttledSinceNs);
    }
  }

  private static boolean throttledAbove(Cgroup group) {
    for (Cgroup c = group; c != null; c = c.parent()) {
      if (c.cpu.throttled) {
        return true;
      }
    }
    return false;
  }

  /** {@return when to look again} */
  private long lookAtMemory(Cgroup c, long now) {
    MemoryLimits m = c.memory;
    List<Charge> charges = charges(kernel, c);
    long bytes = sum(charges);
    m.peakBytes = Math.max(m.peakBytes, Math.min(bytes, m.max));
    if (bytes > m.high) {
      for (Cgroup g = c; g != null; g = g.parent()) {
        g.memory.events.high.incrementAndGet();
      }
      m.local.high.incrementAndGet();
      tellEvents(c);
      if (!c.cpu.isLimited()) {
        throttle(c, odd, now);
      }
    } else if (!c.cpu.isLimited()) {
      throttle(c, false, now);
    }
    if (bytes > m.max) {
      outOfMemory(c, charges, now);
    }
    return m.max - bytes < CLOSE_BYTES || bytes > m.high ? CPU_TICK_NS : MEMORY_TICK_NS;
  }

  private static void tellEvents(Cgroup group) {
    group.tell("memory.events.local");
    for (Cgroup c = group; c != null; c = c.parent()) {
      c.tell("memory.events");
    }
  }

  // ---- out of memory ----

  private void outOfMemory(Cgroup c, List<Charge> charges, long now) {
    MemoryLimits m = c.memory;
    if (m.victim instanceof ThreadGroup g && !g.zombie && now - m.victimSinceNs < VICTIM_NS) {
      return;
    }
    Charge worst = null;
    long most = Long.MIN_VALUE;
    for (Charge x : charges) {
      long points = points(x, m.max);
      if (points > most) {
        most = points;
        worst = x;
      }
    }
    for (Cgroup g = c; g != null; g = g.parent()) {
      g.memory.events.max.incrementAndGet();
      g.memory.events.oom.incrementAndGet();
    }
    m.local.max.incrementAndGet();
    m.local.oom.incrementAndGet();
    if (worst != null) {
      kill(c, worst);
      m.victim = worst.group;
      m.victimSinceNs = now;
    }
    tellEvents(c);
  }

  /** oom_badness of mm/oom_kill.c, in bytes; the least for who must not be killed. */
  private static long points(Charge x, long limit) {
    int adjust = x.group.oomScoreAdj;
    if (adjust <= -1000 || x.group.exiting) {
      return Long.MIN_VALUE;
    }
    return x.charged + limit / 1000 * adjust;
  }

  private void kill(Cgroup c, Charge worst) {
    Cgroup of = worst.group.leader.cgroup;
    log(
        "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg="
            + path(c)
            + ",task_memcg="
            + path(of)
            + ",task="
            + worst.group.leader.comm()
            + ",pid="
            + worst.group.tgid()
            + ",uid="
            + worst.group.leader.creds().ruid);
    if (c.memory.oomGroup) {
      log("Tasks in " + path(c) + " are going to be killed due to memory.oom.group set");
      for (Charge x : charges(kernel, c)) {
        if (x.group.oomScoreAdj > -1000) {
          killOne(c, x);
        }
      }
      for (Cgroup g = c; g != null; g = g.parent()) {
        g.memory.events.oomGroupKill.incrementAndGet();
      }
      c.memory.local.oomGroupKill.incrementAndGet();
    } else {
      killOne(c, worst);
    }
  }

  private void killOne(Cgroup c, Charge x) {
    log(
        "Memory cgroup out of memory: Killed process "
            + x.group.tgid()
            + " ("
            + x.group.leader.comm()
            + ") total-vm:"
            + kb(x.group.leader.mm().mappedBytes())
            + ", anon-rss:"
            + kb(x.usage.anonymousBytes())
            + ", file-rss:"
            + kb(x.usage.sharedBytes())
            + ", shmem-rss:0kB, UID:"
            + x.group.leader.creds().ruid
            + " oom_score_adj:"
            + x.group.oomScoreAdj);
    Cgroup of = x.group.leader.cgroup;
    for (Cgroup g = of; g != null; g = g.parent()) {
      g.memory.events.oomKill.incrementAndGet();
      Runnable listener = g.memory.oomListener;
      if (listener != null) {
        listener.run();
      }
    }
    of.memory.local.oomKill.incrementAndGet();
    GroupExit.kill(x.group, Signal.SIGKILL);
    if (of != c) {
      tellEvents(of);
    }
  }

  private void log(String text) {
    kernel.log().log(3, text);
  }

  private static String kb(long bytes) {
    return bytes / 1024 + "kB";
  }

  private static String path(Cgroup c) {
    return c.pathFrom(c.top());
  }
}
