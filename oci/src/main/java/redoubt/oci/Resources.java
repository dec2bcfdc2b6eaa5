package redoubt.oci;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * {@code linux.resources}: what the host's cgroup of the sandbox is limited to. Null where nothing
 * is asked for; bytes and microseconds as in the specification.
 */
public record Resources(
    @Nullable Long memoryLimit,
    @Nullable Long memoryReservation,
    @Nullable Long memorySwap,
    @Nullable Long memorySwappiness,
    boolean disableOomKiller,
    @Nullable Long cpuShares,
    @Nullable Long cpuQuota,
    @Nullable Long cpuPeriod,
    String cpus,
    String mems,
    @Nullable Long pidsLimit,
    @Nullable Long blockIoWeight,
    List<Throttle> throttles,
    List<HugePages> hugePages,
    Map<String, String> unified) {

  /** Nothing limited. */
  public static final Resources NONE =
      new Resources(
          null, null, null, null, false, null, null, null, "", "", null, null, List.of(), List.of(),
          Map.of());

  /**
   * A device's rate.
   *
   * @param what {@code read_bps}, {@code write_bps}, {@code read_iops} or {@code write_iops}
   */
  public record Throttle(String what, long major, long minor, long rate) {}

  /** A limit on huge pages of one size, as {@code 2MB}. */
  public record HugePages(String pageSize, long limit) {}

  static Resources of(@Nullable Node node) {
    if (node == null) {
      return NONE;
    }
    Node memory = node.object("memory");
    Node cpu = node.object("cpu");
    Node pids = node.object("pids");
    Node block = node.object("blockIO");
    var throttles = new ArrayList<Throttle>();
    if (block != null) {
      throttles(block, "throttleReadBpsDevice", "read_bps", throttles);
      throttles(block, "throttleWriteBpsDevice", "write_bps", throttles);
      throttles(block, "throttleReadIOPSDevice", "read_iops", throttles);
      throttles(block, "throttleWriteIOPSDevice", "write_iops", throttles);
    }
    var huge = new ArrayList<HugePages>();
    for (Node limit : node.objects("hugepageLimits")) {
      huge.add(new HugePages(limit.string("pageSize", ""), limit.number("limit", 0)));
    }
    return new Resources(
        number(memory, "limit"),
        number(memory, "reservation"),
        number(memory, "swap"),
        number(memory, "swappiness"),
        memory != null && memory.flag("disableOOMKiller"),
        number(cpu, "shares"),
        number(cpu, "quota"),
        number(cpu, "period"),
        cpu == null ? "" : cpu.string("cpus", ""),
        cpu == null ? "" : cpu.string("mems", ""),
        number(pids, "limit"),
        number(block, "weight"),
        throttles,
        huge,
        node.map("unified"));
  }

  private static @Nullable Long number(@Nullable Node node, String name) {
    return node == null ? null : node.optionalNumber(name);
  }

  private static void throttles(Node block, String name, String what, List<Throttle> out) {
    for (Node device : block.objects(name)) {
      out.add(
          new Throttle(
              what,
              device.number("major", 0),
              device.number("minor", 0),
              device.number("rate", 0)));
    }
  }
}
