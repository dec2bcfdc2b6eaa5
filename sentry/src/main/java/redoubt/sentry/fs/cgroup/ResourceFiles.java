package redoubt.sentry.fs.cgroup;

import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ENODEV;
import static redoubt.abi.Errno.ERANGE;

import java.util.List;
import redoubt.sentry.kernel.CgroupAccountant;
import redoubt.sentry.kernel.Kernel;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.cgroup.Cgroup;
import redoubt.sentry.kernel.cgroup.Controller;
import redoubt.sentry.kernel.cgroup.CpuLimits;
import redoubt.sentry.kernel.cgroup.MemoryLimits;

/**
 * The files of the controllers. cpu.weight, memory.low, memory.min, io.* and swap limits are kept
 * and without effect: the host schedules, reclaims and swaps.
 */
final class ResourceFiles {
  /** sched_prio_to_weight for nice -20 to 19, in hundredths of cpu.weight's scale at nice 0. */
  private static final int[] NICE_WEIGHTS = {
    88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916, 9548, 7620, 6100, 4904,
    3906, 3121, 2501, 1991, 1586, 1277, 1024, 820, 655, 526, 423, 335, 272, 215, 172, 137, 110, 87,
    70, 56, 45, 36, 29, 23, 18, 15
  };

  private static final long MIN_PERIOD_US = 1000;
  private static final long MAX_PERIOD_US = 1_000_000;
  private static final long PIDS_LIMIT = 4194304;

  private ResourceFiles() {}

  static void addTo(List<FileType> files) {
    files.add(FileType.shown("cpu.stat", null, ResourceFiles::cpuStat));
    cpu(files, Controller.CPU);
    cpuset(files, Controller.CPUSET);
    io(files, Controller.IO);
    memory(files, Controller.MEMORY);
    pids(files, Controller.PIDS);
  }

  /** A text that is kept. */
  private static FileType kept(String name, Controller c, String initial) {
    return FileType.set(
        name,
        c,
        (t, d, o) -> {
          synchronized (d.cgroupFs.kernel().tasks().mu) {
            o.append(d.group.kept.getOrDefault(name, initial));
          }
        },
        (t, d, s) -> {
          if (s.length() > 256) {
            return -EINVAL;
          }
          synchronized (d.cgroupFs.kernel().tasks().mu) {
            d.group.kept.put(name, s.endsWith("\n") ? s : s + "\n");
          }
          return 0;
        });
  }

  private static void changed(CgroupDir d) {
    CgroupAccountant.limitsChanged(d.cgroupFs.kernel(), d.group);
  }

  // ---- cpu ----

  private static void cpu(List<FileType> files, Controller c) {
    files.add(
        FileType.set(
            "cpu.max",
            c,
            (t, d, o) ->
                o.append(Numbers.text(d.group.cpu.quotaUs))
                    .append(' ')
                    .append(d.group.cpu.periodUs)
                    .append('\n'),
            ResourceFiles::setCpuMax));
    files.add(
        FileType.set(
            "cpu.max.burst",
            c,
            (t, d, o) -> o.append(d.group.cpu.burstUs).append('\n'),
            (t, d, s) -> {
              long v = Numbers.integer(s);
              if (v < 0 || v > d.group.cpu.quotaUs) {
                return -EINVAL;
              }
              d.group.cpu.burstUs = v;
              return 0;
            }));
    files.add(
        FileType.set(
            "cpu.weight",
            c,
            (t, d, o) -> o.append(d.group.cpu.weight).append('\n'),
            (t, d, s) -> setWeight(d, Numbers.integer(s))));
    files.add(
        FileType.set(
            "cpu.weight.nice",
            c,
            (t, d, o) -> o.append(nearestNice(d.group.cpu.weight)).append('\n'),
            (t, d, s) -> {
              long nice = Numbers.integer(s);
              if (nice == Numbers.BAD) {
                return -EINVAL;
              }
              return nice < -20 || nice > 19
                  ? -ERANGE
                  : setWeight(d, weightOf(NICE_WEIGHTS[(int) nice + 20]));
            }));
    files.add(
        FileType.set(
            "cpu.idle",
            c,
            (t, d, o) -> o.append(d.group.cpu.idle ? 1 : 0).append('\n'),
            (t, d, s) -> {
              long v = Numbers.integer(s);
              if (v != 0 && v != 1) {
                return -EINVAL;
              }
              d.group.cpu.idle = v == 1;
              return 0;
            }));
    files.add(FileType.shown("cpu.stat.local", c, ResourceFiles::cpuStatLocal));
  }

  private static int weightOf(int nice) {
    return Math.clamp((nice * 100L + 512) / 1024, 1, 10000);
  }

  private static int nearestNice(int weight) {
    int best = 0;
    for (int i = 0; i < NICE_WEIGHTS.length; i++) {
      if (Math.abs(weightOf(NICE_WEIGHTS[i]) - weight)
          < Math.abs(weightOf(NICE_WEIGHTS[best]) - weight)) {
        best = i;
      }
    }
    return best - 20;
  }

