package redoubt.sentry.fs.kernfs;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import redoubt.host.HostText;
import redoubt.sentry.kernel.Kernel;

/**
 * What the guest may know of the machine: read from the host's /proc and /sys once, before the
 * sentry is confined, because it has neither afterwards.
 *
 * @param processors one block of /proc/cpuinfo for each CPU that the guest sees, without the
 *     "processor" line
 * @param caches one line "index level type size lines shared" for each cache of CPU 0
 * @param vulnerabilities name and text pairs of /sys/devices/system/cpu/vulnerabilities
 * @param special the mappings that the host's kernel puts into each process: vDSO and its data
 */
public record HostFacts(
    List<String> processors,
    List<Cache> caches,
    List<String> vulnerabilities,
    List<Special> special) {
  /**
   * A mapping that every process has, placed by the vDSO's first byte.
   *
   * @param name as /proc/PID/maps has it
   */
  public record Special(String name, long fromVdso, long bytes, boolean executable) {}

  /**
   * A cache of CPU 0.
   *
   * @param size with its unit, as "48K"
   */
  public record Cache(
      String level, String type, String size, String lineBytes, String ways, String sets) {}

  /** Facts for a kernel whose boot could not read the host's: CPUs without features. */
  private static final String PLAIN =
      "vendor_id\t: unknown\ncpu family\t: 6\nmodel\t\t: 0\nmodel name\t: unknown\nstepping\t: 0\ncpu MHz\t\t: 1000.000\n"
          + "fpu\t\t: yes\nflags\t\t: fpu tsc cx8 cmov mmx fxsr sse sse2 syscall nx lm\nbogomips\t: 2000.00\n"
          + "address sizes\t: 46 bits physical, 48 bits virtual\n";

  /** {@return the facts of {@code k}}, plain ones if boot registered none */
  public static HostFacts of(Kernel k) {
    HostFacts f = k.subsystemOrNull(HostFacts.class);
    return f != null ? f : new HostFacts(List.of(PLAIN), List.of(), List.of(), List.of());
  }

  /** Reads the host's facts. Call at boot, before the root directory goes; register the result. */
  public static HostFacts read() {
    List<String> blocks = new ArrayList<>();
    for (String block : HostText.read("/proc/cpuinfo", 4 << 20).split("\n\n")) {
      int nl = block.indexOf('\n');
      if (block.startsWith("processor") && nl > 0) {
        blocks.add(block.substring(nl + 1) + "\n");
      }
    }
    if (blocks.isEmpty()) {
      blocks.add(PLAIN);
    }
    List<Cache> caches = new ArrayList<>();
    for (int i = 0; i < 6; i++) {
      String dir = "/sys/devices/system/cpu/cpu0/cache/index" + i + "/";
      String level = line(dir + "level");
      if (level.isEmpty()) {
        break;
      }
      caches.add(
          new Cache(
              level,
              line(dir + "type"),
              line(dir + "size"),
              line(dir + "coherency_line_size"),
              line(dir + "ways_of_associativity"),
              line(dir + "number_of_sets")));
    }
    List<String> v = new ArrayList<>();
    for (String name :
        new String[] {
          "gather_data_sampling",
          "indirect_target_selection",
          "itlb_multihit",
          "l1tf",
          "mds",
          "meltdown",
          "mmio_stale_data",
          "reg_file_data_sampling",
          "retbleed",
          "spec_rstack_overflow",
          "spec_store_bypass",
          "spectre_v1",
          "spectre_v2",
          "srbds",
          "tsa",
          "tsx_async_abort",
          "vmscape"
        }) {
      String text = line("/sys/devices/system/cpu/vulnerabilities/" + name);
      if (!text.isEmpty()) {
        v.add(name);
        v.add(text);
      }
    }
    return new HostFacts(
        List.copyOf(blocks),
        List.copyOf(caches),
        List.copyOf(v),
        special(HostText.read("/proc/self/maps", 1 << 20)));
  }

  /** {@return the vDSO and what lies before it}, in order of address, from a process' maps */
  static List<Special> special(String maps) {
    int vdso = maps.indexOf("[vdso]");
    if (vdso < 0) {
      return List.of();
    }
    int from = maps.indexOf("[vvar");
    from = maps.lastIndexOf('\n', from < 0 || from > vdso ? vdso : from) + 1;
    String[] lines = maps.substring(from, vdso + 6).split("\n");
    long base = start(lines[lines.length - 1]);
    List<Special> found = new ArrayList<>();
    for (String l : lines) {
      int space = l.indexOf(' ');
      long end = Long.parseLong(l, l.indexOf('-') + 1, space, 16);
      String name = l.substring(l.lastIndexOf(' ') + 1);
      if (name.startsWith("[v")) {
        found.add(new Special(name, start(l) - base, end - start(l), l.charAt(space + 3) == 'x'));
      }
    }
    return List.copyOf(found);
  }

  private static long start(String line) {
    return Long.parseLong(line, 0, line.indexOf('-'), 16);
  }

  private static String line(String path) {
    return HostText.read(path, 4096).strip();
  }

  /** {@return the cpuinfo block of CPU {@code cpu}} */
  public String processor(int cpu) {
    return processors.get(cpu % processors.size());
  }

  /** {@return the value of {@code key} in CPU {@code cpu}'s block, or null} */
  public @Nullable String value(int cpu, String key) {
    for (String l : processor(cpu).split("\n")) {
      int colon = l.indexOf(':');
      if (colon > 0 && l.substring(0, colon).strip().equals(key)) {
        return l.substring(colon + 1).strip();
      }
    }
    return null;
  }
}
