package redoubt.host;

/** System calls of the host: seven longs in, the kernel's result out (0 or more, or -errno). */
public final class RawSyscall {
  private RawSyscall() {}

  /** Makes system call {@code nr}. It may block: never call it where a safepoint must be quick. */
  public static long syscall(int nr, long a0, long a1, long a2, long a3, long a4, long a5) {
    return Natives.syscall(nr, a0, a1, a2, a3, a4, a5);
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
}