  private static long setWeight(CgroupDir d, long v) {
    if (v == Numbers.BAD) {
      return -EINVAL;
    }
    if (v < 1 || v > 10000) {
      return -ERANGE;
    }
    d.group.cpu.weight = (int) v;
    return 0;
  }

  private static long setCpuMax(Task t, CgroupDir d, String text) {
    String[] words = text.strip().split("[ \n\t]+");
    CpuLimits cpu = d.group.cpu;
    long quota = Numbers.limit(words[0]);
    long period = words.length > 1 ? Numbers.integer(words[1]) : cpu.periodUs;
    if (quota < 0 || words.length > 2 || period < MIN_PERIOD_US || period > MAX_PERIOD_US) {
      return -EINVAL;
    }
    if (quota < MIN_PERIOD_US || (quota != Cgroup.MAX && quota > Long.MAX_VALUE / 2000)) {
      return -EINVAL;
    }
    cpu.quotaUs = quota;
    cpu.periodUs = period;
    changed(d);
    return 0;
  }

  private static void cpuStat(Task t, CgroupDir d, StringBuilder o) {
    CpuLimits cpu = d.group.cpu;
    long us = CgroupAccountant.cpuNs(d.cgroupFs.kernel(), d.group) / 1000;
    o.append("usage_usec ").append(us).append("\nuser_usec ").append(us);
    o.append("\nsystem_usec 0\n");
    boolean has;
    synchronized (d.cgroupFs.kernel().tasks().mu) {
      has = (d.group.controllers() & Controller.CPU.bit()) != 0;
    }
    if (has) {
      o.append("nr_periods ").append(cpu.periods);
      o.append("\nnr_throttled ").append(cpu.throttledPeriods);
      o.append("\nthrottled_usec ").append(cpu.throttledNs.get() / 1000);
      o.append("\nnr_bursts 0\nburst_usec 0\n");
    }
  }

  private static void cpuStatLocal(Task t, CgroupDir d, StringBuilder o) {
    o.append("throttled_usec ").append(d.group.cpu.throttledNs.get() / 1000).append('\n');
  }

  // ---- cpuset ----

  private static void cpuset(List<FileType> files, Controller c) {
    files.add(
        FileType.set(
            "cpuset.cpus",
            c,
            (t, d, o) -> o.append(d.group.cpus).append('\n'),
            (t, d, s) -> {
              long mask = CpuList.parse(s.strip());
              if (mask == CpuList.BAD || (mask & ~CpuList.all(d.cgroupFs.kernel().cpus)) != 0) {
                return -EINVAL;
              }
              d.group.setCpus(CpuList.text(mask), mask);
              return 0;
            }));
    files.add(
        FileType.shown(
            "cpuset.cpus.effective",
            c,
            (t, d, o) ->
                o.append(CpuList.text(d.group.cpuMask() & CpuList.all(d.cgroupFs.kernel().cpus)))
                    .append('\n')));
    files.add(
        FileType.set(
            "cpuset.mems",
            c,
            (t, d, o) -> o.append(d.group.mems).append('\n'),
            (t, d, s) -> {
              String nodes = s.strip();
              if (!nodes.isEmpty() && !nodes.equals("0")) {
                return -EINVAL;
              }
              d.group.mems = nodes;
              return 0;
            }));
    files.add(FileType.shown("cpuset.mems.effective", c, (t, d, o) -> o.append("0\n")));
    files.add(
        FileType.set(
            "cpuset.cpus.partition",
            c,
            (t, d, o) -> o.append("member\n"),
            (t, d, s) -> s.strip().equals("member") ? 0 : -EINVAL));
  }

  // ---- io ----

  private static void io(List<FileType> files, Controller c) {
    files.add(FileType.shown("io.stat", c, (t, d, o) -> {}));
    files.add(FileType.set("io.max", c, (t, d, o) -> {}, (t, d, s) -> -ENODEV));
    files.add(kept("io.weight", c, "default 100\n"));
  }

  // ---- memory ----

