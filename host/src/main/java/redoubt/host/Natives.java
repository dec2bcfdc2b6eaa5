package redoubt.host;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;

/**
 * The functions of native/host. All are called through one downcall shape, seven longs in and one
 * out: each further shape costs 3 to 8 ms at start. A C function with fewer parameters ignores the
 * rest.
 */
final class Natives {
  private static final FunctionDescriptor SHAPE =
      FunctionDescriptor.of(
          JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG);
  private static final SymbolLookup LIBRARY = library();
  private static final MethodHandle SYSCALL = bind("redoubt_raw_syscall");

  private Natives() {}

  /** What only some processes call, bound at first use. */
  private static final class Rare {
    static final MethodHandle SPAWN = bind("redoubt_spawn");
  }

  private static final class Scan {
    static final MethodHandle SYSCALLS = bind("redoubt_find_syscalls");
    static final MethodHandle BRANCHES = bind("redoubt_find_branches");
  }

  /** Makes a system call: the kernel's own result, 0 or more, or -errno. */
  static long syscall(long nr, long a0, long a1, long a2, long a3, long a4, long a5) {
    try {
      return (long) SYSCALL.invokeExact(nr, a0, a1, a2, a3, a4, a5);
    } catch (Throwable t) {
      throw new AssertionError(t);
    }
  }

  /** Starts a program (native/host/spawn.c); {@return its pid}, or -errno. */
  static long spawn(
      long path, long argv, long env, long fds, long count, long stack, long stackBytes) {
    try {
      return (long) Rare.SPAWN.invokeExact(path, argv, env, fds, count, stack, stackBytes);
    } catch (Throwable t) {
      throw new AssertionError(t);
    }
  }

  /** See {@link TextScan#syscalls}. */
  static long findSyscalls(long text, long bytes, long out, long max) {
    try {
      return (long) Scan.SYSCALLS.invokeExact(text, bytes, out, max, 0L, 0L, 0L);
    } catch (Throwable t) {
      throw new AssertionError(t);
    }
  }

  /** See {@link TextScan#branches}. */
  static long findBranches(long text, long bytes, long danger, long out, long max) {
    try {
      return (long) Scan.BRANCHES.invokeExact(text, bytes, danger, out, max, 0L, 0L);
    } catch (Throwable t) {
      throw new AssertionError(t);
    }
  }

  private static SymbolLookup library() {
    String directory = System.getProperty("redoubt.native");
    if (directory == null) {
      throw new IllegalStateException(
          "system property redoubt.native is not set; it names the directory of libredoubthost.so");
    }
    // SAFETY: the library is our own (native/host) and stays loaded for the life of the process.
    return SymbolLookup.libraryLookup(Path.of(directory, "libredoubthost.so"), Arena.global());
  }

  private static MethodHandle bind(String name) {
    // SAFETY: the C function takes at most seven longs or pointers and returns a long.
    return Linker.nativeLinker().downcallHandle(LIBRARY.findOrThrow(name), SHAPE);
  }
}
