package redoubt.host;

import redoubt.abi.Nr;

/** The JVM's optimizing compiler beside threads that must not wait for it. */
public final class CompilerThread {
  /** As the JVM names its one thread of that kind; /proc keeps 15 bytes of a name. */
  private static final String NAME = "C2 CompilerThre";

  /** Threads are numbered from their process on; the JVM starts this one early. */
  private static final int THREADS_LOOKED_AT = 64;

  private CompilerThread() {}

  /**
   * Makes it a background thread: the share of its nice value while others want all of it, in
   * slices so short that who wakes up does not wait for it. Needs /proc.
   *
   * @param nice its new nice value, 0 to 19
   * @return whether it was found and the host agreed
   */
  public static boolean makeNice(int nice) {
    int first = (int) RawSyscall.syscall(Nr.GETPID);
    for (int tid = first; tid < first + THREADS_LOOKED_AT; tid++) {
      String name = HostFiles.readText("/proc/self/task/" + tid + "/comm", 32);
      if (name != null && name.startsWith(NAME)) {
        return ThreadSlice.makeShortest(tid, nice) == 0;
      }
    }
    return false;
  }
}
