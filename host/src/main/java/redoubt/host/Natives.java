package redoubt.host;

import java.io.File;

/**
 * The native methods of the product, all in libredoubthost.so (native/host/jni.c).
 *
 * <p>JNI, since the first downcall handle of {@code java.lang.foreign} costs each JVM 24 ms at its
 * start, AOT cache or not, and a call is no slower where the host kernel is entered.
 */
final class Natives {
  static {
    String directory = System.getProperty("redoubt.native");
    if (directory == null) {
      throw new IllegalStateException(
          "system property redoubt.native is not set; it names the directory of libredoubthost.so");
    }
    System.load(new File(directory, "libredoubthost.so").getAbsolutePath());
  }

  private Natives() {}

  /** Makes a system call: the kernel's own result, 0 or more, or -errno. */
  static native long syscall(long nr, long a0, long a1, long a2, long a3, long a4, long a5);

  /** Starts a program (native/host/spawn.c); {@return its pid}, or -errno. */
  static native long spawn(
      long path, long argv, long env, long fds, long count, long stack, long stackBytes);

  /** See {@link TextScan#syscalls}. */
  static native long findSyscalls(long text, long bytes, long out, long max);

  /** See {@link TextScan#branches}. */
  static native long findBranches(long text, long bytes, long danger, long out, long max);
}
