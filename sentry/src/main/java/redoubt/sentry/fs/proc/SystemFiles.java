package redoubt.sentry.fs.proc;

import static redoubt.sentry.fs.proc.TaskTexts.left;
import static redoubt.sentry.fs.proc.TaskTexts.right;

import java.util.List;
import redoubt.sentry.fs.kernfs.HostFacts;
import redoubt.sentry.fs.kernfs.KernDir;
import redoubt.sentry.fs.kernfs.LinkFile;
import redoubt.sentry.fs.kernfs.TextFile;
import redoubt.sentry.kernel.Clocks;
import redoubt.sentry.kernel.Kernel;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.ThreadGroup;

/** The files of /proc itself that tell of the whole system. */
final class SystemFiles {
  private static final long TICK_NS = 10_000_000;

  private SystemFiles() {}

  static void fill(ProcFs proc, KernDir root) {
    Kernel k = proc.kernel();
    text(proc, root, "cpuinfo", (t, o) -> cpuinfo(k, o));
    text(proc, root, "meminfo", (t, o) -> meminfo(k, o));
    text(proc, root, "stat", (t, o) -> stat(proc, o));
    text(proc, root, "uptime", (t, o) -> uptime(proc, t, o));
    text(proc, root, "loadavg", (t, o) -> loadavg(proc, o));
    text(proc, root, "version", (t, o) -> version(o));
    text(proc, root, "interrupts", (t, o) -> interrupts(k, o));
    text(proc, root, "softirqs", (t, o) -> softirqs(k, o));
    text(proc, root, "vmstat", (t, o) -> vmstat(k, o));
    text(proc, root, "zoneinfo", (t, o) -> zoneinfo(k, o));
    text(proc, root, "locks", (t, o) -> ProcTexts.append(k, "locks", "", t, o));
    root.add("mounts", new LinkFile(proc, "self/mounts"));
    fixed(root, "filesystems", filesystems());
    fixed(root, "cmdline", "quiet\n");
    fixed(root, "devices", devices());
    fixed(root, "diskstats", "");
    fixed(root, "partitions", "major minor  #blocks  name\n\n");
    fixed(root, "swaps", "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
    fixed(root, "modules", "");
    fixed(root, "misc", "");
    fixed(root, "cgroups", cgroups());
    fixed(root, "crypto", "");
    fixed(root, "consoles", "");
    fixed(root, "execdomains", "0-0\tLinux           \t[kernel]\n");
    fixed(root, "fb", "");
    fixed(root, "buddyinfo", "Node 0, zone   Normal" + "      0".repeat(11) + " \n");
    text(proc, root, "config.gz", (t, o) -> o.append(KernelConfig.compressed()));
    root.add("kallsyms", TextFile.fixed(proc, 0444, ""));
    root.add("keys", TextFile.fixed(proc, 0444, ""));
    root.add("key-users", TextFile.fixed(proc, 0444, "    0:     1 1/1 0/1000000 0/25000000\n"));
    root.add("slabinfo", TextFile.fixed(proc, 0400, SLABINFO));
    root.add("timer_list", TextFile.fixed(proc, 0400, ""));
    root.add("pagetypeinfo", TextFile.fixed(proc, 0400, ""));
    root.add("kmsg", new KmsgProcFile(proc));
    root.add(
        "sysrq-trigger", TextFile.of(proc, 0200, (t, o) -> {}, (t, s) -> -redoubt.abi.Errno.EPERM));
    root.put("tty/drivers", TextFile.fixed(proc, 0444, TTY_DRIVERS));
    root.put("tty/ldiscs", TextFile.fixed(proc, 0444, "n_tty       0\n"));
    root.put("fs/nfsd", new KernDir(proc));
    for (String kind : List.of("cpu", "io", "memory")) {
      root.put(
          "pressure/" + kind,
          TextFile.fixed(
              proc,
              0444,
              "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"));
    }
    sysvipc(proc, root);
  }

  private static void sysvipc(ProcFs proc, KernDir root) {
    Kernel k = proc.kernel();
    String msg =
        "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime      rtime      ctime\n";
    String sem =
        "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n";
    String shm =
        "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      dtime      ctime"
            + "                   rss                  swap\n";
    root.put(
        "sysvipc/msg",
        TextFile.of(proc, 0444, (t, o) -> ProcTexts.append(k, "sysvipc/msg", msg, t, o)));
    root.put(
        "sysvipc/sem",
        TextFile.of(proc, 0444, (t, o) -> ProcTexts.append(k, "sysvipc/sem", sem, t, o)));
    root.put(
        "sysvipc/shm",
        TextFile.of(proc, 0444, (t, o) -> ProcTexts.append(k, "sysvipc/shm", shm, t, o)));
  }

  private static void text(ProcFs proc, KernDir root, String name, TextFile.Generator g) {
    root.add(name, TextFile.of(proc, 0444, g));
  }

  private static void fixed(KernDir root, String name, String text) {
    root.text(name, text);
  }

  private static final String SLABINFO =
      "slabinfo - version: 2.1\n# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables"
          + " <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> <sharedavail>\n";

  private static final String TTY_DRIVERS =
      "/dev/tty             /dev/tty        5       0 system:/dev/tty\n"
          + "/dev/console         /dev/console    5       1 system:console\n"
          + "/dev/ptmx            /dev/ptmx       5       2 system\n"
          + "pty_slave            /dev/pts      136 0-1048575 pty:slave\n"
          + "pty_master           /dev/ptm      128 0-1048575 pty:master\n";

  private static String filesystems() {
    StringBuilder o = new StringBuilder();
    for (String s :
        List.of(
            "sysfs",
            "tmpfs",
            "proc",
            "cgroup2",
            "devtmpfs",
            "sockfs",
            "pipefs",
            "devpts",
            "mqueue",
            "9p",
            "overlay")) {
      o.append("nodev\t").append(s).append('\n');
    }
    return o.toString();
  }

  private static String devices() {
    return "Character devices:\n  1 mem\n  5 /dev/tty\n  5 /dev/console\n  5 /dev/ptmx\n 10 misc\n128 ptm\n136 pts\n"
        + "\nBlock devices:\n  7 loop\n";
  }

  private static String cgroups() {
    StringBuilder o = new StringBuilder("#subsys_name\thierarchy\tnum_cgroups\tenabled\n");
    for (String s :
        List.of("cpuset", "cpu", "cpuacct", "blkio", "memory", "devices", "freezer", "pids")) {
      o.append(s).append("\t0\t1\t1\n");
    }
    return o.toString();
  }

  private static void version(StringBuilder o) {
    o.append("Linux version ")
        .append(Kernel.RELEASE)
        .append(" (redoubt@localhost) (javac 25) ")
        .append(Kernel.VERSION)
        .append('\n');
  }

  private static void cpuinfo(Kernel k, StringBuilder o) {
    HostFacts f = HostFacts.of(k);
    int cpus = k.cpus;
    for (int i = 0; i < cpus; i++) {
      o.append("processor\t: ").append(i).append('\n');
      for (String line : f.processor(i).split("\n")) {
        int colon = line.indexOf(':');
        String key = colon < 0 ? line : line.substring(0, colon).strip();
        switch (key) {
          case "siblings", "cpu cores" -> o.append(line, 0, colon + 1).append(' ').append(cpus);
          case "core id", "apicid", "initial apicid" ->
              o.append(line, 0, colon + 1).append(' ').append(i);
          case "physical id" -> o.append(line, 0, colon + 1).append(" 0");
          default -> o.append(line);
        }
        o.append('\n');
      }
      o.append('\n');
    }
  }

  private static void kb(StringBuilder o, String name, long bytes) {
    left(o, name + ":", 16);
    right(o, bytes / 1024, 8).append(" kB\n");
  }

  /** {@return bytes of the sandbox's memory that are in use}, as far as the kernel knows */
  static long usedBytes(Kernel k) {
    MemoryUse u = k.subsystemOrNull(MemoryUse.class);
    return u == null ? 0 : Math.min(u.usedBytes(), k.totalMemoryBytes);
  }

  private static void meminfo(Kernel k, StringBuilder o) {
    long total = k.totalMemoryBytes > 0 ? k.totalMemoryBytes : 1L << 30;
    long used = usedBytes(k);
    long shmem = k.memoryFile().allocatedBytes();
    long free = Math.max(0, total - used - shmem);
    kb(o, "MemTotal", total);
    kb(o, "MemFree", free);
    kb(o, "MemAvailable", free);
    kb(o, "Buffers", 0);
    kb(o, "Cached", shmem);
    kb(o, "SwapCached", 0);
    kb(o, "Active", used);
    kb(o, "Inactive", shmem);
    kb(o, "Active(anon)", used);
    kb(o, "Inactive(anon)", shmem);
    kb(o, "Active(file)", 0);
    kb(o, "Inactive(file)", 0);
    kb(o, "Unevictable", 0);
    kb(o, "Mlocked", 0);
    kb(o, "SwapTotal", 0);
    kb(o, "SwapFree", 0);
    kb(o, "Dirty", 0);
    kb(o, "Writeback", 0);
    kb(o, "AnonPages", used);
    kb(o, "Mapped", 0);
    kb(o, "Shmem", shmem);
    for (String s :
        List.of(
            "KReclaimable",
            "Slab",
            "SReclaimable",
            "SUnreclaim",
            "KernelStack",
            "PageTables",
            "NFS_Unstable",
            "Bounce",
            "WritebackTmp")) {
      kb(o, s, 0);
    }
    kb(o, "CommitLimit", total / 2);
    kb(o, "Committed_AS", used);
    left(o, "VmallocTotal:", 15).append("34359738367 kB\n");
    for (String s :
        List.of(
            "VmallocUsed",
            "VmallocChunk",
            "Percpu",
            "HardwareCorrupted",
            "AnonHugePages",
            "ShmemHugePages",
            "ShmemPmdMapped",
            "FileHugePages",
            "FilePmdMapped")) {
      kb(o, s, 0);
    }
    for (String s :
        List.of("HugePages_Total", "HugePages_Free", "HugePages_Rsvd", "HugePages_Surp")) {
      left(o, s + ":", 16);
      right(o, 0, 8).append('\n');
    }
    kb(o, "Hugepagesize", 2 << 20);
    kb(o, "Hugetlb", 0);
    kb(o, "DirectMap4k", total);
    kb(o, "DirectMap2M", 0);
    kb(o, "DirectMap1G", 0);
  }

  /** CPU time of all processes, never falling although the dead ones go. */
  private static long totalCpuNs(ProcFs proc) {
    Kernel k = proc.kernel();
    long sum = 0;
    List<ThreadGroup> groups;
    synchronized (k.tasks().mu) {
      groups = proc.pids().threadGroups();
    }
    for (ThreadGroup g : groups) {
      sum += g.cpuNs() + (g.tgidIn(proc.pids()) == 1 ? g.childrenUsage().userNs : 0);
    }
    CpuFloor floor = k.subsystemOrNull(CpuFloor.class);
    if (floor == null) {
      floor = new CpuFloor();
      k.register(CpuFloor.class, floor);
    }
    return floor.raise(sum);
  }

  /** The highest CPU time ever told. */
  static final class CpuFloor {
    private long told; // guarded by this

    synchronized long raise(long now) {
      told = Math.max(told, now);
      return told;
    }
  }

  private static int running(ProcFs proc) {
    List<Task> tasks;
    synchronized (proc.kernel().tasks().mu) {
      tasks = proc.pids().tasks();
    }
    int n = 0;
    for (Task t : tasks) {
      if (t.stateLetter() == 'R') {
        n++;
      }
    }
    return Math.max(1, n);
  }

  private static void stat(ProcFs proc, StringBuilder o) {
    Kernel k = proc.kernel();
    int cpus = k.cpus;
    long busy = totalCpuNs(proc) / TICK_NS;
    long up = (Clocks.monotonicNs() - k.bootNs()) / TICK_NS;
    long idle = Math.max(0, up * cpus - busy);
    o.append("cpu  ").append(busy).append(" 0 0 ").append(idle).append(" 0 0 0 0 0 0\n");
    for (int i = 0; i < cpus; i++) {
      o.append("cpu")
          .append(i)
          .append(' ')
          .append(busy / cpus)
          .append(" 0 0 ")
          .append(idle / cpus)
          .append(" 0 0 0 0 0 0\n");
    }
    o.append("intr 0\nctxt 0\nbtime ")
        .append((Clocks.realtimeNs() - (Clocks.monotonicNs() - k.bootNs())) / 1_000_000_000L);
    o.append("\nprocesses ")
        .append(k.tasks().forks())
        .append("\nprocs_running ")
        .append(running(proc));
    o.append("\nprocs_blocked 0\nsoftirq 0 0 0 0 0 0 0 0 0 0 0\n");
  }

  private static void uptime(ProcFs proc, Task t, StringBuilder o) {
    Kernel k = proc.kernel();
    long up = Clocks.monotonicNs() - k.bootNs();
    long idle = Math.max(0, up * k.cpus - totalCpuNs(proc));
    hundredths(o, up + t.namespaces().time.offsetNs(redoubt.abi.Time.CLOCK_BOOTTIME));
    o.append(' ');
    hundredths(o, idle);
    o.append('\n');
  }

  private static void hundredths(StringBuilder o, long ns) {
    o.append(ns / 1_000_000_000L)
        .append('.')
        .append(Long.toString(100 + ns / 10_000_000 % 100).substring(1));
  }

  private static void loadavg(ProcFs proc, StringBuilder o) {
    int tasks;
    int last;
    synchronized (proc.kernel().tasks().mu) {
      tasks = proc.pids().size();
      last = proc.pids().lastPid();
    }
    int running = running(proc);
    long[] avg = LoadAverage.of(proc.kernel()).sample(running);
    for (long a : avg) {
      o.append(a / 100).append('.').append(Long.toString(100 + a % 100).substring(1)).append(' ');
    }
    o.append(running).append('/').append(tasks).append(' ').append(last).append('\n');
  }

  /**
   * Load averages that are brought up to date when somebody looks, so that an idle sandbox has no
   * timer for it.
   */
  static final class LoadAverage {
    private static final double[] WINDOWS_S = {60, 300, 900};

    private final double[] value = new double[3]; // guarded by this
    private long lastNs = Clocks.monotonicNs(); // guarded by this

    static LoadAverage of(Kernel k) {
      LoadAverage l = k.subsystemOrNull(LoadAverage.class);
      if (l == null) {
        l = new LoadAverage();
        k.register(LoadAverage.class, l);
      }
      return l;
    }

    /**
     * {@return the three averages in hundredths}, taking {@code running} less the asker as the load
     * since last time
     */
    synchronized long[] sample(int running) {
      long now = Clocks.monotonicNs();
      double seconds = (now - lastNs) / 1e9;
      lastNs = now;
      long[] out = new long[3];
      for (int i = 0; i < 3; i++) {
        double keep = Math.exp(-seconds / WINDOWS_S[i]);
        value[i] = value[i] * keep + Math.max(0, running - 1) * (1 - keep);
        out[i] = Math.round(value[i] * 100);
      }
      return out;
    }
  }

  private static void cpuHeader(StringBuilder o, int cpus, int first) {
    TaskTexts.pad(o, first);
    for (int i = 0; i < cpus; i++) {
      left(o, "CPU" + i, 11);
    }
    o.append('\n');
  }

  private static void interrupts(Kernel k, StringBuilder o) {
    cpuHeader(o, k.cpus, 11);
    o.append("LOC:");
    for (int i = 0; i < k.cpus; i++) {
      right(o, 0, 11);
    }
    o.append("   Local timer interrupts\n");
  }

  private static void softirqs(Kernel k, StringBuilder o) {
    cpuHeader(o, k.cpus, 20);
    for (String s :
        List.of(
            "HI",
            "TIMER",
            "NET_TX",
            "NET_RX",
            "BLOCK",
            "IRQ_POLL",
            "TASKLET",
            "SCHED",
            "HRTIMER",
            "RCU")) {
      TaskTexts.pad(o, 12 - s.length()).append(s).append(':');
      for (int i = 0; i < k.cpus; i++) {
        right(o, 0, 11);
      }
      o.append('\n');
    }
  }

  private static void vmstat(Kernel k, StringBuilder o) {
    long used = usedBytes(k) / 4096;
    long free = Math.max(0, k.totalMemoryBytes / 4096 - used);
    o.append("nr_free_pages ")
        .append(free)
        .append("\nnr_inactive_anon 0\nnr_active_anon ")
        .append(used);
    o.append("\nnr_inactive_file 0\nnr_active_file 0\nnr_unevictable 0\nnr_mlock 0\nnr_anon_pages ")
        .append(used);
    for (String s :
        List.of(
            "nr_mapped",
            "nr_file_pages",
            "nr_dirty",
            "nr_writeback",
            "nr_slab_reclaimable",
            "nr_slab_unreclaimable",
            "nr_page_table_pages",
            "nr_kernel_stack",
            "nr_shmem",
            "pgpgin",
            "pgpgout",
            "pswpin",
            "pswpout",
            "pgalloc_normal",
            "pgfree",
            "pgactivate",
            "pgdeactivate",
            "pgfault",
            "pgmajfault",
            "pgsteal_kswapd",
            "pgsteal_direct",
            "pgscan_kswapd",
            "pgscan_direct",
            "oom_kill",
            "compact_stall",
            "thp_fault_alloc")) {
      if (s.equals("nr_shmem")) {
        o.append('\n').append(s).append(' ').append(k.memoryFile().allocatedBytes() / 4096);
      } else {
        o.append('\n').append(s).append(" 0");
      }
    }
    o.append('\n');
  }

  private static void zoneinfo(Kernel k, StringBuilder o) {
    long pages = k.totalMemoryBytes / 4096;
    o.append("Node 0, zone   Normal\n  pages free     ")
        .append(Math.max(0, pages - usedBytes(k) / 4096));
    o.append(
            "\n        boost    0\n        min      0\n        low      0\n        high     0\n        spanned  ")
        .append(pages);
    o.append("\n        present  ")
        .append(pages)
        .append("\n        managed  ")
        .append(pages)
        .append("\n        cma      0\n");
  }
}
