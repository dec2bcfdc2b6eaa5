package redoubt.host;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.List;
import redoubt.abi.Errno;
import redoubt.abi.Nr;

/**
 * Starts host programs and waits for them, with exactly the descriptors that are named. Unlike
 * {@code ProcessBuilder} it passes descriptors, needs no helper program and reaps nothing by
 * itself.
 */
public final class Spawn {
  private static final long STACK_BYTES = 64 << 10;
  private static final int P_PID = 1;
  private static final int WEXITED = 4;
  private static final int WNOHANG = 1;
  private static final int CLD_EXITED = 1;

  private Spawn() {}

  /**
   * Starts {@code path}.
   *
   * @param fds {@code fds[i]} becomes descriptor i of the program, -1 leaves it closed; all others
   *     are closed
   * @return its pid
   * @throws HostException if it cannot be executed
   */
  public static int spawn(String path, List<String> argv, List<String> env, int[] fds) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment numbers = arena.allocate(Math.max(4L * fds.length, 4), 8);
      for (int i = 0; i < fds.length; i++) {
        numbers.set(Memory.INT, 4L * i, fds[i]);
      }
      MemorySegment stack = arena.allocate(STACK_BYTES, 64);
      return (int)
          HostException.check(
              "execute " + path,
              Natives.spawn(
                  utf8(arena, path).address(),
                  vector(arena, argv).address(),
                  vector(arena, env).address(),
                  numbers.address(),
                  fds.length,
                  stack.address(),
                  STACK_BYTES));
    }
  }

  /**
   * Waits until a child has ended.
   *
   * @return its exit code, or 128 + the signal that killed it; -ECHILD if there is no such child
   */
  public static int waitFor(int pid) {
    return wait(pid, 0);
  }

  /** As {@link #waitFor}, but {@code Integer.MIN_VALUE} at once if it still runs. */
  public static int poll(int pid) {
    return wait(pid, WNOHANG);
  }

  /**
   * Becomes another program: same pid, same children, only the descriptors without close-on-exec.
   *
   * @return a negative errno; no return when it worked
   */
  public static long replace(String path, List<String> argv, List<String> env) {
    try (Arena arena = Arena.ofConfined()) {
      return RawSyscall.syscall(
          Nr.EXECVE,
          utf8(arena, path).address(),
          vector(arena, argv).address(),
          vector(arena, env).address());
    }
  }

  private static int wait(int pid, int flags) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment info = arena.allocate(128, 8);
      while (true) {
        long r = RawSyscall.syscall(Nr.WAITID, P_PID, pid, info.address(), WEXITED | flags, 0);
        if (r == -Errno.EINTR) {
          continue;
        }
        if (r < 0) {
          return (int) r;
        }
        if (info.get(Memory.INT, 16) == 0) {
          return Integer.MIN_VALUE;
        }
        int status = info.get(Memory.INT, 24);
        return info.get(Memory.INT, 8) == CLD_EXITED ? status : 128 + (status & 0x7f);
      }
    }
  }

  private static MemorySegment vector(Arena arena, List<String> strings) {
    MemorySegment pointers = arena.allocate(8L * (strings.size() + 1), 8);
    for (int i = 0; i < strings.size(); i++) {
      pointers.set(Memory.LONG, 8L * i, utf8(arena, strings.get(i)).address());
    }
    return pointers;
  }

  private static MemorySegment utf8(Arena arena, String text) {
    return arena.allocateFrom(text, StandardCharsets.UTF_8);
  }
}
