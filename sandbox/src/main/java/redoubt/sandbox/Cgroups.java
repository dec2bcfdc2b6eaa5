package redoubt.sandbox;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Errno;
import redoubt.host.Fd;
import redoubt.host.HostException;
import redoubt.host.HostFiles;
import redoubt.oci.Resources;

/**
 * The host's control groups of a sandbox, version 1 and 2: all its processes are in them, so that
 * limits hold whatever happens inside.
 */
public final class Cgroups {
  /** The parent of all containers' groups, which goes with the last of them. */
  private static final String SHARED = "/redoubt";

  /** How often, every 10 ms, a group is tried that what was killed has not left yet. */
  private static final int REMOVE_ATTEMPTS = 1000;

  private final Map<String, String> mounts; // controller -> mount point; "" for version 2
  private final List<String> made = new ArrayList<>();
  private final List<String> joined = new ArrayList<>();

  private Cgroups(Map<String, String> mounts) {
    this.mounts = mounts;
  }

  /** {@return the host's hierarchies} Nothing is made yet. */
  public static Cgroups ofHost() {
    var mounts = new LinkedHashMap<String, String>();
    String table = HostFiles.readText("/proc/self/mounts", 1 << 20);
    for (String line : table == null ? new String[0] : table.split("\n")) {
      String[] fields = line.split(" ");
      if (fields.length < 4) {
        continue;
      }
      if (fields[2].equals("cgroup")) {
        for (String option : fields[3].split(",")) {
          mounts.putIfAbsent(option, fields[1]);
        }
      } else if (fields[2].equals("cgroup2")) {
        mounts.putIfAbsent("", fields[1]);
      }
    }
    return new Cgroups(mounts);
  }

  /** {@return where a container's groups are unless its configuration says otherwise} */
  static String defaultPath(String id) {
    return SHARED + "/" + id;
  }

  /** {@return the directories of {@code path} that there are, in whatever hierarchy} */
  List<String> existing(String path) {
    var found = new ArrayList<String>();
    for (String mount : new TreeSet<>(mounts.values())) {
      if (HostFiles.isDirectory(mount + path)) {
        found.add(mount + path);
      }
    }
    return found;
  }

  /** {@return directories made, parents first} */
  public List<String> made() {
    return made;
  }

  /** {@return the cgroup.procs files that the sandbox joins} */
  public List<String> procsFiles() {
    var files = new ArrayList<String>();
    for (String directory : joined) {
      files.add(directory + "/cgroup.procs");
    }
    return files;
  }

  /** {@return the cgroup.procs files of those directories that have none of the others below} */
  static List<String> leaves(List<String> directories) {
    var files = new ArrayList<String>();
    for (String directory : directories) {
      if (!isParent(directory, directories) && HostFiles.isDirectory(directory)) {
        files.add(directory + "/cgroup.procs");
      }
    }
    return files;
  }

  /**
   * Makes the groups at {@code path} and sets the limits.
   *
   * @param path absolute, below each hierarchy's root; or {@code slice:prefix:name} of systemd
   * @throws SandboxException naming the limit that the host refused; {@link #remove} cleans up
   */
  public void apply(String path, Resources r) {
    String below = normalised(path);
    if (mounts.containsKey("memory") || mounts.containsKey("cpu") || mounts.containsKey("pids")) {
      version1(below, r);
    } else {
      String root = mounts.get("");
      if (root != null) {
        version2(root, below, r);
      } else if (limitsAnything(r)) {
        throw new SandboxException(
            "linux.resources: the host has no cgroup hierarchy mounted; mount one or drop the limits");
      }
    }
  }

  /** Removes what {@link #apply} made, children first. Processes in it must have ended. */
  public static void remove(List<String> directories) {
    for (int i = directories.size() - 1; i >= 0; i--) {
      for (int attempt = 0; attempt < REMOVE_ATTEMPTS; attempt++) {
        String directory = directories.get(i);
        long r = HostFiles.rmdir(directory);
        if (r != -Errno.EBUSY || isParent(directory, directories)) {
          break; // a parent is busy when another sandbox uses it: that one will remove it
        }
        pause();
      }
    }
  }

  private static boolean isParent(String directory, List<String> directories) {
    for (String other : directories) {
      if (other.startsWith(directory + "/")) {
        return true;
      }
    }
    return false;
  }

