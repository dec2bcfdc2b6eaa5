package redoubt.host;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;

/**
 * The one downcall of the product: seven longs in, the kernel's result out (0 or more, or -errno).
 *
 * <p>Each further downcall shape costs 3 to 8 ms at start, so all system calls share this one.
 */
public final class RawSyscall {
  private static final MethodHandle RAW_SYSCALL = bind("redoubt_raw_syscall");

  private RawSyscall() {}

  /** Makes system call {@code nr}. It may block: never call it where a safepoint must be quick. */
  public static long syscall(int nr, long a0, long a1, long a2, long a3, long a4, long a5) {
    try {
      return (long) RAW_SYSCALL.invokeExact((long) nr, a0, a1, a2, a3, a4, a5);
    } catch (Throwable t) {
      throw new AssertionError(t);
    }
  }

  public static long syscall(int nr) {
    return syscall(nr, 0, 0, 0, 0, 0, 0);
  }

  public static long syscall(int nr, long a0) {
    return syscall(nr, a0, 0, 0, 0, 0, 0);
  }

  public static long syscall(int nr, long a0, long a1) {
    return syscall(nr, a0, a1, 0, 0, 0, 0);
  }

  public static long syscall(int nr, long a0, long a1, long a2) {
    return syscall(nr, a0, a1, a2, 0, 0, 0);
  }

  public static long syscall(int nr, long a0, long a1, long a2, long a3) {
    return syscall(nr, a0, a1, a2, a3, 0, 0);
  }

  public static long syscall(int nr, long a0, long a1, long a2, long a3, long a4) {
    return syscall(nr, a0, a1, a2, a3, a4, 0);
  }

  /** Calls {@code redoubt_spawn} of native/host/spawn.c: the same shape, bound at its first use. */
  static long spawn(
      long path, long argv, long env, long fds, long count, long stack, long stackBytes) {
    try {
      return (long)
          bind("redoubt_spawn").invokeExact(path, argv, env, fds, count, stack, stackBytes);
    } catch (Throwable t) {
      throw new AssertionError(t);
    }
  }

  /** {@return a function of our native library that has the one shape} */
  static MethodHandle bind(String function) {
    String directory = System.getProperty("redoubt.native");
    if (directory == null) {
      throw new IllegalStateException(
          "system property redoubt.native is not set; it names the directory of libredoubthost.so");
    }
    // SAFETY: the library is our own (native/host), stays loaded for the life of the process, and
    // the function's C type is exactly this descriptor.
    SymbolLookup library =
        SymbolLookup.libraryLookup(Path.of(directory, "libredoubthost.so"), Arena.global());
    return Linker.nativeLinker()
        .downcallHandle(
            library.findOrThrow(function),
            FunctionDescriptor.of(
                JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG,
                JAVA_LONG));
  }
}
