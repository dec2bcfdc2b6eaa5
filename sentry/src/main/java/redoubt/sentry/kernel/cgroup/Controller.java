package redoubt.sentry.kernel.cgroup;

import java.util.List;

/** What can be divided among the children of a group, in the order of cgroup.controllers. */
public enum Controller {
  CPUSET(1, "cpuset", true),
  CPU(2, "cpu", true),
  IO(4, "io", false),
  MEMORY(8, "memory", false),
  PIDS(16, "pids", true);

  /** All of them as {@link #bit}s. */
  public static final int ALL = (1 << 5) - 1;

  /** Those that work among the threads of one process, as {@link #bit}s. */
  static final int THREADED = CPUSET.bit() | CPU.bit() | PIDS.bit();

  static final List<Controller> LIST = List.of(values());

  private final int bit;
  private final String text;
  private final boolean threaded;

  Controller(int bit, String text, boolean threaded) {
    this.bit = bit;
    this.text = text;
    this.threaded = threaded;
  }

  /** {@return its name in files} */
  public String text() {
    return text;
  }

  public boolean isThreaded() {
    return threaded;
  }

  public int bit() {
    return bit;
  }

  /** {@return the bit of the controller called {@code name}, or 0} */
  static int bitOf(String name) {
    for (Controller c : LIST) {
      if (c.text.equals(name)) {
        return c.bit();
      }
    }
    return 0;
  }

  /** {@return the names of {@code bits}, separated by blanks} */
  public static String names(int bits) {
    StringBuilder o = new StringBuilder();
    for (Controller c : LIST) {
      if ((bits & c.bit()) != 0) {
        o.append(o.isEmpty() ? "" : " ").append(c.text);
      }
    }
    return o.toString();
  }
}
