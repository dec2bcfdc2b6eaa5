package redoubt.sentry.fs.sys;

import static redoubt.abi.Errno.EACCES;

import java.util.List;
import redoubt.sentry.fs.kernfs.KernDir;
import redoubt.sentry.fs.kernfs.KernFs;
import redoubt.sentry.fs.kernfs.TextFile;
import redoubt.sentry.kernel.Container;
import redoubt.sentry.kernel.Kernel;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.ThreadGroup;
import redoubt.sentry.vfs.Inode;

/**
 * A container's own cgroup as cgroup2 shows it: for reading. Limits are the host's cgroup's to
 * enforce, and groups below it cannot be made.
 */
public final class CgroupFs extends KernFs {
  private static final long CGROUP2_SUPER_MAGIC = 0x63677270;

  private final KernDir root = new KernDir(this);

  public CgroupFs(Kernel kernel, Container container) {
    super(kernel, "cgroup2", CGROUP2_SUPER_MAGIC);
    root.text("cgroup.controllers", "cpuset cpu io memory pids\n")
        .text("cgroup.subtree_control", "\n");
    root.text("cgroup.type", "domain\n")
        .text("cgroup.max.depth", "max\n")
        .text("cgroup.max.descendants", "max\n");
    root.text("cgroup.events", "populated 1\nfrozen 0\n").text("cgroup.freeze", "0\n");
    root.text("cgroup.stat", "nr_descendants 0\nnr_dying_descendants 0\n");
    root.add(
        "cgroup.procs",
        TextFile.of(this, 0644, (t, o) -> pids(t, container, o), (t, s) -> -EACCES));
    root.text("cpu.max", "max 100000\n").text("cpu.weight", "100\n").text("cpu.weight.nice", "0\n");
    root.add("cpu.stat", TextFile.of(this, 0444, (t, o) -> cpuStat(container, o)));
    String cpus = kernel.cpus == 1 ? "0\n" : "0-" + (kernel.cpus - 1) + "\n";
    root.text("cpuset.cpus", "\n")
        .text("cpuset.cpus.effective", cpus)
        .text("cpuset.mems", "\n")
        .text("cpuset.mems.effective", "0\n");
    root.text("memory.max", "max\n")
        .text("memory.high", "max\n")
        .text("memory.low", "0\n")
        .text("memory.min", "0\n");
    root.text("memory.swap.max", "0\n").text("memory.swap.current", "0\n");
    root.add(
        "memory.current",
        TextFile.of(
            this, 0444, (t, o) -> o.append(kernel.memoryFile().allocatedBytes()).append('\n')));
    root.text("memory.events", "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\noom_group_kill 0\n");
    root.add("memory.stat", TextFile.of(this, 0444, (t, o) -> memoryStat(kernel, o)));
    root.text("pids.max", "max\n");
    root.add(
        "pids.current", TextFile.of(this, 0444, (t, o) -> o.append(tasks(container)).append('\n')));
    root.text("io.stat", "").text("io.max", "");
    for (String kind : List.of("cpu", "io", "memory")) {
      root.text(
          kind + ".pressure",
          "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n");
    }
  }

  @Override
  public Inode root() {
    return root;
  }

  private List<ThreadGroup> groups(Container c) {
    synchronized (kernel().tasks().mu) {
      return c.pids.threadGroups();
    }
  }

  private void pids(Task t, Container c, StringBuilder o) {
    for (ThreadGroup g : groups(c)) {
      if (!g.isZombie()) {
        o.append(g.tgidIn(t.pidNamespace())).append('\n');
      }
    }
  }

  private int tasks(Container c) {
    synchronized (kernel().tasks().mu) {
      return c.pids.size();
    }
  }

  private void cpuStat(Container c, StringBuilder o) {
    long us = 0;
    for (ThreadGroup g : groups(c)) {
      us += (g.cpuNs() + g.childrenCpuNs()) / 1000;
    }
    o.append("usage_usec ")
        .append(us)
        .append("\nuser_usec ")
        .append(us)
        .append("\nsystem_usec 0\n");
    o.append("nr_periods 0\nnr_throttled 0\nthrottled_usec 0\n");
  }

  private static void memoryStat(Kernel k, StringBuilder o) {
    o.append("anon 0\nfile 0\nkernel 0\nshmem ").append(k.memoryFile().allocatedBytes());
    for (String s :
        List.of(
            "file_mapped",
            "file_dirty",
            "inactive_anon",
            "active_anon",
            "inactive_file",
            "active_file",
            "unevictable",
            "slab",
            "pgfault",
            "pgmajfault")) {
      o.append('\n').append(s).append(" 0");
    }
    o.append('\n');
  }
}
