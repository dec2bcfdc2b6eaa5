package redoubt.sentry.control;

import java.util.ArrayList;
import java.util.List;

/**
 * A container to be created in a sandbox.
 *
 * @param id the container's name; the first container has the sandbox's
 * @param hostname empty to keep the sandbox's; {@code domainname} alike
 * @param root mount of the root file system; its destination is {@code /}
 * @param mounts the other mounts, in order
 * @param process the first process
 * @param maskedPaths paths that read as empty; {@code readonlyPaths} are bound read-only
 * @param sysctls {@code name=value} of the container's /proc/sys
 * @param limits {@code file=value} of the container's control group, as version 2 names them
 * @param shared namespaces that it shares with the sandbox's first container: {@code ipc}, {@code
 *     uts}
 * @param gofer pid, in the sandbox's pid namespace, of a gofer of its own, which has its attach
 *     points: the last descriptor is a socket to it. 0: the sandbox's gofer has them
 */
public record ContainerConfig(
    String id,
    String hostname,
    String domainname,
    MountConfig root,
    List<MountConfig> mounts,
    ProcessConfig process,
    List<String> maskedPaths,
    List<String> readonlyPaths,
    List<String> sysctls,
    List<String> limits,
    List<String> shared,
    int gofer) {

  public WireWriter write() {
    var w = new WireWriter().string(1, id).string(2, hostname).string(3, domainname);
    w.record(4, root.write());
    for (MountConfig mount : mounts) {
      w.record(5, mount.write());
    }
    w.record(6, process.write()).strings(7, maskedPaths).strings(8, readonlyPaths);
    return w.strings(9, sysctls).strings(10, limits).strings(11, shared).number(12, gofer);
  }

  /** {@return the same with files from a gofer of its own} */
  public ContainerConfig withGofer(int pid) {
    return new ContainerConfig(
        id,
        hostname,
        domainname,
        root,
        mounts,
        process,
        maskedPaths,
        readonlyPaths,
        sysctls,
        limits,
        shared,
        pid);
  }

  public static ContainerConfig read(WireReader r) {
    String id = "";
    String hostname = "";
    String domainname = "";
    var root = new MountConfig("/", "tmpfs", "none", "", 0, List.of(), false);
    var mounts = new ArrayList<MountConfig>();
    var process = ProcessConfig.read(new WireReader(new byte[0]));
    var masked = new ArrayList<String>();
    var readonly = new ArrayList<String>();
    var sysctls = new ArrayList<String>();
    var limits = new ArrayList<String>();
    var shared = new ArrayList<String>();
    int gofer = 0;
    while (r.next()) {
      switch (r.tag()) {
        case 1 -> id = r.string();
        case 2 -> hostname = r.string();
        case 3 -> domainname = r.string();
        case 4 -> root = MountConfig.read(r.record());
        case 5 -> mounts.add(MountConfig.read(r.record()));
        case 6 -> process = ProcessConfig.read(r.record());
        case 7 -> masked.add(r.string());
        case 8 -> readonly.add(r.string());
        case 9 -> sysctls.add(r.string());
        case 10 -> limits.add(r.string());
        case 11 -> shared.add(r.string());
        case 12 -> gofer = r.int32();
        default -> {}
      }
    }
    return new ContainerConfig(
        id,
        hostname,
        domainname,
        root,
        mounts,
        process,
        masked,
        readonly,
        sysctls,
        limits,
        shared,
        gofer);
  }
}
