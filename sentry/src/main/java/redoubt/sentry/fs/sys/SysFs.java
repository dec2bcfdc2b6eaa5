package redoubt.sentry.fs.sys;

import static redoubt.abi.Netlink.IFF_RUNNING;

import java.util.List;
import java.util.function.LongSupplier;
import redoubt.abi.Loop;
import redoubt.sentry.fs.dev.LoopDevice;
import redoubt.sentry.fs.dev.LoopDevices;
import redoubt.sentry.fs.kernfs.HostFacts;
import redoubt.sentry.fs.kernfs.KernDir;
import redoubt.sentry.fs.kernfs.KernFs;
import redoubt.sentry.fs.kernfs.LinkFile;
import redoubt.sentry.fs.kernfs.TextFile;
import redoubt.sentry.kernel.Kernel;
import redoubt.sentry.socket.NetDevice;
import redoubt.sentry.vfs.Inode;

/**
 * <a href="https://man7.org/linux/man-pages/man5/sysfs.5.html">sysfs(5)</a>: a small machine with
 * CPUs and one node.
 */
public final class SysFs extends KernFs {
  private static final long SYSFS_MAGIC = 0x62656572;

  private final KernDir root;

  public SysFs(Kernel kernel) {
    super(kernel, "sysfs", SYSFS_MAGIC);
    root = new KernDir(this);
    for (String empty : List.of("bus", "dev", "firmware", "hypervisor", "module", "power")) {
      root.dir(empty);
    }
    root.add("block", KernDir.lazy(this, this::blockLinks));
    root.add("class", KernDir.lazy(this, this::classes));
    root.add("devices", KernDir.lazy(this, this::devices));
    root.dir("fs").dir("cgroup");
    root.dir("fs").dir("bpf");
    root.add("kernel", KernDir.lazy(this, this::kernelDir));
    root.dir("dev").dir("block");
    root.dir("dev").dir("char");
  }

  @Override
  public Inode root() {
    return root;
  }

  private void knob(KernDir d, String path, String value) {
    d.put(path, TextFile.knob(this, 0644, value + "\n"));
  }

  // ---- kernel ----

  private void kernelDir(KernDir d) {
    knob(d, "mm/transparent_hugepage/enabled", "always [madvise] never");
    knob(d, "mm/transparent_hugepage/defrag", "always defer defer+madvise [madvise] never");
    knob(
        d, "mm/transparent_hugepage/shmem_enabled", "always within_size advise [never] deny force");
    knob(d, "mm/transparent_hugepage/use_zero_page", "1");
    d.text("mm/transparent_hugepage/hpage_pmd_size", "2097152\n");
    knob(d, "mm/transparent_hugepage/khugepaged/defrag", "1");
    knob(d, "mm/ksm/run", "0");
    // No mm/hugepages, debug, tracing, config: who sees them mounts a filesystem that is not there.
    for (String empty : List.of("security", "iommu_groups", "slab")) {
      d.dir(empty);
    }
    d.text("uevent_seqnum", "0\n");
    d.text("kexec_loaded", "0\n");
    d.text("kexec_crash_loaded", "0\n");
    d.text("fscaps", "1\n");
    knob(d, "profiling", "0");
    knob(d, "rcu_expedited", "0");
    d.text("cpu_byteorder", "little\n");
    d.text("address_bits", "64\n");
  }

  // ---- devices ----

  private void devices(KernDir d) {
    d.dir("system").add("cpu", KernDir.lazy(this, this::cpus));
    d.dir("system").add("node", KernDir.lazy(this, this::nodes));
    d.dir("system").add("memory", KernDir.lazy(this, m -> m.text("block_size_bytes", "8000000\n")));
    d.dir("virtual").add("net", KernDir.lazy(this, this::netDevices));
    d.dir("virtual").dir("tty");
    d.dir("virtual").add("dmi", KernDir.lazy(this, this::dmi));
    d.dir("virtual").add("block", KernDir.lazy(this, this::loops));
    d.dir("pci0000:00");
    d.dir("platform");
  }

  private static String range(int n) {
    return n == 1 ? "0" : "0-" + (n - 1);
  }

  private static String mask(long bits, int cpus) {
    StringBuilder o = new StringBuilder();
    for (int word = (cpus - 1) / 32; word >= 0; word--) {
      String s = Long.toHexString(word > 1 ? 0 : bits >>> (32 * word) & 0xffffffffL);
      int width = o.isEmpty() ? ((cpus - 1) % 32 + 4) / 4 : 8;
      o.append(o.isEmpty() ? "" : ",")
          .append("0".repeat(Math.max(0, width - s.length())))
          .append(s);
    }
    return o.toString();
  }