  private static void pause() {
    try {
      Thread.sleep(10);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private static String normalised(String path) {
    String[] systemd = path.split(":", -1);
    if (systemd.length == 3) {
      String slice = systemd[0].isEmpty() ? "system.slice" : systemd[0];
      return "/" + slice + "/" + systemd[1] + "-" + systemd[2] + ".scope";
    }
    var out = new StringBuilder();
    for (String part : path.split("/")) {
      if (part.equals("..")) {
        throw new SandboxException("linux.cgroupsPath: '" + path + "' holds '..'");
      }
      if (!part.isEmpty() && !part.equals(".")) {
        out.append('/').append(part);
      }
    }
    return out.toString();
  }

  private static boolean limitsAnything(Resources r) {
    return r.memoryLimit() != null
        || r.cpuQuota() != null
        || r.cpuShares() != null
        || r.pidsLimit() != null
        || !r.cpus().isEmpty()
        || !r.unified().isEmpty();
  }

  // ---- version 1

  private void version1(String below, Resources r) {
    String memory = join("memory", below);
    if (memory != null) {
      // A raised memory limit must come after the raised sum, a lowered one before: new groups are
      // unlimited, so the memory limit goes first.
      set(memory, "memory.limit_in_bytes", r.memoryLimit(), "memory.limit");
      setIfPresent(memory, "memory.memsw.limit_in_bytes", r.memorySwap(), "memory.swap");
      set(memory, "memory.soft_limit_in_bytes", r.memoryReservation(), "memory.reservation");
      set(memory, "memory.swappiness", r.memorySwappiness(), "memory.swappiness");
      if (r.disableOomKiller()) {
        set(memory, "memory.oom_control", 1L, "memory.disableOOMKiller");
      }
    }
    String cpu = join("cpu", below);
    if (cpu != null) {
      set(cpu, "cpu.shares", positive(r.cpuShares()), "cpu.shares");
      set(cpu, "cpu.cfs_period_us", positive(r.cpuPeriod()), "cpu.period");
      set(cpu, "cpu.cfs_quota_us", nonZero(r.cpuQuota()), "cpu.quota");
    }
    join("cpuacct", below);
    String pids = join("pids", below);
    if (pids != null) {
      limitPids(pids, r);
    }
    join("freezer", below);
    if (!r.cpus().isEmpty() || !r.mems().isEmpty()) {
      String cpuset = join("cpuset", below);
      if (cpuset != null) {
        fillCpuset(cpuset, below, "cpuset.cpus", r.cpus());
        fillCpuset(cpuset, below, "cpuset.mems", r.mems());
      }
    }
    if (r.blockIoWeight() != null || !r.throttles().isEmpty()) {
      String blkio = join("blkio", below);
      if (blkio != null) {
        setIfPresent(blkio, "blkio.weight", positive(r.blockIoWeight()), "blockIO.weight");
        for (Resources.Throttle t : r.throttles()) {
          String file = "blkio.throttle." + t.what() + "_device";
          String value = t.major() + ":" + t.minor() + " " + t.rate();
          write(blkio + "/" + file, value, "blockIO throttle");
        }
      }
    }
    if (!r.hugePages().isEmpty()) {
      String huge = join("hugetlb", below);
      for (Resources.HugePages limit : r.hugePages()) {
        if (huge != null) {
          String file = "hugetlb." + limit.pageSize() + ".limit_in_bytes";
          set(huge, file, limit.limit(), "hugepageLimits");
        }
      }
    }
    String unified = mounts.get("");
    if (!r.unified().isEmpty() && unified == null) {
      throw new SandboxException("linux.resources.unified: the host has no cgroup version 2");
    }
  }

  /**
   * Makes the group in a controller's hierarchy and marks it to be joined; null if there is none.
   */
  private @Nullable String join(String controller, String below) {
    String mount = mounts.get(controller);
    if (mount == null) {
      return null;
    }
    String directory = mount + below;
    makeDirectories(mount, below);
    if (!joined.contains(directory)) {
      joined.add(directory);
    }
    return directory;
  }

  /** A new cpuset is empty, and so may its parents be; an empty one cannot be joined. */
  private void fillCpuset(String directory, String below, String file, String value) {
    String mount = directory.substring(0, directory.length() - below.length());
    String inherited = read(mount + "/" + file);
    int at = 0;
    while (at < below.length()) {
      int slash = below.indexOf('/', at + 1);
      at = slash < 0 ? below.length() : slash;
      String group = mount + below.substring(0, at);
      String now = read(group + "/" + file);
      if (at == below.length() && !value.isEmpty()) {
        write(group + "/" + file, value, file);
      } else if (now.isEmpty()) {
        write(group + "/" + file, inherited, file);
      } else {
        inherited = now;
      }
    }
  }

  // ---- version 2

  private void version2(String root, String below, Resources r) {
    var needed = new StringBuilder();
    for (String controller : read(root + "/cgroup.controllers").split(" ")) {
      if (List.of("cpu", "cpuset", "memory", "pids", "io", "hugetlb").contains(controller)) {
        needed.append(needed.isEmpty() ? "+" : " +").append(controller);
      }
    }
    String directory = root;
    for (String part : below.substring(1).split("/")) {
      if (!needed.isEmpty()) {
        tryWrite(directory + "/cgroup.subtree_control", needed.toString());
      }
      directory = directory + "/" + part;
      if (!make(directory)) {
        throw new HostException("mkdir " + directory + " for the sandbox's cgroup", -Errno.ENOENT);
      }
    }
    joined.add(directory);
    set(directory, "memory.max", r.memoryLimit(), "memory.limit");
    set(directory, "memory.low", r.memoryReservation(), "memory.reservation");
    if (r.memorySwap() != null) {
      long limit = r.memoryLimit() == null ? 0 : r.memoryLimit();
      long swap = r.memorySwap() < 0 ? -1 : Math.max(0, r.memorySwap() - limit);
      setIfPresent(directory, "memory.swap.max", swap, "memory.swap");
    }
    Long shares = positive(r.cpuShares());
    if (shares != null) {
      set(directory, "cpu.weight", weight(shares), "cpu.shares");
    }
    Long quota = nonZero(r.cpuQuota());
    Long period = positive(r.cpuPeriod());
    if (quota != null || period != null) {
      String max = quota == null || quota < 0 ? "max" : quota.toString();
      write(directory + "/cpu.max", max + " " + (period == null ? 100000 : period), "cpu.quota");
    }
    if (!r.cpus().isEmpty()) {
      write(directory + "/cpuset.cpus", r.cpus(), "cpu.cpus");
    }
    if (!r.mems().isEmpty()) {
      write(directory + "/cpuset.mems", r.mems(), "cpu.mems");
    }
    limitPids(directory, r);
    for (Resources.Throttle t : r.throttles()) {
      String key = t.what().replace("read_", "r").replace("write_", "w");
      String value = t.major() + ":" + t.minor() + " " + key + "=" + t.rate();
      write(directory + "/io.max", value, "blockIO throttle");
    }
    for (Map.Entry<String, String> entry : r.unified().entrySet()) {
      if (entry.getKey().contains("/")) {
        throw new SandboxException(
            "linux.resources.unified: '" + entry.getKey() + "' is no cgroup file");
      }
      write(directory + "/" + entry.getKey(), entry.getValue(), "unified");
    }
  }

  // ---- both

  /** {@return cpu.weight for cpu.shares}: 2..262144 of version 1 onto 1..10000 */
  static long weight(long shares) {
    return 1 + (Math.clamp(shares, 2, 262144) - 2) * 9999 / 262142;
  }

  /** Threads of the JVMs, and of map threads and processes that are about to be used. */
  private static final long OWN_THREADS = 128;

  /**
   * The sentry counts the guest's tasks one by one; the host, which counts two threads for each and
   * those of the sandbox itself, is the second line.
   */
  private void limitPids(String directory, Resources r) {
    Long limit = nonZero(r.pidsLimit());
    if (limit != null) {
      String most = limit < 0 ? "max" : Long.toString(Math.min(limit, 1 << 22) * 3 + OWN_THREADS);
      write(directory + "/pids.max", most, "pids.limit");
    }
  }

  private void makeDirectories(String mount, String below) {
    int at = 0;
    int attempts = 0;
    while (at < below.length()) {
      int slash = below.indexOf('/', at + 1);
      int end = slash < 0 ? below.length() : slash;
      // The last sandbox to end may just have removed the parent that all share.
      boolean again = !make(mount + below.substring(0, end)) && attempts++ < 100;
      at = again ? 0 : end;
    }
  }

  /**
   * Makes one group; false if its parent is gone. One of ours that is there already was left by a
   * sandbox of the same name, and goes with this one.
   */
  private boolean make(String directory) {
    long r = HostFiles.mkdir(directory, 0755);
    boolean ours =
        r == -Errno.EEXIST && (directory.endsWith(SHARED) || directory.contains(SHARED + "/"));
    if ((r == 0 || ours) && !made.contains(directory)) {
      made.add(directory);
    }
    if (r < 0 && r != -Errno.EEXIST && r != -Errno.ENOENT) {
      throw new HostException("mkdir " + directory + " for the sandbox's cgroup", r);
    }
    return r != -Errno.ENOENT;
  }

  private static @Nullable Long positive(@Nullable Long value) {
    return value != null && value > 0 ? value : null;
  }

  private static @Nullable Long nonZero(@Nullable Long value) {
    return value != null && value != 0 ? value : null;
  }

  private static void set(String directory, String file, @Nullable Long value, String what) {
    if (value != null) {
      String text = value < 0 && file.endsWith(".max") ? "max" : value.toString();
      write(directory + "/" + file, text, what);
    }
  }

  private static void setIfPresent(
      String directory, String file, @Nullable Long value, String what) {
    if (HostFiles.exists(directory + "/" + file)) {
      set(directory, file, value, what);
    }
  }

  private static void write(String path, String text, String what) {
    long r = tryWrite(path, text);
    if (r < 0) {
      throw new SandboxException(
          "linux.resources."
              + what
              + ": the host refused '"
              + text
              + "' for "
              + path
              + ": "
              + Errno.message((int) -r));
    }
  }

  private static long tryWrite(String path, String text) {
    long n = HostFiles.tryOpen(path, HostFiles.O_WRONLY, 0);
    if (n < 0) {
      return n;
    }
    try (Fd fd = new Fd((int) n)) {
      return HostFiles.write(fd, text.getBytes(StandardCharsets.UTF_8));
    }
  }

  private static String read(String path) {
    String text = HostFiles.readText(path, 1 << 16);
    return text == null ? "" : text.strip();
  }
}
