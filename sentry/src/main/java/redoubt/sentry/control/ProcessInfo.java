package redoubt.sentry.control;

/**
 * A guest process as {@code redoubt ps} and {@code top} show it.
 *
 * @param pid in the container's pid namespace; {@code ppid} alike
 * @param state one letter as in /proc/PID/stat: R, S, D, T, Z
 * @param startTimeNs since the sandbox booted
 * @param terminal name of the controlling terminal, or {@code ?}
 */
public record ProcessInfo(
    int pid,
    int ppid,
    int uid,
    String state,
    int threads,
    long cpuTimeNs,
    long startTimeNs,
    long rssBytes,
    String terminal,
    String command) {

  WireWriter write() {
    var w = new WireWriter().number(1, pid).number(2, ppid).number(3, uid & 0xffffffffL);
    w.string(4, state).number(5, threads).number(6, cpuTimeNs).number(7, startTimeNs);
    return w.number(8, rssBytes).string(9, terminal).string(10, command);
  }

  public static ProcessInfo read(WireReader r) {
    int pid = 0;
    int ppid = 0;
    int uid = 0;
    String state = "?";
    int threads = 0;
    long cpuTimeNs = 0;
    long startTimeNs = 0;
    long rssBytes = 0;
    String terminal = "?";
    String command = "";
    while (r.next()) {
      switch (r.tag()) {
        case 1 -> pid = r.int32();
        case 2 -> ppid = r.int32();
        case 3 -> uid = (int) r.number();
        case 4 -> state = r.string();
        case 5 -> threads = r.int32();
        case 6 -> cpuTimeNs = r.number();
        case 7 -> startTimeNs = r.number();
        case 8 -> rssBytes = r.number();
        case 9 -> terminal = r.string();
        case 10 -> command = r.string();
        default -> {}
      }
    }
    return new ProcessInfo(
        pid, ppid, uid, state, threads, cpuTimeNs, startTimeNs, rssBytes, terminal, command);
  }
}
