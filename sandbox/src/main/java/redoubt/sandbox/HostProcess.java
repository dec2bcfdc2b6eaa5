package redoubt.sandbox;

import redoubt.host.HostFiles;

/** Processes of the host as /proc shows them. */
final class HostProcess {
  private HostProcess() {}

  /** {@return the start time of a live process in clock ticks since boot}, -1 if there is none */
  static long startTime(int pid) {
    String stat = HostFiles.readText("/proc/" + pid + "/stat", 4096);
    if (stat == null) {
      return -1;
    }
    // The name in parentheses may hold anything; the state follows the last one.
    int at = stat.lastIndexOf(')') + 2;
    if (at < 2 || at >= stat.length() || stat.charAt(at) == 'Z' || stat.charAt(at) == 'X') {
      return -1;
    }
    for (int field = 3; field < 22; field++) {
      at = stat.indexOf(' ', at) + 1;
    }
    return Long.parseLong(stat.substring(at, stat.indexOf(' ', at)));
  }
}
