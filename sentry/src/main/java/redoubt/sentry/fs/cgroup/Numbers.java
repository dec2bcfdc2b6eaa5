package redoubt.sentry.fs.cgroup;

import redoubt.sentry.kernel.cgroup.Cgroup;

/** How numbers are written in files of groups. */
final class Numbers {
  /** No number. */
  static final long BAD = Long.MIN_VALUE;

  private Numbers() {}

  /** {@return {@code v}, or "max"} */
  static String text(long v) {
    return v == Cgroup.MAX ? "max" : Long.toString(v);
  }

  /** {@return the decimal number that is all of {@code text} but blanks around it, or BAD} */
  static long integer(String text) {
    String s = text.strip();
    int from = s.startsWith("-") || s.startsWith("+") ? 1 : 0;
    if (s.length() == from || s.length() > 18) {
      return BAD;
    }
    for (int i = from; i < s.length(); i++) {
      if (s.charAt(i) < '0' || s.charAt(i) > '9') {
        return BAD;
      }
    }
    return Long.parseLong(s);
  }

  /** {@return a number that is not negative, {@link Cgroup#MAX} for "max", or BAD} */
  static long limit(String text) {
    if (text.strip().equals("max")) {
      return Cgroup.MAX;
    }
    long v = integer(text);
    return v < 0 ? BAD : v;
  }

  /**
   * {@return bytes in whole pages, {@link Cgroup#MAX} for "max", or BAD}: memparse's suffixes K, M,
   * G, T
   */
  static long bytes(String text) {
    String s = text.strip();
    if (s.equals("max")) {
      return Cgroup.MAX;
    }
    int shift = 0;
    if (!s.isEmpty()) {
      shift =
          switch (s.charAt(s.length() - 1)) {
            case 'k', 'K' -> 10;
            case 'm', 'M' -> 20;
            case 'g', 'G' -> 30;
            case 't', 'T' -> 40;
            default -> 0;
          };
    }
    long v = integer(shift == 0 ? s : s.substring(0, s.length() - 1));
    if (v < 0) {
      return BAD;
    }
    return v > Long.MAX_VALUE >> shift ? Cgroup.MAX : (v << shift) & -4096;
  }
}
