package redoubt.sentry.fs.proc;

import static redoubt.abi.Errno.EACCES;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EPERM;
import static redoubt.abi.Errno.ERANGE;

import redoubt.abi.Caps;
import redoubt.abi.Time;
import redoubt.sentry.fs.kernfs.TextFile;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.TimeNamespace;

/**
 * /proc/PID/timens_offsets: <a
 * href="https://man7.org/linux/man-pages/man7/time_namespaces.7.html">time_namespaces(7)</a>.
 */
final class TimeOffsetsFile extends TextFile {
  private static final long NS = 1_000_000_000L;

  private final Target target;

  TimeOffsetsFile(ProcFs proc, Target target, long ino) {
    super(proc, ino, 0644);
    this.target = target;
  }

  @Override
  public int uid() {
    return target.uid();
  }

  @Override
  public int gid() {
    return target.gid();
  }

  private TimeNamespace namespace() {
    return target.living().namespaces().timeForChildren;
  }

  @Override
  protected void generate(Task t, StringBuilder out) {
    TimeNamespace ns = namespace();
    line(out, "monotonic", ns.offsetNs(Time.CLOCK_MONOTONIC));
    line(out, "boottime", ns.offsetNs(Time.CLOCK_BOOTTIME));
  }

  private static void line(StringBuilder out, String clock, long ns) {
    TaskTexts.left(out, clock, 10).append(' ');
    TaskTexts.right(out, Math.floorDiv(ns, NS), 10).append(' ');
    TaskTexts.right(out, Math.floorMod(ns, NS), 9).append('\n');
  }

  @Override
  protected long store(Task t, String text) {
    TimeNamespace ns = namespace();
    if (!t.hasCapability(ns.owner(), Caps.CAP_SYS_TIME)) {
      return -EPERM;
    }
    int[] clocks = new int[2];
    long[] offsets = new long[2];
    int n = 0;
    for (String line : text.strip().split("\n", -1)) {
      String[] w = line.strip().split("[ \t]+", -1);
      if (w.length != 3 || n == 2) {
        return -EINVAL;
      }
      int clock =
          switch (w[0]) {
            case "monotonic", "1" -> Time.CLOCK_MONOTONIC;
            case "boottime", "7" -> Time.CLOCK_BOOTTIME;
            default -> -1;
          };
      try {
        long sec = Long.parseLong(w[1]);
        long ns9 = Long.parseLong(w[2]);
        if (clock < 0 || ns9 < 0 || ns9 >= NS) {
          return -EINVAL;
        }
        if (Math.abs(sec) > Long.MAX_VALUE / NS / 2
            || redoubt.sentry.kernel.Clocks.hostClockNs(clock) + sec * NS + ns9 < 0) {
          return -ERANGE;
        }
        clocks[n] = clock;
        offsets[n++] = sec * NS + ns9;
      } catch (NumberFormatException e) {
        return -EINVAL;
      }
    }
    for (int i = 0; i < n; i++) {
      if (!ns.setOffset(clocks[i], offsets[i])) {
        return -EACCES;
      }
    }
    return 0;
  }
}
