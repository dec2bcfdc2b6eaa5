package redoubt.sandbox;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import redoubt.host.Fd;
import redoubt.host.HostFiles;
import redoubt.oci.Process;
import redoubt.oci.Resources;
import redoubt.oci.Spec;
import redoubt.oci.SpecException;
import redoubt.sentry.control.ContainerConfig;
import redoubt.sentry.control.MountConfig;
import redoubt.sentry.control.ProcessConfig;

/**
 * Turns a config.json into what the sentry is told, and opens the attach points of the gofer. Used
 * once; {@link #close} gives the descriptors up.
 */
public final class Translator implements AutoCloseable {
  private static final long MS_RDONLY = 1;

  private record Flag(long bit, boolean set) {}

  private static final Map<String, Flag> FLAGS = flags();

  private final String bundle;
  private final boolean overlayRoot;
  private final List<AttachPoint> attachPoints = new ArrayList<>();

  /**
   * @param bundle directory that relative paths start from
   * @param overlayRoot whether a writable root gets an upper in memory, discarded with the
   *     container
   */
  public Translator(String bundle, boolean overlayRoot) {
    this.bundle = bundle;
    this.overlayRoot = overlayRoot;
  }

  public List<AttachPoint> attachPoints() {
    return attachPoints;
  }

  /** {@return the absolute host path of the root file system} */
  public String rootPath(Spec spec) {
    return absolute(spec.root().path());
  }

  /**
   * @param further whether it comes to a sandbox that is there
   * @throws SpecException if the rootfs or a mount's source is missing
   */
  public ContainerConfig container(String id, Spec spec, boolean further) {
    Process process = spec.process();
    if (process == null) {
      throw new SpecException("process: is missing; it names the program to run");
    }
    String rootPath = rootPath(spec);
    if (!HostFiles.isDirectory(rootPath)) {
      throw new SpecException(
          "root.path: "
              + rootPath
              + (HostFiles.exists(rootPath) ? " is not a directory" : " does not exist")
              + "; put the root file system there");
    }
    boolean readonly = spec.root().readonly();
    boolean overlay = overlayRoot && !readonly;
    String attach = attach("root", rootPath, readonly || overlay);
    var root =
        new MountConfig(
            "/", "gofer", "rootfs", attach, readonly ? MS_RDONLY : 0, List.of(), overlay);
    var mounts = new ArrayList<MountConfig>();
    for (Spec.Mount mount : spec.mounts()) {
      mounts.add(mount(mount, mounts.size()));
    }
    var sysctls = new ArrayList<String>();
    spec.linux().sysctl().forEach((name, value) -> sysctls.add(name + "=" + value));
    return new ContainerConfig(
        id,
        spec.hostname(),
        spec.domainname(),
        root,
        mounts,
        process(process, rootPath),
        spec.linux().maskedPaths(),
        spec.linux().readonlyPaths(),
        sysctls,
        limits(spec.linux().resources()),
        further ? shared(spec) : List.of(),
        0);
  }

  /**
   * {@return the namespaces that config.json takes from elsewhere}: from the pod's first container
   */
  private static List<String> shared(Spec spec) {
    var shared = new ArrayList<String>();
    for (Spec.Namespace n : spec.linux().namespaces()) {
      if (n.path().isEmpty()) {
        continue;
      }
      if (n.type().equals("pid")) {
        throw new SpecException(
            "linux.namespaces: a pid namespace of several containers is not there yet; leave its"
                + " path out");
      }
      if (n.type().equals("ipc") || n.type().equals("uts")) {
        shared.add(n.type());
      }
    }
    return shared;
  }

  /** {@return what the container sees of its own limits}, as files of cgroup2 */
  static List<String> limits(Resources r) {
    var out = new ArrayList<String>();
    if (r.memoryLimit() != null && r.memoryLimit() > 0) {
      out.add("memory.max=" + r.memoryLimit());
      if (r.memorySwap() != null && r.memorySwap() >= r.memoryLimit()) {
        out.add("memory.swap.max=" + (r.memorySwap() - r.memoryLimit()));
      }
    }
    if (r.memoryReservation() != null && r.memoryReservation() > 0) {
      out.add("memory.low=" + r.memoryReservation());
    }
    if (r.cpuQuota() != null && r.cpuQuota() > 0) {
      Long period = r.cpuPeriod();
      long periodUs = period == null || period <= 0 ? 100000 : period;
      out.add("cpu.max=" + r.cpuQuota() + " " + periodUs);
    }
    if (r.cpuShares() != null && r.cpuShares() > 0) {
      out.add("cpu.weight=" + Cgroups.weight(r.cpuShares()));
    }
    if (r.pidsLimit() != null && r.pidsLimit() > 0) {
      out.add("pids.max=" + r.pidsLimit());
    }
    r.unified().forEach((file, value) -> out.add(file + "=" + value));
    return out;
  }

