package redoubt.sentry.fs.cgroup;

/** Lists of CPUs as "0-2,5": bitmap_parselist, for up to 64. */
final class CpuList {
  /** No list. A list of all 64 is {@code -1} too; no sandbox has that many. */
  static final long BAD = -1;

  private CpuList() {}

  static long all(int cpus) {
    return cpus >= 63 ? Long.MAX_VALUE : (1L << cpus) - 1;
  }

  /** {@return the CPUs of {@code text} as bits, 0 for "", or BAD} */
  static long parse(String text) {
    long mask = 0;
    for (String part : text.isEmpty() ? new String[0] : text.split(",", -1)) {
      int dash = part.indexOf('-');
      long from = Numbers.integer(dash < 0 ? part : part.substring(0, dash));
      long to = dash < 0 ? from : Numbers.integer(part.substring(dash + 1));
      if (from < 0 || to < from || to >= 63) {
        return BAD;
      }
      mask |= (2L << to) - (1L << from);
    }
    return mask;
  }

  static String text(long mask) {
    StringBuilder o = new StringBuilder();
    for (int from = 0; from < 64; from++) {
      if ((mask >>> from & 1) == 0) {
        continue;
      }
      int to = from;
      while (to < 63 && (mask >>> (to + 1) & 1) != 0) {
        to++;
      }
      o.append(o.isEmpty() ? "" : ",").append(from);
      if (to > from) {
        o.append('-').append(to);
      }
      from = to;
    }
    return o.toString();
  }
}
