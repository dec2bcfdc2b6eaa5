package redoubt.sentry.kernel.cgroup;

import java.util.List;

/** What can be divided among the children of a group, in the order of cgroup.controllers. */
public enum Controller {
  CPUSET("cpuset", true),
  CPU("cpu", true),
  IO("io", false),
  MEMORY("memory", false),
  PIDS("pids", true);

  /** All of them as {@link #bit}s. */
  public static final int ALL = (1 << 5) - 1;

  /** Those that work among the threads of one process, as {@link #bit}s. */
  static final int THREADED = CPUSET.bit() | CPU.bit() | PIDS.bit();

  static final List<Controller> LIST = List.of(values());

  private final String text;
  private final boolean threaded;

  Controller(String text, boolean threaded) {
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
    return 1 << ordinal();
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
