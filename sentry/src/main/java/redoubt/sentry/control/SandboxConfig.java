package redoubt.sentry.control;

/**
 * What a sentry is booted with.
 *
 * @param id the sandbox's name
 * @param platform {@code systrap}
 * @param patch whether call sites are patched (--no-patch turns it off)
 * @param strace whether each system call is logged
 * @param debug whether debug lines are logged
 * @param network {@code none}: loopback only; {@code sandbox}: an own stack on what NETWORK brings
 * @param cpus how many CPUs the guest sees
 * @param memoryBytes what the guest sees as its total memory (the cgroup's limit or the host's)
 * @param ioUring whether guests have io_uring
 * @param container the first container
 */
public record SandboxConfig(
    String id,
    String platform,
    boolean patch,
    boolean strace,
    boolean debug,
    String network,
    int cpus,
    long memoryBytes,
    boolean ioUring,
    ContainerConfig container) {

  public WireWriter write() {
    var w = new WireWriter().string(1, id).string(2, platform).flag(3, patch).flag(4, strace);
    w.flag(5, debug).string(6, network).number(7, cpus).number(8, memoryBytes);
    return w.record(9, container.write()).flag(10, ioUring);
  }

  public static SandboxConfig read(WireReader r) {
    String id = "";
    String platform = "systrap";
    boolean patch = true;
    boolean strace = false;
    boolean debug = false;
    String network = "none";
    int cpus = 1;
    long memoryBytes = 1L << 30;
    boolean ioUring = false;
    ContainerConfig container = ContainerConfig.read(new WireReader(new byte[0]));
    while (r.next()) {
      switch (r.tag()) {
        case 1 -> id = r.string();
        case 2 -> platform = r.string();
        case 3 -> patch = r.flag();
        case 4 -> strace = r.flag();
        case 5 -> debug = r.flag();
        case 6 -> network = r.string();
        case 7 -> cpus = r.int32();
        case 8 -> memoryBytes = r.number();
        case 10 -> ioUring = r.flag();
        case 9 -> container = ContainerConfig.read(r.record());
        default -> {}
      }
    }
    return new SandboxConfig(
        id, platform, patch, strace, debug, network, cpus, memoryBytes, ioUring, container);
  }
}