  /** {@return a process as the sentry is told} Adds HOME as runc does. */
  public static ProcessConfig process(Process p, String rootPath) {
    var env = new ArrayList<String>(p.env());
    boolean home = false;
    for (String variable : env) {
      home |= variable.startsWith("HOME=");
    }
    if (!home) {
      env.add("HOME=" + Passwd.home(rootPath, p.uid()));
    }
    var rlimits = new ArrayList<ProcessConfig.Rlimit>();
    for (Process.Rlimit limit : p.rlimits()) {
      rlimits.add(new ProcessConfig.Rlimit(limit.resource(), limit.soft(), limit.hard()));
    }
    return new ProcessConfig(
        p.args(),
        env,
        p.cwd(),
        p.uid(),
        p.gid(),
        p.additionalGids(),
        p.umask(),
        p.bounding(),
        p.effective(),
        p.permitted(),
        p.inheritable(),
        p.ambient(),
        rlimits,
        p.noNewPrivileges(),
        p.terminal(),
        p.rows(),
        p.columns(),
        p.oomScoreAdj());
  }

  private MountConfig mount(Spec.Mount mount, int index) {
    long flags = 0;
    var data = new ArrayList<String>();
    for (String option : mount.options()) {
      Flag flag = FLAGS.get(option);
      if (flag != null) {
        flags = flag.set ? flags | flag.bit : flags & ~flag.bit;
      } else if (option.endsWith("shared")) {
        throw new SpecException(
            "mounts["
                + index
                + "].options: '"
                + option
                + "' cannot be had: the sandbox's mounts are its kernel's own; use private or slave");
      } else if (!option.equals("bind") && !option.equals("rbind") && !isPropagation(option)) {
        data.add(option);
      }
    }
    String type = mount.type();
    if (type.equals("bind")) {
      String source = absolute(mount.source());
      if (!HostFiles.exists(source)) {
        throw new SpecException(
            "mounts[" + index + "].source: " + source + " does not exist on the host");
      }
      boolean readonly = (flags & MS_RDONLY) != 0;
      String attach = attach("mount" + index, source, readonly);
      return new MountConfig(
          mount.destination(), "gofer", mount.source(), attach, flags, data, false);
    }
    if (mount.destination().equals("/dev") && type.equals("tmpfs")) {
      type = "devtmpfs"; // the runtime fills /dev with devices
    }
    return new MountConfig(mount.destination(), type, mount.source(), "", flags, data, false);
  }

  private static boolean isPropagation(String option) {
    return switch (option) {
      case "private", "rprivate", "slave", "rslave", "unbindable", "runbindable" -> true;
      default -> false;
    };
  }

  private String attach(String name, String path, boolean readonly) {
    Fd fd = HostFiles.open(path, HostFiles.O_PATH, 0);
    attachPoints.add(new AttachPoint(name, fd, readonly));
    return name;
  }

  private String absolute(String path) {
    return path.startsWith("/") ? path : bundle + "/" + path;
  }

  @Override
  public void close() {
    for (AttachPoint point : attachPoints) {
      point.fd().close();
    }
    attachPoints.clear();
  }

  private static Map<String, Flag> flags() {
    var flags = new TreeMap<String, Flag>();
    flags.put("defaults", new Flag(0, true));
    flag(flags, "ro", "rw", MS_RDONLY);
    flag(flags, "nosuid", "suid", 2);
    flag(flags, "nodev", "dev", 4);
    flag(flags, "noexec", "exec", 8);
    flag(flags, "sync", "async", 16);
    flag(flags, "mand", "nomand", 64);
    flag(flags, "dirsync", null, 128);
    flag(flags, "nosymfollow", "symfollow", 256);
    flag(flags, "noatime", "atime", 1024);
    flag(flags, "nodiratime", "diratime", 2048);
    flag(flags, "silent", "loud", 32768);
    flag(flags, "relatime", "norelatime", 1L << 21);
    flag(flags, "strictatime", "nostrictatime", 1L << 24);
    flag(flags, "lazytime", "nolazytime", 1L << 25);
    flags.put("rro", new Flag(MS_RDONLY, true));
    return flags;
  }

  private static void flag(Map<String, Flag> flags, String on, @Nullable String off, long bit) {
    flags.put(on, new Flag(bit, true));
    if (off != null) {
      flags.put(off, new Flag(bit, false));
    }
  }
}
