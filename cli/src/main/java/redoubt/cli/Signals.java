package redoubt.cli;

/** Signal names of signal(7), x86-64. */
final class Signals {
  private static final String[] NAMES = {
    "", "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
    "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU",
    "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS"
  };

  private static final int LAST = 64;
  private static final int RTMIN = 34;

  private Signals() {}

  /** {@return the number of {@code 9}, {@code KILL}, {@code SIGKILL} or {@code RTMIN+3}} */
  static int number(String text) {
    try {
      int n = Integer.parseInt(text);
      if (n >= 0 && n <= LAST) {
        return n;
      }
    } catch (NumberFormatException e) {
      String name = text.toUpperCase(java.util.Locale.ROOT);
      name = name.startsWith("SIG") ? name.substring(3) : name;
      for (int i = 1; i < NAMES.length; i++) {
        if (NAMES[i].equals(name)) {
          return i;
        }
      }
      if (name.equals("POLL")) {
        return 29;
      }
      int realtime = realtime(name);
      if (realtime > 0) {
        return realtime;
      }
    }
    throw new UsageException("'" + text + "' is no signal; give a name as KILL or a number to 64");
  }

  private static int realtime(String name) {
    try {
      int n = -1;
      if (name.startsWith("RTMIN")) {
        n = RTMIN + (name.length() > 5 ? Integer.parseInt(name.substring(5)) : 0);
      } else if (name.startsWith("RTMAX")) {
        n = LAST + (name.length() > 5 ? Integer.parseInt(name.substring(5)) : 0);
      }
      return n >= RTMIN && n <= LAST ? n : -1;
    } catch (NumberFormatException e) {
      return -1;
    }
  }
}