  private static long all(int cpus) {
    return cpus >= 64 ? -1L : (1L << cpus) - 1;
  }

  private void cpus(KernDir d) {
    int n = kernel().cpus;
    for (String name : List.of("online", "possible", "present")) {
      d.text(name, range(n) + "\n");
    }
    d.text("offline", "\n");
    d.text("isolated", "\n");
    d.text("kernel_max", Math.max(n, 64) - 1 + "\n");
    d.text("modalias", "cpu:type:x86\n");
    d.text("smt/active", "0\n");
    d.text("smt/control", "notimplemented\n");
    HostFacts f = HostFacts.of(kernel());
    for (int i = 0; i + 1 < f.vulnerabilities().size(); i += 2) {
      d.text(
          "vulnerabilities/" + f.vulnerabilities().get(i), f.vulnerabilities().get(i + 1) + "\n");
    }
    d.dir("cpufreq");
    d.dir("cpuidle");
    for (int i = 0; i < n; i++) {
      int cpu = i;
      d.add("cpu" + i, KernDir.lazy(this, c -> cpu(c, cpu, n, f)));
    }
  }

  /** One thread a core, all cores in one package. */
  private void cpu(KernDir d, int cpu, int n, HostFacts f) {
    String self = mask(1L << cpu, n) + "\n";
    String everyone = mask(all(n), n) + "\n";
    d.text("topology/core_id", cpu + "\n")
        .text("topology/physical_package_id", "0\n")
        .text("topology/die_id", "0\n");
    d.text("topology/cluster_id", "65535\n");
    d.text("topology/thread_siblings", self).text("topology/thread_siblings_list", cpu + "\n");
    d.text("topology/core_cpus", self).text("topology/core_cpus_list", cpu + "\n");
    d.text("topology/core_siblings", everyone).text("topology/core_siblings_list", range(n) + "\n");
    d.text("topology/package_cpus", everyone).text("topology/package_cpus_list", range(n) + "\n");
    d.text("topology/die_cpus", everyone).text("topology/die_cpus_list", range(n) + "\n");
    knob(d, "online", "1");
    d.add("node0", new LinkFile(this, "../../node/node0"));
    d.add("subsystem", new LinkFile(this, "../../../../bus/cpu"));
    for (int i = 0; i < f.caches().size(); i++) {
      HostFacts.Cache c = f.caches().get(i);
      boolean shared = c.level().equals("3");
      String p = "cache/index" + i + "/";
      d.text(p + "id", (shared ? 0 : cpu) + "\n")
          .text(p + "level", c.level() + "\n")
          .text(p + "type", c.type() + "\n");
      d.text(p + "size", c.size() + "\n").text(p + "coherency_line_size", c.lineBytes() + "\n");
      d.text(p + "ways_of_associativity", c.ways() + "\n")
          .text(p + "number_of_sets", c.sets() + "\n");
      d.text(p + "physical_line_partition", "1\n");
      d.text(p + "shared_cpu_map", shared ? everyone : self);
      d.text(p + "shared_cpu_list", (shared ? range(n) : Integer.toString(cpu)) + "\n");
    }
  }

  private void nodes(KernDir d) {
    int n = kernel().cpus;
    for (String name :
        List.of("online", "possible", "has_cpu", "has_memory", "has_normal_memory")) {
      d.text(name, "0\n");
    }
    KernDir node = d.dir("node0");
    node.text("cpulist", range(n) + "\n")
        .text("cpumap", mask(all(n), n) + "\n")
        .text("distance", "10\n");
    node.text(
        "numastat",
        "numa_hit 0\nnuma_miss 0\nnuma_foreign 0\ninterleave_hit 0\nlocal_node 0\nother_node 0\n");
    node.add(
        "meminfo",
        TextFile.of(
            this,
            0444,
            (t, o) -> {
              long kb = kernel().totalMemoryBytes / 1024;
              o.append("Node 0 MemTotal:       ")
                  .append(kb)
                  .append(" kB\nNode 0 MemFree:        ")
                  .append(kb);
              o.append(" kB\nNode 0 MemUsed:        0 kB\n");
            }));
    for (int i = 0; i < n; i++) {
      node.add("cpu" + i, new LinkFile(this, "../../cpu/cpu" + i));
    }
  }

  private void dmi(KernDir d) {
    d.text("id/sys_vendor", "Redoubt\n")
        .text("id/product_name", "Redoubt sandbox\n")
        .text("id/board_vendor", "Redoubt\n");
    d.text("id/bios_vendor", "Redoubt\n")
        .text("id/chassis_vendor", "Redoubt\n")
        .text("id/chassis_type", "1\n");
  }

