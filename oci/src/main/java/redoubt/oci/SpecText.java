package redoubt.oci;

import java.util.ArrayList;
import java.util.List;

/** Documents that this runtime writes: the config.json to start from, and its features. */
public final class SpecText {
  private static final List<String> DEFAULT_CAPABILITIES =
      List.of("CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE");

  private SpecText() {}

  /** {@return the config.json that {@code spec} writes} */
  public static Json.Obj defaultSpec(boolean rootless) {
    var process = new Json.Obj().put("terminal", true);
    process.put("user", new Json.Obj().put("uid", 0).put("gid", 0));
    process.put("args", strings("sh"));
    process.put(
        "env",
        strings("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"));
    process.put("cwd", "/");
    var capabilities = new Json.Obj();
    for (String set : List.of("bounding", "effective", "permitted")) {
      capabilities.put(set, Json.Arr.ofStrings(DEFAULT_CAPABILITIES));
    }
    process.put("capabilities", capabilities);
    var limit = new Json.Obj().put("type", "RLIMIT_NOFILE").put("hard", 1024).put("soft", 1024);
    process.put("rlimits", new Json.Arr().add(limit)).put("noNewPrivileges", true);

    var linux = new Json.Obj();
    var namespaces = new Json.Arr();
    for (String type : List.of("pid", "network", "ipc", "uts", "mount")) {
      namespaces.add(new Json.Obj().put("type", type));
    }
    if (rootless) {
      namespaces.add(new Json.Obj().put("type", "user"));
    }
    linux.put("namespaces", namespaces);
    linux.put(
        "maskedPaths",
        strings(
            "/proc/acpi",
            "/proc/asound",
            "/proc/kcore",
            "/proc/keys",
            "/proc/latency_stats",
            "/proc/timer_list",
            "/proc/timer_stats",
            "/proc/sched_debug",
            "/sys/firmware",
            "/proc/scsi"));
    linux.put(
        "readonlyPaths",
        strings("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"));

    return new Json.Obj()
        .put("ociVersion", Spec.VERSION)
        .put("process", process)
        .put("root", new Json.Obj().put("path", "rootfs").put("readonly", true))
        .put("hostname", "redoubt")
        .put("mounts", mounts())
        .put("linux", linux);
  }

  private static Json.Arr mounts() {
    var mounts = new Json.Arr();
    mounts.add(mount("/proc", "proc", "proc"));
    mounts.add(mount("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"));
    mounts.add(
        mount(
            "/dev/pts",
            "devpts",
            "devpts",
            "nosuid",
            "noexec",
            "newinstance",
            "ptmxmode=0666",
            "mode=0620",
            "gid=5"));
    mounts.add(
        mount("/dev/shm", "tmpfs", "shm", "nosuid", "noexec", "nodev", "mode=1777", "size=65536k"));
    mounts.add(mount("/dev/mqueue", "mqueue", "mqueue", "nosuid", "noexec", "nodev"));
    return mounts.add(mount("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", "ro"));
  }

  private static Json.Obj mount(String destination, String type, String source, String... options) {
    var mount = new Json.Obj().put("destination", destination).put("type", type);
    mount.put("source", source);
    return options.length == 0 ? mount : mount.put("options", strings(options));
  }

  /** {@return what {@code features} prints: features-linux of the runtime specification} */
  public static Json.Obj features(String version) {
    var linux = new Json.Obj();
    linux.put("namespaces", strings("cgroup", "ipc", "mount", "network", "pid", "user", "uts"));
    linux.put("capabilities", Json.Arr.ofStrings(Capabilities.names()));
    linux.put(
        "cgroup",
        new Json.Obj()
            .put("v1", true)
            .put("v2", true)
            .put("systemd", false)
            .put("systemdUser", false)
            .put("rdma", false));
    linux.put("seccomp", new Json.Obj().put("enabled", false));
    linux.put("apparmor", new Json.Obj().put("enabled", false));
    linux.put("selinux", new Json.Obj().put("enabled", false));
    linux.put("intelRdt", new Json.Obj().put("enabled", false));
    var options = new ArrayList<String>();
    for (String option :
        List.of(
            "async",
            "atime",
            "bind",
            "defaults",
            "dev",
            "diratime",
            "dirsync",
            "exec",
            "lazytime",
            "loud",
            "mand",
            "noatime",
            "nodev",
            "nodiratime",
            "noexec",
            "nolazytime",
            "nomand",
            "norelatime",
            "nostrictatime",
            "nosuid",
            "nosymfollow",
            "private",
            "rbind",
            "relatime",
            "ro",
            "rprivate",
            "rro",
            "rslave",
            "runbindable",
            "rw",
            "silent",
            "slave",
            "strictatime",
            "suid",
            "symfollow",
            "sync",
            "unbindable")) {
      options.add(option);
    }
    return new Json.Obj()
        .put("ociVersionMin", "1.0.0")
        .put("ociVersionMax", Spec.VERSION)
        .put(
            "hooks",
            strings(
                "prestart",
                "createRuntime",
                "createContainer",
                "startContainer",
                "poststart",
                "poststop"))
        .put("mountOptions", Json.Arr.ofStrings(options))
        .put("linux", linux)
        .put("annotations", new Json.Obj().put("dev.redoubt.version", version))
        .put("potentiallyUnsafeConfigAnnotations", new Json.Arr());
  }

  private static Json.Arr strings(String... strings) {
    return Json.Arr.ofStrings(List.of(strings));
  }
}
