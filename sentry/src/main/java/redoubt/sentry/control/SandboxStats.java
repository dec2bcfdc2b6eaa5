package redoubt.sentry.control;

/**
 * What the sentry knows of a container's use; the host's cgroup has the rest.
 *
 * @param processes guest processes; {@code threads} guest threads
 * @param cpuTimeNs of guest threads
 * @param guestMemoryBytes resident memory of guest processes as far as the sentry knows it
 * @param sentryHeapBytes used Java heap
 * @param syscalls system calls dispatched since boot
 */
public record SandboxStats(
    long processes,
    long threads,
    long cpuTimeNs,
    long guestMemoryBytes,
    long sentryHeapBytes,
    long syscalls) {

  WireWriter write() {
    var w = new WireWriter().number(1, processes).number(2, threads).number(3, cpuTimeNs);
    return w.number(4, guestMemoryBytes).number(5, sentryHeapBytes).number(6, syscalls);
  }

  public static SandboxStats read(WireReader r) {
    long processes = 0;
    long threads = 0;
    long cpuTimeNs = 0;
    long guestMemoryBytes = 0;
    long sentryHeapBytes = 0;
    long syscalls = 0;
    while (r.next()) {
      switch (r.tag()) {
        case 1 -> processes = r.number();
        case 2 -> threads = r.number();
        case 3 -> cpuTimeNs = r.number();
        case 4 -> guestMemoryBytes = r.number();
        case 5 -> sentryHeapBytes = r.number();
        case 6 -> syscalls = r.number();
        default -> {}
      }
    }
    return new SandboxStats(
        processes, threads, cpuTimeNs, guestMemoryBytes, sentryHeapBytes, syscalls);
  }
}