  private static void memory(List<FileType> files, Controller c) {
    files.add(FileType.shown("memory.current", c, ResourceFiles::memoryCurrent));
    files.add(FileType.shown("memory.peak", c, ResourceFiles::memoryPeak));
    limit(files, c, "memory.min", m -> m.min, (m, v) -> m.min = v);
    limit(files, c, "memory.low", m -> m.low, (m, v) -> m.low = v);
    limit(files, c, "memory.high", m -> m.high, (m, v) -> m.high = v);
    limit(files, c, "memory.max", m -> m.max, (m, v) -> m.max = v);
    files.add(
        FileType.set(
            "memory.oom.group",
            c,
            (t, d, o) -> o.append(d.group.memory.oomGroup ? 1 : 0).append('\n'),
            (t, d, s) -> {
              long v = Numbers.integer(s);
              if (v != 0 && v != 1) {
                return -EINVAL;
              }
              d.group.memory.oomGroup = v == 1;
              return 0;
            }));
    files.add(
        FileType.shown("memory.events", c, (t, d, o) -> memoryEvents(d.group.memory.events, o)));
    files.add(
        FileType.shown(
            "memory.events.local", c, (t, d, o) -> memoryEvents(d.group.memory.local, o)));
    files.add(FileType.shown("memory.stat", c, ResourceFiles::memoryStat));
    files.add(FileType.shown("memory.numa_stat", c, (t, d, o) -> o.append("anon N0=0\n")));
    files.add(
        new FileType(
            "memory.reclaim",
            0200,
            c,
            false,
            null,
            (t, d, s) -> Numbers.bytes(s) < 0 ? -EINVAL : -redoubt.abi.Errno.EAGAIN));
    files.add(FileType.shown("memory.swap.current", c, (t, d, o) -> o.append("0\n")));
    files.add(kept("memory.swap.high", c, "max\n"));
    limit(files, c, "memory.swap.max", m -> m.swapMax, (m, v) -> m.swapMax = v);
    files.add(
        FileType.shown("memory.swap.events", c, (t, d, o) -> o.append("high 0\nmax 0\nfail 0\n")));
  }

  private interface Getter {
    long get(MemoryLimits m);
  }

  private interface Setter {
    void set(MemoryLimits m, long bytes);
  }

  private static void limit(
      List<FileType> files, Controller c, String name, Getter g, Setter setter) {
    files.add(
        FileType.set(
            name,
            c,
            (t, d, o) -> o.append(Numbers.text(g.get(d.group.memory))).append('\n'),
            (t, d, s) -> {
              long v = Numbers.bytes(s);
              if (v < 0) {
                return -EINVAL;
              }
              setter.set(d.group.memory, v);
              changed(d);
              return 0;
            }));
  }

  /** {@return shared memory, which only the container as a whole is charged} */
  private static long sharedBytes(Kernel k, Cgroup group) {
    return group.parent() == null ? k.memoryFile().allocatedBytes() : 0;
  }

  private static long usedBytes(CgroupDir d) {
    Kernel k = d.cgroupFs.kernel();
    return CgroupAccountant.memoryBytes(k, d.group) + sharedBytes(k, d.group);
  }

  private static void memoryCurrent(Task t, CgroupDir d, StringBuilder o) {
    o.append(usedBytes(d)).append('\n');
  }

  private static void memoryPeak(Task t, CgroupDir d, StringBuilder o) {
    o.append(Math.max(usedBytes(d), d.group.memory.peakBytes)).append('\n');
  }

  private static void memoryEvents(MemoryLimits.Events e, StringBuilder o) {
    o.append("low 0\nhigh ").append(e.high).append("\nmax ").append(e.max);
    o.append("\noom ").append(e.oom).append("\noom_kill ").append(e.oomKill);
    o.append("\noom_group_kill ").append(e.oomGroupKill).append('\n');
  }

  private static void memoryStat(Task t, CgroupDir d, StringBuilder o) {
    Kernel k = d.cgroupFs.kernel();
    long anonymous = CgroupAccountant.memoryBytes(k, d.group);
    long shared = sharedBytes(k, d.group);
    line(o, "anon", anonymous);
    line(o, "file", shared);
    line(o, "kernel", 0);
    line(o, "kernel_stack", 0);
    line(o, "pagetables", 0);
    line(o, "sock", 0);
    line(o, "shmem", shared);
    line(o, "file_mapped", 0);
    line(o, "file_dirty", 0);
    line(o, "file_writeback", 0);
    line(o, "swapcached", 0);
    line(o, "inactive_anon", shared);
    line(o, "active_anon", anonymous);
    line(o, "inactive_file", 0);
    line(o, "active_file", 0);
    line(o, "unevictable", 0);
    line(o, "slab_reclaimable", 0);
    line(o, "slab_unreclaimable", 0);
    line(o, "slab", 0);
    line(o, "pgfault", 0);
    line(o, "pgmajfault", 0);
  }

  private static void line(StringBuilder o, String name, long value) {
    o.append(name).append(' ').append(value).append('\n');
  }

  // ---- pids ----

  private static void pids(List<FileType> files, Controller c) {
    files.add(
        FileType.set(
            "pids.max",
            c,
            (t, d, o) -> o.append(Numbers.text(d.group.pidsMax)).append('\n'),
            (t, d, s) -> {
              long v = Numbers.limit(s);
              if (v < 0 || (v != Cgroup.MAX && v >= PIDS_LIMIT)) {
                return -EINVAL;
              }
              synchronized (d.cgroupFs.kernel().tasks().mu) {
                d.group.pidsMax = v;
              }
              return 0;
            }));
    files.add(
        FileType.shown("pids.current", c, (t, d, o) -> o.append(d.group.pids()).append('\n')));
    files.add(
        FileType.shown("pids.peak", c, (t, d, o) -> o.append(d.group.pidsPeak()).append('\n')));
    files.add(
        FileType.shown(
            "pids.events",
            c,
            (t, d, o) -> o.append("max ").append(d.group.pidsEvents).append('\n')));
  }
}
