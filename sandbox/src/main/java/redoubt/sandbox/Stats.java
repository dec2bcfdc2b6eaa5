package redoubt.sandbox;

import redoubt.host.HostFiles;
import redoubt.oci.Json;
import redoubt.sentry.control.SandboxStats;

/**
 * What {@code events --stats} prints: runc's form, from the host's cgroup and the sandbox's kernel.
 */
public final class Stats {
  private Stats() {}

  public static Json.Obj of(ContainerState state, SandboxStats inside, int processes) {
    long cpu = inside.cpuTimeNs();
    long memory = inside.guestMemoryBytes() + inside.sentryHeapBytes();
    long limit = 0;
    for (String directory : state.cgroups()) {
      cpu = number(directory + "/cpuacct.usage", cpu);
      memory = number(directory + "/memory.usage_in_bytes", memory);
      memory = number(directory + "/memory.current", memory);
      limit = number(directory + "/memory.limit_in_bytes", limit);
      limit = number(directory + "/memory.max", limit);
    }
    var usage = new Json.Obj().put("limit", limit).put("usage", memory);
    return new Json.Obj()
        .put("cpu", new Json.Obj().put("usage", new Json.Obj().put("total", cpu)))
        .put("memory", new Json.Obj().put("usage", usage))
        .put("pids", new Json.Obj().put("current", processes))
        .put(
            "redoubt",
            new Json.Obj()
                .put("threads", inside.threads())
                .put("syscalls", inside.syscalls())
                .put("kernelHeapBytes", inside.sentryHeapBytes())
                .put("guestMemoryBytes", inside.guestMemoryBytes()));
  }

  private static long number(String path, long absent) {
    String text = HostFiles.readText(path, 64);
    try {
      return text == null ? absent : Long.parseLong(text.strip());
    } catch (NumberFormatException e) {
      return absent; // "max"
    }
  }
}