  // ---- block devices ----

  private void blockLinks(KernDir d) {
    for (int i = 0; i < LoopDevices.COUNT; i++) {
      d.add("loop" + i, new LinkFile(this, "../devices/virtual/block/loop" + i));
    }
  }

  private void loops(KernDir d) {
    LoopDevices all = kernel().subsystem(LoopDevices.class);
    for (int i = 0; i < LoopDevices.COUNT; i++) {
      LoopDevice device = all.device(i);
      d.add("loop" + i, KernDir.lazy(this, x -> loop(x, device)));
    }
  }

  private void loop(KernDir d, LoopDevice device) {
    d.text("dev", Loop.LOOP_MAJOR + ":" + device.number() + "\n")
        .text("removable", "0\n")
        .text("range", "1\n");
    computed(d, "size", () -> device.size() >> 9);
    computed(d, "ro", () -> device.isReadOnly() ? 1 : 0);
    computed(d, "queue/logical_block_size", device::blockSize);
    computed(d, "queue/physical_block_size", device::blockSize);
    d.text("queue/rotational", "0\n");
    computed(d, "loop/offset", device::offset);
    computed(d, "loop/sizelimit", device::sizeLimit);
    computed(d, "loop/autoclear", () -> device.flag(Loop.LO_FLAGS_AUTOCLEAR));
    computed(d, "loop/partscan", () -> device.flag(Loop.LO_FLAGS_PARTSCAN));
    computed(d, "loop/dio", () -> device.flag(Loop.LO_FLAGS_DIRECT_IO));
    d.put(
        "loop/backing_file",
        TextFile.of(this, 0444, (t, o) -> o.append(device.path(t.fs().root())).append('\n')));
    d.add("subsystem", new LinkFile(this, "../../../../class/block"));
  }

  private void computed(KernDir d, String path, LongSupplier value) {
    d.put(path, TextFile.of(this, 0444, (t, o) -> o.append(value.getAsLong()).append('\n')));
  }

  // ---- classes ----

  private void classes(KernDir d) {
    d.add("net", KernDir.lazy(this, this::netClass));
    for (String empty :
        List.of(
            "block",
            "tty",
            "mem",
            "misc",
            "thermal",
            "hwmon",
            "power_supply",
            "drm",
            "input",
            "scsi_host")) {
      d.dir(empty);
    }
    d.add(
        "dmi",
        KernDir.lazy(this, x -> x.add("id", new LinkFile(this, "../../devices/virtual/dmi/id"))));
  }

  private void netDevices(KernDir d) {
    for (NetDevice device : NetDevice.all(kernel())) {
      d.add(device.name(), KernDir.lazy(this, x -> netDevice(x, device)));
    }
  }

  private void netClass(KernDir d) {
    for (NetDevice device : NetDevice.all(kernel())) {
      d.add(device.name(), new LinkFile(this, "../../devices/virtual/net/" + device.name()));
    }
  }

  private void netDevice(KernDir d, NetDevice device) {
    boolean lo = device.isLoopback();
    d.text("address", device.macText() + "\n")
        .text("broadcast", lo ? "00:00:00:00:00:00\n" : "ff:ff:ff:ff:ff:ff\n")
        .text("addr_len", "6\n");
    d.text("addr_assign_type", "0\n")
        .text("carrier", "1\n")
        .text("dev_id", "0x0\n")
        .text("dormant", "0\n");
    d.text("flags", "0x" + Integer.toHexString(device.flags() & 0xffff & ~IFF_RUNNING) + "\n")
        .text("ifindex", device.index() + "\n")
        .text("iflink", device.index() + "\n")
        .text("link_mode", "0\n")
        .text("mtu", device.mtu() + "\n");
    d.text("operstate", lo ? "unknown\n" : "up\n")
        .text("tx_queue_len", "1000\n")
        .text("type", device.type() + "\n")
        .text("uevent", "INTERFACE=" + device.name() + "\nIFINDEX=" + device.index() + "\n");
    for (String s :
        List.of(
            "collisions",
            "multicast",
            "rx_bytes",
            "rx_compressed",
            "rx_dropped",
            "rx_errors",
            "rx_packets",
            "tx_bytes",
            "tx_compressed",
            "tx_dropped",
            "tx_errors",
            "tx_packets")) {
      d.text("statistics/" + s, "0\n");
    }
    d.dir("queues").dir("rx-0");
    d.dir("queues").dir("tx-0");
    d.add("subsystem", new LinkFile(this, "../../../../class/net"));
  }
}
